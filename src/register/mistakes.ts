// Mistakes of one register file, all of them at once: each with the line, the column and the name
// of what a person wrote there.

/** Registers that cannot be used. The message is one line per mistake. */
export class RegisterError extends Error {
  override name = 'RegisterError';
}

/** So many are told for one file; a wrong separator makes a mistake of every line. */
const told = 50;

/** The mistakes of one file. */
export class Mistakes {
  readonly file: string;
  readonly #told: { readonly line: number; readonly column: number; readonly text: string }[] = [];
  #count = 0;

  constructor(file: string) {
    this.file = file;
  }

  get count(): number {
    return this.#count;
  }

  /** `name` is the column, "" where none is meant. `line` and `column` count from 1. */
  tell(line: number, column: number, name: string, message: string): void {
    this.#count += 1;
    if (this.#told.length >= told) return;
    const what = name === '' ? message : `${name}: ${message}`;
    this.#told.push({ line, column, text: `${this.file}:${line}:${column} ${what}` });
  }

  /** One about the file as a whole. */
  tellFile(message: string): void {
    this.#count += 1;
    this.#told.push({ line: 0, column: 0, text: `${this.file}: ${message}` });
  }

  /** One line per mistake in the order of the file; nothing where there is none. */
  lines(): string[] {
    const inOrder = this.#told.toSorted((a, b) => a.line - b.line || a.column - b.column);
    const lines = inOrder.map(({ text }) => text);
    const more = this.#count - lines.length;
    return more > 0 ? [...lines, `${this.file}: ${more} more mistakes`] : lines;
  }
}

/** Printable and not too long: what a stranger's file says about itself. */
export function shown(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 60)}...` : text;
  return JSON.stringify(short);
}
