// YAML text read so that every mistake can be told as `file:line:column path: what is wrong`. What
// shape a file must have is the business of who reads it; this knows places only.

import { load as valuesOf } from 'js-yaml';
import type { Document, LineCounter } from 'yaml';
import type { z } from 'zod';
import { load } from './commonjs.js';

/**
 * A file with the places of everything in it. Reading places costs four times as much as reading
 * values: 250 ms of processor time for the rules that come with the program, most of it V8
 * optimizing a parser that is used once. So values are read by a package that knows no places, and
 * this is made when something is wrong.
 */
class Places {
  readonly path: string;
  readonly source: string;
  #known: { yaml: typeof import('yaml'); lines: LineCounter; documents: Document[] } | undefined;

  constructor(path: string, source: string) {
    this.path = path;
    this.source = source;
  }

  get #read() {
    if (this.#known !== undefined) return this.#known;
    const yaml: typeof import('yaml') = load('yaml');
    const lines = new yaml.LineCounter();
    const options = { lineCounter: lines, prettyErrors: false };
    const documents = yaml.parseAllDocuments(this.source, options);
    this.#known = { yaml, lines, documents: Array.isArray(documents) ? documents : [] };
    return this.#known;
  }

  get yaml(): typeof import('yaml') {
    return this.#read.yaml;
  }

  get documents(): readonly Document[] {
    return this.#read.documents;
  }

  /** `file:line:column`. */
  at(offset: number): string {
    const { line, col } = this.#read.lines.linePos(offset);
    return `${this.path}:${line}:${col}`;
  }
}

/** One document of a file, as plain values and as text, and where its parts stand. */
export class YamlPart {
  readonly text: string;
  readonly #places: Places;
  readonly #index: number;
  readonly #values: { readonly known: unknown } | undefined;

  /** Document `index` of a file; `values` is absent where only the slow reader can tell them. */
  constructor(places: Places, index: number, text: string, values?: { readonly known: unknown }) {
    this.#places = places;
    this.#index = index;
    this.text = text;
    this.#values = values;
  }

  get #document(): Document {
    return this.#places.documents[this.#index]!;
  }

  /** Plain values; an empty document is an empty map. Throws an Error with the place. */
  values(): unknown {
    if (this.#values !== undefined) return this.#values.known ?? {};
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
    const { source } = this.#places;
    const { isScalar } = this.#places.yaml;
    const node = this.#document.getIn(path as unknown[], true);
    if (!isScalar(node) || node.range == null || typeof node.value !== 'string') {
      return this.place(path);
    }
    const isBlock = node.type === 'BLOCK_FOLDED' || node.type === 'BLOCK_LITERAL';
    const isQuoted = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE';
    let offset = node.range[0] + (isQuoted ? 1 : 0);
    if (isBlock) offset = source.indexOf('\n', offset) + 1;
    const isBlank = (text: string, place: number) => /\s/.test(text.charAt(place));
    let left = node.value.slice(0, at).replaceAll(/\s/g, '').length;
    for (; offset < node.range[1] && (left > 0 || isBlank(source, offset)); offset++) {
      if (!isBlank(source, offset)) left--;
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
    const { isNode } = this.#places.yaml;
    return isNode(contents) ? (contents.range?.[0] ?? 0) : 0;
  }

  #at(offset: number): string {
    return this.#places.at(offset);
  }

  /** A mistake in a map stands at its key, one in a list at its element. */
  #offset(path: readonly PropertyKey[]): number {
    const { isMap, isNode, isScalar, isSeq } = this.#places.yaml;
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

/** Where another document begins, also in the middle of a text (YAML 1.2.2, 9.1.2). */
const marker = /^(?=---(?:\s|$))/m;
const firstComments = /^(?:[ \t]*(?:#.*)?\r?\n)+/;
/**
 * Aliases that the quick reader follows in a document. Aliases of aliases multiply: sixteen come to
 * 350 times the text at most. The slow reader counts what more of them come to.
 */
const aliasesMax = 16;

/** The documents of a file. Throws an Error with one line per mistake. */
export function yamlParts(path: string, text: string): YamlPart[] {
  const places = new Places(path, text);
  return quickParts(places) ?? slowParts(places);
}

/** The usual case: nothing is wrong, nor unusual. */
function quickParts(places: Places): YamlPart[] | null {
  const texts = places.source.split(marker);
  // What is in front of the first marker is a document only where something is in it.
  if (texts.length > 1 && isBlank(texts[0]!)) texts.shift();
  if (texts.some(isBlank)) return null;
  try {
    return texts.map((whole, index) => {
      const known = valuesOf(whole, { maxAliases: aliasesMax });
      return new YamlPart(places, index, whole.replace(firstComments, ''), { known });
    });
  } catch {
    return null;
  }
}

/** Whether a text has nothing but comments. */
function isBlank(text: string): boolean {
  return text.split('\n').every((line) => /^(?:---)?\s*(?:#.*)?$/.test(line));
}

function slowParts(places: Places): YamlPart[] {
  const { documents, source } = places;
  const broken = documents.flatMap(({ errors }) => errors);
  if (broken.length > 0) {
    const tell = broken.map((error) => `${places.at(error.pos[0])} ${error.message}`);
    throw new Error(tell.join('\n'));
  }
  return documents.map((document, index) => {
    const [from, , to] = document.range ?? [0, 0, source.length];
    return new YamlPart(places, index, source.slice(from, to));
  });
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
