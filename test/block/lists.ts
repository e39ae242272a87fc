// Lists for tests: in a folder of their own, with surroundings that remember what they were told,
// and decisions as policy makes them.

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Entry } from '../../src/block/entry.js';
import { BlockList, type ListOptions } from '../../src/block/list.js';
import type { Decision } from '../../src/decide/decision.js';

export const start = 1_700_000_000_000_000;
export const second = 1e6;
export const hour = 3600 * second;
export const day = 24 * hour;
export const desk = { name: 'desk' };

/** What the list told policy. */
export interface Told {
  readonly released: Entry[];
  readonly demoted: [string, number | null][];
  readonly trouble: string[];
}

export class TestList {
  readonly folder = mkdtempSync(join(tmpdir(), 'mailweir-list-'));
  readonly told: Told = { released: [], demoted: [], trouble: [] };
  readonly #change: Partial<ListOptions>;
  list: BlockList;

  constructor(change: Partial<ListOptions> = {}) {
    this.#change = change;
    this.list = this.#open();
  }

  /** Closes the list and opens it again, as a restart does. */
  async again(): Promise<BlockList> {
    await this.list.close();
    this.list = this.#open();
    return this.list;
  }

  async remove(): Promise<void> {
    await this.list.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #open(): BlockList {
    const list = new BlockList({
      directory: this.folder,
      name: 'test',
      entriesMax: 1_000_000,
      life: 2 * hour,
      protection: () => null,
      appeal: { url: 'https://isp.example/appeal' },
      verdicts: {
        released: (entry) => this.told.released.push(entry),
        demoted: (rule, since) => this.told.demoted.push([rule.id, since]),
      },
      trouble: (message) => this.told.trouble.push(message),
      ...this.#change,
    });
    list.tick(start);
    return list;
  }
}

/** A decision about `cidr`; its id follows from what it is about, as policy's does. */
export function decisionOf(cidr: string, change: Partial<Decision> = {}): Decision {
  const created = change.created ?? start;
  const action = change.action ?? 'block';
  const id = createHash('sha256').update(`${cidr}|${action}|${created}`).digest('hex');
  return {
    id: `bl_${id.slice(0, 20)}`,
    cidr,
    subject: cidr,
    action,
    state: 'added',
    scope: { proto: 'tcp', dport: [25], direction: 'out' },
    rule: { id: 'core.rcpt-failure-sprt', version: '1.0.0', sha256: 'a'.repeat(64) },
    title: 'Source keeps offering recipients that destinations refuse',
    mode: 'enforce',
    level: 1,
    time: created,
    created,
    until: created + hour,
    firstSeen: created,
    lastSeen: created,
    profile: 'cn-2006',
    legal: ['CN-38/2006 art.12(2)'],
    severity: 'high',
    confidence: 0.99,
    role: 'customer-dynamic',
    cgnat: 1,
    sensor: 'tap-1',
    symmetry: 0.97,
    loss: 0,
    register: 'r1',
    evidence: { failed: 19, outcomes: 23 },
    corroborators: ['core.dialect'],
    samples: [],
    appeal: { url: 'https://isp.example/appeal', due: created + day },
    supersedes: null,
    guards: [],
    explanation: 'Blocked: another kind of evidence agrees.',
    ...change,
  };
}
