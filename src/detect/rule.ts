// A rule at work: its tests for each pair of roles, its bucket, and where its state lies. Made once
// from a definition; the detectors only ask it.

import { Role, roleNames } from '../register/server.js';
import { Asks } from './asks.js';
import type { Bucket } from './bucket/bucket.js';
import { Correlate } from './bucket/correlate.js';
import { Cusum } from './bucket/cusum.js';
import { Distinct } from './bucket/distinct.js';
import { Heavy, type HeavyOptions } from './bucket/heavy.js';
import { LabelCheck } from './bucket/label.js';
import { Leaky, type Limit } from './bucket/leaky.js';
import { Ratio } from './bucket/ratio.js';
import { Sprt, type Walk, walkOf } from './bucket/sprt.js';
import { Trigger } from './bucket/trigger.js';
import type { Tree } from './expression.js';
import type { Facts } from './facts.js';
import { type Field, Slot, type Stream, streams } from './fields.js';
import { compile, fold, type Known, type PrefixList, type Test } from './fold.js';
import type { RuleDefinition } from './rule-file.js';
import type { BucketOf } from './rule-shape.js';
import type { RecentPairs } from './state/recent.js';
import type { Tallies } from './state/tally.js';

/** What rules share. */
export interface Shared {
  readonly tallies: Tallies;
  readonly sessions: RecentPairs;
  readonly lists: ReadonlyMap<string, PrefixList>;
  /** Rate and burst of the register for the subject at hand, where it declares them. */
  declared(facts: Facts): Limit | null;
  /** What is wrong with the label of the mail at hand; empty: nothing. */
  labelFault(facts: Facts): string;
}

/** Words of a rule's own state before its bucket's. */
export const ruleWords = 4;
/** Level reached and flags; last finding; first evidence; samples. */
export const RuleAt = { level: 0, lastFinding: 1, firstEvidence: 2, samples: 3 } as const;

/**
 * The state of affairs that is known before a rule is asked: role of the client, whether client and
 * server are the provider's own. Rules are prepared for each.
 */
export function contextOf(role: number, srcOwn: boolean, dstOwn: boolean): number {
  return role + (srcOwn ? roleNames.length : 0) + (dstOwn ? 2 * roleNames.length : 0);
}
export const contexts = roleNames.length * 4;

export class Rule {
  readonly definition: RuleDefinition;
  readonly bucket: Bucket;
  /** Words of state for each subject. */
  readonly words: number;
  /** What is left to ask in each stream and context; null: it cannot match there. */
  readonly wheres: readonly (readonly (Tree | null)[])[];
  /** Seconds in which a recipient counts once for a source; 0: every outcome counts. */
  readonly firstContact: number;
  /** The test of observations that begin a subject's record; null: all do. */
  readonly opensOn: Test | null;
  readonly quiet: number;
  readonly clearsAfter: number;
  readonly samples: number;
  /** The day on which it was first seen is told, and kept when the finding clears. */
  readonly isDiscovery: boolean;
  /** Another rule's open finding stops this one. */
  frozen = false;
  /** What it needs to see is missing too often. */
  degraded = false;
  /** Findings by state: fires, rises, again, clears. */
  readonly counts = { fires: 0, rises: 0, again: 0, clears: 0 };

  /** With `bucket` of an equal rule its state is taken over. */
  constructor(definition: RuleDefinition, shared: Shared, bucket?: Bucket) {
    const { text } = definition;
    this.definition = definition;
    this.bucket = bucket ?? bucketOf(definition, shared);
    this.words = ruleWords + this.bucket.words;
    this.firstContact = 'first_contact' in text.bucket ? (text.bucket.first_contact ?? 0) : 0;
    // Nearly all recipients are taken: records of sources that had none refused would be the most.
    const observe =
      text.bucket.type === 'ratio' ? definition.expressions.get('bucket.observe') : null;
    this.opensOn = observe == null ? null : compile(observe, shared.lists);
    this.quiet = text.quiet;
    this.clearsAfter = text.clears_after;
    this.samples = text.evidence.samples;
    this.isDiscovery = text.evidence.discovery;
    this.wheres = streams.map((stream) => wheresOf(definition, stream));
  }

  get id(): string {
    return this.definition.meta.id;
  }

  /** Tells rules at work apart: one definition may make several. */
  get name(): string {
    return nameOf(this.definition, this.definition.grouping.name);
  }
}

function nameOf({ meta, way }: RuleDefinition, grouping: string): string {
  return `${meta.id} ${way} ${grouping}`;
}

/**
 * The rules at work that a definition makes: one, or one for sources and one for their prefixes, in
 * this order, and one for each further way. `known` gives the bucket of an equal rule by its name,
 * to take over.
 */
export function rulesOf(
  definition: RuleDefinition,
  shared: Shared,
  known: (name: string) => Bucket | undefined,
): Rule[] {
  const { grouping, wider, text } = definition;
  const rule = new Rule(definition, shared, known(nameOf(definition, grouping.name)));
  const ways = definition.ways.flatMap((way) => rulesOf(way, shared, known));
  if (wider === null || text.bucket.type !== 'heavy') return [rule, ...ways];
  const below = rule.bucket as Heavy;
  const options = { ...heavyOf(text.bucket), below };
  const bucket = known(nameOf(definition, wider.name)) ?? new Heavy(options);
  return [rule, new Rule({ ...definition, grouping: wider }, shared, bucket), ...ways];
}

function wheresOf(definition: RuleDefinition, stream: Stream): (Tree | null)[] {
  const wheres: (Tree | null)[] = [];
  for (let context = 0; context < contexts; context++) {
    if (!definition.streams.includes(stream) || !isPossible(context)) {
      wheres.push(null);
      continue;
    }
    const left = fold(definition.where, known[context]!);
    const never = left.kind === 'constant' && !left.value;
    wheres.push(never ? null : left);
  }
  return wheres;
}

/** A stranger's address is not own; a customer's is. A registered server may have either. */
function isPossible(context: number): boolean {
  const role = context % roleNames.length;
  const isOwn = Math.floor(context / roleNames.length) % 2 === 1;
  if (role === Role.foreign) return !isOwn;
  return isOwn || role === Role.registered || role === Role.registeredBulk;
}

/** The values that a context fixes. */
function knownIn(context: number): Known {
  const src = Math.floor(context / roleNames.length) % 2;
  const dst = Math.floor(context / (2 * roleNames.length));
  return new Map([
    [Slot.srcRole, context % roleNames.length],
    [Slot.srcOwn, src],
    [Slot.dstOwn, dst],
    // transit, in, out, internal
    [Slot.sessionDirection, [dst, 2 + dst][src]!],
  ]);
}

const known = Array.from({ length: contexts }, (_, context) => knownIn(context));

// long: one case for each type of bucket
function bucketOf(definition: RuleDefinition, shared: Shared): Bucket {
  const { bucket } = definition.text;
  const tree = (path: string): Tree =>
    definition.expressions.get(path) ?? { kind: 'constant', value: true };
  const test = (path: string): Test => compile(tree(path), shared.lists);
  const slot = (path: string): number => keySlot(definition.counted.get(path));
  const { tallies } = shared;
  switch (bucket.type) {
    case 'trigger':
      return new Trigger({
        signs: new Asks(
          (bucket.weights ?? []).map((_, i) => tree(`bucket.weights.${i}.when`)),
          shared.lists,
        ),
        weights: (bucket.weights ?? []).map(({ name, add, many }, i) => ({
          name,
          add,
          ...(many && {
            many: { slot: slot(`bucket.weights.${i}.many.of`), over: many.over },
          }),
        })),
        over: bucket.over,
        count: bucket.count,
        seconds: bucket.within,
        tallies,
      });
    case 'leaky':
      return new Leaky({
        limits: limitsOf(bucket),
        costSlot: bucket.cost === undefined ? -1 : slot('bucket.cost'),
        and:
          bucket.and === undefined ? null : { slot: slot('bucket.and.of'), over: bucket.and.over },
        tallies,
        declared: bucket.declared ? (facts) => shared.declared(facts) : null,
      });
    case 'sprt':
      return sprtOf(definition, bucket, shared);
    case 'distinct':
      return new Distinct({
        slot: slot('bucket.of'),
        seconds: bucket.window,
        over: bucket.over,
        or: bucket.or && { seconds: bucket.or.window, over: bucket.or.over },
        and: bucket.and && { slot: slot('bucket.and.of'), over: bucket.and.over },
        share: bucket.share && { when: test('bucket.share.when'), over: bucket.share.over },
        same: bucket.same && { slot: slot('bucket.same.of'), over: bucket.same.over },
        times: roleNames.map((role) => bucket.by_role?.[role] ?? 1),
        probableOver: bucket.probable_over,
        tallies,
      });
    case 'ratio':
      return new Ratio({
        observe: test('bucket.observe'),
        windows: [bucket, ...(bucket.or === undefined ? [] : [bucket.or])].map((window) => ({
          seconds: window.window,
          atLeast: window.at_least,
          over: window.over,
        })),
        sources: bucket.sources && {
          slot: slot('bucket.sources.of'),
          atLeast: bucket.sources.at_least,
          under: bucket.sources.under,
        },
        cap: bucket.session_cap && {
          outcomes: bucket.session_cap.outcomes,
          when: test('bucket.session_cap.when'),
          salt: saltOf(`${definition.meta.id}${definition.way}`),
        },
        grave: bucket.grave && {
          generated: bucket.grave.generated,
          notMeant: bucket.grave.not_meant,
        },
        sessions: shared.sessions,
        tallies,
      });
    case 'heavy':
      return new Heavy(heavyOf(bucket));
    case 'cusum':
      return new Cusum({
        countSlot: bucket.count === undefined ? -1 : slot('bucket.count'),
        seconds: bucket.bin,
        slack: bucket.slack,
        limit: bucket.limit,
        smooth: bucket.smooth,
        learn: bucket.learn,
        seasonal: bucket.seasonal,
        times: bucket.times,
        lasting: bucket.lasting,
      });
    case 'correlate':
      return new Correlate({
        second: test('bucket.second'),
        hidden: bucket.hidden === undefined ? undefined : test('bucket.hidden'),
        seconds: bucket.within,
        slowSeconds: bucket.slow,
        score: bucket.score,
        confirmAt: bucket.confirm_at,
        messages: bucket.messages,
        domains: bucket.domains,
        tallies,
      });
    case 'label':
      return new LabelCheck((facts) => shared.labelFault(facts));
  }
}

function heavyOf(bucket: BucketOf<'heavy'>): HeavyOptions {
  const { counters, window, over, at_least } = bucket;
  return { counters, seconds: window, share: over, atLeast: at_least };
}

/** Of an address the hash of it is what is counted. */
function keySlot(field: Field | undefined): number {
  if (field === undefined) return -1;
  if (field.name === 'src.ip') return Slot.srcKey;
  if (field.name === 'dst.ip') return Slot.dstKey;
  return field.slot;
}

function limitsOf(bucket: BucketOf<'leaky'>): readonly Limit[] {
  const plain = { rate: bucket.rate ?? 0, burst: bucket.burst ?? 1 };
  return roleNames.map((role) => bucket.by_role?.[role] ?? plain);
}

function sprtOf(definition: RuleDefinition, bucket: BucketOf<'sprt'>, shared: Shared): Bucket {
  const { beta } = bucket;
  const walks: Walk[] = roleNames.map((role) => {
    const of = bucket.by_role?.[role] ?? bucket;
    return walkOf({ theta0: of.theta0, theta1: of.theta1, alpha: of.alpha, beta });
  });
  const observe = definition.expressions.get('bucket.observe')!;
  const guard = bucket.guard && {
    slot: keySlot(definition.counted.get('bucket.guard.of')),
    atLeast: roleNames.map((role) => bucket.guard?.by_role?.[role] ?? bucket.guard!.at_least),
    seconds: bucket.guard.within,
  };
  return new Sprt({
    observe: compile(observe, shared.lists),
    walks,
    sessionCap: bucket.session_cap ?? 0,
    idleSeconds: bucket.idle_reset,
    atLeast: bucket.at_least,
    sessions: shared.sessions,
    salt: saltOf(`${definition.meta.id}${definition.way}`),
    ...(guard === undefined ? {} : { guard }),
    apart: bucket.apart && {
      ...bucket.apart,
      when: compile(definition.expressions.get('bucket.apart.when')!, shared.lists),
    },
    tallies: shared.tallies,
  });
}

/** A number for a name, the same in every run. */
function saltOf(name: string): number {
  let salt = 0;
  for (const letter of name) salt = (Math.imul(salt, 31) + letter.charCodeAt(0)) | 0;
  return salt;
}
