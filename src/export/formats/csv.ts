// RFC 4180 with the names of the columns in the first line, for spreadsheets and imports.

import type { Format } from '../format.js';
import { moment } from '../view.js';

export const csv: Format = {
  name: 'csv',
  type: 'text/csv; charset=utf-8; header=present',
  what: 'RFC 4180 with a line of names: for spreadsheets and imports',
  tellsApart: true,
  write(view, out) {
    out.text('cidr,id,action,until,rule,created\r\n');
    while (view.next()) {
      const { entry } = view;
      view.cidr(out).text(`,${entry.id},${entry.action},${moment(entry.until)},`);
      out.text(`${entry.rule},${moment(entry.created)}\r\n`);
    }
  },
};
