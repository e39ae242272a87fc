// FlowSpec rules from a list: whatever lists follow each other, a router that does what it is told
// has the rules of the latest one, for own prefixes only and never more than the ceiling.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlowRules, type Listed } from '../../src/enforce/flow-rules.js';
import type { Prefix } from '../../src/lib/prefix.js';

/** 10.0.0.0/8 is own, and so is every IPv6 address. */
const owns = ({ w3, isIpv4 }: Prefix): boolean => !isIpv4 || w3 >>> 24 === 10;

/** Does what it is told, and refuses what makes no sense. */
class Router {
  readonly rules = new Map<string, string>();

  obey(commands: readonly string[], most: number): void {
    for (const command of commands) {
      const [, verb, match, then] = /^(\w+) flow route \{ (.*) then (.*) \}$/.exec(command)!;
      if (verb === 'announce') {
        expect(this.rules.has(match!)).toBe(false);
        this.rules.set(match!, then!);
      } else expect(this.rules.get(match!)).toBe(then);
      if (verb === 'withdraw') this.rules.delete(match!);
      expect(this.rules.size).toBeLessThanOrEqual(most);
    }
  }
}

const cidr = fc.oneof(
  fc.nat(9).map((n) => `10.0.0.${n}/32`),
  fc.nat(3).map((n) => `192.0.2.${n}/32`),
  fc.nat(3).map((n) => `2001:db8:${n}::/64`),
);
const lists = fc.array(
  fc.array(fc.record({ cidr, action: fc.constantFrom('block', 'limit', 'allow') })),
  { maxLength: 6 },
);

/** Whom a list blocks and limits, of own prefixes. */
function twin(list: readonly Listed[]) {
  const of = (action: string) =>
    list.flatMap((one) => (one.action === action && !one.cidr.startsWith('192.') ? one.cidr : []));
  const blocks = new Set(of('block'));
  return { blocks, limits: new Set(of('limit').filter((one) => !blocks.has(one))) };
}

describe('FlowSpec rules', () => {
  it('follow the list', () => {
    fc.assert(
      fc.property(lists, fc.integer({ min: 1, max: 12 }), (some, rulesMax) => {
        const rules = new FlowRules({ owns, rulesMax });
        const router = new Router();
        for (const list of some) {
          router.obey(rules.follow(list), rulesMax);
          const { blocks, limits } = twin(list);
          const all = blocks.size + limits.size;
          expect(router.rules.size).toBe(Math.min(all, rulesMax));
          expect(rules.count).toBe(router.rules.size);
          expect(rules.beyond).toBe(Math.max(0, all - rulesMax));
          for (const [match, then] of router.rules) {
            const source = / source (\S+);/.exec(match)![1]!;
            expect(then.includes('discard') ? blocks : limits).toContain(source);
          }
        }
        router.obey(rules.clear(), rulesMax);
        expect(router.rules.size).toBe(0);
      }),
    );
  });

  it('of limits let through what their messages weigh, and never less than routers police', () => {
    const list = [
      { cidr: '10.0.0.1/32', action: 'limit', rate: 25 },
      { cidr: '10.0.0.2/32', action: 'limit', rate: 1600 },
      { cidr: '10.0.0.3/32', action: 'limit' },
    ];
    const commands = new FlowRules({ owns, rulesMax: 9 }).follow(list);
    const rates = commands.map((one) => /rate-limit (\d+);/.exec(one)?.[1]);
    expect(rates).toEqual(['9600', '44445', '9600']);
  });

  it('that a process left behind are withdrawn by the next one', () => {
    const before = new FlowRules({ owns, rulesMax: 9 });
    const router = new Router();
    router.obey(before.follow([{ cidr: '10.0.0.1/32', action: 'block' }]), 9);
    const next = new FlowRules({ owns, rulesMax: 9 });
    next.restore(`${before.stored()}shutdown\nannounce route 0.0.0.0/0 next-hop self\n`);
    router.obey(next.follow([{ cidr: '10.0.0.2/32', action: 'limit' }]), 9);
    expect([...router.rules.keys()].join()).toContain('10.0.0.2/32');
    expect(router.rules.size).toBe(1);
  });
});
