// Questions about domains, answered by the register and remembered: a register is asked with a
// string, and the same few domains come again and again. A fixed table; another domain takes the
// place.

import type { Place, Register } from '../register/register.js';
import type { DomainBook } from './facts.js';
import { hashText } from './text.js';

const slots = 1 << 14;
/** Words: two hashes of the domain and server, answer. */
const slotWords = 3;
const Answer = { none: 0, no: 1, yes: 2 } as const;
/** For what the question is: a server's number, or any. */
const anyServer = -1;

export class Domains implements DomainBook {
  readonly #answers = new Int32Array(slots * slotWords);
  readonly #seed: number;
  #register: Register;

  constructor(register: Register, seed: number) {
    this.#register = register;
    this.#seed = seed;
  }

  /** Another register from now on. */
  replace(register: Register): void {
    this.#register = register;
    this.#answers.fill(0);
  }

  hosted(bytes: Buffer, from: number, to: number, server: number): boolean {
    return this.#ask(bytes, from, to, server >= 0 ? server : anyServer);
  }

  elsewhere(bytes: Buffer, from: number, to: number, source: Place): boolean {
    if (source.server >= 0) return false;
    return this.#ask(bytes, from, to, anyServer) && this.#register.egressOf(source) < 0;
  }

  #ask(bytes: Buffer, from: number, to: number, server: number): boolean {
    const high = hashText(bytes, from, to, this.#seed) ^ Math.imul(server, 0x9e3779b1);
    const low = hashText(bytes, from, to, ~this.#seed) + server;
    const at = (high & (slots - 1)) * slotWords;
    const answers = this.#answers;
    if (answers[at] === high && answers[at + 1] === (low | 0) && answers[at + 2] !== Answer.none) {
      return answers[at + 2] === Answer.yes;
    }
    const domain = bytes.toString('latin1', from, to);
    const hosts =
      server === anyServer ? this.#register.hosted(domain) : this.#register.hosts(server, domain);
    answers[at] = high;
    answers[at + 1] = low;
    answers[at + 2] = hosts ? Answer.yes : Answer.no;
    return hosts;
  }
}
