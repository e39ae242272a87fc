// Time and room: time-outs by the time of packets, clocks that jump, a full table, empty pools, and
// what the default ceiling on memory holds.

import { describe, expect, it } from 'vitest';
import { PagePool } from '../../src/flow/pages.js';
import { FlowTable } from '../../src/flow/table.js';
import { patience } from '../../src/flow/waiting.js';
import { Cells } from '../../src/lib/cells.js';
import { Random } from '../../src/lib/random.js';
import { limitsOf } from '../../src/limits.js';
import { sessionWords } from '../../src/smtp/store.js';
import { Bench, handshake, second, segment } from './segments.js';

const open = `${handshake}s P 1 1 220\nc A 1 4\n`;
const closed = `${open}c F 1 4\ns F 4 2\nc A 2 5\n`;

describe('time-outs', () => {
  const cases: readonly [string, string, number][] = [
    ['half open', 'c S 0\ns S 0 1\n', 30],
    ['established, with payload', open, 660],
    ['established, without', handshake, 660],
    ['closed', closed, 10],
  ];

  it.each(cases)('%s: lives for its seconds and not for longer', (_, steps, seconds) => {
    // A packet of the same connection one second before the end, and one behind it.
    for (const [wait, left] of [
      [seconds - 1, 1],
      [seconds + 2, 0],
    ] as const) {
      const bench = new Bench().play(steps);
      expect(bench.flows.active).toBe(1);
      bench.flows.tick(bench.time + wait * second);
      expect(bench.flows.active).toBe(left);
    }
  });

  it('are as configured', () => {
    const bench = new Bench({
      timeoutHalfOpen: 3 * second,
      timeoutEstablished: 7 * second,
      timeoutClosed: 5 * second,
    });
    bench.play('c S 0 port=1');
    for (const line of open.split('\n')) if (line !== '') bench.play(`${line} port=2`);
    for (const line of closed.split('\n')) if (line.trim() !== '') bench.play(`${line} port=3`);
    const counts: number[] = [];
    for (let n = 0; n < 9; n++) {
      counts.push(bench.flows.active);
      bench.time += second;
      bench.flows.tick(bench.time);
    }
    expect(counts).toEqual([3, 3, 3, 3, 2, 2, 1, 1, 0]);
  });

  it('say when the last packet came, not when it was noticed', () => {
    const bench = new Bench().play(open);
    const last = bench.time;
    bench.flows.tick(last + 3000 * second);
    expect(bench.lines).toEqual(['timeout both handshake c: s:220']);
    expect(bench.sink.records[0]!.last).toBe(last);
  });

  it('split a silent connection at the same packet, whatever else passes', () => {
    const linesWith = (seed: number): string[] => {
      const random = new Random(seed);
      const bench = new Bench({ flowsMax: 4096 });
      const noise = (): void => {
        const until = bench.time;
        for (let n = random.below(40); n > 0; n--) {
          const time = until - random.below(5) * 1000;
          const clientPort = 1024 + random.below(2000);
          bench.send({ flags: 2, seq: random.word(), time, clientPort });
        }
      };
      for (const wait of [1, 659, 661, 5, 660, 662, 29, 31]) {
        bench.time += wait * second;
        if (seed > 0) noise();
        bench.play(`c P ${wait} 4 EHLO port=40000`);
      }
      bench.finish();
      return bench.sink.records
        .filter((record) => record.connection.clientPort === 40_000)
        .map((record) => `${record.line} ${record.last}`);
    };
    const quiet = linesWith(0);
    // A step takes a millisecond, so that 660 seconds are just too long.
    expect(quiet.length).toBe(4);
    for (const seed of [1, 2, 3]) expect(linesWith(seed)).toEqual(quiet);
  });

  it('time that runs backwards is held, and counted', () => {
    const bench = new Bench().play(open);
    const last = bench.time;
    const times: number[] = [];
    const { data } = bench.sink;
    bench.sink.data = (chunk) => {
      times.push(chunk.time);
      return data.call(bench.sink, chunk);
    };
    bench.play('-500 c P 1 4 EHLO\n+600 s P 4 5 250');
    bench.finish();
    expect(bench.lines).toEqual(['eof both handshake c:EHLO s:220250']);
    expect(bench.counted).toEqual({ flows: 1, timeBackwards: 1 });
    expect(times).toEqual([last, bench.time]);
    const { first, last: end } = bench.sink.records[0]!.connection;
    expect(first).toBeLessThanOrEqual(last);
    expect(end).toBe(bench.time);
  });

  it('a lone packet from the future does not end everything', () => {
    const bench = new Bench().play(open);
    bench.play('+100000 c S 0 port=9\n-100000 c P 1 4 EHLO');
    expect(bench.flows.now).toBe(bench.time);
    bench.finish();
    expect(bench.lines).toEqual(['eof both handshake c:EHLO s:220']);
    expect(bench.sink.records[0]!.last).toBe(bench.time);
  });

  it('two packets from the future are believed', () => {
    const bench = new Bench().play(open);
    bench.play('+100000 c S 0 port=9\nc S 0 port=8');
    expect(bench.flows.now).toBe(bench.time);
    expect(bench.lines).toEqual(['timeout both handshake c: s:220']);
  });

  it('a connection that begins behind hours of silence began then', () => {
    const bench = new Bench().play(open);
    bench.play('+7200 c S 0 port=9\n+0.1 s S 0 1 port=9\ns P 1 1 220 port=9');
    const late = bench.time;
    bench.finish();
    expect(bench.lines[0]).toBe('timeout both handshake c: s:220');
    const { first, last } = bench.sink.records[1]!.connection;
    expect(late - first).toBeLessThan(second);
    expect(last).toBe(late);
  });

  it.each([0, 1, 5 * second, 2 ** 44 * second])('run from a capture that begins at %d', (begin) => {
    const bench = new Bench();
    bench.time = begin;
    bench.play(`+0 c S 0 port=7\n${open}+40 c S 0 port=9`);
    expect(bench.flows.active).toBe(2);
    bench.finish();
    expect(bench.lines).toEqual(['eof both handshake c: s:220']);
  });
});

describe('a full table', () => {
  /** A SYN of another client each time. */
  function flood(bench: Bench, count: number): void {
    for (let n = 0; n < count; n++) {
      bench.time += 10;
      bench.send({ flags: 2, seq: n * 7919, time: bench.time, host: 0x0b000000 + n });
    }
  }

  function sessions(bench: Bench, count: number): void {
    for (let n = 0; n < count; n++) {
      bench.play(open.replaceAll('\n', ` port=${1024 + n}\n`).replace(/^ port.*$/gm, ''));
    }
  }

  it('gives up half-open flows first and keeps live sessions', () => {
    const bench = new Bench({ flowsMax: 1000 });
    sessions(bench, 600);
    flood(bench, 5000);
    expect(bench.flows.active).toBe(1000);
    expect(bench.sink.sessions.size).toBe(600);
    expect(bench.counted).toEqual({ flows: 5600, evicted: 4600, halfOpen: 4600 });
  });

  it('keeps them over time, while the flood goes on', () => {
    const bench = new Bench({ flowsMax: 1000 });
    sessions(bench, 600);
    for (let n = 0; n < 60; n++) {
      bench.time += 5 * second;
      flood(bench, 500);
    }
    expect(bench.sink.sessions.size).toBe(600);
  });

  it('gives up the longest silent session when there is nothing else', () => {
    const bench = new Bench({ flowsMax: 4 });
    for (const port of [1, 2, 3, 4]) {
      bench.play(`+20 c P 1 1 EHLO port=${port}`);
    }
    bench.play('+1 c P 5 1 QUIT port=1\n+1 c P 1 1 HELO port=5');
    bench.finish();
    const evicted = bench.sink.records.filter((record) => record.end === 'evicted');
    expect(evicted.map((record) => record.connection.clientPort)).toEqual([2]);
    expect(bench.counted).toEqual({ flows: 5, evicted: 1, oneSided: 5 });
  });

  it('holds a million half-open flows in the default GiB without giving any up', () => {
    const { flowsMax } = limitsOf(2 ** 30);
    expect(flowsMax).toBeGreaterThanOrEqual(1_000_000);
    const bench = new Bench({ flowsMax });
    const p = segment({ flags: 2 });
    for (let n = 0; n < 1_000_000; n++) {
      p.time = bench.time + n * 20;
      p.src3 = n ^ 0x55555555;
      p.seq = n;
      bench.flows.tick(p.time);
      bench.flows.packet(p);
    }
    expect(bench.flows.active).toBe(1_000_000);
    expect(bench.counted).toEqual({ flows: 1_000_000 });
  });
});

describe('memory', () => {
  it('an idle flow takes at most 512 bytes: slot, index, session, one cell of a name', () => {
    const { flowsMax } = limitsOf(2 ** 30);
    const slot = (FlowTable.size(flowsMax) - FlowTable.size(0)) / flowsMax;
    expect(slot).toBeLessThan(280);
    // While the index doubles it takes half as much again: that is in `size`, and not idle.
    const index = (2 ** Math.ceil(Math.log2(2_000_000)) * 8) / 1_000_000;
    const idle = 224 + index + sessionWords * 4 + Cells.size(1);
    expect(idle).toBeLessThanOrEqual(512);
  });

  it.each([2 ** 24, 2 ** 28, 2 ** 30, 2 ** 33])('all pools together fit into %d bytes', (bytes) => {
    const limits = limitsOf(bytes);
    const taken =
      FlowTable.size(limits.flowsMax) +
      limits.sessionsMax * sessionWords * 4 +
      Cells.size(limits.cellsMax) +
      PagePool.size(limits.pagesMax);
    expect(taken).toBeLessThanOrEqual(bytes);
    expect(Math.min(...Object.values(limits))).toBeGreaterThan(100);
  });
});

describe('empty pools', () => {
  it('no page: what cannot wait is lost, counted, and the stream goes on', () => {
    const bench = new Bench({ pagesMax: 1 }).play(open);
    bench.play('c P 9 4 CCCC\nc P 13 4 DDDD\nc P 1 4 AAAA\nc P 5 4 BBBB\nc P 13 4 DDDD');
    bench.finish();
    expect(bench.lines[0]).toBe('eof both handshake c:AAAABBBBCCCCDDDD s:220');
    expect(bench.counted['pagesExhausted']).toBe(1);
  });

  it('one connection cannot take them all', () => {
    const bench = new Bench({ pagesMax: 4096 }).play(handshake);
    let most = 0;
    const { take } = PagePool.prototype;
    PagePool.prototype.take = function (this: PagePool): number {
      most = Math.max(most, this.used + 1);
      return take.call(this);
    };
    try {
      for (let n = 0; n < 128; n++) bench.play(`c P ${10 + n * 3} 1 a`);
      const big = 'B'.repeat(60_000);
      for (let n = 0; n < 100; n++) bench.play(`s P ${100_000 + n * 70_000} 1 ${big}`);
    } finally {
      PagePool.prototype.take = take;
    }
    // The segment that crosses the line is kept first: up to 32 pages.
    expect(most).toBeLessThanOrEqual(2 * (patience.pages + 33));
  });

  it('no session: the connection is followed and not told, and no other one suffers', () => {
    const bench = new Bench({ flowsMax: 2000 });
    bench.sink.room = 10;
    for (let n = 0; n < 500; n++) bench.play(`c S 0 port=${20_000 + n}`);
    for (let n = 0; n < 20; n++) {
      bench.play(
        open
          .trim()
          .replaceAll('\n', ` port=${1024 + n}\n`)
          .concat(` port=${1024 + n}`),
      );
    }
    expect(bench.sink.records.length).toBe(10);
    expect(bench.flows.active).toBe(520);
    bench.finish();
    expect(bench.lines.every((line) => line === 'eof both handshake c: s:220')).toBe(true);
    expect(bench.counted).toEqual({ flows: 520, halfOpen: 500, other: 10, evicted: 10 });
  });

  it('a session that ends makes room for the next', () => {
    const bench = new Bench();
    bench.sink.room = 1;
    for (let n = 0; n < 5; n++) {
      const lines = closed.trim().split('\n');
      bench.play(lines.map((line) => `${line} port=${1024 + n}`).join('\n'));
    }
    expect(bench.lines).toEqual(Array(5).fill('fin both handshake c: s:220'));
  });
});

describe('a sink that does not read on, though it must', () => {
  it.each([0, 1])('gets %d bytes a call across, and the stage goes on', (count) => {
    const bench = new Bench({ pagesMax: 1024 }).play(handshake);
    let calls = 0;
    bench.sink.data = (chunk) => {
      if (++calls > 100_000) throw new Error('asked again and again');
      return Math.min(chunk.from + count, chunk.to);
    };
    for (let n = 0; n < 300; n++) bench.play(`c P ${1 + n * 100} 1 ${'x'.repeat(100)}`);
    bench.play('s P 1 1 220').finish();
    expect(bench.flows.active).toBe(0);
    expect(bench.sink.records[0]!.end).toBe('eof');
  });
});

describe('a sink that wants no more', () => {
  it('hears nothing but the end, and the bytes are counted on', () => {
    const bench = new Bench();
    const texts: string[] = [];
    bench.sink.data = (chunk) => {
      texts.push(chunk.bytes.toString('latin1', chunk.from, chunk.to));
      return -1;
    };
    bench.play(
      `${handshake}s P 1 1 TLS1\nc P 1 5 ${'x'.repeat(500)}\nc P 2000 5 later\ns P 5 9 more`,
    );
    bench.finish();
    expect(texts).toEqual(['TLS1']);
    const { connection } = bench.sink.records[0]!;
    expect(connection.bytesToServer).toBe(505);
    expect(connection.bytesToClient).toBe(8);
    expect(bench.counted).toEqual({ flows: 1 });
  });

  it('closes as any other', () => {
    const bench = new Bench();
    bench.sink.data = () => -1;
    bench.play(`${open}c FP 1 4 QUIT\ns F 4 6\n`);
    expect(bench.sink.records[0]!.end).toBe('fin');
  });
});
