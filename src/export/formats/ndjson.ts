// One JSON object a line in the shape of Spamhaus DROP: `cidr`, `sblid`, `rir`, and a last line
// with the metadata. Readers of DROP take it unchanged; `rir` is empty, because we do not know it.

import type { Format } from '../format.js';

export const ndjson: Format = {
  name: 'ndjson',
  type: 'application/x-ndjson',
  what: 'one object a line in the shape of Spamhaus DROP, metadata last',
  tellsApart: true,
  write(view, out) {
    while (view.next()) {
      view.cidr(out.text('{"cidr":"')).text('","sblid":"').id(view.entry);
      out.text('","rir":"","action":"').text(view.action).text('"}\n');
    }
    const { list, revision, generated, expires } = view.snapshot;
    const metadata = {
      type: 'metadata',
      timestamp: Math.floor(generated / 1e6),
      size: out.length,
      records: view.count,
      list,
      revision,
      expires: Math.floor(expires / 1e6),
    };
    out.utf8(JSON.stringify(metadata)).newline();
  },
};
