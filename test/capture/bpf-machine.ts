// Runs classic BPF programs as the kernel does, slowly and plainly: the checks of bpf_check_classic
// (net/core/filter.c) first, then one instruction after the other. A load outside ends with 0.

/** What a program looks at. */
export interface Seen {
  /** From where its offsets count. */
  readonly bytes: Buffer;
  /** skb->protocol. */
  readonly protocol: number;
}

interface Instruction {
  readonly code: number;
  readonly yes: number;
  readonly no: number;
  readonly k: number;
}

const protocolOffset = 0xfffff000;

export class Machine {
  readonly #program: Instruction[] = [];
  /** Most instructions that one frame took. */
  longest = 0;

  constructor(program: Uint8Array) {
    const bytes = Buffer.from(program);
    for (let at = 0; at < bytes.length; at += 8) {
      const [yes, no] = [bytes[at + 2]!, bytes[at + 3]!];
      this.#program.push({
        code: bytes.readUInt16LE(at),
        yes,
        no,
        k: bytes.readUInt32LE(at + 4),
      });
    }
    this.#check();
  }

  get length(): number {
    return this.#program.length;
  }

  #check(): void {
    const program = this.#program;
    if (program.length === 0 || program.length > 4096) throw new Error(`${program.length} long`);
    program.forEach(({ code, yes, no, k }, at) => {
      const last = code === 5 ? at + k + 1 : at + Math.max(yes, no) + 1;
      if ((code & 7) === 5 && last >= program.length) throw new Error(`${at}: jumps out`);
    });
    if ((program.at(-1)!.code & 7) !== 6) throw new Error('does not end with a return');
  }

  run(seen: Seen): number {
    const memory = new Array<number>(16).fill(Number.NaN);
    let a = 0;
    let x = 0;
    for (let at = 0, steps = 1; ; at += 1, steps += 1) {
      const one = this.#program[at]!;
      const { code, yes, no, k } = one;
      if (steps > this.longest) this.longest = steps;
      if (code === 0x05) at += k;
      else if (code === 0x06) return k;
      else if (code === 0x16) return a;
      else if (loads.has(code)) {
        const value = load(seen, code, (code & 0xe0) === 0x40 ? x + k : k);
        if (value === null) return 0;
        a = value;
      } else if ((code & 7) === 5) at += holds(code, a, code & 8 ? x : k) ? yes : no;
      else [a, x] = plainly(one, a, x, memory);
      if (Number.isNaN(a) || Number.isNaN(x)) throw new Error(`${at}: unset memory`);
    }
  }
}

const loads = new Set([0x20, 0x28, 0x40, 0x48, 0x50, 0x80]);

function load({ bytes, protocol }: Seen, code: number, from: number): number | null {
  if (code === 0x80) return bytes.length;
  if (from === protocolOffset) return protocol;
  const size = [4, 2, 1][(code & 0x18) >> 3]!;
  return from + size > bytes.length ? null : bytes.readUIntBE(from, size);
}

function holds(code: number, a: number, b: number): boolean {
  switch (code & 0xf0) {
    case 0x10:
      return a === b;
    case 0x20:
      return a > b;
    case 0x30:
      return a >= b;
    case 0x40:
      return (a & b) !== 0;
    default:
      throw new Error(`code ${code}`);
  }
}

function plainly(one: Instruction, a: number, x: number, memory: number[]): [number, number] {
  const { code, k } = one;
  switch (code) {
    case 0x00:
      return [k, x];
    case 0x01:
      return [a, k];
    case 0x60:
      return [memory[k]!, x];
    case 0x61:
      return [a, memory[k]!];
    case 0x02:
      memory[k] = a;
      return [a, x];
    case 0x03:
      memory[k] = x;
      return [a, x];
    case 0x07:
      return [a, a];
    case 0x87:
      return [x, x];
    default:
      return [arithmetic(code, a, code & 8 ? x : k) >>> 0, x];
  }
}

function arithmetic(code: number, a: number, b: number): number {
  if ((code & 7) !== 4) throw new Error(`code ${code}`);
  switch (code & 0xf0) {
    case 0x00:
      return a + b;
    case 0x10:
      return a - b;
    case 0x20:
      return Math.imul(a, b);
    case 0x50:
      return a & b;
    case 0x60:
      return a << b;
    case 0x70:
      return a >>> b;
    case 0xa0:
      return a ^ b;
    default:
      throw new Error(`code ${code}`);
  }
}

/** What the kernel makes of an Ethernet frame before anybody sees it; null where it drops it. */
export interface Received {
  readonly protocol: number;
  /** The frame without its outer tag. */
  readonly frame: Buffer;
  /** The tag that was taken out: identifier and priority, -1 without one, and its EtherType. */
  readonly tci: number;
  readonly tpid: number;
}

/** eth_type_trans and skb_vlan_untag: the outer 802.1Q or 802.1ad tag goes. */
export function received(frame: Buffer): Received | null {
  if (frame.length < 14) return null;
  const outer = frame.readUInt16BE(12);
  if (outer !== 0x8100 && outer !== 0x88a8) {
    return { protocol: protocolOf(frame, 12), frame, tci: -1, tpid: 0 };
  }
  if (frame.length < 20) return null;
  const rest = Buffer.concat([frame.subarray(0, 12), frame.subarray(16)]);
  return { protocol: protocolOf(frame, 16), frame: rest, tci: frame.readUInt16BE(14), tpid: outer };
}

function protocolOf(frame: Buffer, at: number): number {
  const type = frame.readUInt16BE(at);
  if (type >= 1536) return type;
  // Novell's raw 802.3 is told by its first two bytes.
  return frame.length >= at + 4 && frame.readUInt16BE(at + 2) === 0xffff ? 1 : 4;
}
