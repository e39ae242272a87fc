// One interface's share of the ring's area: walks the frames of the block at hand. It never talks
// to the kernel. Layouts are those of linux/if_packet.h: struct tpacket_block_desc in front of a
// block, struct tpacket3_hdr and struct sockaddr_ll in front of each frame, all in the machine's
// byte order.

import type { FrameBatch } from '../source.js';

/** 32-bit words of the block's header. */
const Block = { packets: 3, first: 4 } as const;
/** 32-bit words of the frame's header. */
const Frame = {
  next: 0,
  seconds: 1,
  nanoseconds: 2,
  kept: 3,
  wire: 4,
  status: 5,
  place: 6,
  tci: 8,
  tpid: 9,
} as const;
/** Bytes from the frame's header to sll_pkttype; 4 is PACKET_OUTGOING. */
const packetType = 58;
const outgoing = 4;
/** TP_STATUS_VLAN_VALID and TP_STATUS_VLAN_TPID_VALID. */
const tagValid = 0x10;
const tpidValid = 0x40;
/** Bytes of a block in front of its first frame: the kernel's header and 16 of ours. */
export const blockHeaderBytes = 64;
/**
 * Words of ours: 1 while a reader has the block in hand, which giving it back clears; and how many
 * of its frames were used. Whoever attaches after a reader that died counts what is lost by them.
 */
const inHand = 12;
const used = 13;

/** The cursor over the frames of one block. All positions count from the start of the area. */
export class Lane {
  /** Where its current block begins; -1 when it holds none. */
  block = -1;
  /** Frames of the block that were not taken yet. */
  left = 0;
  /** Frames of the block. */
  #count = 0;
  /** Microseconds of the next frame while `left` is not 0. */
  time = 0.5;
  readonly link: number;
  readonly #words: Int32Array;
  readonly #bytes: Buffer;
  readonly #skipOutgoing: boolean;
  #at = 0;

  /** `bytes` and `words` are the same area. Without Ethernet frames begin with IP. */
  constructor(bytes: Buffer, words: Int32Array, ethernet: boolean, skipOutgoing: boolean) {
    this.#bytes = bytes;
    this.#words = words;
    this.#skipOutgoing = skipOutgoing;
    this.link = ethernet ? 1 : 101;
    this.time = 0;
  }

  /** Begins with the block at `block`. */
  hold(block: number): void {
    const word = block >> 2;
    this.block = block;
    this.#words[word + used] = 0;
    this.#words[word + inHand] = 1;
    this.left = this.#words[word + Block.packets]!;
    this.#count = this.left;
    this.#at = block + this.#words[word + Block.first]!;
    if (this.left > 0) this.#look();
  }

  /** All frames that were taken so far have been used. */
  settle(): void {
    if (this.block >= 0) this.#words[(this.block >> 2) + used] = this.#count - this.left;
  }

  /** Takes frames up to and with time `limit` into the batch until it is full. */
  take(batch: FrameBatch, limit: number): void {
    const words = this.#words;
    const { offset, length, wireLength, time, link, capacity } = batch;
    let count = batch.count;
    while (this.left > 0 && count < capacity && this.time <= limit) {
      const at = this.#at;
      const word = at >> 2;
      const status = words[word + Frame.status]!;
      let from = at + (words[word + Frame.place]! & 0xffff);
      let kept = words[word + Frame.kept]!;
      let wire = words[word + Frame.wire]!;
      if ((status & tagValid) !== 0 && kept >= 12 && this.link === 1) {
        from -= 4;
        kept += 4;
        wire += 4;
        const tpid = (status & tpidValid) !== 0 ? words[word + Frame.tpid]! & 0xffff : 0x8100;
        this.#putTag(from, tpid, words[word + Frame.tci]!);
      }
      if (!this.#skipOutgoing || this.#bytes[at + packetType] !== outgoing) {
        offset[count] = from;
        length[count] = kept;
        wireLength[count] = wire;
        time[count] = this.time;
        link[count] = this.link;
        count += 1;
      }
      this.left -= 1;
      this.#at = at + words[word + Frame.next]!;
      if (this.left > 0) this.#look();
    }
    batch.count = count;
  }

  #look(): void {
    const word = this.#at >> 2;
    const seconds = this.#words[word + Frame.seconds]! >>> 0;
    this.time = seconds * 1e6 + Math.floor(this.#words[word + Frame.nanoseconds]! / 1000);
  }

  /**
   * Puts the tag that the kernel took out back behind the addresses, which move down 4 bytes into
   * room that the ring keeps in front of each frame. A loop beats a native copy of 12 bytes.
   */
  #putTag(from: number, tpid: number, tci: number): void {
    const bytes = this.#bytes;
    for (let i = from; i < from + 12; i += 1) bytes[i] = bytes[i + 4]!;
    bytes[from + 12] = tpid >> 8;
    bytes[from + 13] = tpid;
    bytes[from + 14] = tci >> 8;
    bytes[from + 15] = tci;
  }
}
