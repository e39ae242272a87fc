// From findings to what they justify. One kind of evidence is enough for a limit; a block needs two
// kinds, or the same strong one twice (detection.md 5.1, "Fusion"): at a prevalence of one bad
// source in a thousand, a test that errs once in a thousand is wrong half the time. It knows
// nothing of registers or modes; those are guards.

import {
  type Action,
  type Corroboration,
  type Finding,
  proofs,
  severities,
} from '../detect/finding.js';

const minute = 60_000_000;
const hour = 60 * minute;

/** What is known of one rule about one source. */
export interface Mark {
  /** The latest finding. */
  readonly finding: Finding;
  /** Microseconds: the first finding of a row without a day's pause, and the latest one. */
  readonly first: number;
  readonly last: number;
  /** It is over: it counts for nothing until it comes again, which is then the second time. */
  readonly cleared: boolean;
}

/** The same strong evidence again counts as a second kind after this, and within this. */
const twiceAfter = 30 * minute;
const twiceWithin = 24 * hour;
/** Corroboration where a rule does not say. */
const usual: Corroboration = {
  any: [
    'core.direct-to-mx',
    'core.submission-fanout',
    'core.rate-limit',
    'core.envelope-forgery',
    'core.dialect',
    'core.not-smtp',
    'core.dnsbl-verdict',
    'complaint',
  ],
  count: 1,
  within: 6 * 3600,
};

/**
 * Families of evidence: two rules of one family see the same thing twice. A rule that is not here
 * is a family of its own.
 */
const families: Readonly<Record<string, string>> = {
  'core.rcpt-failure-sprt': 'refusals',
  'core.harvest': 'refusals',
  'core.backscatter': 'refusals',
  'core.stranger-refused': 'refusals',
  'core.auth-guessing': 'logins',
  'core.rate-limit': 'amount',
  'core.hot-source': 'amount',
  'core.rcpt-fanout': 'amount',
  'core.dialect': 'dialect',
  'core.not-smtp': 'dialect',
};

/** Rules whose evidence is strong enough to count twice. */
const repeatable = new Set(['core.rcpt-failure-sprt', 'core.harvest']);

/**
 * A mail server with a stale list is, by its refusals, a spammer (detection.md 2.2: a newsletter
 * with 35 % stale addresses raises 627 alarms in a million outcomes), and goes on being one. Only
 * homes and offices are blocked for the same evidence twice; who may be a server is not.
 */
const repeatableRoles = new Set(['customer-dynamic', 'customer-static']);

/** What the evidence justifies, before any guard. */
export interface Verdict {
  readonly action: 'limit' | 'block';
  /** The words of the rule that ask for it. */
  readonly words: Action;
  /** The finding it rests on. */
  readonly by: Mark;
  /** Rule ids of the second kind of evidence. */
  readonly corroborators: readonly string[];
  /** The same evidence came twice, far enough apart. */
  readonly twice: boolean;
}

/** How old a mark may be and still count, in microseconds. */
export const markLife = twiceWithin;

/** The mark of a rule after one more finding. */
export function marked(before: Mark | undefined, finding: Finding): Mark {
  const late = before === undefined || finding.time - before.last > twiceWithin;
  // What was a suspicion before it was evidence did not come as evidence the first time.
  const fresh = late || (medium(finding) && !medium(before.finding));
  const first = fresh ? finding.time : before.first;
  return { finding, first, last: finding.time, cleared: false };
}

/**
 * The strongest thing that the marks of a source justify now that `fresh` was found. What an
 * earlier block used up (`usedUntil`: when the last one ended) has to come again before it counts
 * for another one.
 */
export function fuse(marks: readonly Mark[], fresh: Finding, usedUntil: number): Verdict | null {
  let best: Verdict | null = null;
  const open = marks.filter(({ cleared }) => !cleared);
  for (const mark of open) {
    const verdict = judge(mark, open, fresh, usedUntil);
    if (verdict !== null && (best === null || rank(verdict) > rank(best))) best = verdict;
  }
  return best;
}

function rank(verdict: Verdict): number {
  return (verdict.action === 'block' ? 1e17 : 0) + verdict.by.last;
}

function judge(
  by: Mark,
  marks: readonly Mark[],
  fresh: Finding,
  usedUntil: number,
): Verdict | null {
  const { rule } = by.finding;
  const others = corroborating(by, marks);
  const wanted = (rule.corroborate ?? usual).count;
  const twice = cameTwice(by);
  const fused = (others.length >= wanted || twice) && by.last > usedUntil;
  const words = fused ? (rule.strongAction ?? rule.action) : rule.action;
  const block = find(words, 'block', by.finding);
  const isNew = by.finding === fresh;
  // A suspicion blocks nobody, whatever agrees with it.
  const isGrave = medium(by.finding);
  if (
    block !== null &&
    fused &&
    isGrave &&
    (isNew || others.some(({ finding }) => finding === fresh))
  ) {
    const corroborators = others.map(({ finding }) => finding.rule.id).sort();
    return { action: 'block', words: block, by, corroborators, twice };
  }
  // A rule that would block at once is held to a limit until something else speaks for it.
  const limit = find(words, 'limit', by.finding) ?? find(rule.action, 'limit', by.finding) ?? block;
  if (limit === null || !isNew || !worthLimit(by, marks)) return null;
  return { action: 'limit', words: limit, by, corroborators: [], twice: false };
}

/** The part of an action that does `what` to the source of a finding, by its role and proof. */
function find(action: Action, what: Action['do'], finding: Finding): Action | null {
  const { subject, proof } = finding;
  const isFor = action.only === undefined || action.only.includes(subject.role);
  const rank = proof === undefined ? proofs.length : proofs.indexOf(proof);
  const isProven = action.from === undefined || rank >= proofs.indexOf(action.from);
  if (action.do === what && isFor && isProven) return action;
  return action.also === undefined ? null : find(action.also, what, finding);
}

/** A limit needs one finding of medium or worse, or a rate that was exceeded. */
function worthLimit(by: Mark, marks: readonly Mark[]): boolean {
  if (by.finding.rule.id === 'core.rate-limit' || medium(by.finding)) return true;
  return marks.some(
    (other) =>
      medium(other.finding) &&
      together(by, other, usual.within) &&
      independent(other.finding, by.finding),
  );
}

/** Whether two marks lie at most so many seconds apart. */
function together(one: Mark, other: Mark, seconds: number): boolean {
  return Math.abs(one.last - other.last) <= seconds * 1e6;
}

function medium(finding: Finding): boolean {
  return severities.indexOf(finding.severity) >= severities.indexOf('medium');
}

function cameTwice({ finding, first, last }: Mark): boolean {
  if (!repeatable.has(finding.rule.id) || !repeatableRoles.has(finding.subject.role)) return false;
  return last - first >= twiceAfter;
}

/** Marks of other families that speak of the source at the same time, one of each family. */
function corroborating(by: Mark, marks: readonly Mark[]): Mark[] {
  const { any, within } = by.finding.rule.corroborate ?? usual;
  const kinds = new Set([family(by.finding.rule.id)]);
  return marks.filter((other) => {
    const { id } = other.finding.rule;
    if (!any.includes(id) || kinds.has(family(id))) return false;
    // What a stranger may have forged, or half was seen of, speaks for nothing else.
    if (!other.finding.handshake || other.finding.degraded) return false;
    if (!together(by, other, within) || !independent(other.finding, by.finding)) return false;
    return kinds.add(family(id));
  });
}

function family(id: string): string {
  return families[id] ?? id;
}

/** Whether a finding says something that `of` did not already count. */
function independent(finding: Finding, of: Finding): boolean {
  const { evidence } = finding;
  switch (finding.rule.id) {
    // Only ten times the allowed rate is evidence of anything but enthusiasm.
    case 'core.rate-limit':
      return number(evidence['times_limit']) >= 10;
    // A refusal that names a list is a refusal too: where most refusals are of that kind, the
    // two rules have seen the same replies.
    case 'core.dnsbl-verdict':
      return !mostlyPolicy(of);
    default:
      return true;
  }
}

/** By the counts of the evidence, or by its samples where there are none. */
function mostlyPolicy({ evidence, samples }: Finding): boolean {
  const of = (name: string, word: string) =>
    number(evidence[name]) || samples.filter(({ outcome }) => outcome.startsWith(word)).length;
  return of('policy_refused', 'policy') > of('unknown_user', 'unknown-user');
}

function number(value: number | string | undefined): number {
  return typeof value === 'number' ? value : 0;
}

/** Bad sources among a thousand that mail actively (detection.md 0.9). */
const prevalence = 1e-3;

/**
 * The posterior probability that the source is bad, from the log likelihood ratio of its test and
 * the prevalence above; null where the rule gives no ratio. Corroborators would only raise it, and
 * how much is not known, so they are left out.
 */
export function confidence(finding: Finding): number | null {
  const llr = finding.evidence['llr'];
  if (typeof llr !== 'number' || !Number.isFinite(llr)) return null;
  const odds = (prevalence / (1 - prevalence)) * Math.exp(Math.min(llr, 50));
  return Math.round((odds / (1 + odds)) * 1e4) / 1e4;
}
