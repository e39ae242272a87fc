// The two programs that the kernel runs for a ring: which member of a fan-out group gets a frame
// (the same as steer.ts, to the bit), and which frames are worth copying at all. Both walk the same
// headers. A load beyond the end of the frame ends a program with 0, by the rules of BPF.
//
// Where a frame begins. A fan-out program sees an incoming frame from its network header on, and a
// filter on a raw socket from its Ethernet header on; in both the outer VLAN tag is already gone.
// Offsets therefore count from the start of what is seen. SKF_NET_OFF would name the same place,
// but reaches only the linear part of a buffer, and drivers leave deep headers in its pages.

import { steerFactor, steerHeadersMax, steerLabelsMax, steerTypes } from '../steer.js';
import { Assembler, Code, type Label } from './bpf.js';

/** Offset that gives the EtherType behind the stripped tag: SKF_AD_OFF + SKF_AD_PROTOCOL. */
const protocolOffset = 0xfffff000;
/** What a filter returns for a frame that is wanted: the bytes to keep. */
const keepAll = 0x40000;

/** Memory words of the programs. */
const Memory = { type: 0, size: 1, index: 2 } as const;

/** Where a walk goes. */
interface Exits {
  /** X is at an IPv4 header. */
  readonly ip4: Label;
  readonly ip6: Label;
  /** No IP here, or too deep. */
  readonly unseen: Label;
}

/** `hash % members` is the kernel's own; the program gives the hash of `addressHash`, or 0. */
export function steeringProgram(): Uint8Array {
  const asm = new Assembler();
  const exits: Exits = { ip4: asm.label(), ip6: asm.label(), unseen: asm.label() };
  const mix = asm.label();
  asm.emit(Code.indexValue, 0);
  asm.emit(Code.loadWordAt, protocolOffset);
  walkHeaders(asm, exits, steerHeadersMax, steerLabelsMax);
  asm.place(exits.unseen);
  asm.emit(Code.returnValue, 0);
  asm.place(exits.ip6);
  xorWords(asm, [8, 12, 16, 20, 24, 28, 32, 36]);
  asm.jump(mix);
  asm.place(exits.ip4);
  // The fixed header must be there, as steer.ts wants it.
  xorWords(asm, [12, 16]);
  asm.place(mix);
  asm.emit(Code.store, Memory.type);
  asm.emit(Code.shiftRight, 16);
  asm.emit(Code.indexMemory, Memory.type);
  asm.emit(Code.xorIndex);
  asm.emit(Code.multiply, steerFactor);
  asm.emit(Code.shiftRight, 16);
  asm.emit(Code.returnAccumulator);
  return asm.program();
}

/** A = XOR of the words at these offsets behind X; X is lost. */
function xorWords(asm: Assembler, offsets: readonly number[]): void {
  offsets.forEach((offset, slot) => {
    asm.emit(Code.loadWord, offset);
    asm.emit(Code.store, slot);
  });
  for (let slot = 0; slot < offsets.length - 1; slot += 1) {
    asm.emit(Code.indexMemory, slot);
    asm.emit(Code.xorIndex);
  }
}

/** What a filter lets through. */
export interface FilterPlan {
  /** TCP ports that carry mail. */
  readonly ports: readonly number[];
  /** Whether GRE, IP in IP, VXLAN and Geneve pass. */
  readonly tunnels: boolean;
  /** Whether frames begin with an Ethernet header; else with IP. */
  readonly ethernet: boolean;
}

/** More ports than this give no filter: it would outgrow what old kernels allow a socket. */
const filterPortsMax = 64;
/** Tags and PPPoE headers that a filter walks; what lies deeper passes. */
const filterHeadersMax = 3;
const filterLabelsMax = 4;

/**
 * A filter that refuses TCP of other ports, UDP that is no tunnel, other protocols of IP, and ARP.
 * All fragments pass, IPv6 with extension headers passes, and so does what it cannot walk. Null
 * (everything passes) with too many ports.
 */
export function filterProgram(plan: FilterPlan): Uint8Array | null {
  if (plan.ports.length === 0 || plan.ports.length > filterPortsMax) return null;
  const asm = new Assembler();
  const exits: Exits = { ip4: asm.label(), ip6: asm.label(), unseen: asm.label() };
  const pass = asm.label();
  const drop = asm.label();
  const tcp = asm.label();
  const udp = asm.label();
  asm.emit(Code.indexValue, plan.ethernet ? 14 : 0);
  if (plan.ethernet) asm.emit(Code.loadHalfAt, 12);
  else asm.emit(Code.loadWordAt, protocolOffset);
  asm.branch(Code.jumpEqual, 0x0806, drop, null);
  walkHeaders(asm, exits, filterHeadersMax, filterLabelsMax);
  asm.place(exits.unseen);
  asm.jump(pass);

  const tunnels = plan.tunnels ? [4, 41, 47] : [];
  asm.place(exits.ip4);
  asm.emit(Code.loadHalf, 6);
  asm.branch(Code.jumpBits, 0x3fff, pass, null);
  asm.emit(Code.loadByte, 9);
  asm.among([51, ...tunnels], pass);
  asm.emit(Code.store, Memory.type);
  asm.emit(Code.loadByte, 0);
  asm.emit(Code.and, 0x0f);
  asm.emit(Code.shiftLeft, 2);
  behind(asm);
  asm.branch(Code.jumpEqual, 6, tcp, udp);

  asm.place(exits.ip6);
  asm.emit(Code.loadByte, 6);
  asm.among([0, 43, 44, 51, 60, ...tunnels], pass);
  asm.emit(Code.store, Memory.type);
  asm.emit(Code.loadValue, 40);
  behind(asm);
  asm.branch(Code.jumpEqual, 6, tcp, udp);

  asm.place(udp);
  asm.branch(Code.jumpEqual, 17, null, drop);
  asm.emit(Code.loadHalf, 2);
  if (plan.tunnels) asm.among([4789, 6081], pass);
  asm.place(drop);
  asm.emit(Code.returnValue, 0);
  asm.place(tcp);
  for (const offset of [0, 2]) {
    asm.emit(Code.loadHalf, offset);
    asm.among(plan.ports, pass);
  }
  asm.emit(Code.returnValue, 0);
  asm.place(pass);
  asm.emit(Code.returnValue, keepAll);
  return asm.program();
}

/**
 * Walks from EtherType A, whose header is at X, to the outermost IP header: up to `headers` tags,
 * PPPoE and LLC headers, then one stack of up to `labels` MPLS labels, then as many headers again.
 */
function walkHeaders(asm: Assembler, exits: Exits, headers: number, labels: number): void {
  const mpls = asm.label();
  for (let header = 0; header < headers; header += 1) walkHeader(asm, exits, mpls);
  asm.branch(Code.jumpEqual, 0x0800, exits.ip4, null);
  asm.branch(Code.jumpEqual, 0x86dd, exits.ip6, null);
  asm.among([0x8847, 0x8848], mpls);
  asm.jump(exits.unseen);
  asm.place(mpls);
  walkLabels(asm, exits, labels);
  for (let header = 0; header < headers; header += 1) walkHeader(asm, exits, exits.unseen);
  asm.branch(Code.jumpEqual, 0x0800, exits.ip4, null);
  asm.branch(Code.jumpEqual, 0x86dd, exits.ip6, exits.unseen);
}

/** One header; falls through behind it, with A and X moved on. */
function walkHeader(asm: Assembler, exits: Exits, mpls: Label): void {
  const tag = asm.label();
  const pppoe = asm.label();
  const bridged = asm.label();
  const next = asm.label();
  asm.branch(Code.jumpEqual, 0x0800, exits.ip4, null);
  asm.branch(Code.jumpEqual, 0x86dd, exits.ip6, null);
  asm.among([0x8100, 0x88a8, 0x9100, 0x9200], tag);
  asm.among([0x8847, 0x8848], mpls);
  asm.branch(Code.jumpEqual, 0x8864, pppoe, null);
  asm.branch(Code.jumpEqual, 0x6558, bridged, null);
  asm.branch(Code.jumpAtLeast, 1536, exits.unseen, null);
  walkLlc(asm, exits, next);
  asm.place(bridged);
  typeAt(asm, 12);
  asm.jump(next);
  asm.place(pppoe);
  walkPppoe(asm, exits, next);
  asm.place(tag);
  typeAt(asm, 2);
  asm.place(next);
}

/** A = the EtherType `offset` behind X; X moves behind it. */
function typeAt(asm: Assembler, offset: number): void {
  asm.emit(Code.loadHalf, offset);
  asm.emit(Code.store, Memory.type);
  move(asm, offset + 2);
  asm.emit(Code.loadMemory, Memory.type);
}

/** X moves; A is lost. */
function move(asm: Assembler, bytes: number): void {
  asm.emit(Code.toAccumulator);
  asm.emit(Code.add, bytes);
  asm.emit(Code.toIndex);
}

/** X moves by A, and A becomes the type in memory. */
function behind(asm: Assembler): void {
  asm.emit(Code.addIndex);
  asm.emit(Code.toIndex);
  asm.emit(Code.loadMemory, Memory.type);
}

function walkLlc(asm: Assembler, exits: Exits, next: Label): void {
  const snap = asm.label();
  asm.emit(Code.loadWord, 0);
  asm.branch(Code.jumpEqual, 0xaaaa0300, snap, null);
  asm.emit(Code.shiftRight, 8);
  asm.branch(Code.jumpEqual, 0x060603, null, exits.unseen);
  move(asm, 3);
  asm.emit(Code.loadValue, 0x0800);
  asm.jump(next);
  asm.place(snap);
  asm.emit(Code.loadHalf, 4);
  asm.branch(Code.jumpEqual, 0, null, exits.unseen);
  typeAt(asm, 6);
  asm.jump(next);
}

function walkPppoe(asm: Assembler, exits: Exits, next: Label): void {
  const plain = asm.label();
  const short = asm.label();
  const known = asm.label();
  const ip4 = asm.label();
  const ip6 = asm.label();
  const labels = asm.label();
  const cisco = asm.label();
  const end = asm.label();
  move(asm, 6);
  asm.emit(Code.loadHalf, 0);
  asm.branch(Code.jumpEqual, 0xff03, null, plain);
  move(asm, 2);
  asm.place(plain);
  asm.emit(Code.loadValue, 2);
  asm.emit(Code.store, Memory.size);
  asm.emit(Code.loadHalf, 0);
  asm.branch(Code.jumpBits, 0x100, short, known);
  asm.place(short);
  asm.emit(Code.loadValue, 1);
  asm.emit(Code.store, Memory.size);
  asm.emit(Code.loadByte, 0);
  asm.place(known);
  asm.branch(Code.jumpEqual, 0x21, ip4, null);
  asm.branch(Code.jumpEqual, 0x57, ip6, null);
  asm.among([0x0f, 0x8f], cisco);
  asm.among([0x0281, 0x0283], labels);
  asm.jump(exits.unseen);
  asm.place(cisco);
  typeAt(asm, 2);
  asm.jump(next);
  for (const [label, type] of [
    [labels, 0x8847],
    [ip6, 0x86dd],
    [ip4, 0x0800],
  ] as const) {
    asm.place(label);
    asm.emit(Code.loadValue, type);
    if (label !== ip4) asm.jump(end);
  }
  asm.place(end);
  asm.emit(Code.store, Memory.type);
  asm.emit(Code.loadMemory, Memory.size);
  behind(asm);
  asm.jump(next);
}

/** MPLS: moves behind the bottom label and guesses what is there, as steer.ts says. */
function walkLabels(asm: Assembler, exits: Exits, labels: number): void {
  const guess = asm.label();
  for (let label = 0; label < labels; label += 1) {
    asm.emit(Code.loadByte, 2);
    asm.emit(Code.store, Memory.type);
    move(asm, 4);
    asm.emit(Code.loadMemory, Memory.type);
    asm.branch(Code.jumpBits, 1, guess, null);
  }
  asm.jump(exits.unseen);
  asm.place(guess);
  const ethernet = asm.label();
  const word = asm.label();
  const plausible = asm.label();
  const zero = asm.label();
  const end = asm.label();
  // Short of this there is nothing to guess; the load ends the program.
  asm.emit(Code.loadHalf, 16);
  asm.emit(Code.loadByte, 0);
  asm.emit(Code.shiftRight, 4);
  asm.emit(Code.store, Memory.size);
  asm.branch(Code.jumpEqual, 0, zero, null);
  asm.emit(Code.loadHalf, 12);
  asm.among(steerTypes, plausible);
  asm.emit(Code.loadMemory, Memory.size);
  asm.branch(Code.jumpEqual, 4, exits.ip4, null);
  asm.branch(Code.jumpEqual, 6, exits.ip6, null);
  asm.branch(Code.jumpEqual, 1, exits.unseen, ethernet);
  asm.place(zero);
  asm.emit(Code.loadHalf, 16);
  asm.among(steerTypes, word);
  asm.emit(Code.loadHalf, 12);
  asm.among(steerTypes, ethernet);
  asm.place(word);
  typeAt(asm, 16);
  asm.jump(end);
  asm.place(plausible);
  walkDoubtful(asm, exits, ethernet);
  asm.place(ethernet);
  typeAt(asm, 12);
  asm.place(end);
}

/**
 * A version of IP in memory, and a plausible EtherType: it is IP where the length fits the frame.
 * Falls through, or goes to `ethernet`, where it is not.
 */
function walkDoubtful(asm: Assembler, exits: Exits, ethernet: Label): void {
  const four = asm.label();
  const six = asm.label();
  const fits = asm.label();
  const tooLong = asm.label();
  asm.emit(Code.loadMemory, Memory.size);
  asm.branch(Code.jumpEqual, 4, four, null);
  asm.branch(Code.jumpEqual, 6, six, ethernet);
  asm.place(four);
  asm.emit(Code.loadByte, 0);
  asm.emit(Code.and, 0x0f);
  asm.branch(Code.jumpAtLeast, 5, null, ethernet);
  asm.emit(Code.loadHalf, 2);
  asm.branch(Code.jumpEqual, 0, exits.ip4, null);
  asm.branch(Code.jumpAtLeast, 20, fits, ethernet);
  asm.place(six);
  asm.emit(Code.loadHalf, 4);
  asm.emit(Code.add, 40);
  asm.place(fits);
  asm.emit(Code.store, Memory.type);
  asm.emit(Code.storeIndex, Memory.index);
  asm.emit(Code.loadLength);
  asm.emit(Code.subtractIndex);
  asm.emit(Code.toIndex);
  asm.emit(Code.loadMemory, Memory.type);
  asm.branch(Code.jumpGreaterIndex, 0, tooLong, null);
  asm.emit(Code.indexMemory, Memory.index);
  asm.emit(Code.loadMemory, Memory.size);
  asm.branch(Code.jumpEqual, 4, exits.ip4, exits.ip6);
  asm.place(tooLong);
  asm.emit(Code.indexMemory, Memory.index);
}
