// Sentences for people about figures that look wrong: what the figure means and what to check.
// Every hint stands on a count of the same page; thresholds say when a person would want to know.

import { Sides } from '../batch/row.js';
import type { Run } from './page.js';
import type { Stats } from './stats.js';
import type { Summary } from './summary.js';
import { count, percent, size } from './text.js';

/** Shares above which a figure is worth a sentence. */
const share = { oneSided: 0.1, damaged: 0.01, skipped: 0.2, duplicates: 0.3, encrypted: 0.5 };

/** The sentences, most important first; none when all is well. */
export function hints(summary: Summary, stats: Stats, run: Run): string[] {
  const all = [
    nothing(summary, stats, run),
    oneSided(summary),
    damaged(summary, stats),
    drops(stats),
    evicted(stats),
    cut(stats),
    duplicates(stats),
    encrypted(summary),
  ];
  return all.filter((hint) => hint !== null);
}

function nothing(summary: Summary, stats: Stats, run: Run): string | null {
  if (summary.sessions > 0) return null;
  if (stats.packets === 0) return 'Nothing was found: there is not one packet in the input.';
  if (stats.decoded === 0) {
    const [reason] = Object.entries(stats.skipped).sort((one, other) => other[1] - one[1])[0] ?? [
      'not known',
    ];
    return (
      `Nothing was found: no packet holds a TCP segment, most are skipped as ${reason}. ` +
      'Check that the capture was taken on the mirror port and is not filtered.'
    );
  }
  if (stats.half_open > 0 && stats.other === 0) {
    return (
      `No session was found: ${count(stats.half_open)} connections never carried data. These are ` +
      'scans, blocked connections, or the packets with data are missing from the capture.'
    );
  }
  if (run.ports === 'any') {
    return 'No SMTP was found on any port. There is TCP, but no dialogue of a mail server in it.';
  }
  return (
    `No session was found on the mail ports ${run.ports.join(', ')}. If mail runs on other ports ` +
    'here, name them with --ports, or let --ports any find SMTP by its dialogue.'
  );
}

function oneSided(summary: Summary): string | null {
  const client = summary.sides.of(Sides.client);
  const server = summary.sides.of(Sides.server);
  if (client + server <= summary.sessions * share.oneSided) return null;
  const part = percent(client + server, summary.sessions);
  const [seen, missing] =
    client >= server ? ["the client's", "servers' replies"] : ["the server's", "clients' commands"];
  const effect =
    client >= server ? 'so outcomes stay unknown' : 'so senders and recipients stay unknown';
  return (
    `In ${part} of the sessions only ${seen} side was seen: the ${missing} are missing, ` +
    `${effect}. Check that the mirror copies both directions (rx and tx), that both fibres of a ` +
    'tap are captured, and whether the other direction takes another path.'
  );
}

function damaged(summary: Summary, stats: Stats): string | null {
  const some = summary.damagedSessions > summary.sessions * share.damaged;
  if (!some || stats.reassembly_gaps === 0) return null;
  return (
    `${percent(summary.damagedSessions, summary.sessions)} of the sessions miss bytes (${size(
      stats.gap_bytes,
    )} in all). A mirror port drops when both directions together exceed its speed, and a busy ` +
    'capture machine drops too: look at the drop counters of the switch port and of the capture.'
  );
}

function drops(stats: Stats): string | null {
  if (stats.kernel_drops === 0) return null;
  const dropped = count(stats.kernel_drops);
  return `The kernel dropped ${dropped} packets: this machine could not keep up.`;
}

function evicted(stats: Stats): string | null {
  if (stats.evicted === 0) return null;
  return (
    `${count(stats.evicted)} flows were given up because the memory was full. Raise ` +
    'flow.memory_bytes in the configuration.'
  );
}

function cut(stats: Stats): string | null {
  const skipped = stats.skipped['truncated'] ?? 0;
  if (skipped <= stats.packets * share.damaged) return null;
  return (
    `${count(skipped)} packets are cut off inside their headers. Capture whole packets ` +
    '(tcpdump -s 0), and look whether the mirror session truncates.'
  );
}

function duplicates(stats: Stats): string | null {
  if (stats.duplicates <= stats.decoded * share.duplicates) return null;
  return (
    'Many packets came twice: the mirror copies them on the way in and on the way out. Second ' +
    'copies are counted and change nothing, but they halve the capacity of the mirror port.'
  );
}

function encrypted(summary: Summary): string | null {
  if (summary.encrypted <= summary.sessions * share.encrypted) return null;
  return (
    `${percent(summary.encrypted, summary.sessions)} of the sessions are encrypted. Of these ` +
    'only the handshake and the counts of bytes and packets are known, so their mail is not listed.'
  );
}
