// `mailweir rules backtest`: what another set of rules would have done. One pass over the captures;
// the rules in force and the others each have detectors and a policy of their own, both enforcing.

import type { RowSink } from '../batch/row.js';
import { openCapture } from '../capture/open.js';
import { CaptureError, nextOf, problemOf } from '../capture/source.js';
import type { Config } from '../config.js';
import type { Decision } from '../decide/decision.js';
import { Engine } from '../engine.js';
import { addressText, count, counted, moment, span, wrap } from '../output/text.js';
import { complain, Exit } from './fail.js';
import { Judge, type Law, lawOf } from './judge.js';
import { settings } from './words.js';

export interface BacktestOptions {
  readonly rules: string;
  readonly config?: string;
  readonly ports?: readonly number[] | 'any';
}

/** Entries of one kind of change that are printed. */
const shownMax = 50;
const columns = 80;

/** Replays `files` through both sets and prints who would be listed; gives the exit status. */
export async function backtest(
  files: readonly string[],
  options: BacktestOptions,
): Promise<number> {
  const config = await settings(options.config, options.ports);
  const enforcing: Config = { ...config, rules: { ...config.rules, mode: 'enforce' } };
  const before = await lawOf(enforcing);
  const rules = { ...enforcing.rules, directory: options.rules };
  const after = await lawOf({ ...enforcing, rules });
  const sides = { before: new Side(before), after: new Side(after) };
  const both: RowSink = {
    rows: (area, length) => {
      sides.before.judge.rows(area, length);
      sides.after.judge.rows(area, length);
    },
  };
  const engine = new Engine(config, both, { factsKey: new Uint8Array(16) });
  const failures = await feed(engine, files);
  sides.before.judge.tick(engine.now);
  sides.after.judge.tick(engine.now);
  process.stdout.write(comparison(sides.before, sides.after));
  return failures > 0 ? Exit.failed : Exit.done;
}

/** One set of rules and whom it lists. */
class Side {
  readonly judge: Judge;
  readonly law: Law;
  /** By prefix: the strongest entry, and the earliest of those. */
  readonly listed = new Map<string, Decision>();
  /** Subjects that an alert spoke of, by rule and subject. */
  readonly alerts = new Set<string>();

  constructor(law: Law) {
    this.law = law;
    this.judge = new Judge(law, {
      sinks: {
        alert: ({ rule, subject }) => this.alerts.add(`${rule.id} ${addressText(subject.words)}`),
        decision: (decision) => this.#decided(decision),
      },
    });
  }

  #decided(decision: Decision): void {
    // What a rule only observes lists nobody.
    if (decision.state !== 'added' || decision.mode === 'observe') return;
    const known = this.listed.get(decision.cidr);
    if (known === undefined || (known.action === 'limit' && decision.action === 'block')) {
      this.listed.set(decision.cidr, decision);
    }
  }
}

/** Feeds all files; gives the number of those that could not be read to their end. */
async function feed(engine: Engine, files: readonly string[]): Promise<number> {
  let failures = 0;
  for (const path of files) {
    let problem: string | null;
    try {
      const source = openCapture(path);
      for (let batch = await nextOf(source); batch !== null; batch = await nextOf(source)) {
        engine.feed(batch);
      }
      problem = problemOf(source);
      source.close();
    } catch (error) {
      if (!(error instanceof CaptureError)) throw error;
      problem = error.message;
    }
    if (problem === null) continue;
    failures += 1;
    complain(problem);
  }
  engine.finish();
  return failures;
}

function comparison(before: Side, after: Side): string {
  const added = [...after.listed.values()].filter(({ cidr }) => !before.listed.has(cidr));
  const removed = [...before.listed.values()].filter(({ cidr }) => !after.listed.has(cidr));
  const both = [...after.listed.values()].filter(({ cidr }) => before.listed.has(cidr));
  const action = (decision: Decision) => before.listed.get(decision.cidr)!.action;
  const changed = both.filter((decision) => action(decision) !== decision.action);
  const same = both.filter((decision) => action(decision) === decision.action);
  const lines = [
    ...ruleLines(before.law, after.law),
    '',
    `${''.padEnd(12)}${'before'.padStart(10)}${'after'.padStart(10)}`,
    total('blocked', before, after, 'block'),
    total('limited', before, after, 'limit'),
    `${'alerts'.padEnd(12)}${pair(before.alerts.size, after.alerts.size)}`,
    ...section('Added', added, (decision) => reason(decision)),
    ...section('Removed', removed, (decision) => reason(decision)),
    ...section('Changed', changed, (decision) => {
      const was = before.listed.get(decision.cidr)!;
      return `was ${was.action} for ${was.rule.id}; now ${reason(decision)}`;
    }),
    ...section('Same', same, (decision) => short(decision)),
  ];
  return `${lines.join('\n')}\n`;
}

/** How the two sets differ, by rule. */
function ruleLines(before: Law, after: Law): string[] {
  const metas = ({ rules }: Law) => new Map(rules.rules.map(({ meta }) => [meta.id, meta]));
  const [old, fresh] = [metas(before), metas(after)];
  const lines = [`Rules: ${old.size} in force, ${fresh.size} in the other set`];
  for (const [id, meta] of fresh) {
    const was = old.get(id);
    if (was === undefined) lines.push(`  added    ${id} ${meta.version}`);
    else if (was.sha256 !== meta.sha256) {
      lines.push(`  changed  ${id} ${was.version} -> ${meta.version}`);
    }
  }
  for (const [id, meta] of old) if (!fresh.has(id)) lines.push(`  removed  ${id} ${meta.version}`);
  if (lines.length === 1) lines.push('  no rule differs');
  return lines;
}

function total(name: string, before: Side, after: Side, action: string): string {
  const of = (side: Side) =>
    [...side.listed.values()].filter((decision) => decision.action === action).length;
  return `${name.padEnd(12)}${pair(of(before), of(after))}`;
}

function pair(before: number, after: number): string {
  return `${count(before).padStart(10)}${count(after).padStart(10)}`;
}

function section(
  title: string,
  decisions: readonly Decision[],
  say: (decision: Decision) => string,
): string[] {
  const lines = ['', `${title} (${counted(decisions.length, 'source')})`];
  const sorted = decisions.toSorted((one, other) => one.created - other.created);
  for (const decision of sorted.slice(0, shownMax)) {
    const { action, cidr, role } = decision;
    lines.push(`  ${action.padEnd(6)} ${cidr.replace(/\/(32|128)$/, '')}  ${role}`);
    lines.push(
      ...wrap(say(decision), columns - 9)
        .split('\n')
        .map((line) => `         ${line}`),
    );
  }
  if (sorted.length > shownMax) lines.push(`  and ${count(sorted.length - shownMax)} more`);
  return lines;
}

function reason(decision: Decision): string {
  return `${short(decision)}. ${decision.explanation}`;
}

function short({ action, rule, corroborators, created, until }: Decision): string {
  const others = corroborators.length === 0 ? '' : ` with ${corroborators.join(', ')}`;
  const when = `from ${moment(created).slice(11)} for ${span((until - created) / 1e6)}`;
  return `${action} by ${rule.id}${others}, ${when}`;
}
