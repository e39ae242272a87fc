// The three questions of whoever is woken at night, answered in words from the figures of the
// daemon: is it bad, is it us, does the blocking bite. No element is made here.

import type { Figures, State } from './types.js';
import { count, counted, percent, readTime, span } from './words.js';

export type Tone = 'good' | 'warn' | 'bad' | 'unknown';

export interface Answer {
  readonly question: string;
  readonly tone: Tone;
  /** The answer itself, a few words. */
  readonly says: string;
  /** Why, one sentence each, the most important first. */
  readonly because: readonly string[];
  /** Where to look next. */
  readonly next: readonly [href: string, words: string];
}

/** A number at a path of the figures, 0 where there is none. */
export function figure(figures: Figures | undefined, path: string): number {
  let value: unknown = figures;
  for (const step of path.split('.')) {
    if (typeof value !== 'object' || value === null) return 0;
    value = (value as Figures)[step];
  }
  return typeof value === 'number' ? value : 0;
}

/** How much a series grew within its last `ms`; null where it does not reach back at all. */
export function growth({ history }: State, name: string, ms: number): number | null {
  const values = history?.series[name] ?? [];
  const last = values.at(-1);
  if (history === undefined || last === undefined || last === null) return null;
  const steps = Math.round(ms / history.step_ms);
  const first = values[Math.max(0, values.length - 1 - steps)];
  return first === undefined || first === null ? null : Math.max(0, last - first);
}

/** Rates a second from a series that only grows. */
export function rates({ history }: State, name: string): (number | null)[] {
  const values = history?.series[name] ?? [];
  const step_s = (history?.step_ms ?? 1000) / 1000;
  return values.slice(1).map((value, at) => {
    const before = values[at];
    if (value === null || before === null || before === undefined) return null;
    return Math.max(0, value - before) / step_s;
  });
}

const minute = 60_000;
/** So many new entries in ten minutes are no ordinary night. */
const many = 20;
/** Above these the sensor says itself that it does not see enough (see the guards of policy). */
const lossMax = 0.01;
const symmetryMin = 0.8;

interface Reason {
  readonly tone: Tone;
  readonly words: string;
}

const worst = (reasons: readonly Reason[], otherwise: Tone): Tone =>
  (['bad', 'warn', 'unknown'] as const).find((tone) => reasons.some((one) => one.tone === tone)) ??
  otherwise;

const inOrder = (reasons: readonly Reason[]): string[] => {
  const order: Readonly<Record<Tone, number>> = { bad: 0, warn: 1, unknown: 2, good: 3 };
  return reasons
    .toSorted((one, other) => order[one.tone] - order[other.tone])
    .map(({ words }) => words);
};

/** Is the network sending spam? */
export function isItBad(state: State): Answer {
  const { figures, list, mode } = state;
  const { block, limit } = list.actions;
  const observes = mode === 'observe';
  const held = observes ? figure(figures, 'decide.open') : block + limit;
  const added = growth(state, 'added', 10 * minute) ?? 0;
  const findings = figure(figures, 'detect.open');
  const reasons: Reason[] = [];
  const add = (holds: boolean, tone: Tone, words: string): void => {
    if (holds) reasons.push({ tone, words });
  };
  add(
    figure(figures, 'decide.breaker_trips') > 0,
    'bad',
    'The circuit breaker opened: more sources were to be blocked at once than can be right. An ' +
      'outage, a wrong register or a rule that misfires are the usual reasons.',
  );
  add(added >= many, 'bad', `${counted(added, 'source')} came onto the list within ten minutes.`);
  const would = `${counted(held, 'source')} would be limited or blocked; the sensor only observes.`;
  add(held > 0 && observes, 'warn', would);
  add(held > 0 && !observes, 'warn', `${count(block)} blocked and ${count(limit)} limited now.`);
  add(added > 0 && added < many, 'warn', `${count(added)} came within the last ten minutes.`);
  add(findings > 0, 'good', `${counted(findings, 'finding')} not cleared.`);
  const tone = worst(reasons, 'good');
  const stands = `${counted(held, 'source')} ${observes ? 'stand out' : 'held back'}`;
  const says = held > 0 ? stands : added > 0 ? 'It was, a moment ago' : 'No, it is quiet';
  return {
    question: 'Is it bad?',
    tone,
    says: tone === 'bad' ? 'Yes, look now' : says,
    because: reasons.length === 0 ? ['Nobody is limited or blocked.'] : inOrder(reasons),
    next: ['#/findings', 'What was found'],
  };
}

/** Is the sensor itself the trouble? */
export function isItUs(state: State): Answer {
  const { figures } = state;
  const reasons = [...troubles(state), ...doubts(state)];
  const tone = worst(reasons, figures === undefined ? 'unknown' : 'good');
  const symmetry = percent(figure(figures, 'detect.symmetry'));
  const loss = percent(figure(figures, 'detect.loss'));
  const fine = [
    `${symmetry} of the connections are seen from both sides, ${loss} of the bytes are missing.`,
    `Up for ${span(figure(figures, 'uptime_ms'))}.`,
  ];
  const says: Readonly<Record<Tone, string>> = {
    bad: 'Yes, the sensor',
    warn: 'In part',
    unknown: 'Nobody can tell',
    good: 'No, the sensor is well',
  };
  return {
    question: 'Is it us?',
    tone,
    says: says[tone],
    because: reasons.length === 0 ? fine : inOrder(reasons),
    next: ['#/sensor', 'How the sensor is'],
  };
}

/** What keeps the sensor from its work. */
function troubles(state: State): Reason[] {
  const { list, problems, history } = state;
  const seen_ms = (history?.series['packets']?.length ?? 0) * (history?.step_ms ?? 0);
  const isDeaf = seen_ms >= minute && growth(state, 'packets', minute) === 0;
  return [
    ...problems,
    !list.sound && 'The list cannot be written to the disk: nothing changes on it any more',
    list.held_from !== null &&
      'New entries wait for a person: the list grew too fast to be published',
    isDeaf && 'No packet has come for a minute: look at the mirror, the cable and the interface',
  ]
    .filter((words) => words !== false)
    .map((words) => ({ tone: 'bad', words: `${words}.` }));
}

/** What makes it see or say less than it should. */
function doubts(state: State): Reason[] {
  const { figures, rules } = state;
  const at = (path: string) => figure(figures, path);
  const drops = growth(state, 'kernel_drops', 10 * minute) ?? 0;
  const read = growth(state, 'packets', 10 * minute) ?? 0;
  const dropped = percent(drops / Math.max(1, drops + read));
  const loss = at('detect.loss');
  const symmetry = at('detect.symmetry');
  const { degraded = [] } = (figures?.['detect'] ?? {}) as { degraded?: readonly string[] };
  const demoted = rules.filter(({ observes_since }) => observes_since !== null);
  const receivers = Object.entries((figures?.['notify'] ?? {}) as Record<string, Figures>);
  return [
    drops > 0 && `The kernel dropped ${counted(drops, 'packet')} (${dropped}) in ten minutes`,
    loss > lossMax &&
      `${percent(loss)} of the bytes are missing; above ${percent(lossMax)} nobody is blocked`,
    at('sessions') > 20 &&
      symmetry < symmetryMin &&
      `Only ${percent(symmetry)} of the connections are seen from both sides; below ` +
        `${percent(symmetryMin)} nobody is blocked`,
    at('worker_restarts') > 0 &&
      `${counted(at('worker_restarts'), 'packet worker')} had to be started again`,
    at('rows_dropped') > 0 &&
      `${counted(at('rows_dropped'), 'transaction or session', 'transactions or sessions')} ` +
        'were read and could not be handed on',
    degraded.length > 0 &&
      `${counted(degraded.length, 'rule')} see too little: ${degraded.slice(0, 3).join(', ')}`,
    demoted.length > 0 &&
      `People found ${demoted.map(({ id }) => id).join(', ')} wrong: it only observes`,
    ...receivers
      .map(([name, one]) => [name, figure(one, 'waiting')] as const)
      .map(([name, waits]) => waits > 100 && `${counted(waits, 'message')} wait for ${name}`),
  ]
    .filter((words) => words !== false)
    .map((words) => ({ tone: 'warn', words: `${words}.` }));
}

/** Does the wire show that the list is applied? */
export function doesItBite(state: State): Answer {
  const { list, mode } = state;
  const question = 'Does the blocking bite?';
  const next = ['#/list', 'The list'] as const;
  if (mode === 'observe') {
    const because = ['The sensor only observes (rules.mode), so nobody is limited or blocked.'];
    return { question, tone: 'unknown', says: 'Nothing is blocked', because, next };
  }
  if (list.actions.block + list.actions.limit === 0) {
    const because = ['The list is empty.'];
    return { question, tone: 'good', says: 'Nobody is to be blocked', because, next };
  }
  const reasons = [...wireReasons(state), ...consumerReasons(state)];
  const holds = reasons.some(({ tone }) => tone === 'good');
  const tone = worst(reasons, holds ? 'good' : 'unknown');
  const says: Readonly<Record<Tone, string>> = {
    good: 'Yes, it holds',
    warn: 'Not everywhere',
    bad: 'It leaks',
    unknown: 'Nobody can tell yet',
  };
  return { question, tone, says: says[tone], because: inOrder(reasons), next };
}

/** What the tap sees of those who are listed. */
function wireReasons({ figures, tapSide }: State): Reason[] {
  const at = (name: string) => figure(figures, `enforce.seen.states.${name}`);
  const reasons: Reason[] = [];
  const add = (many: number, tone: Tone, words: string): void => {
    if (many > 0) reasons.push({ tone, words });
  };
  const [leaking, enforced, quiet, unseen] = [
    at('leaking'),
    at('enforced'),
    at('quiet'),
    at('unseen'),
  ];
  const entries = counted(leaking, 'entry', 'entries');
  add(leaking, 'bad', `Mail still gets through against ${entries}.`);
  const median = span(figure(figures, 'enforce.seen.time_to_enforce_ms.median'));
  const took = `it took ${median} until that was so (median)`;
  add(enforced, 'good', `${counted(enforced, 'source')} tried and did not get through; ${took}.`);
  add(quiet, 'good', `${counted(quiet, 'source')} not heard any more.`);
  add(unseen, 'unknown', `${counted(unseen, 'source')} not heard since, so nobody can tell.`);
  const words =
    'Where the tap sits is not configured (capture.tap_side), so silence proves nothing.';
  if (tapSide === 'unknown') reasons.push({ tone: 'unknown', words });
  return reasons;
}

/** Whether those who enforce the list have it. */
function consumerReasons({ consumers, figures, time }: State): Reason[] {
  const now = readTime(time ?? '');
  const behind = consumers.filter(
    ({ behind, fetched_at }) =>
      (behind ?? 0) > 0 && fetched_at !== null && now - readTime(fetched_at) > 10 * minute,
  );
  const names = behind.slice(0, 3).map((one) => `${one.name} (${count(one.behind!)})`);
  const late = {
    tone: 'warn',
    words: `Behind the list, in revisions: ${names.join(', ')}.`,
  } as const;
  const isHere = 'nftables' in ((figures?.['enforce'] ?? {}) as Figures);
  const isFetched = consumers.some(({ fetched_at }) => fetched_at !== null);
  const words = 'Nobody has fetched the list since the daemon started.';
  return [
    ...(behind.length > 0 ? [late] : []),
    ...(isHere || isFetched ? [] : [{ tone: 'warn', words } as const]),
  ];
}
