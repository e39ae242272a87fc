// Questions about domains, answered by the register and remembered: a register is asked with a
// string, and the same few domains come again and again. A fixed table; another domain takes the
// place.

import type { Place, Register } from '../register/register.js';
import type { DomainBook } from './facts.js';
import type { NameHash } from './text.js';

const slots = 1 << 14;
/** Words: two hashes of the domain and server, answer. */
const slotWords = 3;
const Answer = { none: 0, no: 1, yes: 2 } as const;
/** For what the question is: a server's number, or any. */
const anyServer = -1;

export class Domains implements DomainBook {
  readonly #answers = new Int32Array(slots * slotWords);
  #register: Register;

  constructor(register: Register) {
    this.#register = register;
  }

  /** Another register from now on. */
  replace(register: Register): void {
    this.#register = register;
    this.#answers.fill(0);
  }

  hosted(domain: NameHash, server: number): boolean {
    return this.#ask(domain, server >= 0 ? server : anyServer);
  }

  elsewhere(domain: NameHash, source: Place): boolean {
    if (source.server >= 0) return false;
    return this.#ask(domain, anyServer) && this.#register.egressOf(source) < 0;
  }

  #ask(name: NameHash, server: number): boolean {
    const high = name.high ^ Math.imul(server, 0x9e3779b1);
    const low = name.low + server;
    const at = (high & (slots - 1)) * slotWords;
    const answers = this.#answers;
    if (answers[at] === high && answers[at + 1] === (low | 0) && answers[at + 2] !== Answer.none) {
      return answers[at + 2] === Answer.yes;
    }
    const domain = name.bytes.toString('latin1', name.from, name.to);
    const hosts =
      server === anyServer ? this.#register.hosted(domain) : this.#register.hosts(server, domain);
    answers[at] = high;
    answers[at + 1] = low;
    answers[at + 2] = hosts ? Answer.yes : Answer.no;
    return hosts;
  }
}
