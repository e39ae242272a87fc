// The list as one JSON object (contracts section 5), one entry a line so that a diff can be read.

import type { Format } from '../format.js';
import { moment } from '../view.js';

export const json: Format = {
  name: 'json',
  type: 'application/json',
  what: 'one object: revision, generated, expires, count, entries',
  tellsApart: true,
  write(view, out) {
    const { revision, generated, expires } = view.snapshot;
    out.text(`{"revision":${revision},"generated":"${moment(generated)}",`);
    out.text(`"expires":"${moment(expires)}","count":${view.count},"entries":[`);
    let isFirst = true;
    while (view.next()) {
      const { entry } = view;
      out
        .text(isFirst ? '\n{"id":"' : ',\n{"id":"')
        .id(entry)
        .text('","cidr":"');
      view.cidr(out).text('","action":"').text(entry.action).text('","until":"');
      out.text(moment(entry.until)).text('","rule":"').text(entry.rule).text('"');
      // What is said of a limit alone.
      if (entry.rate > 0) out.text(',"rate":').number(entry.rate);
      out.text('}');
      isFirst = false;
    }
    out.text('\n]}\n');
  },
};
