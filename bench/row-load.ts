// Rows that keep detectors busy: transactions with three recipients, the session of each beside it,
// sources in random order among as many as are asked for. The rows are patched in place between two
// rounds, which is in every figure made with them.

import { At, AtTx, RcptShift, TxFact } from '../src/batch/row.js';
import { loadRules, shippedRules } from '../src/cli/rule-folder.js';
import { testNetwork } from '../src/cli/rule-tests.js';
import { Detectors, detectorDefaults } from '../src/detect/detectors.js';
import { Random } from '../src/lib/random.js';
import { ReplyClass } from '../src/smtp/reply-class.js';
import { RowEncoder } from './generate/rows.js';

/** Transactions of a round. */
export const transactions = 1000;
const rcpts = 3;
/** Microseconds between two transactions at 100,000 a second. */
const apart = 10;

const set = loadRules(shippedRules);
const { register } = await testNetwork();

/** All shipped rules over rows of `size` sources. */
export class RowLoad {
  readonly detectors: Detectors;
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
    this.detectors = new Detectors(set, register, sink, detectorDefaults);
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

  /** Every source comes twice, or nearly every one. */
  warm(): void {
    for (let i = 0; i < (this.#size * 2) / transactions; i++) this.round();
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

  /** One round of rows through the detectors. */
  round(): void {
    this.#patch();
    this.detectors.rows(this.#encoder.area, this.#encoder.length);
  }
}
