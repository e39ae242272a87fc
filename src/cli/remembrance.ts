// What the block list remembers of sources, for a policy that begins anew: open entries, the steps
// of their ladders, and what was forgiven.

import type { Entry } from '../block/entry.js';
import type { BlockList } from '../block/list.js';
import { EntryCursor } from '../block/rows.js';
import type { Decision } from '../decide/decision.js';
import { day } from '../decide/ladder.js';
import type { Remembered } from '../decide/remembered.js';
import type { Mode } from '../detect/finding.js';
import { Prefix, readPrefix } from '../lib/prefix.js';

/** As many as policy has room for: open ones, and others. */
const sourcesMax = 65_536;
/** The highest level has faded after so long: five levels, seven days each. */
const horizon = 5 * 7 * day;
/** What a release forgives, and how long the rule only observes afterwards (detection.md 5.3). */
const levelsForgiven = 2;
const grace = day;

/** Everybody whom the list remembers, open entries first, then the latest. */
export function remembered(list: BlockList, mode: Mode): Remembered[] {
  const known = new Map<string, Remembered>();
  for (const entry of newest(list)) {
    const other = known.get(entry.cidr);
    // Of a limit and a block that takes its place the block goes on.
    if (other?.entry?.action === 'block') continue;
    known.set(entry.cidr, { ...sourceOf(entry), entry: decisionOf(entry, mode) });
  }
  const open = known.size;
  for (const entry of list.endedSince(list.now - horizon)) {
    if (known.size - open >= sourcesMax) break;
    if (entry.origin === 'manual' || entry.ended?.state === 'superseded') continue;
    const later = known.get(entry.cidr);
    if (later === undefined) known.set(entry.cidr, sourceOf(entry));
    else if (later.blockEnded === Number.NEGATIVE_INFINITY && entry.action === 'block') {
      known.set(entry.cidr, { ...later, blockEnded: entry.ended!.time });
    }
  }
  return [...known.values()];
}

/** Automatic entries on the list, the newest ones where they are too many. */
function newest(list: BlockList): Entry[] {
  const snapshot = list.snapshot();
  const cursor = new EntryCursor(snapshot, true);
  const times = new Float64Array(snapshot.count);
  let count = 0;
  while (cursor.next()) if (!cursor.isManual) times[count++] = cursor.created;
  // Of a million only as many are read as policy has room for.
  const oldest = times.subarray(0, count).sort()[Math.max(0, count - sourcesMax)] ?? 0;
  const found: Entry[] = [];
  const again = new EntryCursor(snapshot, true);
  while (again.next() && found.length < sourcesMax) {
    if (!again.isManual && again.created >= oldest) found.push(list.entry(again.id)!);
  }
  return found;
}

function sourceOf(entry: Entry): Remembered {
  const { cidr, subject, role, level, firstSeen, lastSeen, action, rule, ended } = entry;
  const prefix = new Prefix();
  readPrefix(subject, prefix);
  const { w0, w1, w2, w3, isIpv4 } = prefix;
  const bits = isIpv4 ? prefix.bits - 96 : prefix.bits;
  const isForgiven = ended?.forgiven === true;
  return {
    cidr,
    subject: { cidr: subject, words: [w0, w1, w2, w3], bits, role },
    firstSeen,
    lastSeen,
    level: isForgiven ? Math.max(0, level - levelsForgiven) : level,
    blockEnded: action === 'block' && ended ? ended.time : Number.NEGATIVE_INFINITY,
    graceRule: isForgiven ? (rule?.id ?? '') : '',
    graceUntil: isForgiven ? ended.time + grace : Number.NEGATIVE_INFINITY,
    entry: null,
  };
}

/** The decision that made an entry, as it stands now. */
function decisionOf(entry: Entry, mode: Mode): Decision {
  const { origin: _o, owner: _w, reason: _r, revision: _v, ended: _e, ...rest } = entry;
  return {
    ...rest,
    rule: entry.rule!,
    severity: entry.severity!,
    until: entry.until!,
    state: 'added',
    time: entry.created,
    // It was published, so it was not only observed.
    mode: entry.action === 'limit' && mode === 'limit' ? 'limit' : 'enforce',
  };
}
