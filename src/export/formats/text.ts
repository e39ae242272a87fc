// One prefix a line and comments behind #: what pfSense, OPNsense, Palo Alto, FortiGate, Check
// Point and most scripts take.

import { type Format, plainText } from '../format.js';

export const text: Format = {
  name: 'txt',
  type: plainText,
  what: 'one prefix a line, comments behind #: for most firewalls and scripts',
  tellsApart: false,
  write(view, out) {
    view.header(out, '# ');
    while (view.next()) view.cidr(out).newline();
  },
};
