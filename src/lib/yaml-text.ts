// YAML text read so that every mistake can be told as `file:line:column path: what is wrong`. What
// shape a file must have is the business of who reads it; this knows places only.

import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
} from 'yaml';
import type { z } from 'zod';

/** One document of a file, as plain values and as text, and where its parts stand. */
export class YamlPart {
  readonly text: string;
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #path: string;
  readonly #source: string;

  /** `source` is the text of the whole file. */
  constructor(path: string, source: string, document: Document, lines: LineCounter) {
    const [from, , to] = document.range ?? [0, 0, source.length];
    this.#path = path;
    this.#source = source;
    this.text = source.slice(from, to);
    this.#document = document;
    this.#lines = lines;
  }

  /** Plain values; an empty document is an empty map. Throws an Error with the place. */
  values(): unknown {
    try {
      return this.#document.toJS() ?? {};
    } catch (error) {
      throw new Error(`${this.#at(this.#start)} ${(error as Error).message}`);
    }
  }

  /** `file:line:column` of the deepest part of `path` that is there. */
  place(path: readonly PropertyKey[]): string {
    return this.#at(this.#offset(path));
  }

  /**
   * The place of character `at` in the text under `path`, as it was written: folded lines, quotes
   * and the indicator of a block are stepped over by counting what is no white space.
   */
  textPlace(path: readonly PropertyKey[], at: number): string {
    const node = this.#document.getIn(path as unknown[], true);
    if (!isScalar(node) || node.range == null || typeof node.value !== 'string') {
      return this.place(path);
    }
    const isBlock = node.type === 'BLOCK_FOLDED' || node.type === 'BLOCK_LITERAL';
    const isQuoted = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE';
    let offset = node.range[0] + (isQuoted ? 1 : 0);
    if (isBlock) offset = this.#source.indexOf('\n', offset) + 1;
    const isBlank = (text: string, place: number) => /\s/.test(text.charAt(place));
    let left = node.value.slice(0, at).replaceAll(/\s/g, '').length;
    for (; offset < node.range[1] && (left > 0 || isBlank(this.#source, offset)); offset++) {
      if (!isBlank(this.#source, offset)) left--;
    }
    return this.#at(offset);
  }

  /** One line for each mistake that zod found. */
  mistakes(error: z.ZodError): string[] {
    return error.issues.flatMap((issue) => this.#tell(issue));
  }

  #tell(issue: z.core.$ZodIssue): string[] {
    if (issue.code !== 'unrecognized_keys') {
      const name = issue.path.length === 0 ? 'the file' : issue.path.join('.');
      return [`${this.place(issue.path)} ${name}: ${lowerFirst(issue.message)}`];
    }
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return `${this.place(path)} ${path.join('.')}: there is no such key`;
    });
  }

  get #start(): number {
    const { contents } = this.#document;
    return isNode(contents) ? (contents.range?.[0] ?? 0) : 0;
  }

  #at(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.#path}:${line}:${col}`;
  }

  /** A mistake in a map stands at its key, one in a list at its element. */
  #offset(path: readonly PropertyKey[]): number {
    let node: unknown = this.#document.contents;
    let offset = this.#start;
    for (const step of path) {
      if (isMap(node)) {
        const pair = node.items.find((item) => isScalar(item.key) && item.key.value === step);
        if (pair === undefined) break;
        if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
        node = pair.value;
      } else if (isSeq(node)) {
        node = node.items[Number(step)];
        if (isNode(node)) offset = node.range?.[0] ?? offset;
      } else break;
    }
    return offset;
  }
}

/** The documents of a file. Throws an Error with one line per mistake. */
export function yamlParts(path: string, text: string): YamlPart[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const found = Array.isArray(documents) ? documents : [];
  const broken = found.flatMap(({ errors }) => errors);
  if (broken.length > 0) {
    const tell = broken.map((error) => {
      const { line, col } = lines.linePos(error.pos[0]);
      return `${path}:${line}:${col} ${error.message}`;
    });
    throw new Error(tell.join('\n'));
  }
  return found.map((document) => new YamlPart(path, text, document, lines));
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
