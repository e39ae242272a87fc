// Subject labels: tables of subjects that carry one and of near misses, the grammar generated at
// random, and the time that hostile subjects take.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Label, labelNames, labelOf } from '../../src/smtp/label.js';

/** `class` or `class code`, as the tables below write it. */
function labelled(subject: string): string {
  const { label, code } = labelOf(subject);
  return code === '' ? labelNames[label]! : `${labelNames[label]} ${code}`;
}

const positives: readonly (readonly [string, string])[] = [
  // Order 38/2006 art. 13(3)
  ['广告 特价', 'cn'],
  ['广告', 'cn'],
  ['广告法解读', 'cn'],
  ['  广告: sale', 'cn'],
  ['\t\u3000广告', 'cn'],
  ['\ufeff\u200b广告', 'cn'],
  ['廣告：特價', 'cn'],
  ['[广告] sale', 'cn'],
  ['【广告】sale', 'cn'],
  ['〔广告〕sale', 'cn'],
  ['(广告)sale', 'cn'],
  ['（广告）sale', 'cn'],
  ['<广告>', 'cn'],
  ['｛廣告｝', 'cn'],
  ['【 广告 】', 'cn'],
  ['【【广告】】', 'cn'],
  ['【广告sale', 'cn'],
  ['【广告特价】', 'cn'],
  ['[广告 ABC1] sale', 'cn ABC1'],
  ['AD', 'cn'],
  ['AD sale', 'cn'],
  ['AD: sale', 'cn'],
  ['AD：sale', 'cn'],
  ['ad sale', 'cn'],
  ['Ad-sale', 'cn'],
  ['ＡＤ sale', 'cn'],
  ['ａｄ', 'cn'],
  ['ＡＤ特价', 'cn'],
  ['AD特价', 'cn'],
  ['AD할인', 'cn'],
  ['AD、夏', 'cn'],
  [' AD】sale', 'cn'],
  ['((AD)) sale', 'cn'],
  ['[AD sale] now', 'cn'],
  ['[AD', 'cn'],
  ['[AD, sale]', 'cn'],
  ['[AD ABC4] sale', 'cn'],
  ['[AD ABC1', 'cn'],
  // Decree 90/2008 and Decree 91/2020
  ['[QC] Khuyến mãi', 'vn.qc'],
  ['[QC]Khuyến mãi', 'vn.qc'],
  ['[qc] sale', 'vn.qc'],
  ['[Qc] sale', 'vn.qc'],
  [' [QC] sale', 'vn.qc'],
  ['[ QC ] sale', 'vn.qc'],
  ['(QC) sale', 'vn.qc'],
  ['{QC} sale', 'vn.qc'],
  ['<QC> sale', 'vn.qc'],
  ['【QC】sale', 'vn.qc'],
  ['〔QC〕sale', 'vn.qc'],
  ['［ＱＣ］ sale', 'vn.qc'],
  ['[\u00a0QC\u00a0] sale', 'vn.qc'],
  ['[QC) sale', 'vn.qc'],
  ['[QC][ABC1] sale', 'vn.qc'],
  ['[QC ABC1] sale', 'vn.qc ABC1'],
  ['[QC  ABC1 ] sale', 'vn.qc ABC1'],
  ['[qc abc1] sale', 'vn.qc ABC1'],
  ['[QC 1232]', 'vn.qc 1232'],
  ['[QC ABC3,DEF2] sale', 'vn.qc ABC3,DEF2'],
  ['[QC ABC3 , DEF2] sale', 'vn.qc ABC3,DEF2'],
  ['[QC ABC1,ABC2,ABC3]', 'vn.qc ABC1,ABC2,ABC3'],
  ['［ＱＣ ＡＢＣ１］', 'vn.qc ABC1'],
  ['[ADV] sale', 'vn.adv'],
  ['(adv) sale', 'vn.adv'],
  ['[ADV ABC1] sale', 'vn.adv ABC1'],
  ['[AD] sale', 'vn.ad'],
  ['(ad)', 'vn.ad'],
  ['【AD】', 'vn.ad'],
  ['[AD XY91] sale', 'vn.ad XY91'],
  ['[ABC1] sale', 'vn.code ABC1'],
  ['[ ABC1 ] sale', 'vn.code ABC1'],
  ['(9Z93)', 'vn.code 9Z93'],
  ['[ADV1]', 'vn.code ADV1'],
  ['[ADS2] sale', 'vn.code ADS2'],
  ['[QCA3]', 'vn.code QCA3'],
  ['[QC11]', 'vn.code QC11'],
];

test.each(positives)('%j is %s', (subject, expected) => {
  expect(labelled(subject)).toBe(expected);
});

const nearMisses = [
  '',
  ' ',
  '[',
  '[]',
  'Hello',
  'ADVENT calendar',
  'Additional information',
  'ADD',
  'AD2023',
  'AD_x',
  'Adèle',
  'Ade\u0301',
  'ADĐ',
  'Ađ',
  'A D',
  'A',
  '[A',
  'ADV sale',
  'ADV: sale',
  'QC sale',
  'QC: sale',
  'ABC1 sale',
  '广 告',
  '广',
  '告广',
  '公益广告',
  'Re: [QC] sale',
  'Re: AD sale',
  'Fwd: 广告',
  '转发: 【广告】',
  '[list] [QC] sale',
  '[list] 广告',
  '"广告"',
  '* AD',
  '[QC sale',
  '[QC',
  'QC]',
  '[QCX]',
  '[QC:ABC1]',
  '[QC-ABC1]',
  '[QCABC1]',
  '[QC ABC]',
  '[QC ABC4]',
  '[QC ABC0]',
  '[QC ABCD]',
  '[QC ABC12]',
  '[QC AB1]',
  '[QC ABC1 DEF2]',
  '[QC ABC1,]',
  '[QC ABC1;DEF2]',
  '[QC ,ABC1]',
  '[QC ABC1,DEF]',
  '[QC ABC1',
  '[QC A\u0161C1]',
  '[QC ABC1,ABC1,ABC1,ABC1,ABC1,ABC1,ABC1,ABC1,ABC1]',
  '[ADVERT]',
  '[ADVANCE] notice',
  '[ADx]',
  '[ABC4]',
  '[ABC]',
  '[ABCD1]',
  '[ABC1,DEF2]',
  '[ABC1',
  '[bug2] crash',
  '[Doc1]',
  '[AB-1]',
  '[\u0410\u0412\u04211] Cyrillic',
];

test.each(nearMisses)('%j carries none', (subject) => {
  expect(labelled(subject)).toBe('none');
});

test('the numbers are the places in the list of names', () => {
  expect(labelNames.map((name) => name)).toEqual([
    'none',
    'cn',
    'vn.qc',
    'vn.adv',
    'vn.ad',
    'vn.code',
  ]);
  expect(Object.values(Label)).toEqual([0, 1, 2, 3, 4, 5]);
});

test('the front is the first 256 characters', () => {
  expect(labelled(`${' '.repeat(250)}[QC] sale`)).toBe('vn.qc');
  expect(labelled(`${' '.repeat(256)}[QC] sale`)).toBe('none');
});

test('every sentence of the grammar is read back', () => {
  const blank = fc.stringMatching(/^[ \t\u00a0\u3000]{0,3}$/);
  const code = fc.stringMatching(/^[A-Z0-9]{3}[123]$/);
  const tag = fc.constantFrom(
    ['QC', 'vn.qc'],
    ['ADV', 'vn.adv'],
    ['AD', 'vn.ad'],
    ['广告', 'cn'],
    ['廣告', 'cn'],
  );
  const wide = (text: string) =>
    text.replace(/[!-~]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0));
  const sentence = fc.record({
    open: fc.constantFrom(...'[({<【〔'),
    close: fc.constantFrom(...'])}>】〕'),
    tag: fc.option(tag, { nil: null }),
    codes: fc.array(code, { maxLength: 4 }),
    blank,
    fold: fc.constantFrom(
      (text: string) => text,
      (text: string) => text.toLowerCase(),
      wide,
    ),
    rest: fc.string(),
  });
  fc.assert(
    fc.property(sentence, (s) => {
      const codes = s.tag === null ? [s.codes[0] ?? 'ABC1'] : s.codes;
      const list = codes.join(`${s.blank},${s.blank}`);
      const inner = s.tag === null ? list : s.tag[0] + (list === '' ? '' : ` ${s.blank}${list}`);
      const folded = s.tag === null && s.fold !== wide ? inner : s.fold(inner);
      const subject = `${s.blank}${s.open}${s.blank}${folded}${s.blank}${s.close}${s.rest}`;
      const expected = [s.tag === null ? 'vn.code' : s.tag[1], codes.join(',')].join(' ').trim();
      expect(labelled(subject)).toBe(expected);
    }),
    { numRuns: 2000 },
  );
});

test('any string has a label of the list and a code of the grammar', () => {
  const pieces = fc.constantFrom(...'[]【】 ,ADVQC广告1239é\u0301\ud83d\ufdfa', 'QC', 'ABC1');
  const noise = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(pieces).map((list) => list.join('')),
    fc.array(fc.integer({ min: 0, max: 0xffff })).map((list) => String.fromCharCode(...list)),
  );
  fc.assert(
    fc.property(noise, (subject) => {
      const { label, code } = labelOf(subject);
      expect(labelNames[label]).toBeDefined();
      expect(code).toMatch(/^(|[A-Z0-9]{3}[123](,[A-Z0-9]{3}[123])*)$/);
    }),
    { numRuns: 3000 },
  );
});

test('hostile subjects cost no more than ordinary ones', () => {
  const seeds = [
    '[',
    ' ',
    '[QC ',
    'ABC1,',
    '[QC ABC1,',
    '\u200b',
    '\ufdfa',
    'e\u0301',
    '【 ',
    'AD',
  ];
  const time = (subject: string) => {
    const start = performance.now();
    for (let i = 0; i < 200; i++) labelOf(subject);
    return (performance.now() - start) / 200;
  };
  for (const seed of seeds) {
    const subject = seed.repeat(100_000);
    time(subject);
    expect(time(subject), JSON.stringify(seed)).toBeLessThan(2);
  }
});
