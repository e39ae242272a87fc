// Zone files of rbldnsd, one for IPv4 (ip4trie) and one for IPv6 (ip6trie), with the codes of our
// own DNSBL and the test entries of RFC 5782 section 5. rbldnsd takes the longest prefix, so nested
// entries stay what they are, and what is allowed inside of one is excluded. $TIMESTAMP makes it
// stop serving what nobody renewed; the negative time to live is 60 s, so a new entry is seen
// within a minute.

import { returnCode } from '../../block/return-code.js';
import { type Format, plainText } from '../format.js';
import { moment, type View } from '../view.js';
import type { ByteWriter } from '../writer.js';

export const rbldnsd: Format = {
  name: 'rbldnsd',
  type: plainText,
  what: 'an ip4trie zone of rbldnsd',
  tellsApart: true,
  nests: true,
  write: (view, out) => zone(view, out, true),
};

export const rbldnsd6: Format = {
  name: 'rbldnsd6',
  type: plainText,
  what: 'an ip6trie zone of rbldnsd',
  tellsApart: true,
  nests: true,
  write: (view, out) => zone(view, out, false),
};

function zone(view: View, out: ByteWriter, four: boolean): void {
  const { generated, expires, revision } = view.snapshot;
  const { zone: name = 'bl.invalid', contact } = view.publisher;
  const mailbox = (contact ?? `hostmaster.${name}`).replace('@', '.').replaceAll(/[^\w.-]/g, '');
  view.header(out, '# ');
  out.text(`$SOA 60 ns.${name} ${mailbox} ${revision} 600 300 86400 60\n`);
  out.text(`$NS 3600 ns.${name}\n$TTL 60\n`);
  out.text(`$TIMESTAMP ${stamp(generated)} ${stamp(expires)}\n`);
  // A prefix wider than anybody may list is a mistake that must not be served.
  if (four) out.text('$MAXRANGE4 /16\n');
  out.text(four ? '127.0.0.2' : '::ffff:7f00:2').text(' :127.0.0.2:Test entry\n');
  while (view.next()) {
    if (view.isIpv4 !== four) continue;
    const { entry } = view;
    if (view.isException) {
      view.cidr(out.text('!')).newline();
      continue;
    }
    view.cidr(out).text(` :${returnCode(entry.action, entry.rule)}:`);
    out.id(entry).newline();
  }
}

/** As $TIMESTAMP wants it, in UTC: 2024-02-29:12:00:00. */
function stamp(micros: number): string {
  return moment(micros).replace('T', ':').replace('Z', '');
}
