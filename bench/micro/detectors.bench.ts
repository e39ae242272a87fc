// What a transaction costs the detectors with all shipped rules on: three recipients, its session
// beside it, from rows, sources in random order among 1,000 to 1,000,000. 1,000 transactions an
// iteration, so that its microseconds are the nanoseconds of one; 100,000 a second on one core is
// 10 microseconds. The rows are patched in place, which is in the figure. At the end it prints what
// the tables hold. MAILWEIR_BENCH_SMOKE=1 runs each case once, small.

import process from 'node:process';
import { bench, run, summary } from 'mitata';
import { At, AtTx, RcptShift, TxFact } from '../../src/batch/row.js';
import { loadRules, shippedRules, testNetwork } from '../../src/cli/rule-tests.js';
import { Detectors, detectorDefaults } from '../../src/detect/detectors.js';
import { Random } from '../../src/lib/random.js';
import { ReplyClass } from '../../src/smtp/reply-class.js';
import { RowEncoder } from '../generate/rows.js';

const smoke = process.env['MAILWEIR_BENCH_SMOKE'] === '1';
const transactions = 1000;
const rcpts = 3;
const sizes = smoke ? [100, 1000] : [1000, 100_000, 1_000_000];
/** Microseconds between two transactions at 100,000 a second. */
const apart = 10;

const set = loadRules(shippedRules);
const { register } = await testNetwork();

class Case {
  readonly #detectors: Detectors;
  readonly #encoder = new RowEncoder();
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #rows: number[] = [];
  readonly #random = new Random(7);
  readonly #size: number;
  #time = 1_714_521_600e6;
  #flow = 1;
  findings = 0;

  constructor(size: number) {
    this.#size = size;
    const sink = { finding: () => this.findings++ };
    this.#detectors = new Detectors(set, register, sink, detectorDefaults);
    const names = Array.from({ length: rcpts }, (_, i) => `user${i}@d${i}.example`);
    const offered = names.map((address) => ({ address, code: 250, class: 1, hash: [1, 2, 3, 4] }));
    for (let i = 0; i < transactions; i++) {
      this.#encoder.transaction({ rcpts: offered }).session();
    }
    this.#words = new Int32Array(this.#encoder.area);
    this.#doubles = new Float64Array(this.#encoder.area);
    for (let at = 0; at * 4 < this.#encoder.length; at += this.#words[at]!) this.#rows.push(at);
  }

  /** Sources: 60 % strangers writing in, 35 % homes, 5 % fixed customers writing out. */
  #address(source: number): number {
    const kind = source % 20;
    if (kind < 12) return 0xc6000000 + source;
    if (kind < 19) return 0x64400000 + source;
    return 0xcb007180 + (source % 64);
  }

  #patch(): void {
    const words = this.#words;
    for (let i = 0; i < this.#rows.length; i += 2) {
      this.#time += apart;
      const source = this.#random.below(this.#size);
      const isInward = source % 20 < 12;
      const server = isInward
        ? 0xcb0071e1 + (source & 3)
        : 0xc0000000 + this.#random.below(1 << 20);
      this.#flow++;
      for (const at of [this.#rows[i]!, this.#rows[i + 1]!]) {
        words[at + At.client + 3] = this.#address(source) | 0;
        words[at + At.server + 3] = server | 0;
        words[at + At.flowLow] = this.#flow;
        this.#doubles[(at + At.time) >> 1] = this.#time;
      }
      this.#recipients(this.#rows[i]!);
    }
  }

  /** One recipient in ten is unknown. */
  #recipients(at: number): void {
    const words = this.#words;
    const facts = at + words[at + At.facts]!;
    for (let i = 0; i < rcpts; i++) {
      const isUnknown = this.#random.below(10) === 0;
      const answer = isUnknown ? ReplyClass.unknownUser : ReplyClass.ok;
      words[at + AtTx.tables + i * 2] = (isUnknown ? 550 : 250) | (answer << RcptShift.class);
      words[facts + TxFact.rcpt + i * 4] = this.#random.word();
      words[facts + TxFact.rcpt + i * 4 + 1] = this.#random.word();
    }
  }

  round(): void {
    this.#patch();
    this.#detectors.rows(this.#encoder.area, this.#encoder.length);
  }

  tell(): string {
    const tables = this.#detectors
      .tables()
      .map(
        ({ name, used, evicted, bytes }) =>
          `  ${name} ${used} used, ${evicted} evicted, ${bytes} B each`,
      );
    const mib = Math.round(process.memoryUsage().rss / 1024 ** 2);
    const lost = JSON.stringify(this.#detectors.givenUp);
    return [
      `${this.#size} sources: ${this.findings} findings, RSS ${mib} MiB`,
      ...tables,
      `  ${lost}`,
    ].join('\n');
  }
}

const told: string[] = [];
summary(() => {
  for (const size of sizes) {
    const one = new Case(size);
    if (smoke) {
      one.round();
      console.log(one.tell());
      continue;
    }
    // Every source comes a few times before it is measured.
    for (let i = 0; i < (size * 2) / transactions; i++) one.round();
    told.push(one.tell());
    bench(`${transactions} transactions, ${size} sources`, () => one.round());
  }
});

if (!smoke) await run();
console.log(told.join('\n'));
