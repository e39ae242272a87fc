// A file for `ipset restore`: fills a second set beside the one in use and swaps the two, so that
// no packet meets a half-filled set. Every entry has a time-out.

import { type Format, plainText } from '../format.js';

/** The default of 65,536 is too few; sets grow as they are filled, so a high one costs nothing. */
const most = 1_048_576;

export const ipset: Format = {
  name: 'ipset',
  type: plainText,
  what: 'a file for ipset restore: filled aside and swapped, entries with time-outs',
  tellsApart: true,
  write(view, out) {
    view.header(out, '# ');
    const kinds = view.wanted.action === 'all' ? ['block', 'limit'] : [view.wanted.action];
    const versions = { both: [4, 6], ipv4: [4], ipv6: [6] }[view.wanted.family];
    for (const kind of kinds) {
      for (const version of versions) {
        const name = `mailweir-${kind}${version}`;
        const family = version === 4 ? 'inet' : 'inet6';
        const form = `hash:net family ${family} maxelem ${most} timeout 0 -exist\n`;
        out.text(`create ${name} ${form}create ${name}-new ${form}flush ${name}-new\n`);
        view.rewind();
        while (view.next()) {
          if (view.action !== kind || view.isIpv4 !== (version === 4)) continue;
          view
            .cidr(out.text(`add ${name}-new `))
            .text(' timeout ')
            .number(view.seconds)
            .newline();
        }
        out.text(`swap ${name}-new ${name}\ndestroy ${name}-new\n`);
      }
    }
  },
};
