// What the ceiling on memory buys: how many flows, sessions, names and waiting segments there is
// room for. The sum is the explanation; everything is reserved once, and touched as it is needed.
//
//                            bytes each     share    of 1 GiB
//   flow, with its index     224 + 28       42 %     1,764,000 flows
//   session                  200             9 %       483,000 sessions
//   open transaction         128             4 %       335,000 transactions
//   waiting command,
//     or recipient            56             8 %     1,533,000
//   64 bytes of a name        68            15 %     2,368,000
//   waiting segment        2,080            22 %       116,000 of 2 KiB
//
// With facts a session takes 128 bytes more and a transaction 32: there is room for fewer of both.

import { PagePool } from './flow/pages.js';
import { FlowTable } from './flow/table.js';
import { Cells } from './lib/cells.js';
import { entryWords, sessionFactWords, sessionWords, txFactWords, txWords } from './smtp/store.js';

/** Pool sizes of one worker. */
export interface Limits {
  readonly flowsMax: number;
  readonly pagesMax: number;
  readonly sessionsMax: number;
  readonly transactionsMax: number;
  readonly entriesMax: number;
  readonly cellsMax: number;
}

/** The smallest ceiling that is worth running with, in bytes. */
export const memoryBytesMin = 16 * 1024 * 1024;

const share = { flows: 0.42, sessions: 0.09, transactions: 0.04, entries: 0.08, cells: 0.15 };

/** Divides `bytes` of memory; `facts`: detectors are served, too. */
export function limitsOf(bytes: number, facts = false): Limits {
  const sessionBytes = (sessionWords + (facts ? sessionFactWords : 0)) * 4;
  const txBytes = (txWords + (facts ? txFactWords : 0)) * 4;
  const memory = Math.max(bytes, memoryBytesMin);
  const of = (part: number, each: number): number => Math.floor((memory * part) / each);
  // The index doubles at powers of two: take what still fits.
  let flowsMax = of(share.flows, FlowTable.size(1 << 16) / (1 << 16));
  while (FlowTable.size(flowsMax) > memory * share.flows) flowsMax = Math.floor(flowsMax * 0.97);
  const sessionsMax = of(share.sessions, sessionBytes);
  const transactionsMax = of(share.transactions, txBytes);
  const entriesMax = of(share.entries, entryWords * 4);
  const cellsMax = of(share.cells, Cells.size(1));
  const used =
    FlowTable.size(flowsMax) +
    sessionsMax * sessionBytes +
    transactionsMax * txBytes +
    entriesMax * entryWords * 4 +
    Cells.size(cellsMax);
  const pagesMax = Math.floor((memory - used) / PagePool.size(1));
  return { flowsMax, pagesMax, sessionsMax, transactionsMax, entriesMax, cellsMax };
}
