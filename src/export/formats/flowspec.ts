// FlowSpec rules (RFC 8955) as ExaBGP and GoBGP read them: TCP to port 25 from a source is
// discarded or held to a rate. Blackholing (RFC 7999) is not offered: it drops all traffic *to* an
// address, web and telephone included, where the harm is mail *from* it.

import { type Format, plainText } from '../format.js';
import type { View } from '../view.js';
import type { ByteWriter } from '../writer.js';

/** Bytes a second of a limit: the least that routers keep well (ExaBGP warns below it). */
const limitBytes = 9600;

export const exabgp: Format = {
  name: 'exabgp',
  type: plainText,
  what: 'FlowSpec routes for a process of ExaBGP: discard or rate-limit TCP to port 25',
  tellsApart: true,
  write(view, out) {
    view.header(out, '# ');
    while (view.next()) {
      out.text('announce flow route { match { source ');
      view.cidr(out).text('; protocol =tcp; destination-port =25; } then { ');
      out.text(view.action === 'block' ? 'discard' : `rate-limit ${limitBytes}`);
      out.text('; } }\n');
    }
  },
};

export const gobgp: Format = {
  name: 'gobgp',
  type: plainText,
  what: 'FlowSpec routes as commands of gobgp: discard or rate-limit TCP to port 25',
  tellsApart: true,
  write(view, out) {
    view.header(out, '# ');
    while (view.next()) command(view, out);
  },
};

function command(view: View, out: ByteWriter): void {
  out.text(`gobgp global rib add -a ipv${view.isIpv4 ? 4 : 6}-flowspec match source `);
  view.cidr(out).text(" protocol tcp destination-port '==25' then ");
  out.text(view.action === 'block' ? 'discard' : `rate-limit ${limitBytes}`).newline();
}
