// A RouterOS script in parts (`?page=`), because one of more than some ten thousand lines stalls a
// small router. It fills whichever of two lists is empty and then clears the other, so a firewall
// rule for each of `mailweir-a` and `mailweir-b` never meets a hole. Entries have time-outs and so
// live in memory, not in the flash. Ask for one family at a time: IPv6 has a menu of its own.

import { type Format, plainText } from '../format.js';

const perPage = 10_000;

export const mikrotik: Format = {
  name: 'mikrotik',
  type: plainText,
  what: 'a RouterOS script in parts (?page=1, 2, ...) of 10,000 lines, one family each',
  tellsApart: false,
  pageLines: perPage,
  write(view, out) {
    const { page, family } = view.wanted;
    const four = family !== 'ipv6';
    const pages = Math.max(1, Math.ceil(view.count / perPage));
    const menu = `/${four ? 'ip' : 'ipv6'}/firewall/address-list`;
    const other = '[:pick "ba" [:find "ab" $mailweirPart]]';
    view.header(out, '# ');
    out.text(`# page: ${page} of ${pages}\n:global mailweirPart\n`);
    if (page === 1) {
      out.text(':set mailweirPart "a"\n');
      out.text(`:if ([:len [${menu}/find where list="mailweir-a"]] > 0) do={`);
      out.text(':set mailweirPart "b"}\n');
      out.text(`${menu}/remove [find where list=("mailweir-" . $mailweirPart)]\n`);
    }
    let line = 0;
    while (view.next()) {
      if (view.isIpv4 !== four) continue;
      line += 1;
      if (line <= (page - 1) * perPage || line > page * perPage) continue;
      out.text(`:do {${menu}/add list=("mailweir-" . $mailweirPart) address=`);
      view.cidr(out).text(` timeout=${view.seconds}s comment=${view.entry.id}`);
      out.text('} on-error={}\n');
    }
    if (page === pages) out.text(`${menu}/remove [find where list=("mailweir-" . ${other})]\n`);
  },
};
