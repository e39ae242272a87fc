// How connections begin, as a mirror port shows it: handshakes whole and in parts, forged ones,
// mid-stream starts, port reuse. Steps are text, see segments.ts; what is expected is one line per
// record and the counters that are not 0.

import { describe, expect, it } from 'vitest';
import { Bench, handshake } from './segments.js';

interface Case {
  readonly steps: string;
  readonly lines: readonly string[];
  readonly counted: { readonly [name: string]: number };
  /** What the sink was told of the streams' beginnings, a number per record. */
  readonly starts?: readonly number[];
}

const banner = 's P 1 1 220\n';

const beginnings: Readonly<Record<string, Case>> = {
  'the whole handshake': {
    steps: `${handshake}${banner}c P 1 4 EHLO`,
    lines: ['eof both handshake c:EHLO s:220'],
    counted: { flows: 1 },
    starts: [3],
  },
  'SYN sent again': {
    steps: `c S 0\n+1 c S 0\n+2 c S 0\ns S 0 1\nc A 1 1\n${banner}`,
    lines: ['eof both handshake c: s:220'],
    counted: { flows: 1 },
    starts: [3],
  },
  'SYN-ACK sent again, before and after payload': {
    steps: `c S 0\ns S 0 1\n+1 s S 0 1\nc A 1 1\n${banner}s S 0 1\nc P 1 4 EHLO`,
    lines: ['eof both handshake c:EHLO s:220'],
    counted: { flows: 1 },
  },
  'a SYN with another number before the SYN-ACK: the SYN-ACK decides': {
    steps: `c S 0\nc S 77777\ns S 0 1\nc A 1 1\n${banner}c P 1 4 EHLO`,
    lines: ['eof both handshake c:EHLO s:220'],
    counted: { flows: 1 },
    starts: [3],
  },
  'a forged SYN after the SYN-ACK changes nothing': {
    steps: `c S 0\ns S 0 1\nc S 77777\nc A 1 1\n${banner}c S 88888\nc P 1 4 EHLO\ns P 4 5 250`,
    lines: ['eof both handshake c:EHLO s:220250'],
    counted: { flows: 1 },
  },
  'SYN lost': {
    steps: `s S 0 1\nc A 1 1\n${banner}c P 1 4 EHLO`,
    lines: ['eof both handshake c:EHLO s:220'],
    counted: { flows: 1 },
    starts: [3],
  },
  'SYN-ACK lost: no handshake, and the acknowledgement tells where the server begins': {
    steps: `c S 0\nc A 1 1\n${banner}c P 1 4 EHLO`,
    lines: ['eof both c:EHLO s:220'],
    counted: { flows: 1 },
    starts: [1],
  },
  'SYN-ACK before the SYN': {
    steps: `s S 0 1\nc S 0\nc A 1 1\n${banner}c P 1 4 EHLO`,
    lines: ['eof both handshake c:EHLO s:220'],
    counted: { flows: 1 },
  },
  'the last of the three lost: server payload proves the handshake': {
    steps: `c S 0\ns S 0 1\n${banner}`,
    lines: ['eof both handshake c: s:220'],
    counted: { flows: 1 },
  },
  'the acknowledgement before the SYN-ACK it answers': {
    steps: `c S 0\nc A 1 1\ns S 0 1\n${banner}`,
    lines: ['eof both handshake c: s:220'],
    counted: { flows: 1 },
    starts: [3],
  },
  'handshake forged: a blind acknowledgement before the SYN-ACK': {
    steps: 'c S 0\nc A 1 777777777\ns S 0 1\nc P 1 777777777 MAIL',
    lines: ['eof both c:MAIL s:'],
    counted: { flows: 1 },
  },
  'handshake forged: a blind acknowledgement behind the SYN-ACK': {
    steps: 'c S 0\ns S 0 1\nc A 1 777777777\nc P 1 777777777 MAIL',
    lines: ['eof both c:MAIL s:'],
    counted: { flows: 1 },
  },
  'handshake forged: below the number of the SYN-ACK': {
    steps: 'c S 0\ns S 0 1\nc A 1 0\nc P 1 0 MAIL',
    lines: ['eof both c:MAIL s:'],
    counted: { flows: 1 },
  },
  'client only: never a handshake': {
    steps: 'c S 0\nc A 1 1\nc P 1 4 EHLO\nc P 5 40 MAIL\nc F 9 80',
    lines: ['fin client c:EHLOMAIL s:'],
    counted: { flows: 1, oneSided: 1 },
    starts: [1],
  },
  'server only: its SYN-ACK, then payload': {
    steps: `s S 0 1\n${banner}s P 4 5 250\ns F 7 9`,
    lines: ['fin server handshake c: s:220250'],
    counted: { flows: 1, oneSided: 1 },
    starts: [3],
  },
  'TCP Fast Open, accepted (RFC 7413)': {
    steps: 'c S 0 - EHLO\ns S 0 5\ns P 1 5 220\nc A 5 4\nc P 5 4 QUIT',
    lines: ['eof both handshake c:EHLOQUIT s:220'],
    counted: { flows: 1 },
  },
  'TCP Fast Open, refused: the bytes come again': {
    steps: 'c S 0 - EHLO\ns S 0 1\nc A 1 1\nc P 1 1 EHLO\ns P 1 5 220',
    lines: ['eof both handshake c:EHLO s:220'],
    counted: { flows: 1 },
  },
  'payload on the SYN-ACK': {
    steps: 'c S 0\ns S 0 1 220\nc A 1 4\nc P 1 4 EHLO',
    lines: ['eof both handshake c:EHLO s:220'],
    counted: { flows: 1 },
  },
  'SYN with FIN or RST opens nothing': {
    steps: 'c SF 0\nc SR 0\ns SF 0 1',
    lines: [],
    counted: {},
  },
  'a bare acknowledgement opens nothing': {
    steps: 'c A 1 1\ns A 1 1\nc F 1 1\ns R 1',
    lines: [],
    counted: {},
  },
  'mid-stream, the client first': {
    steps: 'c P 500 900 EHLO\ns P 900 504 250\nc P 504 903 QUIT',
    lines: ['eof both c:EHLOQUIT s:250'],
    counted: { flows: 1 },
    starts: [0],
  },
  'mid-stream, the server first': {
    steps: 's P 900 504 250\nc P 504 903 QUIT',
    lines: ['eof both c:QUIT s:250'],
    counted: { flows: 1 },
    starts: [0],
  },
  'ports 25 and 25: the one who speaks as a client': {
    steps: 'c P 500 900 EHLO_a port=25\ns P 900 506 250_a port=25',
    lines: ['eof both c:EHLO a s:250 a'],
    counted: { flows: 1 },
  },
  'ports 25 and 25: the one who speaks as a server is none': {
    steps: 's P 900 506 250_a port=25\nc P 506 905 EHLO_a port=25',
    lines: ['eof both c:EHLO a s:250 a'],
    counted: { flows: 1 },
  },
  'ports 25 and 587, nobody says anything clear: the higher port is the client': {
    steps: 's P 900 506 xxxx port=587\nc P 506 904 yyyy port=587',
    lines: ['eof both c:yyyy s:xxxx'],
    counted: { flows: 1 },
  },
};

describe('a connection begins', () => {
  it.each(Object.entries(beginnings))('%s', (_, { steps, lines, counted, starts }) => {
    const bench = new Bench().play(steps).finish();
    expect(bench.lines).toEqual(lines);
    expect(bench.counted).toEqual(counted);
    if (starts) expect(bench.sink.records.map((record) => record.starts)).toEqual(starts);
  });

  it('without a port of mail only where any port is asked for', () => {
    const steps = 'c P 1 1 EHLO_a to=2626\ns P 1 7 250_a to=2626';
    expect(new Bench().play(steps).finish().counted).toEqual({});
    const bench = new Bench({ anyPort: true }).play(steps).finish();
    expect(bench.lines).toEqual(['eof both c:EHLO a s:250 a']);
    expect(bench.sink.records[0]!.mailPort).toBe(false);
  });

  it('on a high port of the server, if the client speaks first', () => {
    const bench = new Bench({ anyPort: true }).play('c P 1 1 EHLO_a to=50000').finish();
    expect(bench.sink.records[0]!.connection.serverPort).toBe(50_000);
  });

  it('half open and other connections are counted, not told', () => {
    const bench = new Bench();
    bench.play('c S 0 port=1\nc S 0 port=2\ns S 0 1 port=2\nc S 0 port=3\ns S 0 1 port=3');
    bench.play('c A 1 1 port=3').finish();
    // Port 3 shook hands and said nothing.
    expect(bench.counted).toEqual({ flows: 3, halfOpen: 2, other: 1 });
    expect(bench.lines).toEqual([]);
  });

  it('a session that is not written counts as other', () => {
    const bench = new Bench();
    bench.sink.written = false;
    bench.play(`${handshake}s P 1 1 SSH`).finish();
    expect(bench.counted).toEqual({ flows: 1, other: 1 });
  });
});

const closed = 'c P 1 1 QUIT\nc F 5 1\ns F 1 6\nc A 6 2\n';
const second = `
  c S 900000000
  s S 900000000 900000001
  c A 900000001 900000001
  s P 900000001 900000001 221
`;

const secondUnanswered = second.replace(/s S.*\n/, '');

const reuses: Readonly<Record<string, Case>> = {
  'after FIN': {
    steps: `${handshake}${closed}${second}`,
    lines: ['fin both handshake c:QUIT s:', 'eof both handshake c: s:221'],
    counted: { flows: 2 },
    starts: [3, 3],
  },
  'after FIN, with a number a little ahead, as RFC 6191 allows': {
    steps: `${handshake}${closed}c S 70000\ns S 70000 70001\nc A 70001 70001\ns P 70001 70001 221`,
    lines: ['fin both handshake c:QUIT s:', 'eof both handshake c: s:221'],
    counted: { flows: 2 },
  },
  'after RST': {
    steps: `${handshake}${banner}c R 1\n${second}`,
    lines: ['rst both handshake c: s:220', 'eof both handshake c: s:221'],
    counted: { flows: 2 },
    starts: [3, 3],
  },
  'after RST of a half-open one': {
    steps: `c S 0\ns RA 0 1\n${second}`,
    lines: ['eof both handshake c: s:221'],
    counted: { flows: 2, halfOpen: 1 },
  },
  'without a close': {
    steps: `${handshake}${banner}${second}`,
    lines: ['timeout both handshake c: s:220', 'eof both handshake c: s:221'],
    counted: { flows: 2 },
    starts: [3, 3],
  },
  'without a close, and the SYN-ACK was lost': {
    steps: `${handshake}${banner}${secondUnanswered}c P 900000001 900000004 EHLO`,
    lines: ['timeout both handshake c: s:220', 'eof both c:EHLO s:221'],
    counted: { flows: 2 },
  },
  'after RST, and the SYN-ACK was lost': {
    steps: `${handshake}${banner}c R 1\n${secondUnanswered}c P 900000001 900000004 EHLO`,
    lines: ['rst both handshake c: s:220', 'eof both c:EHLO s:221'],
    counted: { flows: 2 },
  },
  'client only, without a close': {
    steps: 'c S 0\nc A 1 1\nc P 1 4 EHLO\nc S 900000000\nc A 900000001 9\nc P 900000001 9 HELO',
    lines: ['timeout client c:EHLO s:', 'eof client c:HELO s:'],
    counted: { flows: 2, oneSided: 2 },
  },
  'client only: a forged SYN, from which nothing goes on, is none': {
    steps: 'c S 0\nc A 1 1\nc P 1 4 EHLO\nc S 900000000\nc P 5 4 QUIT',
    lines: ['eof client c:EHLOQUIT s:'],
    counted: { flows: 1, oneSided: 1 },
  },
  'server only, after FIN': {
    steps: `s S 0 1\n${banner}s F 4 1\ns S 500000 300001\ns P 500001 300001 221`,
    lines: ['fin server handshake c: s:220', 'eof server handshake c: s:221'],
    counted: { flows: 2, oneSided: 2 },
    starts: [3, 3],
  },
  'server only, without a close': {
    steps: `s S 0 1\n${banner}s S 500000000 300001\ns P 500000001 300001 221`,
    lines: ['timeout server handshake c: s:220', 'eof server c: s:221'],
    counted: { flows: 2, oneSided: 2 },
  },
  'the late first SYN after the close is none': {
    steps: `${handshake}${closed}c S 0\ns S 0 1`,
    lines: ['fin both handshake c:QUIT s:'],
    counted: { flows: 1 },
  },
  'seen a second time by the mirror is none': {
    steps: `${handshake}${banner}c S 900000000 id=70\nc S 900000000 id=70\nc P 1 4 EHLO`,
    lines: ['eof both handshake c:EHLO s:220'],
    counted: { flows: 1, duplicates: 1 },
  },
};

describe('the same ports again', () => {
  it.each(Object.entries(reuses))('%s', (_, { steps, lines, counted, starts }) => {
    const bench = new Bench().play(steps).finish();
    expect(bench.lines).toEqual(lines);
    expect(bench.counted).toEqual(counted);
    if (starts) expect(bench.sink.records.map((record) => record.starts)).toEqual(starts);
    const ids = bench.sink.records.map((record) => record.flowId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('gives the same flow_id in every run, whatever the hash and the traffic beside', () => {
    const idsOf = (seed: number, noise: boolean): string[] => {
      const bench = new Bench({ seed });
      if (noise) {
        bench.play('-0.002 c S 0 port=9\n+0 s S 0 1 port=9');
        bench.time += 2000;
      }
      bench.play(`${handshake}${closed}${second}`).finish();
      return bench.sink.records.map((record) => record.flowId);
    };
    expect(idsOf(1, false)).toEqual(idsOf(2, true));
  });
});
