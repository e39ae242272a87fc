// Writes classic BPF programs: instructions with labels in, the kernel's own layout out. It knows
// nothing of packets. Codes and registers are those of the BSD Packet Filter (McCanne and Jacobson,
// USENIX 1993) as linux/bpf_common.h numbers them: accumulator A, index X, 16 words of memory.

/** Instruction codes: class, size, mode and operation added up. */
export const Code = {
  loadWord: 0x40,
  loadHalf: 0x48,
  loadByte: 0x50,
  loadHalfAt: 0x28,
  loadWordAt: 0x20,
  loadValue: 0x00,
  loadMemory: 0x60,
  loadLength: 0x80,
  indexValue: 0x01,
  indexMemory: 0x61,
  store: 0x02,
  storeIndex: 0x03,
  add: 0x04,
  addIndex: 0x0c,
  subtractIndex: 0x1c,
  multiply: 0x24,
  and: 0x54,
  shiftLeft: 0x64,
  shiftRight: 0x74,
  xorIndex: 0xac,
  toIndex: 0x07,
  toAccumulator: 0x87,
  jump: 0x05,
  jumpEqual: 0x15,
  jumpGreater: 0x25,
  jumpAtLeast: 0x35,
  jumpBits: 0x45,
  jumpGreaterIndex: 0x2d,
  returnValue: 0x06,
  returnAccumulator: 0x16,
} as const;

type Code = (typeof Code)[keyof typeof Code];

/** The most instructions that the kernel takes (BPF_MAXINSNS). */
const instructionsMax = 4096;
/** A conditional jump reaches that far; one that has to reach further is helped by plain ones. */
const reach = 255;

/** A place in a program that jumps name before it is known. */
export interface Label {
  /** Number of the item that follows; -1 until it is placed. */
  item: number;
}

interface Item {
  readonly code: Code;
  readonly k: number;
  /** Where a jump goes when it holds and when not; null is the next instruction. */
  readonly yes: Label | null;
  readonly no: Label | null;
}

/** Collects one program. */
export class Assembler {
  readonly #items: Item[] = [];

  label(): Label {
    return { item: -1 };
  }

  /** The label means the next instruction. */
  place(label: Label): void {
    label.item = this.#items.length;
  }

  emit(code: Code, k = 0): void {
    this.#items.push({ code, k, yes: null, no: null });
  }

  /** Compares A with `k`, or with X. */
  branch(code: Code, k: number, yes: Label | null, no: Label | null): void {
    this.#items.push({ code, k, yes, no });
  }

  jump(to: Label): void {
    this.#items.push({ code: Code.jump, k: 0, yes: to, no: null });
  }

  /** Jumps where A is one of the values, and goes on otherwise. */
  among(values: readonly number[], to: Label): void {
    for (const value of values) this.branch(Code.jumpEqual, value, to, null);
  }

  /** The program as an array of `struct sock_filter` (linux/filter.h), 8 bytes each. */
  program(): Uint8Array {
    const sizes = this.#items.map(() => 1);
    const starts: number[] = [];
    // Jumps only grow, so this ends; two or three rounds are usual.
    for (let grew = true; grew; ) {
      let at = 0;
      this.#items.forEach((_, item) => {
        starts[item] = at;
        at += sizes[item]!;
      });
      grew = false;
      this.#items.forEach((item, index) => {
        const size = this.#sizeOf(item, starts[index]!, starts);
        if (size > sizes[index]!) {
          sizes[index] = size;
          grew = true;
        }
      });
    }
    const length = (starts.at(-1) ?? 0) + (sizes.at(-1) ?? 0);
    if (length > instructionsMax) throw new RangeError(`a program of ${length} instructions`);
    const out = new Writer(length);
    this.#items.forEach((item, index) => {
      write(out, item, sizes[index]!, starts);
    });
    return out.bytes;
  }

  #sizeOf({ code, yes, no }: Item, at: number, starts: readonly number[]): number {
    if (code === Code.jump) return 1;
    const targets = [yes, no].filter((label) => label !== null);
    const far = targets.some((label) => distance(label, at + 1, starts) > reach);
    return far ? 1 + targets.length : 1;
  }
}

/** Instructions between `from` and a label, which must lie ahead. */
function distance(label: Label, from: number, starts: readonly number[]): number {
  const steps = (starts[label.item] ?? -1) - from;
  if (steps < 0) throw new RangeError('a jump to a label that does not lie ahead');
  return steps;
}

function write(out: Writer, { code, k, yes, no }: Item, size: number, starts: number[]): void {
  const next = out.count + 1;
  if (code === Code.jump) {
    out.put(code, 0, 0, distance(yes!, next, starts));
  } else if (size === 1) {
    const steps = (label: Label | null) => (label === null ? 0 : distance(label, next, starts));
    out.put(code, steps(yes), steps(no), k);
  } else {
    // One plain jump behind it for each label; what is to go on as usual goes past them.
    const past = size - 1;
    out.put(code, yes === null ? past : 0, no === null ? past : yes === null ? 0 : 1, k);
    for (const label of [yes, no]) {
      if (label !== null) out.put(Code.jump, 0, 0, distance(label, out.count + 1, starts));
    }
  }
}

/** Fills the array in the machine's own byte order. */
class Writer {
  readonly bytes: Uint8Array;
  count = 0;
  readonly #halves: Uint16Array;
  readonly #words: Uint32Array;

  constructor(length: number) {
    this.bytes = new Uint8Array(length * 8);
    this.#halves = new Uint16Array(this.bytes.buffer);
    this.#words = new Uint32Array(this.bytes.buffer);
  }

  put(code: number, yes: number, no: number, k: number): void {
    const at = this.count;
    this.#halves[at * 4] = code;
    this.bytes[at * 8 + 2] = yes;
    this.bytes[at * 8 + 3] = no;
    this.#words[at * 2 + 1] = k;
    this.count += 1;
  }
}
