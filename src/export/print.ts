// Prints documents: the body, the same compressed, and the sums of the body. Pure work, so that it
// can be done in any thread.

import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip as gzipOf, gzipSync } from 'node:zlib';
import type { Snapshot } from '../block/rows.js';
import { formatNamed } from './formats.js';
import { type Publisher, SlicesMemo, View, type Wanted } from './view.js';
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

const zip = promisify(gzipOf);

/** Prints many documents: what several of one snapshot have in common is worked out once. */
export class Printer {
  readonly #memo = new SlicesMemo();

  /** Compresses in zlib's own thread, while the sums are made in this one. */
  async print(snapshot: Snapshot, order: Order, publisher: Publisher): Promise<Printed> {
    const { body, records } = compose(snapshot, order, publisher, this.#memo);
    const zipping = zip(body, { level: levelFor(body) });
    const sums = sumsOf(body);
    // A copy: what zlib gives may lie in memory that is shared with others.
    return { body, gzip: new Uint8Array(await zipping), ...sums, records };
  }
}

/** Prints one document, and returns when all of it is done. */
export function print(snapshot: Snapshot, order: Order, publisher: Publisher): Printed {
  const { body, records } = compose(snapshot, order, publisher);
  const gzip = new Uint8Array(gzipSync(body, { level: levelFor(body) }));
  return { body, gzip, ...sumsOf(body), records };
}

function compose(snapshot: Snapshot, order: Order, publisher: Publisher, memo?: SlicesMemo) {
  const format = formatNamed(order.format);
  if (format === undefined) throw new Error(`no format "${order.format}"`);
  const view = new View(snapshot, order, publisher, { nests: format.nests === true, memo });
  const out = new ByteWriter(4096 + view.count * 32);
  format.write(view, out);
  return { body: out.take() as Uint8Array<ArrayBuffer>, records: view.count };
}

function levelFor(body: Uint8Array): number {
  return body.length > quickBytes ? 1 : 6;
}

function sumsOf(body: Uint8Array): Pick<Printed, 'md5' | 'sha256'> {
  const sum = (kind: string) => createHash(kind).update(body).digest('hex');
  return { md5: sum('md5'), sha256: sum('sha256') };
}
