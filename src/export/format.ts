// What a format of the list is. Each has a file in `formats/`; `formats.ts` is the table of them.

import type { View } from './view.js';
import type { ByteWriter } from './writer.js';

export interface Format {
  /** As `?format=` names it; also the ending of the address: /v1/blocklist.NAME. */
  readonly name: string;
  /** Media type. */
  readonly type: string;
  /** For whom it is, in a sentence. */
  readonly what: string;
  /** Whether a reader can tell blocks from limits, so that both may be in one document. */
  readonly tellsApart: boolean;
  /** Whether readers go by the longest prefix, so that entries may be nested as they are. */
  readonly nests?: boolean;
  /** Lines of one part of a document that comes in parts, where it does. */
  readonly pageLines?: number;
  write(view: View, out: ByteWriter): void;
}

export const plainText = 'text/plain; charset=utf-8';
