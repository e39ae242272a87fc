// What a rule may not say although its form is right: the mistakes that would hurt innocent people.
// Each is refused when the rule is read, so that no set with such a rule is ever in force.

import { roleNames } from '../register/server.js';
import { halfWordMax } from './bucket/sprt.js';
import { fields } from './fields.js';
import type { Action } from './finding.js';
import { fold, type Known } from './fold.js';
import type { RuleDefinition } from './rule-file.js';

/** Longest automatic block, seconds: appeals end after seven days (Circular 12/2008 V.1.2 c). */
const banMax_s = 168 * 3600;
/** Largest chance of a false alarm that may block somebody. */
const alphaMax = 1e-3;
/** Roles that are never limited or blocked automatically. */
const protectedRoles = ['registered', 'registered-bulk', 'infrastructure'] as const;
const ownCustomers = ['customer-dynamic', 'customer-static', 'unregistered-server'] as const;

/** One line per mistake: where it stands and what to do. `ids` are all rules of the set. */
export function lint(rule: RuleDefinition, ids: ReadonlySet<string>): string[] {
  const found: string[] = [];
  const tell = (path: readonly PropertyKey[], what: string) => {
    found.push(`${rule.place(path)} ${path.join('.')}: ${what}`);
  };
  for (const { action, path } of actionsOf(rule)) lintAction(rule, action, path, tell);
  if (rule.way === '') lintTests(rule, tell);
  lintNames(rule, ids, tell);
  lintBucket(rule, tell);
  return found;
}

type Tell = (path: readonly PropertyKey[], what: string) => void;

/** Every action of a rule with its path, those under `also` too. */
function actionsOf(
  rule: RuleDefinition,
): readonly { action: Action; path: readonly PropertyKey[] }[] {
  const { action } = rule.text;
  const tops =
    'with_corroboration' in action
      ? [
          { action: action.with_corroboration, path: ['action', 'with_corroboration'] },
          { action: action.without_corroboration, path: ['action', 'without_corroboration'] },
        ]
      : [{ action, path: ['action'] }];
  return tops.flatMap(({ action: top, path }) =>
    top.also === undefined
      ? [{ action: top as Action, path }]
      : [
          { action: top as Action, path },
          { action: top.also as Action, path: [...path, 'also'] },
        ],
  );
}

function lintAction(
  rule: RuleDefinition,
  action: Action,
  path: readonly PropertyKey[],
  tell: Tell,
): void {
  if (action.do !== 'block' && action.do !== 'limit') return;
  const isFor = (role: (typeof roleNames)[number]) =>
    (action.only === undefined || action.only.includes(role)) && mayMatch(rule, role);
  for (const role of protectedRoles) {
    if (isFor(role)) {
      tell(['where'], `can be true for ${role}, which is never limited or blocked; name the roles`);
    }
  }
  const { bucket } = rule.text;
  if (action.do === 'limit') {
    if (action.rate === undefined) tell(path, 'a limit needs a rate, such as 25/h');
    if (action.for === undefined) tell(path, 'a limit needs an end: for: 1h');
    return;
  }
  if (action.ban_time === undefined) tell(path, 'a block needs ban_time, such as 1h');
  for (const time of [action.ban_time, action.ban_max, ...(action.ban_increment ?? [])]) {
    if (time !== undefined && time > banMax_s) tell(path, 'no automatic block lasts over 168h');
  }
  if (bucket.type === 'sprt' && bucket.alpha > alphaMax) {
    tell(['bucket', 'alpha'], `${bucket.alpha} is too many false alarms for a block; at most 1e-3`);
  }
  if (rule.grouping.bits4 !== 0 || rule.grouping.bits6 !== 0 || rule.grouping.side === 'network') {
    tell(['group_by'], 'a prefix is never blocked automatically; group by src.ip');
  }
  const others = (action.ports ?? [25]).filter((port) => port !== 25);
  if (others.length > 0 && ownCustomers.some(isFor)) {
    tell([...path, 'ports'], 'own customers are blocked on port 25 only (RFC 5068 section 3.1)');
  }
}

/** Whether `where` can be true when the subject has this role. */
export function mayMatch(rule: RuleDefinition, role: (typeof roleNames)[number]): boolean {
  const { side } = rule.grouping;
  if (side === 'network') return false;
  const known = new Map<number, number>();
  known.set(fields.get(`${side}.role`)!.slot, roleNames.indexOf(role));
  // A registered server may have a foreign address; every other role says which it is.
  if (role === 'foreign') known.set(fields.get(`${side}.own`)!.slot, 0);
  if (role.startsWith('customer') || role === 'unregistered-server') {
    known.set(fields.get(`${side}.own`)!.slot, 1);
  }
  return couldBeTrue(rule, known);
}

function couldBeTrue(rule: RuleDefinition, known: Known): boolean {
  const left = fold(rule.where, known);
  return left.kind !== 'constant' || left.value;
}

function lintTests(rule: RuleDefinition, tell: Tell): void {
  const fires = rule.text.tests.some(({ expect }) => expect.fires);
  const silent = rule.text.tests.some(({ expect }) => !expect.fires);
  if (!fires) tell(['tests'], 'there is no test in which it fires');
  if (!silent) tell(['tests'], 'there is no test in which it is silent');
  rule.ways.forEach(({ way }, at) => {
    const first = rule.ways.findIndex((other) => other.way === way);
    if (first !== at) tell(['ways', at, 'name'], `there is a way ${way} already`);
    const speaks = rule.text.tests.some(({ expect }) => expect.fires && expect.way === way);
    if (!speaks) tell(['ways', at], `there is no test that fires with expect.way ${way}`);
  });
  const names = new Set(rule.ways.map(({ way }) => way));
  rule.text.tests.forEach(({ expect }, at) => {
    if (expect.way === undefined || names.has(expect.way)) return;
    tell(['tests', at, 'expect', 'way'], `there is no way ${expect.way}`);
  });
}

function lintNames(rule: RuleDefinition, ids: ReadonlySet<string>, tell: Tell): void {
  const { corroborate, action, frozen_by: frozen } = rule.text;
  corroborate?.any.forEach((id, at) => {
    if (id !== 'complaint' && !ids.has(id)) tell(['corroborate', 'any', at], `no rule ${id}`);
    if (id === rule.meta.id) tell(['corroborate', 'any', at], 'a rule cannot corroborate itself');
  });
  if (corroborate !== undefined && corroborate.count > corroborate.any.length) {
    tell(['corroborate', 'count'], `${corroborate.count} of ${corroborate.any.length} rules`);
  }
  if ('with_corroboration' in action && corroborate === undefined) {
    tell(['action', 'with_corroboration'], 'corroborate: says which rules would; it is missing');
  }
  if (corroborate !== undefined && !('with_corroboration' in action)) {
    tell(['corroborate'], 'without action.with_corroboration it changes nothing');
  }
  if (frozen !== undefined && !ids.has(frozen)) tell(['frozen_by'], `there is no rule ${frozen}`);
}

function lintBucket(rule: RuleDefinition, tell: Tell): void {
  const { bucket } = rule.text;
  if (bucket.type === 'sprt') {
    for (const [name, walk] of [['', bucket] as const, ...Object.entries(bucket.by_role ?? {})]) {
      const path = name === '' ? ['bucket'] : ['bucket', 'by_role', name];
      if (walk === undefined) continue;
      if (!(walk.theta0 > 0 && walk.theta0 < walk.theta1 && walk.theta1 < 1)) {
        tell([...path, 'theta1'], 'theta0 and theta1: 0 < theta0 < theta1 < 1');
      }
      const most = (bucket.session_cap ?? 0) * Math.log(walk.theta1 / walk.theta0);
      if (bucket.apart !== undefined && most > halfWordMax) {
        tell(['bucket', 'session_cap'], 'with a class apart, lower: at most ten will always do');
      }
      if (!(walk.alpha > 0 && walk.alpha < 0.5)) tell([...path, 'alpha'], 'alpha: 0 < alpha < 0.5');
    }
    if (!(bucket.beta > 0 && bucket.beta < 0.5)) tell(['bucket', 'beta'], '0 < beta < 0.5');
  }
  if (bucket.type === 'leaky' && !bucket.declared) {
    const isBare = bucket.rate === undefined && bucket.by_role === undefined;
    if (isBare) tell(['bucket'], 'a rate with a burst, by_role, or declared: true is missing');
  }
  if (bucket.type === 'leaky' && (bucket.rate === undefined) !== (bucket.burst === undefined)) {
    tell(['bucket'], 'rate and burst go together');
  }
}
