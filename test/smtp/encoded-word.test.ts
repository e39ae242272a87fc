// Subject decoding: a table of situations, two oracles (libmime for whole values, the fatal
// decoders of Node for the guess at raw text), random round trips and a fuzz loop.

import { createRequire } from 'node:module';
import fc from 'fast-check';
import iconv from 'iconv-lite';
import { expect, test } from 'vitest';
import { decodeSubject } from '../../src/smtp/encoded-word.js';

/** libmime has no types; these two functions are what is used of it. */
const libmime = createRequire(import.meta.url)('libmime') as {
  decodeWords(text: string): string;
  encodeWords(text: string, encoding: 'Q' | 'B', length: number): string;
};

function decoded(value: string | Uint8Array): string {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  return decodeSubject(bytes, 0, bytes.length);
}

function base64Word(charset: string, octets: Uint8Array): string {
  return `=?${charset}?B?${Buffer.from(octets).toString('base64')}?=`;
}

function quotedWord(charset: string, octets: Uint8Array): string {
  let text = '';
  for (const octet of octets) text += `=${octet.toString(16).toUpperCase().padStart(2, '0')}`;
  return `=?${charset}?Q?${text}?=`;
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const latin = (text: string) => Buffer.from(text, 'latin1');

const situations: readonly (readonly [string, string | Uint8Array, string])[] = [
  ['empty', '', ''],
  ['only white space', ' \t\r\n ', ''],
  ['plain text', 'Hello there', 'Hello there'],
  ['white space around and a line end', ' \tHello \r\n', 'Hello'],
  ['folded with CRLF', 'one\r\n two\r\n\tthree', 'one two\tthree'],
  ['folded with a bare LF', 'one\n two', 'one two'],
  ['Q', '=?utf-8?Q?caf=C3=A9?=', 'café'],
  ['q, lower-case hex', '=?UTF-8?q?caf=c3=a9?=', 'café'],
  ['Q with underscores', '=?utf-8?Q?a_b?=', 'a b'],
  ['underscore as such', '=?utf-8?Q?a=5Fb?=', 'a_b'],
  ['B', '=?utf-8?B?5bm/5ZGK?=', '广告'],
  ['b', '=?utf-8?b?5bm/5ZGK?=', '广告'],
  ['words around it', 'x =?utf-8?Q?y?= z', 'x y z'],
  ['two words, space between', '=?utf-8?Q?a?= =?utf-8?Q?b?=', 'ab'],
  ['two words, folded between', '=?utf-8?Q?a?=\r\n\t=?utf-8?Q?b?=', 'ab'],
  ['two words of two charsets', '=?iso-8859-1?Q?=E9?= =?utf-8?Q?=C3=A9?=', 'éé'],
  ['two words of two encodings', '=?utf-8?Q?a?=  =?utf-8?B?Yg==?=', 'ab'],
  ['text between words keeps its spaces', '=?utf-8?Q?a?= x =?utf-8?Q?b?=', 'a x b'],
  ['words without a space between', '=?utf-8?Q?a?==?utf-8?Q?b?=', 'ab'],
  ['a word glued to text', 'Re:=?utf-8?Q?a?=b', 'Re:ab'],
  ['a character cut between B words', '=?utf-8?B?5bk=?= =?utf-8?B?v+WRig==?=', '广告'],
  ['a character cut between Q words', '=?gbk?Q?=B9?=\r\n =?GBK?Q?=E3=B8=E6?=', '广告'],
  ['... and the names differ', '=?gb2312?Q?=B9?= =?x-gbk?Q?=E3=B8=E6?=', '广告'],
  ['base64 cut between words', '=?utf-8?B?5bm/5?= =?utf-8?B?ZGK?=', '广告'],
  ['... but not between B and Q', '=?gbk?B?uQ==?= =?gbk?Q?=E3?=', '\ufffd\ufffd'],
  ['language suffix', '=?utf-8*en?Q?caf=C3=A9?=', 'café'],
  ['language suffix, B', '=?gb2312*zh-CN?B?ueO45g==?=', '广告'],
  ['missing padding', '=?utf-8?B?YQ?=', 'a'],
  ['padding inside', '=?utf-8?B?YQ==Yg==?=', 'ab'],
  ['white space and junk inside B', '=?utf-8?B?5b m/\r\n 5Z!GK?=', '广告'],
  ['spaces inside Q', '=?utf-8?Q?a b c?=', 'a b c'],
  ['folded inside Q', '=?utf-8?Q?a\r\n b?=', 'a b'],
  ['soft line break inside Q', '=?utf-8?Q?a=\r\nb?=', 'a=b'],
  ['a bare question mark inside Q', '=?utf-8?Q?who? you?=', 'who? you'],
  ['a question mark at its end', '=?utf-8?Q?who??=', 'who?'],
  ['= without digits', '=?utf-8?Q?1=x2=?=', '1=x2='],
  ['raw 8-bit text inside Q', latin('=?iso-8859-1?Q?caf\xe9?='), 'café'],
  ['a bare question mark inside B', '=?utf-8?B?YQ?YQ==?=', '=?utf-8?B?YQ?YQ==?='],
  ['empty text', '=?utf-8?Q??=x', 'x'],
  ['unterminated', '=?utf-8?Q?abc', '=?utf-8?Q?abc'],
  ['unterminated, then a word', '=?utf-8?Q?abc =?utf-8?Q?d?=', '=?utf-8?Q?abc d'],
  ['unterminated B, then a word', '=?utf-8?B?YWJj =?utf-8?B?YQ==?=', '=?utf-8?B?YWJj a'],
  ['cut in the charset', '=?utf-', '=?utf-'],
  ['cut behind the encoding', '=?utf-8?Q', '=?utf-8?Q'],
  ['no such encoding', '=?utf-8?X?abc?=', '=?utf-8?X?abc?='],
  ['no charset', '=??Q?abc?=', '=??Q?abc?='],
  ['only a language', '=?*en?Q?abc?=', '=?*en?Q?abc?='],
  ['white space in the charset', '=?ut f?Q?abc?=', '=?ut f?Q?abc?='],
  ['a charset name too long', `=?${'x'.repeat(90)}?Q?a?=`, `=?${'x'.repeat(90)}?Q?a?=`],
  ['unknown charset reads as Latin-1', '=?x-no-such?Q?caf=E9?=', 'café'],
  ['names from Object.prototype', '=?__proto__?Q?=E9?= =?constructor?Q?=E9?=', 'éé'],
  ['us-ascii that is UTF-8', '=?us-ascii?Q?caf=C3=A9?=', 'café'],
  ['unknown-8bit that is GBK', '=?unknown-8bit?Q?=B9=E3=B8=E6?=', '广告'],
  ['equals signs', '==?utf-8?Q?a?==', '=a='],
  ['raw UTF-8', Buffer.from('【广告】 sale'), '【广告】 sale'],
  ['raw GB18030', hex('a1beb9e3b8e6a1bf20 73616c65'), '【广告】 sale'],
  ['raw GB18030 of four bytes', hex('8130 8130 b9e3b8e6'), '\u0080广告'],
  ['raw Latin-1', latin('caf\xe9 au lait'), 'café au lait'],
  ['raw Latin-1 at the end', latin('caf\xe9'), 'café'],
  ['raw UTF-8 folded', Buffer.from('广\r\n 告'), '广 告'],
  ['raw UTF-8 beside a word', Buffer.from('=?utf-8?Q?=5BQC=5D?= giảm'), '[QC] giảm'],
  ['hz', '=?hz-gb-2312?Q?~{9c8f~}=7E=7E?=', '广告~'],
  ['utf-7', '=?unicode-1-1-utf-7?Q?+Xn9USg-?=', '广告'],
  ['two utf-7 words, the first not closed', '=?utf-7?Q?+Xn8?= =?utf-7?Q?+VEo-?=', '广告'],
];

test.each(situations)('%s', (_name, value, expected) => {
  expect(decoded(value)).toBe(expected);
});

const names: readonly (readonly [string, readonly string[], string])[] = [
  [
    'gbk',
    'gb2312 GBK gb18030 x-gbk cp936 ms936 windows-936 gb_2312-80 csGB2312 euc-cn cn-gb'.split(' '),
    '【广告】特价',
  ],
  ['big5', 'big5 Big5-HKSCS cn-big5 x-x-big5 cp950 csBig5'.split(' '), '廣告'],
  ['shift_jis', 'shift_jis shift-jis sjis x-sjis windows-31j cp932'.split(' '), '日本語テスト'],
  ['euc-jp', 'euc-jp x-euc-jp'.split(' '), '日本語'],
  ['euc-kr', 'euc-kr ks_c_5601-1987 windows-949 cp949'.split(' '), '광고 안내'],
  ['tcvn', 'tcvn TCVN-5712 tcvn5712-1 TCVN5712-1:1993 x-viet-tcvn5712'.split(' '), 'Quảng cáo'],
  ['viscii', 'viscii VISCII1.1-1 csVISCII'.split(' '), 'Quảng cáo'],
  ['utf7', 'utf-7 UNICODE-1-1-UTF-7 csUnicode11UTF7'.split(' '), 'Quảng cáo'],
  ['utf8', 'utf8 UTF-8 utf_8 cp65001'.split(' '), 'Quảng cáo'],
  ['utf-16be', 'utf-16be UTF-16'.split(' '), '广告'],
  ['utf-16le', ['utf-16le'], '广告'],
  ['windows-1252', 'windows-1252 cp1252 iso-8859-1 latin1 ISO_8859-1:1987'.split(' '), 'Grüße'],
  ['iso-8859-2', 'iso-8859-2 latin2 iso8859-2'.split(' '), 'Zażółć'],
  ['iso-8859-15', 'iso-8859-15 latin-9'.split(' '), '5 €'],
  ['iso-8859-16', 'iso-8859-16 latin10'.split(' '), 'Știri'],
  ['windows-1251', 'windows-1251 cp1251 x-cp1251'.split(' '), 'Реклама'],
  ['koi8-r', 'koi8-r koi8'.split(' '), 'Реклама'],
  ['windows-874', 'windows-874 tis-620 iso-8859-11'.split(' '), 'โฆษณา'],
];

test.each(names)('%s under all its names', (charset, aliases, text) => {
  const octets = iconv.encode(text, charset);
  for (const alias of aliases) {
    expect(decoded(base64Word(alias, octets)), alias).toBe(text);
    expect(decoded(quotedWord(alias, octets)), alias).toBe(text);
  }
});

test('windows-1258 joins its combining marks', () => {
  const octets = hex('5175 61d2 6e67 2063 e1 6f');
  const text = decoded(base64Word('windows-1258', octets));
  expect(text.normalize('NFC')).toBe('Quảng cáo');
});

test('ISO-2022-JP, also where a word ends inside a shift', () => {
  const octets = hex('1b2442 467c 4b5c 386c 1b2842');
  expect(decoded(base64Word('iso-2022-jp', octets))).toBe('日本語');
  const cut = `${base64Word('iso-2022-jp', octets.subarray(0, 5))}\r\n `;
  expect(decoded(cut + base64Word('ISO-2022-JP', octets.subarray(5)))).toBe('日本語');
});

test('every single-byte charset reads as Node or iconv-lite reads it', () => {
  const octets = Buffer.from(Array.from({ length: 0x60 }, (_, i) => 0xa0 + i));
  const parts = [2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15];
  const charsets = parts.map((part) => `iso-8859-${part}`);
  for (let page = 1250; page <= 1257; page++) charsets.push(`windows-${page}`);
  for (const charset of charsets) {
    const expected = new TextDecoder(charset).decode(octets);
    expect(decoded(quotedWord(charset, octets)), charset).toBe(expected);
    expect(iconv.decode(octets, charset).length).toBe(expected.length);
  }
});

test('libmime reads the same', () => {
  const values = [
    '=?UTF-8?B?5bm/5ZGK?= =?UTF-8?B?77yaYQ==?=',
    '=?gb2312?B?ueO45qO6?=',
    '=?GBK?Q?=B9=E3=B8=E6?=',
    '=?Big5?B?vHOnaQ==?=',
    '=?iso-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@example.org>',
    '=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=',
    '=?ISO-8859-1?Q?a_b?= c',
    '=?koi8-r?B?8sXLzMHNwQ==?= =?koi8-r?B?8sXLzMHNwQ==?=',
    '=?iso-2022-jp?B?GyRCRnxLXDhsGyhC?=',
    '=?euc-kr?B?saSw7Q==?=',
    '=?windows-1251?Q?=D0=E5=EA=EB=E0=EC=E0?= text',
    '=?utf-8?Q?=E5=B9?= =?utf-8?Q?=BF=E5=91=8A?=',
    '=?utf-8?B?5bk=?= =?utf-8?B?v+WRig==?=',
    '=?utf-8*vi?Q?Qu=E1=BA=A3ng_c=C3=A1o?=',
    'no words here',
  ];
  for (const value of values) expect(decoded(value), value).toBe(libmime.decodeWords(value));
});

const subjectOf = (unit: 'grapheme' | fc.Arbitrary<string>) =>
  fc
    .string({ unit, maxLength: 60 })
    .map((text) => `<${text.replace(/[\r\n\u0085\u2028\u2029]/gu, '.')}>`);
const subjects = subjectOf('grapheme');
// libmime halves characters beyond the basic plane when it cuts Q and B words.
const basicSubjects = subjectOf(
  fc.integer({ min: 0x20, max: 0xd7ff }).map((point) => String.fromCodePoint(point)),
);

test('what libmime encodes is read back, in both encodings, folded', () => {
  const letters = fc.constantFrom('Q' as const, 'B' as const);
  fc.assert(
    fc.property(basicSubjects, letters, fc.integer({ min: 30, max: 75 }), (text, letter, width) => {
      const words = libmime.encodeWords(text, letter, width).replaceAll(' ', '\r\n ');
      // encodeWords leaves ASCII words as they are, and then folding is only white space.
      expect(decoded(words).replaceAll(/\s/gu, '')).toBe(text.replaceAll(/\s/gu, ''));
    }),
    { numRuns: 300 },
  );
});

test('text cut into words at any octet is read back', () => {
  const charset = fc.constantFrom('utf-8', 'gb18030', 'utf-16be', 'utf-16le');
  const cuts = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(subjects, charset, cuts, fc.boolean(), (text, name, lengths, quoted) => {
      const octets = iconv.encode(text, name);
      let words = '';
      for (let at = 0, i = 0; at < octets.length; i++) {
        const part = octets.subarray(at, at + lengths[i % lengths.length]!);
        words += `${words === '' ? '' : ' '}${(quoted ? quotedWord : base64Word)(name, part)}`;
        at += part.length;
      }
      if (words.length <= 2000) expect(decoded(words)).toBe(text);
    }),
    { numRuns: 400 },
  );
});

function fatal(charset: string, bytes: Uint8Array): string | null {
  try {
    return new TextDecoder(charset, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

const guesses = (
  'c3a9 c1a9 e28094 e09fbf eda080 ed9fbf f09f9880 f08fbfbf f4908080 f48fbfbf f5808080 c3 e280 ' +
  '81 8140 817f 8180 81ff ff41 8041 81308130 81308030 8130ff30 8130812f 8130813a 813a8130 813081 ' +
  'a1beb9e3 b9e3b8e6c3'
).split(' ');

test.each(guesses)('the guess at %s agrees with the fatal decoders', (text) => {
  const bytes = Buffer.concat([Buffer.from('a'), hex(text)]);
  const expected = fatal('utf-8', bytes) ?? fatal('gb18030', bytes) ?? bytes.toString('latin1');
  expect(decoded(bytes)).toBe(expected);
});

test('the guess at raw text agrees with the fatal decoders', () => {
  const octet = fc.oneof(
    fc.integer({ min: 0xb0, max: 0xf7 }),
    fc.integer({ min: 0x30, max: 0x7f }),
    fc.integer({ min: 0x80, max: 0xff }),
  );
  let seen = 0;
  fc.assert(
    fc.property(fc.array(octet, { minLength: 1, maxLength: 8 }), (list) => {
      const bytes = Buffer.from([0x2e, ...list, 0x2e]);
      const expected = fatal('utf-8', bytes) ?? fatal('gb18030', bytes) ?? bytes.toString('latin1');
      if (expected !== bytes.toString('latin1')) seen++;
      if (decoded(bytes) !== expected) {
        // The one difference allowed: the form is right and there is no such character.
        expect(fatal('gb18030', bytes)).toBeNull();
        expect(decoded(bytes)).toBe(new TextDecoder('gb18030').decode(bytes));
      }
    }),
    { numRuns: 3000 },
  );
  expect(seen).toBeGreaterThan(100);
});

test('at most 2,000 bytes are read, and no character is halved there', () => {
  const long = Buffer.from('广'.repeat(1000));
  expect(decoded(long)).toBe('广'.repeat(666));
  expect(decoded('x'.repeat(5000))).toBe('x'.repeat(2000));
  const word = '=?utf-8?Q?a?=';
  expect(decoded(`${'x'.repeat(1995)}${word}`)).toBe(`${'x'.repeat(1995)}=?utf`);
});

test('only the range is read, and a range that does not fit is cut to the bytes', () => {
  const bytes = Buffer.from('Subject: =?utf-8?Q?a?=\r\nTo: x');
  expect(decodeSubject(bytes, 8, 24)).toBe('a');
  expect(decodeSubject(bytes, -5, 7)).toBe('Subject');
  expect(decodeSubject(bytes, 24, 9999)).toBe('To: x');
  expect(decodeSubject(bytes, 20, 10)).toBe('');
});

test('hostile values cost linear time and leave nothing behind for the next', () => {
  const seeds = [
    '=?utf-8?Q?',
    '=?a?B?',
    '=?utf-8?Q?=?=',
    '=?a?q??=\xff',
    '=?',
    '?=',
    '=',
    '=?utf-7?Q?+?= ',
    '=?hz?Q?~{?= ',
    '=?iso-2022-jp?B?GyRC?= ',
    '=?gbk?Q?=81?= ',
    '=?x?B?/?= ',
  ];
  for (const seed of seeds) {
    const value = latin(seed.repeat(Math.ceil(2000 / seed.length)));
    const start = performance.now();
    for (let i = 0; i < 20; i++) decoded(value);
    expect((performance.now() - start) / 20, seed).toBeLessThan(10);
    expect(decoded('=?utf-8?Q?a?= b')).toBe('a b');
  }
});

test('a second of mutated values: a string each time, never longer than the bytes read', () => {
  const corpus = situations.map(([, value]) =>
    typeof value === 'string' ? latin(value) : Buffer.from(value),
  );
  let state = 20_240_601;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) % below;
  };
  const pick = () => corpus[random(corpus.length)]!;
  const end = performance.now() + 1000;
  let rounds = 0;
  while (performance.now() < end) {
    const bytes = Buffer.concat([pick(), pick(), pick()]);
    for (let i = random(6); i > 0 && bytes.length > 0; i--)
      bytes[random(bytes.length)] = random(256);
    const from = random(4);
    const text = decodeSubject(bytes, from, bytes.length - random(4));
    if (text.length > bytes.length) expect.fail(`${bytes.toString('hex')} grew`);
    rounds++;
  }
  expect(rounds).toBeGreaterThan(1000);
});
