// A feed for dynamic addresses of Junos (SRX): one prefix a line, hosts with their length too.

import { type Format, plainText } from '../format.js';

export const juniper: Format = {
  name: 'juniper',
  type: plainText,
  what: 'a dynamic-address feed of Junos',
  tellsApart: false,
  write(view, out) {
    view.header(out, '# ');
    while (view.next()) view.cidr(out).newline();
  },
};
