// The two programs of the ring, run by a plain interpreter: steering is steer.ts to the bit, and
// the filter loses nothing in which the decoder would find mail.

import { describe, expect, it } from 'vitest';
import * as frame from '../../bench/generate/frame.js';
import { Assembler, Code } from '../../src/capture/ring/bpf.js';
import { filterProgram, steeringProgram } from '../../src/capture/ring/programs.js';
import { addressHash } from '../../src/capture/steer.js';
import { Packet } from '../../src/decode/packet.js';
import { SkipReason } from '../../src/decode/reason.js';
import { Random } from '../../src/lib/random.js';
import { batchOf, cases, decoderWith, tcp4 } from '../decode/frames.js';
import { Machine, received } from './bpf-machine.js';
import { corpus, mutated } from './corpus.js';
import { situations } from './situations.js';

const ports = [25, 465, 587, 2525];
const seed = Number(process.env['MAILWEIR_SEED'] ?? Date.now() % 1e9);

describe(`steering in the kernel (MAILWEIR_SEED=${seed})`, () => {
  const machine = new Machine(steeringProgram());

  function inKernel(bytes: Buffer): number | null {
    const got = received(bytes);
    return got === null
      ? null
      : machine.run({ bytes: got.frame.subarray(14), protocol: got.protocol });
  }

  it('is the same as here for every encapsulation', () => {
    for (const bytes of corpus) {
      expect(inKernel(bytes)).toBe(Math.max(0, addressHash(bytes, 0, bytes.length, 1)));
    }
  });

  it('is the same for mutated frames', () => {
    const random = new Random(seed);
    let visible = 0;
    for (let n = 0; n < 60_000; n += 1) {
      const bytes = mutated(random);
      const expected = addressHash(bytes, 0, bytes.length, 1);
      if (expected > 0) visible += 1;
      const hash = inKernel(bytes);
      if (hash !== null && hash !== Math.max(0, expected)) {
        expect.fail(`${hash}, not ${expected}, for ${bytes.toString('hex')}`);
      }
    }
    expect(visible).toBeGreaterThan(10_000);
  });

  it('is short for plain frames', () => {
    const plain = new Machine(steeringProgram());
    const got = received(frame.ethernet(frame.ipv4(frame.tcp(tcp4))))!;
    plain.run({ bytes: got.frame.subarray(14), protocol: got.protocol });
    expect(plain.longest).toBeLessThan(24);
  });
});

describe(`the filter (MAILWEIR_SEED=${seed})`, () => {
  const plan = { ports, tunnels: true, ethernet: true };
  const machine = new Machine(filterProgram(plan)!);

  function passes(bytes: Buffer, filter = machine): boolean | null {
    const got = received(bytes);
    if (got === null) return null;
    return filter.run({ bytes: got.frame, protocol: got.protocol }) > 0;
  }

  it.each(situations)('%s', (name, bytes, pass) => {
    // Three tags are walked here, the outermost of them by the kernel.
    expect(passes(bytes)).toBe(name === 'three tags' ? false : pass);
  });

  it.each([
    ['ARP', frame.ethernet(Buffer.alloc(46), { type: 0x0806 }), false],
    ['mail in PPPoE', frame.ethernet(frame.pppoe(frame.ipv4(frame.tcp(tcp4)))), true],
    ['web in PPPoE', frame.ethernet(frame.pppoe(web())), false],
    ['web behind labels', frame.ethernet(frame.mpls(web(), [16, 17])), false],
    ['mail behind labels', frame.ethernet(frame.mpls(frame.ipv4(frame.tcp(tcp4)))), true],
  ])('%s: %s', (_, bytes, pass) => {
    expect(passes(bytes)).toBe(pass);
  });

  function web(): Buffer {
    return frame.ipv4(frame.tcp({ ...tcp4, srcPort: 443, dstPort: 4000 }));
  }

  it('without tunnels refuses them', () => {
    const closed = new Machine(filterProgram({ ...plan, tunnels: false })!);
    for (const { bytes, link, tunnel, name } of cases) {
      if (link === 1) expect(passes(bytes, closed), name).toBe(!tunnel);
    }
  });

  it('sees raw IP where there is no Ethernet', () => {
    const raw = new Machine(filterProgram({ ...plan, ethernet: false })!);
    const mail = frame.ipv4(frame.tcp(tcp4));
    expect(raw.run({ bytes: mail, protocol: 0x0800 })).toBeGreaterThan(0);
    expect(raw.run({ bytes: web(), protocol: 0x0800 })).toBe(0);
  });

  it('loses nothing that the decoder would use', () => {
    const random = new Random(seed + 1);
    const decoder = decoderWith();
    const packet = new Packet();
    let used = 0;
    let refused = 0;
    for (let n = 0; n < 60_000; n += 1) {
      const bytes = mutated(random);
      const passed = passes(bytes);
      if (passed === null) continue;
      const reason = decoder.decode(batchOf([{ bytes }]), 0, packet);
      const mail = ports.includes(packet.srcPort) || ports.includes(packet.dstPort);
      const fragment = reason >= SkipReason.fragment && reason <= SkipReason.fragmentDropped;
      if ((reason === 0 && mail) || fragment) {
        used += 1;
        if (!passed) expect.fail(`lost: ${bytes.toString('hex')}`);
      } else if (!passed) refused += 1;
    }
    expect(used).toBeGreaterThan(10_000);
    expect(refused).toBeGreaterThan(5_000);
  });

  it('is none without ports or with too many', () => {
    expect(filterProgram({ ...plan, ports: [] })).toBeNull();
    const many = Array.from({ length: 65 }, (_, i) => i + 1);
    expect(filterProgram({ ...plan, ports: many })).toBeNull();
    const most = filterProgram({ ...plan, ports: many.slice(1) })!;
    expect(new Machine(most).length).toBeLessThan(1000);
  });
});

describe('the assembler', () => {
  it('helps a jump that is too far for one instruction', () => {
    for (const [yes, no] of [
      ['far', 'near'],
      ['near', 'far'],
      ['far', 'far'],
    ] as const) {
      const asm = new Assembler();
      const labels = { near: asm.label(), far: asm.label() };
      asm.emit(Code.loadWordAt, 0xfffff000);
      asm.branch(Code.jumpEqual, 7, labels[yes], labels[no]);
      asm.place(labels.near);
      for (let n = 0; n < 300; n += 1) asm.emit(Code.loadValue, n);
      asm.emit(Code.returnValue, 1);
      asm.place(labels.far);
      asm.emit(Code.returnValue, 2);
      const machine = new Machine(asm.program());
      const of = { near: 1, far: 2 };
      expect(machine.run({ bytes: Buffer.alloc(0), protocol: 7 })).toBe(of[yes]);
      expect(machine.run({ bytes: Buffer.alloc(0), protocol: 8 })).toBe(of[no]);
    }
  });

  it('refuses to jump back', () => {
    const asm = new Assembler();
    const label = asm.label();
    asm.place(label);
    asm.jump(label);
    expect(() => asm.program()).toThrow(RangeError);
  });
});
