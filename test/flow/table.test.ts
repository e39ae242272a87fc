// The flow table against a Map: same answers for random inserts, look-ups and removals, in both
// directions, with and without VLAN tags in the key, full, and with keys that are made to collide.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Packet } from '../../src/decode/packet.js';
import { F, FlowTable, Words } from '../../src/flow/table.js';
import { Random } from '../../src/lib/random.js';

interface End {
  readonly words: readonly [number, number, number, number];
  readonly port: number;
}

function packetOf(ip: number, from: End, to: End, vlans: readonly number[] = []): Packet {
  const p = new Packet();
  p.ip = ip;
  [p.src0, p.src1, p.src2, p.src3] = from.words;
  [p.dst0, p.dst1, p.dst2, p.dst3] = to.words;
  p.srcPort = from.port;
  p.dstPort = to.port;
  p.vlanCount = vlans.length;
  p.vlan0 = vlans[0] ?? 0;
  p.vlan1 = vlans[1] ?? 0;
  p.vlan2 = vlans[2] ?? 0;
  return p;
}

/** Few different values, so that ends differ in one word or one port only. */
const word = fc.constantFrom(0, 1, -1, 0x0a000001, 0x20010db8);
const port = fc.constantFrom(0, 25, 1024, 65535);
const end4 = fc.record({
  words: fc.tuple(fc.constant(0), fc.constant(0), fc.constant(0xffff), word),
  port,
});
const end6 = fc.record({ words: fc.tuple(word, word, word, word), port });
const vlans = fc.constantFrom([], [1], [2], [1, 2], [2, 1], [1, 2, 3], [1, 2, 4]);
const packet = fc.oneof(
  fc.tuple(fc.constant(4), end4, end4, vlans),
  fc.tuple(fc.constant(6), end6, end6, vlans),
);
const operation = fc.record({
  packet,
  swap: fc.boolean(),
  kind: fc.constantFrom('find', 'insert', 'insert', 'remove'),
  side: fc.constantFrom(0, 1),
});

/** The key of a packet as seen from its sender, and from the other end. */
function keysOf(p: Packet, keyVlan: boolean): [string, string] {
  const from = [p.src0, p.src1, p.src2, p.src3, p.srcPort].join();
  const to = [p.dst0, p.dst1, p.dst2, p.dst3, p.dstPort].join();
  const tags = keyVlan ? [p.vlan0, p.vlan1, p.vlan2].slice(0, p.vlanCount).join('.') : '';
  return [`${from}>${to}/${tags}`, `${to}>${from}/${tags}`];
}

/** What the table should hold: the client's key, and the slot. */
class Twin {
  readonly slots = new Map<string, number>();
  readonly table: FlowTable;
  readonly #keyVlan: boolean;

  constructor(capacity: number, keyVlan: boolean) {
    this.table = new FlowTable(capacity, 4711, keyVlan);
    this.#keyVlan = keyVlan;
  }

  /** Looks the packet up in both; the slot or -1. */
  find(p: Packet): number {
    const [own, other] = keysOf(p, this.#keyVlan);
    const found = this.table.find(p);
    const wanted = this.slots.get(own) ?? this.slots.get(other) ?? -1;
    expect(found).toBe(wanted);
    if (found >= 0 && own !== other) expect(this.table.side).toBe(this.slots.has(own) ? 0 : 1);
    return found;
  }

  insert(p: Packet, side: number): void {
    if (this.find(p) >= 0) return;
    const slot = this.table.insert(p, side);
    if (this.slots.size === this.table.capacity) {
      expect(slot).toBe(-1);
      return;
    }
    expect(slot).toBeGreaterThanOrEqual(0);
    expect([...this.slots.values()]).not.toContain(slot);
    expect(this.table.side).toBe(side);
    this.slots.set(keysOf(p, this.#keyVlan)[side]!, slot);
  }

  remove(p: Packet): void {
    const slot = this.find(p);
    if (slot < 0) return;
    this.table.remove(slot);
    for (const key of keysOf(p, this.#keyVlan)) this.slots.delete(key);
    expect(this.table.isUsed(slot)).toBe(false);
  }

  check(): void {
    expect(this.table.used).toBe(this.slots.size);
    expect(this.table.extent).toBeLessThanOrEqual(this.table.capacity);
    const used: number[] = [];
    for (let slot = 0; slot < this.table.extent; slot++) {
      if (this.table.isUsed(slot)) used.push(slot);
    }
    expect(used).toEqual([...this.slots.values()].sort((a, b) => a - b));
  }
}

/** An IPv4 client by number, to the same server. */
function numbered(index: number): Packet {
  const client: End = { words: [0, 0, 0xffff, 0x0a000000 + (index >> 8)], port: 1024 + index };
  return packetOf(4, client, { words: [0, 0, 0xffff, 0x0a010019], port: 25 });
}

describe('flow table', () => {
  it.each([
    [false, 100],
    [true, 100],
    [false, 5],
    [true, 5],
  ])('is a map (VLAN in the key: %s, %d slots)', (keyVlan, capacity) => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 150 }), (operations) => {
        const twin = new Twin(capacity, keyVlan);
        for (const { packet: parts, swap, kind, side } of operations) {
          const [ip, from, to, tags] = parts;
          const p = swap ? packetOf(ip, to, from, tags) : packetOf(ip, from, to, tags);
          if (kind === 'insert') twin.insert(p, side);
          else if (kind === 'remove') twin.remove(p);
          else twin.find(p);
        }
        twin.check();
      }),
      { numRuns: 150 },
    );
  });

  it('is a map at high load, over growths of its index', () => {
    const twin = new Twin(20_000, false);
    const random = new Random(99);
    const { table } = twin;
    const slotOf = new Map<number, number>();
    for (let step = 0; step < 120_000; step++) {
      const index = random.below(30_000);
      const p = numbered(index);
      const found = table.find(p);
      if (found !== (slotOf.get(index) ?? -1)) expect.fail(`step ${step}: slot ${found}`);
      if (found < 0) {
        const slot = table.insert(p, 0);
        if (slot >= 0) slotOf.set(index, slot);
        else expect(table.used).toBe(20_000);
      } else if (random.chance(0.3)) {
        table.remove(found);
        slotOf.delete(index);
      }
    }
    expect(table.used).toBe(slotOf.size);
    expect(table.used).toBeGreaterThan(15_000);
    for (const [index, slot] of slotOf) expect(table.find(numbered(index))).toBe(slot);
  });

  it('finds what stood behind a removed entry of the same hash', () => {
    // Swapped ports have equal hashes by construction: both ends are mixed alike, then added.
    const a: End = { words: [0, 0, 0xffff, 5], port: 1000 };
    const b: End = { words: [0, 0, 0xffff, 6], port: 2000 };
    const table = new FlowTable(8, 1, true);
    const made: [Packet, number][] = [];
    for (const tags of [[1], [1, 0], [1, 0, 3], [1, 0, 4], [1, 0, 5]]) {
      const p = packetOf(4, a, b, tags);
      if (table.find(p) < 0) made.push([p, table.insert(p, 0)]);
    }
    const hashes = new Set(made.map(([, slot]) => table.words[slot * Words.flow + F.hash]));
    expect(hashes.size).toBe(1);
    expect(made.length).toBeGreaterThanOrEqual(4);
    const [, first] = made.shift()!;
    table.remove(first);
    for (const [p, slot] of made) expect(table.find(p)).toBe(slot);
  });

  it('takes a slot that was given back before a fresh one, and empties it', () => {
    const table = new FlowTable(10, 1, false);
    const slots = [0, 1, 2].map((index) => {
      table.find(numbered(index));
      return table.insert(numbered(index), 0);
    });
    table.words.fill(77, slots[1]! * Words.flow + F.first, slots[1]! * Words.flow + F.clientIsn);
    table.remove(slots[1]!);
    expect(table.extent).toBe(3);
    table.find(numbered(9));
    expect(table.insert(numbered(9), 1)).toBe(slots[1]);
    expect(table.extent).toBe(3);
    expect(table.find(numbered(1))).toBe(-1);
    expect(table.words[slots[1]! * Words.flow + F.packets]).toBe(0);
    expect(table.words[slots[1]! * Words.flow + F.state]).toBe(0);
  });

  it('names the client by side, whoever sent the first packet', () => {
    const table = new FlowTable(4, 1, false);
    const p = numbered(5);
    table.find(p);
    const slot = table.insert(p, 1);
    expect(table.words[slot * Words.flow + F.server + 3]).toBe(p.src3);
    expect(table.words[slot * Words.flow + F.ports]! >>> 16).toBe(25);
    table.find(p);
    expect(table.side).toBe(1);
  });
});

describe('hash', () => {
  /** Different hashes among 20,000 packets. */
  function different(make: (index: number) => Packet): number {
    const table = new FlowTable(16, 0x5eed, false);
    const hashes = new Set<number>();
    for (let index = 0; index < 20_000; index++) {
      table.find(make(index));
      hashes.add(table.hash);
    }
    return hashes.size;
  }
  const server: End = { words: [0x20010db8, 0, 0, 25], port: 25 };
  const from = (words: End['words'], portOf = 1024): Packet =>
    packetOf(6, { words, port: portOf }, server);

  it.each<[string, (index: number) => Packet]>([
    ['ports', (i) => from([1, 2, 3, 4], i)],
    ['last words', (i) => from([1, 2, 3, i])],
    ['high halves', (i) => from([1, 2, 3, i << 16])],
    ['subnets', (i) => from([1, i, 3, 4])],
    ['prefixes', (i) => from([i, 2, 3, 4])],
    ['words that once cancelled each other out', (i) => from([1, Math.imul(i, 31) ^ 77, i, 4])],
    ['equal words', (i) => from([i, i, i, i])],
    ['IPv4 clients', (i) => numbered(i * 7)],
  ])('spreads flows that differ in their %s', (_, make) => {
    // 20,000 random 32-bit numbers have about 0.05 pairs.
    expect(different(make)).toBeGreaterThan(19_900);
  });
});
