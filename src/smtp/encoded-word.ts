// A Subject value from bytes to text: folding (RFC 5322 section 2.2.3), encoded words (RFC 2047,
// with the language suffix of RFC 2231 section 5) and raw 8-bit text. Not a MIME library: nothing
// is encoded, and what is broken is read as far as it goes, because the label is sought in what the
// recipient will see. It assumes nothing of the bytes, looks at 2,000 of them and never throws.

import { load } from '../lib/commonjs.js';

/** Bytes of the value that are looked at. */
const valueBytesMax = 2000;

/** Octets of a charset name, its language included; the longest registered name has 45. */
const charsetBytesMax = 80;

const equals = 0x3d;
const question = 0x3f;

const enum Encoding {
  base64 = 0,
  quoted = 1,
}

/**
 * The text of the header value in `[from, to)`, which may be folded and may end in CRLF, without
 * the white space around it. At most one character for each of the first 2,000 bytes; the bytes are
 * not kept.
 */
export function decodeSubject(bytes: Uint8Array, from: number, to: number): string {
  let start = Math.max(from, 0);
  let end = Math.min(to, bytes.length);
  while (start < end && isBlank(bytes[start]!)) start++;
  if (end - start > valueBytesMax) end = wholeCharacters(bytes, start, start + valueBytesMax);
  while (end > start && isBlank(bytes[end - 1]!)) end--;
  return reader.keepText(bytes, start, end);
}

/** Where one encoded word lies: set by `find`, valid until its next call. */
class EncodedWord {
  charsetFrom = 0;
  charsetTo = 0;
  encoding: number = Encoding.base64;
  textFrom = 0;
  textTo = 0;
  /** First byte behind the word. */
  end = 0;

  /**
   * Is there an encoded word at `from` (RFC 2047 section 2)? Leniently: its text may hold white
   * space, and that of Q a bare '?'. It never reaches past the next "=?", so a scan for words is
   * linear.
   */
  find(bytes: Uint8Array, from: number, to: number): boolean {
    if (bytes[from] !== equals || from + 1 >= to || bytes[from + 1] !== question) return false;
    const separator = this.#findCharset(bytes, from + 2, to);
    if (separator < 0 || separator + 2 >= to || bytes[separator + 2] !== question) return false;
    const letter = bytes[separator + 1]! | 0x20;
    if (letter !== 0x62 && letter !== 0x71) return false;
    this.encoding = letter === 0x62 ? Encoding.base64 : Encoding.quoted;
    this.textFrom = separator + 3;
    return this.#findEnd(bytes, to);
  }

  /** The '?' behind the charset, or -1. */
  #findCharset(bytes: Uint8Array, from: number, to: number): number {
    const limit = Math.min(to, from + charsetBytesMax);
    this.charsetFrom = from;
    this.charsetTo = -1;
    for (let at = from; at < limit; at++) {
      const byte = bytes[at]!;
      if (byte === question) {
        if (this.charsetTo < 0) this.charsetTo = at;
        return this.charsetTo > from ? at : -1;
      }
      if (byte <= 0x20 || byte >= 0x7f || byte === equals) return -1;
      if (byte === 0x2a && this.charsetTo < 0) this.charsetTo = at;
    }
    return -1;
  }

  #findEnd(bytes: Uint8Array, to: number): boolean {
    for (let at = this.textFrom; at + 1 < to; at++) {
      if (bytes[at] !== question) continue;
      if (bytes[at + 1] === equals) {
        this.textTo = at;
        this.end = at + 2;
        return true;
      }
      if (this.encoding === Encoding.base64) return false;
      if (at > this.textFrom && bytes[at - 1] === equals) return false; // the next word begins
    }
    return false;
  }
}

/** Collects octets of one charset, then text. One instance serves every subject of a thread. */
class SubjectReader {
  #area: Buffer;
  #used: number;
  #charset: string;
  #encoding: number;
  #bits: number;
  #bitCount: number;
  #text: string;
  #word: EncodedWord;

  constructor() {
    this.#area = Buffer.alloc(valueBytesMax);
    this.#used = 0;
    this.#charset = '';
    this.#encoding = Encoding.base64;
    this.#bits = 0;
    this.#bitCount = 0;
    this.#text = '';
    this.#word = new EncodedWord();
  }

  keepText(bytes: Uint8Array, from: number, to: number): string {
    const word = this.#word;
    this.#text = '';
    const rawCharset = guessCharset(bytes, from, to);
    let rawFrom = from;
    let at = from;
    while (at < to) {
      if (bytes[at] !== equals || !word.find(bytes, at, to)) {
        at++;
        continue;
      }
      // White space between two encoded words is not shown (RFC 2047 section 6.2).
      if (!isAllBlank(bytes, rawFrom, at)) {
        this.#flushWords();
        this.#keepRaw(bytes, rawFrom, at, rawCharset);
      }
      this.#addWord(bytes);
      at = word.end;
      rawFrom = at;
    }
    this.#flushWords();
    this.#keepRaw(bytes, rawFrom, to, rawCharset);
    const text = this.#text;
    this.#text = '';
    return text;
  }

  /** Text outside encoded words: folding ends with the removal of CR and LF. */
  #keepRaw(bytes: Uint8Array, from: number, to: number, charset: string): void {
    let used = 0;
    for (let at = from; at < to; at++) {
      const byte = bytes[at]!;
      if (byte !== 0x0d && byte !== 0x0a) this.#area[used++] = byte;
    }
    if (used > 0) this.#text += decodeAs(charset, this.#area, used);
  }

  #addWord(bytes: Uint8Array): void {
    const word = this.#word;
    const charset = charsetOf(bytes, word.charsetFrom, word.charsetTo);
    // A character may be cut between words although section 5 forbids it: such words are one text.
    // Not so in UTF-7, whose shift sequence ends with the word, and whose '+' would read on as
    // base64.
    const joins = charset === this.#charset && word.encoding === this.#encoding;
    if (!joins || charset === 'utf-7') this.#flushWords();
    this.#charset = charset;
    this.#encoding = word.encoding;
    if (word.encoding === Encoding.base64) this.#addBase64(bytes, word.textFrom, word.textTo);
    else this.#addQuoted(bytes, word.textFrom, word.textTo);
  }

  /**
   * Octets that are not of the alphabet are passed over. Bits left at the end of a word wait for
   * the next one that joins, because senders cut one long base64 text anywhere; '=' drops them.
   */
  #addBase64(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; at++) {
      const value = base64Values[bytes[at]!]!;
      if (value < 0) {
        if (bytes[at] === equals) this.#bitCount = 0;
        continue;
      }
      this.#bits = ((this.#bits << 6) | value) & 0xfff;
      this.#bitCount += 6;
      if (this.#bitCount < 8) continue;
      this.#bitCount -= 8;
      this.#area[this.#used++] = (this.#bits >> this.#bitCount) & 0xff;
    }
  }

  #addQuoted(bytes: Uint8Array, from: number, to: number): void {
    let at = from;
    while (at < to) {
      const byte = bytes[at++]!;
      if (byte === 0x0d || byte === 0x0a) continue;
      let octet = byte === 0x5f ? 0x20 : byte;
      if (byte === equals && at + 1 < to) {
        const high = hexValue(bytes[at]!);
        const low = hexValue(bytes[at + 1]!);
        if (high >= 0 && low >= 0) {
          octet = (high << 4) | low;
          at += 2;
        }
      }
      this.#area[this.#used++] = octet;
    }
  }

  #flushWords(): void {
    if (this.#charset !== '' && this.#used > 0) {
      this.#text += decodeAs(this.#charset, this.#area, this.#used);
    }
    this.#charset = '';
    this.#used = 0;
    this.#bits = 0;
    this.#bitCount = 0;
  }
}

const reader = new SubjectReader();

/**
 * The charset of 8-bit text that names none. UTF-8 if it is valid UTF-8, which text in other
 * charsets hardly ever is. Else GB18030 if it is valid GB18030: raw 8-bit subjects are Chinese
 * above all, and the Chinese label is the one that is not ASCII. Else Latin-1, which reads
 * anything. A wrong guess costs letters that are in no label. One guess for a whole value, because
 * one program wrote it.
 */
function guessCharset(bytes: Uint8Array, from: number, to: number): string {
  let at = from;
  while (at < to && bytes[at]! < 0x80) at++;
  if (at === to) return 'latin1';
  if (isUtf8(bytes, at, to)) return 'utf-8';
  return isGb18030(bytes, at, to) ? 'gb18030' : 'latin1';
}

// The two tests below are not left to a fatal TextDecoder: its exception costs some microseconds,
// and a stranger could ask for one with every mail.

/** RFC 3629 section 4: neither overlong forms nor surrogates. */
function isUtf8(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  while (at < to) {
    const lead = bytes[at++]!;
    if (lead < 0x80) continue;
    if (lead < 0xc2 || lead > 0xf4) return false;
    const more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (to - at < more) return false;
    let point = lead & (0x3f >> more);
    for (let i = 0; i < more; i++) {
      const byte = bytes[at++]!;
      if ((byte & 0xc0) !== 0x80) return false;
      point = (point << 6) | (byte & 0x3f);
    }
    if (more === 2 && (point < 0x800 || (point >= 0xd800 && point <= 0xdfff))) return false;
    if (more === 3 && (point < 0x10000 || point > 0x10ffff)) return false;
  }
  return true;
}

/** The form of GB 18030 text; nearly every pair of that form has a character. */
function isGb18030(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  while (at < to) {
    const lead = bytes[at++]!;
    if (lead <= 0x80) continue; // 0x80 is the euro sign of code page 936
    if (lead === 0xff || at === to) return false;
    const trail = bytes[at++]!;
    if (trail >= 0x40) {
      if (trail === 0x7f || trail === 0xff) return false;
      continue;
    }
    if (trail < 0x30 || trail > 0x39 || to - at < 2) return false;
    const third = bytes[at++]!;
    const fourth = bytes[at++]!;
    if (third < 0x81 || third === 0xff || fourth < 0x30 || fourth > 0x39) return false;
  }
  return true;
}

// Names as senders write them, without case and punctuation, by the charset that reads them.
// Supersets read their subsets: GB18030 reads GBK and GB2312. 'guess' is for names that say nothing
// of 8-bit text.
const charsetNames = {
  'utf-8': 'utf8 cp65001 unicode11utf8 unicode20utf8 xunicode20utf8 csutf8',
  'utf-7': 'utf7 unicode11utf7 csunicode11utf7 unicode20utf7 xunicode20utf7 cp65000',
  'utf-16le': 'utf16le',
  'utf-16be': 'utf16 utf16be',
  gb18030:
    'gb18030 gbk gb2312 gb231280 csgb2312 csgb231280 csiso58gb231280 isoir58 chinese cngb euccn ' +
    'xeuccn xgbk xgb18030 csgbk csgb18030 cp936 ms936 windows936 xcp936',
  'hz-gb-2312': 'hzgb2312 hzgb hz',
  big5: 'big5 cnbig5 xbig5 xxbig5 csbig5 big5hkscs big5eten cp950 ms950 windows950',
  'iso-2022-jp': 'iso2022jp iso2022jp1 iso2022jp2 csiso2022jp cp50220 cp50221',
  shift_jis: 'shiftjis sjis xsjis mskanji csshiftjis windows31j cswindows31j cp932 ms932',
  'euc-jp': 'eucjp xeucjp cseucpkdfmtjapanese ujis',
  'euc-kr':
    'euckr xeuckr cseuckr korean ksc5601 ksc56011987 ksc56011989 csksc56011987 isoir149 ' +
    'windows949 cp949 ms949 uhc',
  tcvn:
    'tcvn tcvn5712 tcvn57121 tcvn57122 tcvn57123 xviettcvn xviettcvn5712 ' +
    'vscii vscii1 vscii2 vscii3 isoir180 csvscii',
  viscii: 'viscii viscii11 viscii111 csviscii xviscii',
  'koi8-r': 'koi8r koi8 koi xkoi8r cskoi8r',
  'koi8-u': 'koi8u koi8ru',
  ibm866: 'ibm866 cp866 csibm866',
  macintosh: 'macintosh mac macroman xmacroman',
  'windows-874': 'windows874 cp874 dos874 tis620 tis6202533 iso885911',
  guess:
    'usascii ascii ansix341968 ansix341986 iso646us csascii unknown8bit xunknown unknown 8bit ' +
    '7bit binary default',
} as const;

/** Charsets that come as a family: every number that follows one of the prefixes. */
const charsetFamilies = [
  { prefixes: ['windows', 'cp', 'xcp', 'win', 'ms'], charset: 'windows-', from: 1250, to: 1258 },
  { prefixes: ['iso8859', '8859', 'csiso8859'], charset: 'iso-8859-', from: 1, to: 10 },
  { prefixes: ['iso8859', '8859', 'csiso8859'], charset: 'iso-8859-', from: 13, to: 16 },
  { prefixes: ['latin', 'csisolatin'], charset: 'iso-8859-', from: 1, to: 4 },
] as const;

const charsets = openCharsets();

function openCharsets(): Map<string, string> {
  const table = new Map<string, string>();
  for (const [charset, names] of Object.entries(charsetNames)) {
    for (const name of names.split(' ')) table.set(name, charset);
  }
  for (const { prefixes, charset, from, to } of charsetFamilies) {
    for (let number = from; number <= to; number++) {
      for (const prefix of prefixes) table.set(`${prefix}${number}`, `${charset}${number}`);
    }
  }
  // Latin alphabets 5 to 10 have other numbers than their parts of ISO 8859.
  for (const [alphabet, part] of Object.entries({ 5: 9, 6: 10, 7: 13, 8: 14, 9: 15, 10: 16 })) {
    table.set(`latin${alphabet}`, `iso-8859-${part}`);
  }
  for (const suffix of ['i', 'e']) table.set(`iso88598${suffix}`, 'iso-8859-8');
  return table;
}

/** The charset that reads text of the name in `[from, to)`; Latin-1 where the name is not known. */
function charsetOf(bytes: Uint8Array, from: number, to: number): string {
  let name = '';
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte === 0x3a) break; // a year follows, as in ISO_8859-1:1987
    const isDigit = byte >= 0x30 && byte <= 0x39;
    const letter = byte | 0x20;
    if (isDigit) name += String.fromCharCode(byte);
    else if (letter >= 0x61 && letter <= 0x7a) name += String.fromCharCode(letter);
  }
  return charsets.get(name) ?? 'latin1';
}

/** Charsets that TextDecoder lacks (and windows-1258, one of their kind), by iconv-lite name. */
const iconvNames: Readonly<Record<string, string>> = {
  'windows-1258': 'windows1258',
  tcvn: 'tcvn',
  viscii: 'viscii',
  'utf-7': 'utf7',
  'iso-8859-16': 'iso885916',
};

type Decoder = InstanceType<typeof TextDecoder>;

/** One decoder for each charset used so far: the table above is their limit. */
const decoders = new Map<string, Decoder | null>();

// allocates: a view and a string for the few subjects that may carry a label
function decodeAs(charset: string, area: Buffer, used: number): string {
  if (charset === 'guess') return decodeAs(guessCharset(area, 0, used), area, used);
  if (charset === 'latin1') return area.toString('latin1', 0, used);
  if (charset === 'hz-gb-2312') return decodeAs('gb18030', area, gb18030FromHz(area, used));
  const iconvName = iconvNames[charset];
  if (iconvName !== undefined) {
    const iconv = load('iconv-lite') as typeof import('iconv-lite');
    return iconv.decode(area.subarray(0, used), iconvName);
  }
  let decoder = decoders.get(charset);
  if (decoder === undefined) {
    decoder = openDecoder(charset);
    decoders.set(charset, decoder);
  }
  if (decoder === null) return area.toString('latin1', 0, used);
  return decoder.decode(area.subarray(0, used));
}

/** Null on a Node built without this charset (small ICU). */
function openDecoder(charset: string): Decoder | null {
  try {
    return new TextDecoder(charset);
  } catch {
    return null;
  }
}

/** RFC 1843: "~{" and "~}" around pairs of 7-bit octets. In place; the new length. */
function gb18030FromHz(area: Buffer, used: number): number {
  let shift = 0;
  let length = 0;
  for (let at = 0; at < used; at++) {
    const byte = area[at]!;
    const next = at + 1 < used ? area[at + 1]! : 0;
    if (byte === 0x7e && (next === 0x7b || next === 0x7d || next === 0x7e)) {
      at++;
      if (next === 0x7e) area[length++] = byte;
      else shift = next === 0x7b ? 0x80 : 0;
    } else if (byte >= 0x21 && byte <= 0x7e) {
      area[length++] = byte | shift;
    } else {
      area[length++] = byte;
    }
  }
  return length;
}

const base64Values = openBase64Values();

/** Six bits by octet, -1 for the others. The URL alphabet (RFC 4648 section 5) is read as well. */
function openBase64Values(): Int8Array {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const values = new Int8Array(256).fill(-1);
  for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i;
  values[0x2d] = 62;
  values[0x5f] = 63;
  return values;
}

function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** `to`, or the first byte of the UTF-8 character that a cut at `to` would halve. */
function wholeCharacters(bytes: Uint8Array, from: number, to: number): number {
  let at = to;
  while (at > from && to - at < 3 && (bytes[at]! & 0xc0) === 0x80) at--;
  return at;
}

function isAllBlank(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    if (!isBlank(bytes[at]!)) return false;
  }
  return true;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a;
}
