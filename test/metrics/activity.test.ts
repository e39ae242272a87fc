// What sources did lately, from rows of real dialogues: by steps, by prefix, and what is forgotten.

import { describe, expect, it } from 'vitest';
import { dialogue } from '../../bench/generate/conversation.js';
import { Prefix, readPrefix } from '../../src/lib/prefix.js';
import { Activity } from '../../src/metrics/activity.js';
import { acceptedMail, areasOf } from '../helper/facts.js';

/** On the edge of a step of five minutes. */
const start = 1_700_000_100;
const step = 300;

const refused = acceptedMail
  .replace('RCPT TO:<b@example.net>\n  S: 250 ok', 'RCPT TO:<b@example.net>\n  S: 550 no')
  .replace(/ {2}C: DATA[\s\S]*?250 ok\n/, '');

let port = 30_000;
/** A conversation of a client that begins so many seconds after the start. */
function talk(activity: Activity, client: string, at: number, text = acceptedMail): void {
  port += 1;
  const options = { client, clientPort: port, start: (start + at) * 1e6 };
  const { frames } = dialogue(text, options);
  for (const area of areasOf(frames)) activity.rows(area, area.byteLength);
}

function prefix(text: string): Prefix {
  const found = new Prefix();
  expect(readPrefix(text, found)).toBe(true);
  return found;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

describe('activity', () => {
  it('tells a source from its neighbours, step by step', () => {
    const activity = new Activity(64);
    talk(activity, '203.0.113.9', 0);
    talk(activity, '203.0.113.9', 10, refused);
    talk(activity, '203.0.113.10', 20);
    talk(activity, '203.0.113.9', 2 * step, refused);
    const { series, from, step_s, addresses } = activity.of(prefix('203.0.113.9'));
    expect([step_s, addresses]).toEqual([step, 1]);
    expect(from).toBe((start + 2 * step - 23 * step) * 1e6);
    expect(series.sessions.slice(-3)).toEqual([2, 0, 1]);
    expect(series.accepted.slice(-3)).toEqual([1, 0, 0]);
    expect(series.refused.slice(-3)).toEqual([1, 0, 1]);
    expect(activity.of(prefix('203.0.113.0/24')).series.accepted.slice(-3)).toEqual([2, 0, 0]);
    expect(activity.of(null).series.sessions.slice(-3)).toEqual([3, 0, 1]);
    expect(activity.of(prefix('198.18.0.0/15'))).toMatchObject({ addresses: 0 });
  });

  it('says who did most', () => {
    const activity = new Activity(64);
    const many = { '203.0.113.1': 1, '203.0.113.2': 4, '203.0.113.3': 2, '198.18.0.1': 3 };
    for (const [client, times] of Object.entries(many)) {
      for (let at = 0; at < times; at++) talk(activity, client, at);
    }
    const names = (limit: number, within: Prefix | null) =>
      activity
        .top('accepted', limit, within)
        .map(({ address, counts }) => [address, counts.accepted]);
    expect(names(2, null)).toEqual([
      ['203.0.113.2', 4],
      ['198.18.0.1', 3],
    ]);
    expect(names(9, prefix('203.0.113.0/24')).length).toBe(3);
    expect(activity.top('vain', 9, null)).toEqual([]);
  });

  it('forgets what is two hours old, and who made room', () => {
    const activity = new Activity(8);
    talk(activity, '203.0.113.9', 0);
    talk(activity, '203.0.113.10', 24 * step);
    expect(sum(activity.of(prefix('203.0.113.9')).series.sessions)).toBe(0);
    expect(sum(activity.of(null).series.sessions)).toBe(1);
    expect(activity.evicted).toBe(0);
    for (let at = 0; at < 20; at++) talk(activity, `198.18.0.${at}`, 24 * step + at);
    expect(activity.of(prefix('0.0.0.0/0')).addresses).toBe(8);
    expect(sum(activity.of(null).series.sessions)).toBe(21);
    expect(activity.evicted).toBe(13);
  });
});
