// Which FlowSpec rules (RFC 8955, IPv6: RFC 8956) routers should have, and the commands by which
// ExaBGP gets there from those that they have. Pure; `cli/exabgp.ts` fetches and talks.

import { flowBytes } from '../block/flow-rate.js';
import { Prefix, readPrefix } from '../lib/prefix.js';

/** An entry as the list's JSON has it (contracts 5). */
export interface Listed {
  readonly cidr: string;
  readonly action: string;
  /** Messages an hour of a limit. */
  readonly rate?: number | undefined;
}

export interface FlowRuleOptions {
  /** Whether all of a prefix is the provider's own: nobody announces rules about strangers. */
  readonly owns: (prefix: Prefix) => boolean;
  /** Routers hold few FlowSpec rules in hardware; what is beyond is not announced. */
  readonly rulesMax: number;
}

/** A stored command; a file that is none of ours has none. */
const matchPattern = /source [0-9a-f.:/]+; (protocol|next-header) =tcp; destination-port =25;/;
const commandPattern = new RegExp(
  `^announce flow route \\{ match \\{ ${matchPattern.source} \\} ` +
    'then \\{ (discard|rate-limit \\d+); \\} \\}$',
);

export class FlowRules {
  readonly #options: FlowRuleOptions;
  readonly #prefix = new Prefix();
  /** Of each prefix the command that announced its rule. */
  #announced = new Map<string, string>();
  /** Entries of the latest list that were left out: of strangers, and above the ceiling. */
  foreign = 0;
  beyond = 0;

  constructor(options: FlowRuleOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#announced.size;
  }

  /** Commands that lead from the rules that are announced to those of a list, in order. */
  follow(entries: Iterable<Listed>): string[] {
    const wanted = this.#wanted(entries);
    const commands: string[] = [];
    for (const [cidr, command] of this.#announced) {
      if (wanted.get(cidr) === command) continue;
      commands.push(withdrawal(command));
      this.#announced.delete(cidr);
    }
    this.beyond = 0;
    for (const [cidr, command] of wanted) {
      if (this.#announced.has(cidr)) continue;
      if (this.#announced.size >= this.#options.rulesMax) {
        this.beyond += 1;
        continue;
      }
      commands.push(command);
      this.#announced.set(cidr, command);
    }
    return commands;
  }

  /** Commands that withdraw every rule. */
  clear(): string[] {
    return this.follow([]);
  }

  /** The rules that are announced, for the process that comes after this one. */
  stored(): string {
    return [...this.#announced.values(), ''].join('\n');
  }

  /** Takes over the rules that an earlier process announced and could not withdraw. */
  restore(text: string): void {
    for (const line of text.split('\n')) {
      const cidr = commandPattern.test(line) ? / source (\S+);/.exec(line)?.[1] : undefined;
      if (cidr !== undefined) this.#announced.set(cidr, line);
    }
  }

  /** Blocks first, so that the ceiling leaves out limits before blocks. */
  #wanted(entries: Iterable<Listed>): Map<string, string> {
    const limits = new Map<string, string>();
    const wanted = new Map<string, string>();
    this.foreign = 0;
    for (const { cidr, action, rate = 0 } of entries) {
      if (action !== 'block' && action !== 'limit') continue;
      const prefix = this.#prefix;
      if (!readPrefix(cidr, prefix) || !this.#options.owns(prefix)) {
        this.foreign += 1;
        continue;
      }
      const then = action === 'block' ? 'discard' : `rate-limit ${flowBytes(rate)}`;
      (action === 'block' ? wanted : limits).set(cidr, announcement(cidr, then, prefix));
    }
    for (const [cidr, command] of limits) if (!wanted.has(cidr)) wanted.set(cidr, command);
    return wanted;
  }
}

function announcement(cidr: string, then: string, prefix: Prefix): string {
  const protocol = prefix.isIpv4 ? 'protocol' : 'next-header';
  const match = `source ${cidr}; ${protocol} =tcp; destination-port =25;`;
  return `announce flow route { match { ${match} } then { ${then}; } }`;
}

function withdrawal(command: string): string {
  return command.replace(/^announce/, 'withdraw');
}
