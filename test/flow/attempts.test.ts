// Connections to mail ports that never opened: what is told of them, and what is not. A refusal or
// a silence is only told where nothing says otherwise. Steps are text, see segments.ts.

import { describe, expect, it } from 'vitest';
import { rowsOf } from '../helper/facts.js';
import { connection } from '../helper/variations.js';
import { Bench, handshake } from './segments.js';

const cases: [situation: string, steps: string, told: string[]][] = [
  ['a SYN, and a RST answers it', 'c S 0\ns RA 0 1', ['refused 1 to 25']],
  ['two SYNs and a RST', 'c S 0\n+1 c S 0\ns RA 0 1', ['refused 2 to 25']],
  ['three SYNs and nothing', 'c S 0\n+1 c S 0\n+2 c S 0', ['silent 3 to 25']],
  ['five SYNs and nothing', 'c S 0\n+1 c S 0\n+2 c S 0\n+4 c S 0\n+8 c S 0', ['silent 3 to 25']],
  ['three SYNs of different numbers', 'c S 0\n+1 c S 50\n+2 c S 99', ['silent 3 to 25']],
  ['two SYNs and nothing', 'c S 0\n+1 c S 0', []],
  ['one SYN, mirrored three times', 'c S 0 id=7\nc S 0 id=7\nc S 0 id=7', []],
  ['three SYNs and then a SYN-ACK', 'c S 0\n+1 c S 0\n+2 c S 0\ns S 0 1', []],
  ['a SYN-ACK and then a RST of the server', 'c S 0\ns S 0 1\ns RA 1 1', []],
  ['a SYN-ACK that the client resets', 'c S 0\ns S 0 1\nc R 1', []],
  ['a RST whose number answers nothing', 'c S 0\ns RA 0 777', []],
  ['a RST alone', 's RA 0 1', []],
  ['a handshake and nothing else', handshake, []],
  ['a handshake and a RST', `${handshake}s RA 1 1`, []],
  ['a dialogue', `${handshake}s P 1 1 220\\n\nc P 1 4 QUIT`, []],
];

describe('attempts', () => {
  it.each(cases)('%s', (_, steps, told) => {
    const bench = new Bench().play(steps).finish();
    expect(bench.sink.attempts).toEqual(told);
  });

  it.each(cases)('%s, and an hour later', (_, steps, told) => {
    const bench = new Bench().play(steps);
    bench.flows.tick(bench.time + 3599e6);
    bench.flows.tick(bench.time + 7000e6);
    expect(bench.sink.attempts).toEqual(told);
    expect(bench.finish().sink.attempts).toEqual(told);
  });

  it('nobody is told who did not ask', () => {
    const bench = new Bench({ attempts: false }).play('c S 0\ns RA 0 1').finish();
    expect(bench.sink.attempts).toEqual([]);
    expect(bench.counted).toEqual({ flows: 1, halfOpen: 1 });
  });

  it('the server is on a mail port, not the client', () => {
    // Client and server of the steps, with the ports turned round.
    const bench = new Bench({ ports: [40000], anyPort: true }).play('c S 0\ns RA 0 1').finish();
    expect(bench.sink.attempts).toEqual([]);
  });

  it('the same ends again are another attempt', () => {
    const again = 'c S 0\ns RA 0 1\n+20 c S 5000\ns RA 5000 5001';
    const bench = new Bench().play(again).finish();
    expect(bench.sink.attempts).toEqual(['refused 1 to 25', 'refused 1 to 25']);
  });
});

it('an attempt has a row with its ends, times and number of SYNs, and no session', () => {
  const [syn, answer] = connection('', { rtt: 1000 }, 0);
  const rst = Buffer.from(answer!.bytes);
  // The SYN-ACK becomes a RST-ACK; checksums of offloaded segments are not asked for.
  rst[14 + 20 + 13] = 0x14;
  const frames = [
    syn!,
    { ...syn!, time: syn!.time + 1e6 },
    { ...answer!, time: syn!.time + 2e6, bytes: rst },
  ];
  const { attempts, sessions, transactions } = rowsOf(frames);
  expect([sessions, transactions]).toEqual([[], []]);
  expect(attempts).toHaveLength(1);
  expect(attempts[0]).toMatchObject({
    attempt: 1,
    syns: 2,
    clientPort: 20_000,
    serverPort: 25,
    started: syn!.time,
    time: syn!.time + 2e6,
    handshake: false,
    facts: false,
  });
});
