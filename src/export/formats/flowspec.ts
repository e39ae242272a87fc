// FlowSpec rules (RFC 8955) as ExaBGP and GoBGP read them: TCP to port 25 from a source is
// discarded or held to a rate. Blackholing (RFC 7999) is not offered: it drops all traffic *to* an
// address, web and telephone included, where the harm is mail *from* it.

import { flowBytes } from '../../block/flow-rate.js';
import { type Format, plainText } from '../format.js';
import type { View } from '../view.js';
import type { ByteWriter } from '../writer.js';

export const exabgp: Format = {
  name: 'exabgp',
  type: plainText,
  what: 'FlowSpec routes for a process of ExaBGP: discard or rate-limit TCP to port 25',
  tellsApart: true,
  write(view, out) {
    view.header(out, '# ');
    while (view.next()) {
      out.text('announce flow route { match { source ');
      const protocol = view.isIpv4 ? 'protocol' : 'next-header';
      view.cidr(out).text(`; ${protocol} =tcp; destination-port =25; } then { `);
      out.text(then(view));
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
  out.text(then(view)).newline();
}

function then({ action, entry }: View): string {
  return action === 'block' ? 'discard' : `rate-limit ${flowBytes(entry.rate)}`;
}
