// The text of nftables transactions: our own table, and what goes into its sets. One set holds the
// addresses of one action, port and length of prefix, and a rule looks up the masked source in it:
// so entries may overlap, change one by one, and no interval can conflict with another
// (consumers.md 1, pains 20-22). Pure; `helper.ts` runs the text.

import { clearStrayBits, Prefix, prefixText, readPrefix } from '../lib/prefix.js';

/** The one table that is ours. No statement here names another. */
export const table = 'inet mailweir';

/**
 * What is in a set:
 * - allow: nothing else is done to this source
 * - block: everything that it sends to the port is dropped
 * - shut: a limited source that has used up its messages: its connections are reset
 * - limit: connections that began before the limit are reset, new ones are metered
 * In this order: the first that knows a source decides.
 */
export const kinds = ['allow', 'block', 'shut', 'limit'] as const;
export type Kind = (typeof kinds)[number];

/** One address or prefix in the sets. */
export interface Member {
  readonly kind: Kind;
  readonly cidr: string;
  readonly ports: readonly number[];
  /** Whole seconds until the kernel forgets it by itself; null: it stays. */
  readonly seconds: number | null;
  /** Of a limit that is new or has other numbers: connections an hour, and at once. */
  readonly meter?: { readonly rate: number; readonly burst: number } | undefined;
}

/** What the helper is asked for; one transaction each. */
export interface Order {
  /** Makes the table anew first, with these ports; whatever was in it is gone. */
  readonly begin?: { readonly ports: readonly number[] } | undefined;
  readonly put: readonly Member[];
  /** Members that go; `seconds` and `meter` do not matter. */
  readonly drop: readonly Member[];
  /** Seconds for which the rules work, if no further order comes. */
  readonly alive: number;
}

/** Connections of limited sources that were let in; beyond, a limited source gets none. */
const begunMax = 65_536;
/** A connection that is silent for longer begins anew (RFC 5321 4.5.3.2 lets 10 minutes pass). */
const begunLife = '15m';
/** Members of one statement; longer ones make nft slow to read. */
const together = 1000;
/** A port and 161 lengths of prefix, four kinds: more sets than that cannot be asked for. */
const portsMax = 16;
const longest = 366 * 86_400;
const ones = Array(8).fill('ffff').join(':');
/**
 * What the kernel counts, in packets: dropped of blocked sources; reset of sources whose messages
 * are used up; first packets over the meter; packets of connections from before the limit; first
 * packets that were let in.
 */
export const counterNames = ['blocked', 'shut', 'metered', 'cut', 'let_in'] as const;

export class ScriptError extends Error {
  override name = 'ScriptError';
}

/** Writes scripts; knows which sets the table has. */
export class Scripts {
  readonly #prefix = new Prefix();
  #sets = new Set<string>();
  #made: string[] = [];

  /** The script of one order. Throws a `ScriptError` where the order makes no sense. */
  of(order: Order): string {
    const lines: string[] = [];
    if (order.begin !== undefined) {
      this.#sets = new Set();
      lines.push(...foundation(order.begin.ports));
    }
    this.#made = [];
    const groups = new Groups();
    for (const member of order.drop) this.#drop(member, groups);
    for (const member of order.put) this.#put(member, groups);
    const alive = `${table} alive { tcp`;
    return [
      ...lines,
      ...this.#made,
      ...groups.lines(),
      // The kernel keeps the time-out of a member that is added again, unless it went first.
      `add element ${alive} }`,
      `delete element ${alive} }`,
      `add element ${alive} timeout ${whole(order.alive)}s }`,
      '',
    ].join('\n');
  }

  /** The transaction was refused: the sets that it made are not there. */
  undo(): void {
    for (const line of this.#made) this.#sets.delete(line.split(' ')[4]!);
  }

  #put(member: Member, groups: Groups): void {
    const { kind, seconds, meter } = member;
    const life = seconds === null ? '' : ` timeout ${whole(seconds)}s`;
    for (const { set, address, place } of this.#places(member)) {
      this.#make(set, place, kind);
      groups.replace(set, address, `${address}${life}`);
      if (kind !== 'limit' || meter === undefined) continue;
      const over = `limit rate over ${whole(meter.rate)}/hour burst ${whole(meter.burst)} packets`;
      groups.replace(`meter${set.slice(5)}`, address, `${address} ${over}`);
    }
  }

  #drop(member: Member, groups: Groups): void {
    for (const { set, address } of this.#places(member)) {
      if (!this.#sets.has(set)) continue;
      groups.remove(set, address);
      if (member.kind === 'limit') groups.remove(`meter${set.slice(5)}`, address);
    }
  }

  /** The sets that a member belongs to, one for each port. */
  #places({ kind, cidr, ports }: Member): { set: string; address: string; place: Place }[] {
    const prefix = this.#prefix;
    if (!kinds.includes(kind) || !readPrefix(cidr, prefix)) {
      throw new ScriptError(`no member of a set: ${JSON.stringify([kind, cidr])}`);
    }
    const version = prefix.isIpv4 ? 4 : 6;
    const bits = prefix.isIpv4 ? prefix.bits - 96 : prefix.bits;
    const address = prefixText(prefix).split('/')[0]!;
    const some = kind === 'allow' ? [0] : ports.slice(0, portsMax);
    return some.map((port) => {
      const set = `${kind}${version}_${bits}_${portOf(port)}`;
      return { set, address, place: { version, bits, port } };
    });
  }

  #make(set: string, place: Place, kind: Kind): void {
    if (this.#sets.has(set)) return;
    this.#sets.add(set);
    this.#made.push(...ruleOf(set, place, kind));
  }
}

interface Place {
  readonly version: 4 | 6;
  readonly bits: number;
  readonly port: number;
}

/** The table without any source. The chains of kinds are passed in order. */
function foundation(ports: readonly number[]): string[] {
  const list = ports.slice(0, portsMax).map(portOf).join(', ');
  const connection = (family: string) =>
    `${family} saddr . tcp sport . ${family} daddr . tcp dport`;
  const begun = (version: number) => {
    const family = version === 4 ? 'ip' : 'ip6';
    const address = `ipv${version}_addr`;
    const type = `type ${address} . inet_service . ${address} . inet_service`;
    const known = `${connection(family)} @begun${version}`;
    return [
      `add set ${table} begun${version} { ${type}; flags dynamic, timeout; size ${begunMax}; ` +
        `timeout ${begunLife}; }`,
      `add chain ${table} going${version}`,
      `add rule ${table} going${version} ${known} update @begun${version} ` +
        `{ ${connection(family)} timeout ${begunLife} } accept`,
      `add rule ${table} going${version} counter name cut reject with tcp reset`,
      `add chain ${table} let_in${version}`,
      `add rule ${table} let_in${version} add @begun${version} ` +
        `{ ${connection(family)} timeout ${begunLife} } counter name let_in accept`,
    ];
  };
  return [
    // Deleting needs a table to be there.
    `add table ${table}`,
    `delete table ${table}`,
    `add table ${table}`,
    `add set ${table} alive { type inet_proto; flags timeout; }`,
    ...counterNames.map((name) => `add counter ${table} ${name}`),
    ...begun(4),
    ...begun(6),
    ...kinds.map((kind) => `add chain ${table} do_${kind}`),
    `add chain ${table} judge`,
    ...kinds.map((kind) => `add rule ${table} judge jump do_${kind}`),
    // Before the usual filters (0): what they accept is seen here all the same.
    `add chain ${table} forward { type filter hook forward priority -10; policy accept; }`,
    `add rule ${table} forward tcp dport { ${list} } meta l4proto @alive jump judge`,
  ];
}

/** A set and the rule that asks it. */
function ruleOf(set: string, { version, bits, port }: Place, kind: Kind): string[] {
  const whole = version === 4 ? 32 : 128;
  const mask = bits === whole ? '' : ` & ${maskText(version, bits)}`;
  const source = `${version === 4 ? 'ip' : 'ip6'} saddr${mask}`;
  const type = `type ipv${version}_addr`;
  const rule = (chain: string, words: string) => `add rule ${table} ${chain} ${words}`;
  const made = [`add set ${table} ${set} { ${type}; flags timeout; }`];
  if (kind === 'allow') return [...made, rule(`do_${kind}`, `${source} @${set} accept`)];
  const to = `tcp dport ${port} ${source} @${set}`;
  if (kind === 'block') return [...made, rule(`do_${kind}`, `${to} counter name blocked drop`)];
  if (kind === 'shut')
    return [...made, rule(`do_${kind}`, `${to} counter name shut reject with tcp reset`)];
  const meter = `meter${set.slice(5)}`;
  const chain = `of_${set}`;
  return [
    ...made,
    // Each member brings its own numbers; those of the set are for members without.
    `add set ${table} ${meter} { ${type}; flags dynamic, timeout; size 1048576; ` +
      'limit rate over 1/hour burst 1 packets; }',
    `add chain ${table} ${chain}`,
    // A set that counts asks only about the first packet of a connection, so it counts connections.
    rule(chain, `tcp flags & (fin | syn | rst | ack) != syn goto going${version}`),
    rule(chain, `${source} @${meter} counter name metered reject with tcp reset`),
    rule(chain, `goto let_in${version}`),
    rule(`do_${kind}`, `${to} goto ${chain}`),
  ];
}

/** Statements about many members at once: what goes, then what comes. */
class Groups {
  readonly #sets = new Map<string, { gone: Set<string>; put: Map<string, string> }>();

  remove(set: string, address: string): void {
    const { gone, put } = this.#of(set);
    gone.add(address);
    put.delete(address);
  }

  replace(set: string, address: string, text: string): void {
    const { gone, put } = this.#of(set);
    gone.add(address);
    put.set(address, text);
  }

  lines(): string[] {
    const all: string[] = [];
    for (const [set, { gone, put }] of this.#sets) {
      // A member may have expired in the kernel a moment ago, and deleting it would fail then:
      // so it is added first. Nobody sees anything of it inside of one transaction.
      all.push(...statements('add', set, gone), ...statements('delete', set, gone));
      all.push(...statements('add', set, put.values()));
    }
    return all;
  }

  #of(set: string) {
    let group = this.#sets.get(set);
    if (group === undefined) {
      group = { gone: new Set(), put: new Map() };
      this.#sets.set(set, group);
    }
    return group;
  }
}

function statements(verb: string, set: string, members: Iterable<string>): string[] {
  const all = [...members];
  const lines: string[] = [];
  for (let from = 0; from < all.length; from += together) {
    const some = all.slice(from, from + together).join(', ');
    lines.push(`${verb} element ${table} ${set} { ${some} }`);
  }
  return lines;
}

/** The mask of a length, as an address of that family. */
function maskText(version: 4 | 6, bits: number): string {
  const mask = new Prefix();
  readPrefix(version === 4 ? '255.255.255.255' : ones, mask);
  mask.bits = version === 4 ? bits + 96 : bits;
  clearStrayBits(mask);
  return prefixText(mask).split('/')[0]!;
}

function portOf(port: number): number {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new ScriptError(`no port: ${JSON.stringify(port)}`);
}

/** A whole number from 1 up to a year of seconds; what is beyond is cut. */
function whole(value: number): number {
  if (!Number.isFinite(value)) throw new ScriptError(`no number: ${JSON.stringify(value)}`);
  return Math.min(Math.max(Math.ceil(value), 1), longest);
}
