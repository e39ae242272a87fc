// The table of formats, in the order in which people see them. To add one: a file in `formats/`, a
// line here.

import type { Format } from './format.js';
import { cisco } from './formats/cisco.js';
import { csv } from './formats/csv.js';
import { f5 } from './formats/f5.js';
import { exabgp, gobgp } from './formats/flowspec.js';
import { ipset } from './formats/ipset.js';
import { json } from './formats/json.js';
import { juniper } from './formats/juniper.js';
import { mikrotik } from './formats/mikrotik.js';
import { ndjson } from './formats/ndjson.js';
import { nft } from './formats/nft.js';
import { pf } from './formats/pf.js';
import { postfix } from './formats/postfix.js';
import { rbldnsd, rbldnsd6 } from './formats/rbldnsd.js';
import { rspamd } from './formats/rspamd.js';
import { text } from './formats/text.js';
import { xarf } from './formats/xarf.js';

export const formats: readonly Format[] = [
  json,
  text,
  ndjson,
  csv,
  nft,
  ipset,
  pf,
  postfix,
  rspamd,
  rbldnsd,
  rbldnsd6,
  mikrotik,
  juniper,
  f5,
  cisco,
  exabgp,
  gobgp,
  xarf,
];

export function formatNamed(name: string): Format | undefined {
  return formats.find((format) => format.name === name);
}
