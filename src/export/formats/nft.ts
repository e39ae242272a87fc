// A file for `nft -f`: one transaction that fills the sets of a table of its own and leaves every
// other table alone. Hosts are in one set and prefixes in another, because a set of intervals is
// slower; every element has a time-out, so a list that nobody renews dies by itself. Never
// `auto-merge`: together with time-outs it fuses neighbours into ranges that nobody listed.

import { type Format, plainText } from '../format.js';
import type { View } from '../view.js';
import type { ByteWriter } from '../writer.js';

const table = 'inet mailweir_list';
/** Elements of one statement; longer ones make nft slow to read. */
const together = 1000;

export const nft: Format = {
  name: 'nft',
  type: plainText,
  what: 'a file for nft -f: sets with time-outs in table inet mailweir_list, atomic',
  tellsApart: true,
  write(view, out) {
    view.header(out, '# ');
    out.text('# Use the sets in a chain of your own: tcp dport 25 ip saddr @block4 drop\n');
    const kinds = view.wanted.action === 'all' ? ['block', 'limit'] : [view.wanted.action];
    const versions = { both: [4, 6], ipv4: [4], ipv6: [6] }[view.wanted.family];
    out.text(`table ${table} {\n`);
    for (const kind of kinds) {
      for (const version of versions) {
        const type = `type ipv${version}_addr;`;
        out.text(`  set ${kind}${version} { ${type} flags timeout; }\n`);
        out.text(`  set ${kind}${version}_nets { ${type} flags interval, timeout; }\n`);
      }
    }
    out.text('}\n');
    for (const kind of kinds) {
      for (const version of versions) {
        fill(view, out, `${kind}${version}`, (is4) => view.isHost && is4 === (version === 4));
        fill(view, out, `${kind}${version}_nets`, (is4) => !view.isHost && is4 === (version === 4));
      }
    }
  },
};

function fill(view: View, out: ByteWriter, set: string, isIn: (isIpv4: boolean) => boolean): void {
  const kind = set.startsWith('block') ? 'block' : 'limit';
  out.text(`flush set ${table} ${set}\n`);
  view.rewind();
  let count = 0;
  while (view.next()) {
    if (view.action !== kind || !isIn(view.isIpv4)) continue;
    out.text(count % together === 0 ? `add element ${table} ${set} { ` : ', ');
    if (view.isHost) view.address(out);
    else view.cidr(out);
    out.text(' timeout ').number(view.seconds).text('s');
    count += 1;
    if (count % together === 0) out.text(' }\n');
  }
  if (count % together !== 0) out.text(' }\n');
}
