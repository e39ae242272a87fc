// Pages of the list in an order that people read: what came last, what ends first. One pass over a
// snapshot and a page's worth of memory, whatever the length of the list; nothing is sorted whole.

import { maskWord, type Prefix } from '../lib/prefix.js';
import { EntryCursor, type Snapshot } from './rows.js';

/** newest: what was created last comes first. ending: what ends first, those without end last. */
export type EntryOrder = 'newest' | 'ending';

export interface PageWish {
  readonly order: EntryOrder;
  /** What `next` of the page before was; empty: from the start. */
  readonly after: string;
  readonly limit: number;
  readonly fits: (entry: EntryCursor) => boolean;
}

export interface OrderedPage {
  readonly ids: readonly string[];
  /** Where the next page goes on; null: this was the last. */
  readonly next: string | null;
}

interface Place {
  readonly key: number;
  readonly id: string;
}

/** A page of the entries that fit, by the same order as long as the list does not change. */
export function pageOf(snapshot: Snapshot, { order, after, limit, fits }: PageWish): OrderedPage {
  const from = placeOf(after);
  const cursor = new EntryCursor(snapshot);
  const page: Place[] = [];
  // From the back: rows mostly lie there in the order of their making, so few take a place twice.
  for (let row = snapshot.rows - 1; row >= 0; row--) {
    cursor.seek(row);
    if (cursor.actionNumber === 0) continue;
    const key = order === 'newest' ? -cursor.created : cursor.until;
    const last = page.length > limit ? page.at(-1)! : null;
    if (last !== null && key > last.key) continue;
    if (from !== null && key < from.key) continue;
    if (!fits(cursor)) continue;
    const place = { key, id: cursor.id };
    if (from !== null && !isBefore(from, place)) continue;
    if (last !== null && !isBefore(place, last)) continue;
    page.splice(indexFor(page, place), 0, place);
    if (page.length > limit + 1) page.pop();
  }
  const isMore = page.length > limit;
  if (isMore) page.pop();
  const end = page.at(-1);
  return {
    ids: page.map(({ id }) => id),
    next: isMore && end !== undefined ? `${end.key} ${end.id}` : null,
  };
}

/** Entries by action, and by rule of those that are no allowance. */
export function countsOf(snapshot: Snapshot): {
  readonly actions: Readonly<Record<'limit' | 'block' | 'allow', number>>;
  readonly rules: Readonly<Record<string, number>>;
} {
  const actions = { limit: 0, block: 0, allow: 0 };
  const byNumber = new Map<number, number>();
  const cursor = new EntryCursor(snapshot);
  while (cursor.next()) {
    const { action, ruleNumber } = cursor;
    actions[action] += 1;
    if (action !== 'allow') byNumber.set(ruleNumber, (byNumber.get(ruleNumber) ?? 0) + 1);
  }
  const rules = [...byNumber].map(([number, count]) => [snapshot.rules[number]!, count] as const);
  return { actions, rules: Object.fromEntries(rules.sort(([, one], [, other]) => other - one)) };
}

/** Whether an entry lies inside of a prefix, itself included. */
export function insideOf(prefix: Prefix): (entry: EntryCursor) => boolean {
  const { w0, w1, w2, w3, bits, isIpv4 } = prefix;
  return (entry) =>
    entry.bits >= bits &&
    entry.isIpv4 === isIpv4 &&
    ((entry.w0 ^ w0) & maskWord(bits, 0)) === 0 &&
    ((entry.w1 ^ w1) & maskWord(bits, 1)) === 0 &&
    ((entry.w2 ^ w2) & maskWord(bits, 2)) === 0 &&
    ((entry.w3 ^ w3) & maskWord(bits, 3)) === 0;
}

function placeOf(after: string): Place | null {
  const [key = '', id = ''] = after.split(' ');
  const number = Number(key);
  return key === '' || Number.isNaN(number) ? null : { key: number, id };
}

function isBefore(one: Place, other: Place): boolean {
  return one.key < other.key || (one.key === other.key && one.id < other.id);
}

/** Where `place` belongs in the sorted page. */
function indexFor(page: readonly Place[], place: Place): number {
  let low = 0;
  let high = page.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(page[middle]!, place)) low = middle + 1;
    else high = middle;
  }
  return low;
}
