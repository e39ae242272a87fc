// Entries as the API shows them (detection.md 5.2): times as RFC 3339, names in snake case.

import type { Appeal } from '../../block/appeal.js';
import type { Entry, ListedEntry } from '../../block/entry.js';
import { isoTime } from '../../lib/iso-time.js';
import type { Served } from './server.js';

/** Microseconds since 1970 as RFC 3339 with milliseconds; null where there is no time. */
export function moment(micros: number | null): string | null {
  const text = micros === null ? null : isoTime(micros, 'Z');
  return text === null ? null : `${text.slice(0, 23)}Z`;
}

/** As list documents and changes show an entry. */
export function shortView({ id, cidr, action, until, rule }: ListedEntry): object {
  return { id, cidr, action, until: moment(until), rule };
}

/** A whole entry, with the evidence, its appeal, who fetched it, and what the wire shows of it. */
export function entryView(entry: Entry, { list, seen }: Served): object {
  const appeal = list.appealOf(entry.id);
  const { created, until, firstSeen, lastSeen, ended, samples, appeal: way, ...rest } = entry;
  return {
    ...rest,
    until: moment(until),
    created_at: moment(created),
    expires_at: moment(until),
    first_seen: moment(firstSeen),
    last_seen: moment(lastSeen),
    samples: samples.map((sample) => ({ ...sample, time: moment(sample.time) })),
    appeal: { ...way, due: moment(way.due), ...appealView(appeal) },
    fetched_by: (entry.held === true ? [] : list.holders.having(entry.revision, entry.action)).map(
      ({ name, since, isExact }) => ({ name, since: moment(isExact ? since : null) }),
    ),
    seen: seen?.entry(entry.id) ?? null,
    ended: ended === undefined ? null : { ...ended, time: moment(ended.time) },
  };
}

function appealView(appeal: Appeal | undefined): object {
  if (appeal === undefined) return { state: null };
  const { filed, due, last, state, decided, by, answer } = appeal;
  const times = { filed: moment(filed), due: moment(due), last: moment(last) };
  return { ...times, state, decided: moment(decided), by, answer };
}

/** What whoever filed an appeal is told. */
export function receipt({ id, cidr, filed, due, last, state, answer }: Appeal): object {
  const times = { filed: moment(filed), due: moment(due), last: moment(last) };
  return { id, cidr, state, ...times, answer };
}
