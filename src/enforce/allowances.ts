// How many messages limited sources may still send. The kernel counts their connections, and one
// connection may carry any number of messages; so what the tap sees of them is counted here, by the
// generic cell rate algorithm of the policy server and of core.rate-limit (detection.md 2.9; ITU-T
// I.371 A.1), and who has used up his messages is shut out until the next one is due.

import { Outcome, Protocol, RowCursor, RowKind, StartTls } from '../batch/row.js';
import type { ListChange, ListedEntry } from '../block/entry.js';
import type { BlockList } from '../block/list.js';
import { EntryCursor, type Snapshot } from '../block/rows.js';
import { Prefix } from '../lib/prefix.js';
import type { Shut } from './nftables.js';

/** Limited sources that are counted; those beyond have the kernel's meter alone. */
const sourcesMax = 100_000;
/** A message to more recipients costs no more than this: nobody is shut out for weeks. */
const costMax = 1000;
const hour = 3600 * 1e6;

interface Allowance {
  readonly entry: ListedEntry;
  /** Microseconds that one message takes, and by how much the source may be early. */
  readonly interval: number;
  readonly tolerance: number;
  /** When the next message would come if the source kept to its rate: the theoretical arrival. */
  due: number;
}

export class Allowances {
  readonly #list: Pick<BlockList, 'idsCovering'>;
  readonly #shut: (shut: Shut) => void;
  readonly #allowances = new Map<string, Allowance>();
  readonly #rows = new RowCursor();
  readonly #client = new Prefix();

  constructor(list: Pick<BlockList, 'idsCovering'>, shut: (shut: Shut) => void) {
    this.#list = list;
    this.#shut = shut;
    this.#client.bits = 128;
  }

  begin(snapshot: Snapshot): void {
    const cursor = new EntryCursor(snapshot);
    while (cursor.next()) if (cursor.action === 'limit') this.#enter(cursor.keep());
  }

  changes(changes: readonly ListChange[]): void {
    for (const { kind, entry } of changes) {
      if (kind === 'removed') this.#allowances.delete(entry.id);
      else if (entry.action === 'limit') this.#enter(entry);
    }
  }

  rows(area: ArrayBuffer, length: number): void {
    if (this.#allowances.size === 0) return;
    const rows = this.#rows;
    rows.open(area, length);
    while (rows.next()) {
      const cost = this.#cost();
      if (cost > 0) this.#charge(cost);
    }
  }

  #enter(entry: ListedEntry): void {
    const before = this.#allowances.get(entry.id);
    if (before === undefined && this.#allowances.size >= sourcesMax) return;
    const interval = hour / Math.max(1, entry.scope.rate ?? 1);
    const tolerance = interval * (Math.max(1, entry.scope.burst ?? 1) - 1);
    // Who was limited has used his burst: that is why. One message is left.
    const due = before?.due ?? entry.created + tolerance;
    this.#allowances.set(entry.id, { entry, interval, tolerance, due });
  }

  /**
   * What the row costs: accepted recipients of a message; of an encrypted session one in all, for
   * nothing in it is counted or guessed.
   */
  #cost(): number {
    const rows = this.#rows;
    if (rows.kind === RowKind.transaction && rows.outcome === Outcome.accepted) {
      let recipients = 0;
      for (let index = 0; index < Math.min(rows.rcptCount, costMax); index++) {
        const code = rows.rcptCode(index);
        if (code >= 200 && code < 300) recipients += 1;
      }
      return Math.max(1, recipients);
    }
    if (rows.kind !== RowKind.session || !rows.handshake) return 0;
    const isHidden = rows.startTls === StartTls.established || rows.protocol === Protocol.tls;
    return isHidden ? 1 : 0;
  }

  #charge(cost: number): void {
    const rows = this.#rows;
    const client = this.#client;
    rows.clientInto(client);
    for (const id of this.#list.idsCovering(client)) {
      const allowance = this.#allowances.get(id);
      if (allowance === undefined || rows.time < allowance.entry.created) continue;
      const { entry, interval, tolerance } = allowance;
      if (!entry.scope.dport.includes(rows.serverPort)) continue;
      allowance.due = Math.max(allowance.due, rows.time) + cost * interval;
      const until = Math.min(allowance.due - tolerance, entry.until ?? Number.POSITIVE_INFINITY);
      if (until > rows.time) this.#shut({ cidr: entry.cidr, ports: entry.scope.dport, until });
    }
  }
}
