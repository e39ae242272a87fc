// The two writers of rows agree: what the packet plane writes of a dialogue, read into plain
// objects and written again by the encoder of bench/generate, is the same to the byte.

import { describe, expect, it } from 'vitest';
import { readRows } from '../../bench/generate/row-reader.js';
import { type Row, RowEncoder } from '../../bench/generate/rows.js';
import { SipHash } from '../../src/lib/siphash.js';
import { EveWriter } from '../../src/output/eve.js';
import { allCases } from '../helper/cases.js';
import { areasOf, factsKey } from '../helper/facts.js';
import { connection, without } from '../helper/variations.js';

const cases = allCases();

/** All golden dialogues, each whole, one side alone, and with one of its packets lost. */
function frames(seed: number) {
  return cases.flatMap((one, index) => {
    const whole = connection(one.text, one.options, index + seed * cases.length);
    const kind = (index + seed) % 4;
    if (kind === 0) return whole;
    if (kind === 1) return whole.filter(({ dir }) => dir === 'client');
    if (kind === 2) return whole.filter(({ dir }) => dir === 'server');
    return without(whole, (index * 7 + seed) % whole.length);
  });
}

/** The encoder hashes the mailboxes itself. */
function withoutHashes(row: Row): Row {
  if (row.kind !== 'transaction') return row;
  return { ...row, rcpts: row.rcpts.map(({ hash: _, ...rcpt }) => rcpt) };
}

describe.each([
  ['with facts', { factsKey }],
  ['without', {}],
])('rows %s', (_, options) => {
  it.each([0, 1, 2, 3])('are written alike by both, variant %d', (seed) => {
    const areas = areasOf(frames(seed), options);
    const encoder = new RowEncoder(new SipHash(factsKey));
    let rows = 0;
    for (const area of areas) {
      for (const row of readRows(area, area.byteLength)) {
        encoder.row(withoutHashes(row));
        rows++;
      }
      expect(Buffer.from(encoder.area, 0, encoder.length)).toEqual(Buffer.from(area));
      encoder.clear();
    }
    expect(rows).toBeGreaterThan(cases.length);
  });
});

it('events are the same with facts and without', () => {
  const events = (options: { factsKey?: Buffer }): string => {
    let text = '';
    const write = (bytes: Buffer, length: number) => {
      text += bytes.toString('latin1', 0, length);
    };
    const writer = new EveWriter({ write }, { clear: true, sensor: undefined });
    for (const seed of [0, 1, 2, 3]) {
      for (const area of areasOf(frames(seed), options)) writer.rows(area, area.byteLength);
    }
    return text;
  };
  const plain = events({});
  expect(plain.split('\n').length).toBeGreaterThan(4 * cases.length);
  expect(events({ factsKey })).toBe(plain);
});

it('an encoder hands full portions to its sink and the rest when it is flushed', () => {
  let rows = 0;
  let calls = 0;
  const sink = {
    rows: (area: ArrayBuffer, length: number) => {
      rows += readRows(area, length).length;
      calls++;
    },
  };
  const encoder = new RowEncoder(null, sink);
  for (let i = 0; i < 3000; i++) encoder.transaction().session().attempt();
  encoder.flush();
  expect(rows).toBe(9000);
  expect(calls).toBeGreaterThan(2);
  expect(encoder.length).toBe(0);
});
