// What one call of Decoder.decode costs, by kind of frame. Each iteration decodes 1,000 frames, so
// that the microseconds of an iteration are the nanoseconds of a frame. No file reading, no flow
// table.

import { bench, do_not_optimize, run, summary } from 'mitata';
import { FrameBatch } from '../../src/capture/source.js';
import { Decoder, decodeDefaults } from '../../src/decode/decoder.js';
import { Packet } from '../../src/decode/packet.js';
import { DecodeCounter, SkipReason } from '../../src/decode/reason.js';
import * as frame from '../generate/frame.js';

const framesEach = 1000;

/** Of two full segments in three one is followed by a bare acknowledgement, as on a mail port. */
function segment(index: number, six: boolean): Buffer {
  const src = six ? `2001:db8::${(index % 4096).toString(16)}` : `192.0.2.${index % 250}`;
  const dst = six ? '2001:db8:1::19' : `198.51.100.${(index >> 3) % 250}`;
  const payload = index % 3 === 2 ? '' : 'x'.repeat(index % 3 === 0 ? 1448 : 700);
  return frame.tcp({ src, dst, srcPort: 1024 + index, seq: index * 1448, payload });
}

function batchOf(make: (index: number) => Buffer, link: number): FrameBatch {
  const frames = Array.from({ length: framesEach }, (_, index) => make(index));
  const batch = new FrameBatch(Buffer.concat([...frames, Buffer.alloc(8)]), framesEach);
  let offset = 0;
  for (const [index, bytes] of frames.entries()) {
    batch.offset[index] = offset;
    batch.length[index] = bytes.length;
    batch.wireLength[index] = bytes.length;
    batch.time[index] = 1.7e15 + index * 10;
    batch.link[index] = link;
    offset += bytes.length;
  }
  batch.count = framesEach;
  return batch;
}

function decodeAll(decoder: Decoder, batch: FrameBatch, packet: Packet): number {
  let sum = 0;
  for (let index = 0; index < batch.count; index += 1) {
    sum = (sum + decoder.decode(batch, index, packet) + packet.seq) | 0;
  }
  return sum;
}

const plain = (index: number) => frame.ethernet(frame.ipv4(segment(index, false)));
const outer = { src: '203.0.113.1', dst: '203.0.113.2' };

const cases: Record<string, FrameBatch> = {
  'ethernet ipv4 tcp': batchOf(plain, 1),
  'ethernet vlan ipv4 tcp': batchOf(
    (i) => frame.ethernet(frame.vlan(frame.ipv4(segment(i, false)), { id: 7 })),
    1,
  ),
  'ethernet ipv6 tcp': batchOf((i) => frame.ethernet(frame.ipv6(segment(i, true))), 1),
  'ethernet qinq ipv4 tcp': batchOf((i) => {
    const tagged = frame.vlan(frame.ipv4(segment(i, false)), { id: 7 });
    return frame.ethernet(frame.vlan(tagged, { id: 8, tpid: 0x88a8 }));
  }, 1),
  'linux cooked ipv4 tcp': batchOf((i) => frame.sll(frame.ipv4(segment(i, false))), 113),
  'pppoe ipv4 tcp': batchOf((i) => frame.ethernet(frame.pppoe(frame.ipv4(segment(i, false)))), 1),
  'vxlan ethernet ipv4 tcp': batchOf(
    (i) => frame.ethernet(frame.ipv4(frame.udp(frame.vxlan(plain(i)), outer))),
    1,
  ),
  'erspan II ethernet ipv4 tcp': batchOf(
    (i) => frame.ethernet(frame.ipv4(frame.erspan2(plain(i)), outer)),
    1,
  ),
};

summary(() => {
  for (const [name, batch] of Object.entries(cases)) {
    const decoder = new Decoder(decodeDefaults);
    const packet = new Packet();
    decodeAll(decoder, batch, packet);
    if (decoder.frames[SkipReason.decoded] !== framesEach) throw new Error(`${name}: not decoded`);
    bench(`${name}, 1000 frames`, () => do_not_optimize(decodeAll(decoder, batch, packet)));
  }
  const strict = new Decoder({ ...decodeDefaults, checksums: 'strict' });
  const packet = new Packet();
  const batch = cases['ethernet ipv4 tcp'];
  if (batch !== undefined) {
    decodeAll(strict, batch, packet);
    if (strict.counters[DecodeCounter.tcpChecksumWrong] !== 0) throw new Error('checksum wrong');
    bench('the same, checksums strict', () => do_not_optimize(decodeAll(strict, batch, packet)));
  }
});

await run();
