// Prefixes that belong to entries: the relay clients and egress of servers, the sources of codes.
// One map over all of them, because a map for each of a million entries would not fit in memory.

import { Prefix, readPrefix } from '../lib/prefix.js';
import { PrefixList, PrefixMap } from '../lib/prefix-map.js';

/** An address as four int32 words, IPv4 as 0, 0, 0xffff, a. */
export interface Words {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}

export class OwnedPrefixes {
  readonly #map: PrefixMap;
  readonly #owners: readonly number[];

  /** The prefixes of each entry, as they were checked and written by `cells.ts`. */
  constructor(lists: readonly (readonly string[])[]) {
    const list = new PrefixList();
    const prefix = new Prefix();
    const owners: number[] = [];
    lists.forEach((texts, owner) => {
      for (const text of texts) {
        if (!readPrefix(text, prefix)) throw new Error(`unchecked prefix ${text}`);
        list.add(prefix);
        owners.push(owner);
      }
    });
    this.#map = new PrefixMap(list);
    this.#owners = owners;
  }

  /**
   * Whether a prefix of entry `owner` covers the address. Longer prefixes of others hide nothing.
   */
  has(owner: number, { w0, w1, w2, w3 }: Words): boolean {
    let index = this.#map.find(w0, w1, w2, w3);
    while (index >= 0 && this.#owners[index] !== owner) index = this.#map.parents[index]!;
    return index >= 0;
  }

  /** The entry with the longest prefix that covers the address, or -1. */
  ownerOf({ w0, w1, w2, w3 }: Words): number {
    const index = this.#map.find(w0, w1, w2, w3);
    return index < 0 ? -1 : this.#owners[index]!;
  }
}
