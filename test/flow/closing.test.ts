// How connections end, and what their odd packets do meanwhile: FIN and RST in every order, true or
// forged, keep-alives, probes, second copies, streams cut and out of order.

import { describe, expect, it } from 'vitest';
import { Bench, handshake } from './segments.js';

interface Case {
  readonly steps: string;
  readonly lines: readonly string[];
  readonly counted: { readonly [name: string]: number };
}

const open = `${handshake}s P 1 1 220\nc A 1 4\n`;

const endings: Readonly<Record<string, Case>> = {
  'FIN of the client first': {
    steps: `${open}c FP 1 4 QUIT\ns P 4 6 221\ns F 7 6\nc A 6 8`,
    lines: ['fin both handshake c:QUIT s:220221'],
    counted: { flows: 1 },
  },
  'FIN of the server first': {
    steps: `${open}s FP 4 1 421\nc A 1 8\nc F 1 8\ns A 8 2`,
    lines: ['fin both handshake c: s:220421'],
    counted: { flows: 1 },
  },
  'both at once': {
    steps: `${open}c F 1 4\ns F 4 1\nc A 2 5\ns A 5 2`,
    lines: ['fin both handshake c: s:220'],
    counted: { flows: 1 },
  },
  'half closed: the server goes on': {
    steps: `${open}c FP 1 4 QUIT\ns P 4 6 221\n+50 s P 7 6 222\n+50 s F 10 6`,
    lines: ['fin both handshake c:QUIT s:220221222'],
    counted: { flows: 1 },
  },
  'FIN before bytes that are missing': {
    steps: `${open}c FP 5 4 QUIT\ns F 4 1\nc P 1 4 RSET`,
    lines: ['fin both handshake c:RSETQUIT s:220'],
    counted: { flows: 1 },
  },
  'FIN, and what is missing never comes': {
    steps: `${open}c FP 5 4 QUIT\ns F 4 10`,
    lines: ['fin both handshake c:<4>QUIT s:220'],
    counted: { flows: 1, gaps: 1, gapBytes: 4 },
  },
  'FIN again after the end': {
    steps: `${open}c F 1 4\ns F 4 2\nc F 1 4\n+5 s F 4 2\n+9 c F 1 4\nc A 2 5`,
    lines: ['fin both handshake c: s:220'],
    counted: { flows: 1 },
  },
  'payload again after the end': {
    steps: `${open}c FP 1 4 QUIT\ns F 4 6\n+1 c FP 1 4 QUIT\n+5 s P 1 1 220`,
    lines: ['fin both handshake c:QUIT s:220'],
    counted: { flows: 1 },
  },
  'a FIN far ahead of all we know, forged: the time-out stays': {
    steps: `${open}c F 2000 4\nc P 1 4 EHLO\n+100 s P 4 5 250`,
    lines: ['eof both handshake c:EHLO s:220250'],
    counted: { flows: 1 },
  },
  'only the client is seen: its FIN is enough': {
    steps: 'c S 0\nc A 1 1\nc FP 1 4 QUIT',
    lines: ['fin client c:QUIT s:'],
    counted: { flows: 1, oneSided: 1 },
  },
  'RST at the next number': {
    steps: `${open}c R 1\n+3 c S 0 port=9`,
    lines: ['rst both handshake c: s:220'],
    counted: { flows: 2, halfOpen: 1 },
  },
  'RST of the server, with an acknowledgement': {
    steps: `${open}c P 1 4 EHLO\ns RA 4 5\n+3 c S 0 port=9`,
    lines: ['rst both handshake c:EHLO s:220'],
    counted: { flows: 2, halfOpen: 1 },
  },
  'RST behind the FIN': {
    steps: `${open}s F 4 1\nc A 1 5\ns R 5\n+3 c S 0 port=9`,
    lines: ['rst both handshake c: s:220'],
    counted: { flows: 2, halfOpen: 1 },
  },
  'RST outside the window is ignored, and told': {
    steps: `${open}s R 99999999\nc R 99999999\nc P 1 4 EHLO\ns P 4 5 250`,
    lines: ['eof both handshake c:EHLO s:220250 rstOutOfWindow rstOutOfWindow'],
    counted: { flows: 1 },
  },
  'RST before any payload counts as half open': {
    steps: 'c S 0\ns RA 0 1',
    lines: [],
    counted: { flows: 1, halfOpen: 1 },
  },
  'RST that answers another SYN is ignored': {
    steps: `c S 0\ns RA 0 555\ns S 0 1\nc A 1 1\ns P 1 1 220`,
    lines: ['eof both handshake c: s:220'],
    counted: { flows: 1 },
  },
  'data after a forged RST revives': {
    steps: `${open}c R 1\nc P 1 4 EHLO\ns P 4 5 250\n+9 c P 5 7 QUIT`,
    lines: ['eof both handshake c:EHLOQUIT s:220250 dataAfterRst'],
    counted: { flows: 1 },
  },
  'what the other side had on its way does not': {
    steps: `${open}c R 1\ns P 4 1 250\n+3 c S 0 port=9`,
    lines: ['rst both handshake c: s:220250'],
    counted: { flows: 2, halfOpen: 1 },
  },
};

describe('a connection ends', () => {
  it.each(Object.entries(endings))('%s', (_, { steps, lines, counted }) => {
    const bench = new Bench().play(steps).finish();
    expect(bench.lines).toEqual(lines);
    expect(bench.counted).toEqual(counted);
    expect(bench.flows.active).toBe(0);
  });
});

const streams: Readonly<Record<string, Case>> = {
  'keep-alives without and with a byte': {
    steps: `${open}+75 c A 0 4\ns A 4 1\n+75 c A 0 4 x\ns A 4 1\nc P 1 4 EHLO`,
    lines: ['eof both handshake c:EHLO s:220'],
    counted: { flows: 1 },
  },
  'probes of a window of zero': {
    steps: `${open}c P 1 4 E\n+1 c P 2 4 H\n+2 c P 2 4 H\n+4 c P 2 4 H\nc P 2 4 HLO`,
    lines: ['eof both handshake c:EHLO s:220'],
    counted: { flows: 1 },
  },
  'segments out of order': {
    steps: `${open}c P 4 4 O\nc P 2 4 H\nc P 3 4 L\nc P 1 4 E`,
    lines: ['eof both handshake c:EHLO s:220'],
    counted: { flows: 1 },
  },
  'the answer before the question': {
    steps: `${open}s P 4 5 250\nc P 1 4 EHLO\nc P 5 7 QUIT`,
    lines: ['eof both handshake c:EHLOQUIT s:220250'],
    counted: { flows: 1 },
  },
  'a question that never comes': {
    steps: `${open}s P 4 5 250\nc P 5 7 QUIT`,
    lines: ['eof both handshake c:<4>QUIT s:220250'],
    counted: { flows: 1, gaps: 1, gapBytes: 4 },
  },
  'the last answer was never seen, but acknowledged': {
    steps: `${open}c P 1 4 EHLO\nc P 5 10 QUIT\nc A 9 15`,
    lines: ['eof both handshake c:EHLOQUIT s:220<6><5>'],
    counted: { flows: 1, gaps: 2, gapBytes: 11 },
  },
  'overlap with other bytes: the first copy wins': {
    steps: `${open}c P 3 4 LO\nc P 3 4 XX\nc P 1 4 EHYY\nc P 1 4 ZZ`,
    lines: ['eof both handshake c:EHLO s:220 overlapConflict overlapConflict'],
    counted: { flows: 1 },
  },
  'overlap with the same bytes is no conflict': {
    steps: `${open}c P 3 4 LO\nc P 2 4 HLO\nc P 1 4 EHLO`,
    lines: ['eof both handshake c:EHLO s:220'],
    counted: { flows: 1 },
  },
  'segments outside any window are counted': {
    steps: `${open}c P 900000000 4 EVIL\nc P -900000000 4 EVIL\nc P 1 4 EHLO`,
    lines: ['eof both handshake c:EHLO s:220'],
    counted: { flows: 1, outOfWindow: 2 },
  },
  'payload that the capture cut is a gap': {
    steps: `${open}c P 1 4 MAIL len=10\nc P 11 4 QUIT`,
    lines: ['eof both handshake c:MAIL<6>QUIT s:220'],
    counted: { flows: 1, gaps: 1, gapBytes: 6 },
  },
  'payload that the capture cut off whole': {
    steps: `${open}c P 1 4 len=10\nc P 11 4 QUIT`,
    lines: ['eof both handshake c:<10>QUIT s:220'],
    counted: { flows: 1, gaps: 1, gapBytes: 10 },
  },
  'a cut segment that waits loses no byte behind it': {
    steps: `${open}c P 5 4 MA len=8\nc P 9 4 FROM\nc P 1 4 RSET`,
    lines: ['eof both handshake c:RSETMA<2>FROM s:220'],
    counted: { flows: 1, gaps: 1, gapBytes: 2 },
  },
  'a shorter cut copy of what waits whole': {
    steps: `${open}c P 5 4 MAILFROM\nc P 5 4 MAIL len=20\nc P 1 4 RSET\nc P 13 4 QUIT`,
    lines: ['eof both handshake c:RSETMAILFROMQUIT s:220'],
    counted: { flows: 1 },
  },
};

describe('a stream', () => {
  it.each(Object.entries(streams))('%s', (_, { steps, lines, counted }) => {
    const bench = new Bench().play(steps).finish();
    expect(bench.lines).toEqual(lines);
    expect(bench.counted).toEqual(counted);
  });

  it.each([
    ['a byte', 'c P 1 4 E', 2],
    ['a line', 'c P 1 4 EHLO', 5],
  ])('waits for %s that it answers, though that comes later', (_, question, ack) => {
    const bench = new Bench().play(open);
    const order: string[] = [];
    bench.sink.data = (chunk) => {
      order.push(chunk.bytes.toString('latin1', chunk.from, chunk.to));
      return chunk.to;
    };
    bench.play(`s P 4 ${ack} 250\n${question}`).finish();
    expect(order).toEqual([question.split(' ').at(-1), '250']);
  });

  it('over the wrap of its numbers', () => {
    const near = 2 ** 32 - 1_000_000 - 3;
    const at = (offset: number): number => near + offset;
    const bench = new Bench();
    bench.play(`c S ${at(0)}\ns S 0 ${at(1)}\nc A ${at(1)} 1\ns P 1 ${at(1)} 220`);
    bench.play(`c P ${at(5)} 4 QUIT\nc P ${at(1)} 4 EHLO\nc F ${at(9)} 4\ns F 4 ${at(10)}`);
    expect(bench.lines).toEqual(['fin both handshake c:EHLOQUIT s:220']);
    expect(bench.counted).toEqual({ flows: 1 });
  });
});

describe('second copies of a mirror', () => {
  /** Every line twice; the copy has other tags, as from another port of the switch. */
  function doubled(steps: string): string {
    const lines = steps.split('\n').filter((line) => line.trim() !== '');
    return lines
      .map((line, i) => `${line} id=${i + 100}\n+0.0001 ${line} id=${i + 100} vlan=7`)
      .join('\n');
  }
  const steps = `${open}c P 1 4 EHLO\ns P 4 5 250\nc FP 5 7 QUIT\ns F 7 10\nc A 10 8`;

  it('change nothing and are counted', () => {
    const once = new Bench().play(steps).finish();
    const twice = new Bench().play(doubled(steps)).finish();
    const lineCount = steps.split('\n').filter((line) => line.trim() !== '').length;
    expect(twice.lines).toEqual(once.lines);
    expect(twice.counted).toEqual({
      flows: 1,
      duplicates: lineCount,
    });
    const [a, b] = [once, twice].map((bench) => bench.sink.records[0]!.connection);
    expect(b!.packets).toBe(a!.packets);
    expect(b!.bytesToServer).toBe(8);
    expect(b!.bytesToClient).toBe(6);
    // The tags of the connection are those of its first packet.
    expect(b!.vlanCount).toBe(0);
  });

  it('are a connection of their own where VLAN tags are part of the key', () => {
    const bench = new Bench({ keyVlan: true }).play(doubled(steps)).finish();
    expect(bench.counted).toEqual({ flows: 2 });
    expect(new Set(bench.sink.records.map((record) => record.flowId)).size).toBe(2);
  });

  it('are none when the segment was sent again: another IP identification', () => {
    const bench = new Bench().play(`${open}c P 1 4 EHLO\nc P 1 4 EHLO`).finish();
    expect(bench.counted).toEqual({ flows: 1 });
    expect(bench.sink.records[0]!.connection.packets).toBe(7);
  });

  it('are none when equal keep-alives come a minute apart: they keep the connection', () => {
    const bench = new Bench().play(open);
    for (let n = 0; n < 20; n++) bench.play('+75 c A 0 4 id=0');
    bench.play('c P 1 4 QUIT').finish();
    expect(bench.lines).toEqual(['eof both handshake c:QUIT s:220']);
    expect(bench.counted).toEqual({ flows: 1 });
  });
});
