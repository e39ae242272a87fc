// The tables of an evaluation, as they stand in bench/README.md.

import { row, table } from '../tables.js';
import type { Guilt } from '../world/source.js';
import { precisionAt, quantile, upperBound, wilson } from './intervals.js';
import type { Ledger } from './ledger.js';
import { claims, listable } from './meaning.js';
import type { Found, Paid, Tally } from './tally.js';

function percent(hits: number, all: number): string {
  if (all === 0) return '-';
  const [low, high] = wilson(hits, all);
  const text = (share: number) => (share * 100).toFixed(1);
  return `${text(hits / all)} (${text(low)}-${text(high)})`;
}

function three(values: readonly number[], digits = 0): string {
  if (values.length === 0) return '-';
  const most = Math.max(...values);
  return [quantile(values, 0.5), quantile(values, 0.9), most]
    .map((value) => value.toFixed(digits))
    .join(' / ');
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

const others: readonly Guilt[] = [
  'relay',
  'relay-user',
  'compromised',
  'snowshoe',
  'harvester-net',
  'prober',
  'scanner',
  'mislabelled',
  'out-of-dates',
  'backscatter',
];
const order: readonly Guilt[] = [...listable, ...others];

/** What the evaluation is asked first, in five lines. */
export function shortText(tally: Tally): string {
  const paid = total(tally);
  const scale = 100_000 / paid.sourceDays;
  const known = ['registered', 'registered-bulk', 'infrastructure'];
  const held = sum(known.map((role) => tally.roles.get(role)?.held ?? 0));
  const knownDays = sum(known.map((role) => tally.roles.get(role)?.sourceDays ?? 0));
  const recall = (guilt: Guilt) => {
    const found = tally.found.get(guilt);
    return found === undefined ? '-' : `${found.listed} of ${found.sourceDays}`;
  };
  const refused = tally.found.get('bot-fast')?.refused ?? [];
  const { clear, confirmed, wrong } = tally.relays;
  const days = paid.sourceDays.toLocaleString('en-US');
  const rate = (paid.listed * scale).toFixed(1);
  const bound = (upperBound(paid.listed) * scale).toFixed(1);
  const lines = [
    `Hours for which registered servers were limited or blocked: ${held} (of ${knownDays} ` +
      'source-days).',
    `Innocent source-days with a limit or a block: ${paid.listed} of ${days}, ${rate} in 100,000 ` +
      `(95 % bound ${bound}).`,
    `Limited or blocked: fast bots ${recall('bot-fast')}, slow bots ${recall('bot-slow')}, ` +
      `submission bots ${recall('bot-submission')}, harvesters ${recall('harvester')}.`,
    'Recipients refused to a fast bot before that: ' +
      `median ${quantile(refused, 0.5)}, most ${Math.max(0, ...refused)}.`,
    `Open relays with three mails or more in clear on both legs: ${confirmed} of ${clear} ` +
      `confirmed; innocents confirmed as one: ${sum(wrong.values())}.`,
  ];
  return `${lines.map((line) => `- ${line}`).join('\n')}\n`;
}

/** Who was found, and how soon. */
export function foundTable(tally: Tally): string {
  const lines = [
    row('source', 'source-days', 'an alert names it, %', 'limited or blocked, %', 'blocked, %'),
    row('---', '--:', '--:', '--:', '--:'),
  ];
  const more: string[] = [
    row('source', 'delivered before', 'refused before', 's to alert', 's to list'),
    row('---', '--:', '--:', '--:', '--:'),
  ];
  for (const guilt of order) {
    const found = tally.found.get(guilt);
    if (!found) continue;
    const { sourceDays: all } = found;
    lines.push(
      row(
        guilt,
        all,
        percent(found.alerted, all),
        percent(found.listed, all),
        percent(found.blocked, all),
      ),
    );
    if (listable.includes(guilt)) more.push(timing(guilt, found));
  }
  return [
    table('Share of source-days, with Wilson 95 % intervals.', lines),
    table(
      'Recipients that a source reached, and that were refused to it, before it was limited or ' +
        'blocked (median / 90th percentile / most), and seconds from its first session.',
      more,
    ),
  ].join('\n');
}

function timing(guilt: Guilt, found: Found): string {
  const { delivered, refused, toAlert, toList } = found;
  return row(guilt, three(delivered), three(refused), three(toAlert), three(toList));
}

/** Who paid without guilt. */
export function paidTable(tally: Tally): string {
  const head = ['source-days', 'limited or blocked', 'per 100,000 (95 % bound)'];
  const lines = [
    row('innocent population', ...head, 'hours per 1,000 source-days', 'by'),
    row('---', '--:', '--:', '--:', '--:', '---'),
    ...[...tally.paid].sort().map(([name, paid]) => paidRow(name, paid)),
    paidRow('**all**', total(tally)),
  ];
  const roles = [
    row('role', ...head, 'hours per 1,000 source-days', 'by'),
    row('---', '--:', '--:', '--:', '--:', '---'),
    ...[...tally.roles].sort().map(([name, paid]) => paidRow(name, paid)),
  ];
  return [
    table(
      'Innocent sources that held at least one session, by population. The bound is the exact ' +
        'one-sided 95 % limit that so many source-days allow.',
      lines,
    ),
    table('The same by role.', roles),
  ].join('\n');
}

function total(tally: Tally): Paid {
  const all: Paid = { sourceDays: 0, listed: 0, held: 0, rules: new Map() };
  for (const paid of tally.paid.values()) {
    all.sourceDays += paid.sourceDays;
    all.listed += paid.listed;
    all.held += paid.held;
    for (const [rule, count] of paid.rules) all.rules.set(rule, (all.rules.get(rule) ?? 0) + count);
  }
  return all;
}

function paidRow(name: string, paid: Paid): string {
  const scale = 100_000 / paid.sourceDays;
  const bound = upperBound(paid.listed) * scale;
  const rate = `${(paid.listed * scale).toFixed(1)} (${bound.toFixed(1)})`;
  const held = ((paid.held * 1000) / paid.sourceDays).toFixed(2);
  const by = [...paid.rules].map(([rule, count]) => `${rule} ${count}`).join(', ');
  return row(name, paid.sourceDays, paid.listed, rate, held, by);
}

/** What each detector said, by source-day. */
export function detectorTable(tally: Tally): string {
  const lines = [
    row('rule', 'right', 'wrong', 'precision, %', 'recall, %', 'F1', 'wrong about'),
    row('---', '--:', '--:', '--:', '--:', '--:', '---'),
  ];
  for (const [rule, { guilty, innocent }] of [...tally.said].sort()) {
    const claim = claims[rule];
    const wrongs = [...innocent].filter(([name]) => !claim?.holds?.test(name));
    const held = sum(innocent.values()) - sum(wrongs.map(([, count]) => count));
    const right = sum(guilty.values()) + held;
    const wrong = sum(wrongs.map(([, count]) => count));
    const meant = claim?.finds ?? [];
    const all = sum(meant.map((guilt) => tally.found.get(guilt)?.sourceDays ?? 0));
    const hits = sum(meant.map((guilt) => guilty.get(guilt) ?? 0));
    const precision = right / (right + wrong);
    const recall = hits / all;
    const f1 = all === 0 ? '-' : ((2 * precision * recall) / (precision + recall)).toFixed(3);
    const about = wrongs.map(([name, count]) => `${name} ${count}`).join(', ');
    lines.push(
      row(rule, right, wrong, percent(right, right + wrong), percent(hits, all), f1, about),
    );
  }
  return table(
    'Alerts by source-day. Right: the source is guilty, or what the rule claims is true of it ' +
      '(an unregistered server, a device that mails by itself). Recall is over the kinds of ' +
      'guilt that the rule is there for.',
    lines,
  );
}

/** What people who watch alerts get to see. */
export function loadTable(tally: Tally): string {
  const lines = [
    row('severity', 'alerts in a shift, mean', '90th percentile', 'most'),
    row('---', '--:', '--:', '--:'),
  ];
  for (const severity of ['info', 'low', 'medium', 'high', 'critical']) {
    const counts = tally.load.get(severity) ?? [];
    const all = Array.from({ length: tally.shifts }, (_, at) => counts[at] ?? 0);
    const mean = (sum(all) / Math.max(1, tally.shifts)).toFixed(1);
    lines.push(row(severity, mean, quantile(all, 0.9), Math.max(0, ...all)));
  }
  return table(`Alerts by severity in ${tally.shifts} shifts of eight hours.`, lines);
}

/** Those who know how they are looked for, beside a bot that does not. */
export function adversaryTable(tally: Tally): string {
  const ways: readonly (readonly [Guilt, string])[] = [
    ['bot-fast', 'none: the fast bot'],
    ['bot-clean-list', 'a list of which at most 15 % is refused'],
    ['bot-postfix', 'the manners of Postfix'],
    ['bot-wide', 'a hundred recipients a message'],
    ['bot-slow', 'few messages an hour, eight hours of rest'],
    ['bot-hidden', 'an address shared with fifteen honest homes'],
    ['harvester-net', 'a dictionary shared by 120 strangers (told to the server)'],
  ];
  const lines = [
    row('disguise', 'an alert, %', 'listed, %', 'delivered before', 'refused before', 's to list'),
    row('---', '--:', '--:', '--:', '--:', '--:'),
  ];
  for (const [guilt, what] of ways) {
    const found = tally.found.get(guilt);
    if (found === undefined) continue;
    const { sourceDays: all, alerted, listed, delivered, refused, toList } = found;
    const shares = [percent(alerted, all), percent(listed, all)];
    lines.push(row(what, ...shares, three(delivered), three(refused), three(toList)));
  }
  const framed = [...tally.paid].filter(([name]) => name.startsWith('framed'));
  const days = sum(framed.map(([, paid]) => paid.sourceDays));
  const listed = sum(framed.map(([, paid]) => paid.listed));
  const about =
    'Adversaries, and what each disguise gains (median / 90th percentile / most). Flooded with ' +
    `false evidence under their address (forged SYNs, the client's half of a bot's dialogue): ` +
    `${days} innocent source-days, ${listed} of them listed.`;
  return table(about, lines);
}

/** Ours beside the baselines, and precision at several prevalences. */
export function methodTable(tally: Tally): string {
  const lines = [
    row(
      'method',
      'fast bots, %',
      'slow bots, %',
      'submission bots, %',
      'harvesters, %',
      'all that must be listed, %',
      'innocent source-days listed',
      'registered servers among them',
      'refused before (median / 90th / most), fast',
      'precision at least, at 1 in 10,000',
      '1 in 1,000',
      '1 in 100',
    ),
    row('---', ...Array.from({ length: 11 }, () => '--:')),
  ];
  const innocents = sum([...tally.paid.values()].map(({ sourceDays }) => sourceDays));
  const days = (guilt: Guilt) => tally.found.get(guilt)?.sourceDays ?? 0;
  const all = sum(listable.map(days));
  for (const [name, method] of tally.methods) {
    const hits = (guilt: Guilt) => method.found.get(guilt) ?? 0;
    const caught = sum(listable.map(hits));
    const wrong = sum(method.paid.values());
    const precision = (prevalence: number) =>
      precisionAt(prevalence, caught / all, upperBound(wrong) / innocents).toFixed(3);
    lines.push(
      row(
        name,
        percent(hits('bot-fast'), days('bot-fast')),
        percent(hits('bot-slow'), days('bot-slow')),
        percent(hits('bot-submission'), days('bot-submission')),
        percent(hits('harvester'), days('harvester')),
        percent(caught, all),
        `${wrong} of ${innocents.toLocaleString('en-US')}`,
        method.registered,
        three(method.refused),
        precision(1e-4),
        precision(1e-3),
        precision(1e-2),
      ),
    );
  }
  return table(
    'The fused verdict (limited or blocked) beside simpler methods on the same traffic. ' +
      'Precision is that of the prevalence named, not of the world, which is made up: from the ' +
      'recall here and the 95 % bound of the share of innocents listed.',
    lines,
  );
}

/** Sources that must be listed and were, and innocents that were. */
function outcome(tally: Tally): string[] {
  const of = (kinds: readonly Guilt[]) => {
    const all = sum(kinds.map((guilt) => tally.found.get(guilt)?.sourceDays ?? 0));
    const hits = sum(kinds.map((guilt) => tally.found.get(guilt)?.listed ?? 0));
    return percent(hits, all);
  };
  const { listed, sourceDays, held } = total(tally);
  const blocked = sum([...tally.found.values()].map((found) => found.blocked));
  return [
    of(['bot-fast']),
    of(['bot-slow']),
    of(listable),
    blocked.toLocaleString('en-US'),
    `${listed} of ${sourceDays.toLocaleString('en-US')}`,
    ((held * 1000) / sourceDays).toFixed(2),
  ];
}

const outcomeHead = [
  'fast bots, %',
  'slow bots, %',
  'all that must be listed, %',
  'guilty blocked',
  'innocent source-days listed',
  'hours per 1,000 innocent source-days',
];

export interface NoisyResult {
  readonly name: string;
  readonly tally: Tally;
  readonly stats: readonly (Readonly<Record<string, unknown>> | null)[];
}

/** What noise on the mirror costs, and who pays. */
export function noiseTable(results: readonly NoisyResult[]): string {
  const cover = ['sessions', 'one-sided, %', 'transactions', 'bytes missing'];
  const lines = [
    row('mirror', ...outcomeHead, ...cover),
    row('---', ...[...outcomeHead, ...cover].map(() => '--:')),
  ];
  for (const { name, tally, stats } of results) {
    const all = (field: string) => sum(stats.map((one) => Number(one?.[field] ?? 0)));
    const oneSided = ((100 * all('one_sided')) / Math.max(1, all('flows'))).toFixed(1);
    const seen = [all('sessions'), oneSided, all('transactions'), all('gap_bytes')];
    lines.push(row(name, ...outcome(tally), ...seen));
  }
  return table(
    'Synthetic; not field-validated. One hour of a smaller world as packets through ' +
      '`mailweir replay --config`, with what the mirror does to them. Shares are of source-hours.',
    lines,
  );
}

/** What is compared of a day. */
interface Heard {
  readonly ledger: Pick<Ledger, 'said'>;
  readonly talks: number;
}

/** The verdicts about every source of one hour, judged from rows and from packets. */
export function waysText(seed: number, rows: Heard, packets: Heard): string {
  const [one, other] = [rows, packets].map(({ ledger }) => ledger.said());
  const acts = (all: typeof one) =>
    JSON.stringify(all!.filter(({ listed }) => listed).map(({ alerts: _, ...rest }) => rest));
  const rules = (all: typeof one, address: string) =>
    all!.find((said) => said.address === address)?.alerts ?? [];
  const alone = new Map<string, number>();
  for (const address of new Set([...one!, ...other!].map((said) => said.address))) {
    const [first, second] = [rules(one, address), rules(other, address)];
    for (const rule of [...first, ...second]) {
      if (first.includes(rule) && second.includes(rule)) continue;
      alone.set(rule, (alone.get(rule) ?? 0) + 1);
    }
  }
  const differ = [...alone].map(([rule, count]) => `${rule} of ${count}`).join(', ') || 'none';
  const listed = one!.filter((said) => said.listed).length;
  return [
    `- Seed ${seed}: ${rows.talks.toLocaleString('en-US')} sessions; sources with any verdict`,
    `${one!.length} and ${other!.length}; limited or blocked ${listed}, with rules and proofs`,
    `${acts(one) === acts(other) ? 'the same' : 'NOT THE SAME'}; alerts that one way alone gave,`,
    `by rule and sources: ${differ}.`,
  ].join(' ');
}

/** What each idea of the rules is worth. */
export function ablationTable(
  results: readonly { readonly name: string; readonly tally: Tally }[],
): string {
  const lines = [
    row('rules', ...outcomeHead, 'listed innocents'),
    row('---', ...outcomeHead.map(() => '--:'), '---'),
  ];
  for (const { name, tally } of results) {
    const wrong = [...tally.paid]
      .filter(([, paid]) => paid.listed > 0)
      .map(([population, paid]) => `${population} ${paid.listed}`);
    lines.push(row(name, ...outcome(tally), wrong.join(', ')));
  }
  return table(
    'Synthetic; not field-validated. Days of rows, one idea taken out at a time.',
    lines,
  );
}

/** Open relays: what was proved of whom. */
export function relayText(tally: Tally): string {
  const { clear, confirmed, others, innocent, wrong } = tally.relays;
  const list = (map: Map<string, number>) =>
    [...map].map(([name, count]) => `${name} ${count}`).join(', ') || 'none';
  return (
    `Open relays with at least three mails in clear on both legs: ${clear}, confirmed ` +
    `${confirmed}. Other relays by proof: ${list(others)}. Innocents with any relay finding: ` +
    `${list(innocent)}; confirmed: ${list(wrong)}. Innocents behind shared addresses that were ` +
    `listed for a neighbour: ${tally.collateral}.\n`
  );
}
