// The label at the front of a subject: whether the sender marked the mail as advertising, how, and
// with which management code. Not a judgement: whether the mail is advertising, and whether the
// code is a registered one, is asked behind the batch. It assumes a decoded subject (see
// `encoded-word.ts`), of which nothing but the label class and the code leaves this file.

/** Label classes (contracts: `email.label`), in the order of `labelNames`. */
export const Label = { none: 0, cn: 1, vnQc: 2, vnAdv: 3, vnAd: 4, vnCode: 5 } as const;
export const labelNames = ['none', 'cn', 'vn.qc', 'vn.adv', 'vn.ad', 'vn.code'] as const;

/** A class of `Label`, and the management codes joined by ',' ('' where there is none). */
export interface LabelResult {
  readonly label: number;
  readonly code: string;
}

/** UTF-16 units of the subject that are looked at, leading white space included. */
const frontCharsMax = 256;

/** Codes in one label: Circular 12/2008 IV.1.3 knows two; a longer list than this is no label. */
const codesMax = 8;

const none: LabelResult = { label: Label.none, code: '' };
const bareCn: LabelResult = { label: Label.cn, code: '' };

// Decree 90/2008 art. 14 lets other special characters stand for the brackets, so any closer ends
// any opener. Full-width and vertical forms have become these by NFKC.
const openers = '[({<\u3010\u3014';
const closers = '])}>\u3011\u3015';

const tags = [
  { text: 'ADV', label: Label.vnAdv },
  { text: 'AD', label: Label.vnAd },
  { text: 'QC', label: Label.vnQc },
  { text: '\u5e7f\u544a', label: Label.cn },
  { text: '\u5ee3\u544a', label: Label.cn },
] as const;

/**
 * The label of `subject`, in time linear in its first 256 characters. Never throws.
 *
 * China, Order 38/2006 art. 13(3): 广告 or AD at the front, bare or behind brackets. Vietnam,
 * Decree 90/2008 (as amended) and Decree 91/2020: [QC], [ADV] or [AD] in brackets, with or without
 * codes, or a code alone. A bracketed [AD] is `vnAd`, every other AD at the front is `cn`.
 */
// allocates: the result, for the few subjects that may carry a label
export function labelOf(subject: string): LabelResult {
  // NFKC turns full-width letters and brackets into plain ones before anything is compared.
  const text = subject.slice(0, frontCharsMax).normalize('NFKC');
  const start = skipBlank(text, 0);
  if (start === text.length) return none;
  if (openers.includes(text[start]!)) {
    const found = bracketed(text, start + 1);
    if (found !== none) return found;
  }
  return isBareCn(text, start) ? bareCn : none;
}

/** The label whose opening bracket ends at `from`; `none` where the grammar is not met. */
// allocates: the result
function bracketed(text: string, from: number): LabelResult {
  const at = skipBlank(text, from);
  for (const tag of tags) {
    if (!startsWithFolded(text, at, tag.text)) continue;
    const end = at + tag.text.length;
    const next = skipBlank(text, end);
    if (isCloser(text, next)) return { label: tag.label, code: '' };
    if (next === end) continue; // [ADV1] is a code, and no tag
    const codes = codeList(text, next);
    return codes === '' ? none : { label: tag.label, code: codes };
  }
  // Without a tag beside it only capitals are a code: [bug2] or [api1] is a mailing list's tag.
  if (!isCode(text, at, false) || !isCloser(text, skipBlank(text, at + 4))) return none;
  return { label: Label.vnCode, code: text.slice(at, at + 4) };
}

/** Codes from `from` to a closing bracket, in capitals, joined by ','; '' if it is no such list. */
// allocates: the codes
function codeList(text: string, from: number): string {
  let codes = '';
  let at = from;
  for (let count = 0; count < codesMax && isCode(text, at, true); count++) {
    const code = text.slice(at, at + 4).toUpperCase();
    codes = codes === '' ? code : `${codes},${code}`;
    at = skipBlank(text, at + 4);
    if (isCloser(text, at)) return codes;
    if (text[at] !== ',') return '';
    at = skipBlank(text, at + 1);
  }
  return '';
}

/** Circular 03/2009: three of A-Z and 0-9, then the digit of the service, 1 to 3. */
function isCode(text: string, at: number, folded: boolean): boolean {
  for (let i = at; i < at + 3; i++) {
    const unit = unitAt(text, i);
    const isDigit = unit >= 0x30 && unit <= 0x39;
    const letter = folded && unit >= 0x61 ? unit - 0x20 : unit;
    if (!isDigit && !(letter >= 0x41 && letter <= 0x5a)) return false;
  }
  const service = unitAt(text, at + 3);
  return service >= 0x31 && service <= 0x33;
}

/** The prefix of art. 13(3), with white space and brackets before it passed over. */
function isBareCn(text: string, from: number): boolean {
  let at = from;
  while (at < text.length && (isBlank(text, at) || isBracket(text, at))) at++;
  if (text.startsWith('\u5e7f\u544a', at) || text.startsWith('\u5ee3\u544a', at)) return true;
  return startsWithFolded(text, at, 'AD') && isWordEnd(text, at + 2);
}

// \b of a regular expression would call the \u00e8 of "Ad\u00e8le" a boundary, and \p{L} would find
// none in "AD\u7279\u4ef7": Chinese, Japanese and Korean put no space between words.
const wordPart = /^[\p{L}\p{N}\p{M}_]$/u;
const unspaced = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]$/u;

function isWordEnd(text: string, at: number): boolean {
  const point = text.codePointAt(at);
  if (point === undefined) return true;
  const next = String.fromCodePoint(point);
  return !wordPart.test(next) || unspaced.test(next);
}

/** `word` is in capitals; only ASCII letters are folded, so Han is compared as it is. */
function startsWithFolded(text: string, at: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) {
    const unit = unitAt(text, at + i);
    const folded = unit >= 0x61 && unit <= 0x7a ? unit - 0x20 : unit;
    if (folded !== word.charCodeAt(i)) return false;
  }
  return true;
}

function skipBlank(text: string, from: number): number {
  let at = from;
  while (at < text.length && isBlank(text, at)) at++;
  return at;
}

// Marks that show nothing count as blank: a sender who hides one before the label still labels.
const blank = /^[\s\u0000-\u001f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]$/;

function isBlank(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  if (unit < 0x7f) return unit <= 0x20;
  return blank.test(text[at]!);
}

function isBracket(text: string, at: number): boolean {
  return openers.includes(text[at]!) || closers.includes(text[at]!);
}

function isCloser(text: string, at: number): boolean {
  return at < text.length && closers.includes(text[at]!);
}

/** The UTF-16 unit at `at`; 0 behind the end, which is in no word and no code. */
function unitAt(text: string, at: number): number {
  return at < text.length ? text.charCodeAt(at) : 0;
}
