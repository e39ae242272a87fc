// Prints one document: the body, the same compressed, and the sums of the body. Pure work, so that
// it can be done in any thread.

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Snapshot } from '../block/rows.js';
import { formatNamed } from './formats.js';
import { type Publisher, View, type Wanted } from './view.js';
import { ByteWriter } from './writer.js';

/** What is to be printed. */
export interface Order extends Wanted {
  /** Name of a format. */
  readonly format: string;
}

export interface Printed {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly gzip: Uint8Array<ArrayBuffer>;
  /** Hexadecimal, of the body. */
  readonly md5: string;
  readonly sha256: string;
  readonly records: number;
}

/** Above this many bytes gzip gets its quickest level: 80 MB take 0.7 s, where level 6 takes 3. */
const quickBytes = 2_000_000;

export function print(snapshot: Snapshot, order: Order, publisher: Publisher): Printed {
  const format = formatNamed(order.format);
  if (format === undefined) throw new Error(`no format "${order.format}"`);
  const view = new View(snapshot, order, publisher, format.nests);
  const out = new ByteWriter(4096 + view.count * 32);
  format.write(view, out);
  const body = out.take() as Uint8Array<ArrayBuffer>;
  // A copy: what zlib gives may lie in memory that is shared with others.
  const level = body.length > quickBytes ? 1 : 6;
  const gzip = new Uint8Array(gzipSync(body, { level }));
  const sum = (kind: string) => createHash(kind).update(body).digest('hex');
  return { body, gzip, md5: sum('md5'), sha256: sum('sha256'), records: view.count };
}
