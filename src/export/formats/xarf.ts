// XARF v4 reports (xarf.org), one a line, of category `reputation` and type `blocklist`. The types
// for spam want a sender's address, which this product does not keep; what decided is behind the
// entry's address in the API.

import type { Format } from '../format.js';
import { moment } from '../view.js';

export const xarf: Format = {
  name: 'xarf',
  type: 'application/x-ndjson',
  what: 'XARF v4 reports, one a line: category reputation, type blocklist',
  tellsApart: true,
  write(view, out) {
    const { contact, url } = view.publisher;
    const isMailbox = contact !== undefined && /^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(contact);
    const host = url === undefined ? 'mailweir.invalid' : new URL(url).hostname;
    const mailbox = isMailbox ? contact : `abuse@${host}`;
    const party = { org: view.snapshot.list, contact: mailbox, domain: mailbox.split('@')[1] };
    while (view.next()) {
      const { entry } = view;
      const report = {
        xarf_version: '4.0.0',
        report_id: reportId(entry.id),
        timestamp: moment(entry.created),
        reporter: party,
        sender: party,
        source_identifier: view.isHost ? entry.cidr.split('/')[0] : entry.cidr,
        category: 'reputation',
        type: 'blocklist',
        evidence_source: 'traffic_analysis',
        threat_type: 'spam',
        tags: [`action:${entry.action}`, `rule:${entry.rule.replace('core.', '')}`],
        description: `Entry ${entry.id}, until ${moment(entry.until)}`,
      };
      out.utf8(JSON.stringify(report)).newline();
    }
    // A reader of reports must see a list without entries too.
    if (view.count === 0) out.newline();
  },
};

/** The 20 digits of an entry's id as a UUID of version 8 (RFC 9562 section 5.8). */
function reportId(id: string): string {
  const hex = `${id.slice(3)}6d61696c776569`.slice(0, 30);
  const [a, b, c, d] = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 15), hex.slice(15, 18)];
  return `${a}-${b}-8${c}-8${d}-${hex.slice(18, 30)}`;
}
