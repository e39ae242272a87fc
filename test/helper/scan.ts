// Reads source files for the tidy test: texts, syntax trees, and a walk over them. The parser is
// the one that vitest itself brings, so the scan sees what really runs and no pattern has to guess.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAst } from 'vitest/node';

/** A node of the syntax tree (ESTree with TypeScript), as far as the tidy test looks. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

export interface SourceFile {
  /** Path from the project's root, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  readonly tree: Node;
}

const root = join(import.meta.dirname, '..', '..');

/** Paths of the files under a folder of the project, sorted; those that end in `ending`. */
export function pathsUnder(folder: string, ending: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return pathsUnder(path, ending);
      return entry.name.endsWith(ending) ? [path] : [];
    })
    .sort();
}

export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** All TypeScript of src, bench and test. */
export function sourceFiles(): SourceFile[] {
  return ['src', 'bench', 'test']
    .flatMap((folder) => pathsUnder(folder, '.ts'))
    .map((path) => {
      const text = textOf(path);
      const tree = parseAst(text, { lang: 'ts' }, path) as unknown as Node;
      return { path, text, lines: text.split('\n'), tree };
    });
}

/** Line number of an offset, from 1. */
export function lineAt(file: SourceFile, offset: number): number {
  return file.text.slice(0, offset).split('\n').length;
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

export function childrenOf(node: Node): Node[] {
  return Object.values(node).flatMap((value) => {
    if (Array.isArray(value)) return value.filter(isNode);
    return isNode(value) ? [value] : [];
  });
}

/** Calls `visit` for each node with those around it, outermost first. */
export function walk(
  node: Node,
  visit: (node: Node, around: readonly Node[]) => void,
  around: readonly Node[] = [],
): void {
  visit(node, around);
  const inner = [...around, node];
  for (const child of childrenOf(node)) walk(child, visit, inner);
}

const functionTypes = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
]);

export function isFunction(node: Node): boolean {
  return functionTypes.has(node.type) && isNode(node['body']);
}

/** The name a function has where it stands: its own, its method's, its variable's; or "". */
export function functionName(node: Node, around: readonly Node[]): string {
  const holder = around.at(-1);
  for (const named of [node['id'], holder?.['key'], holder?.['id']]) {
    if (isNode(named) && typeof named['name'] === 'string') return named['name'];
  }
  return '';
}

/** What a file imports, with the place: static, re-exported, dynamic, and as a type. */
export function importsOf(file: SourceFile): { from: string; typeOnly: boolean; line: number }[] {
  const found: { from: string; typeOnly: boolean; line: number }[] = [];
  walk(file.tree, (node) => {
    const source = node['source'] ?? (node.type === 'TSImportType' ? node['argument'] : null);
    if (!isNode(source) || typeof source['value'] !== 'string') return;
    const typeOnly = node['importKind'] === 'type' || node.type === 'TSImportType';
    found.push({ from: source['value'], typeOnly, line: lineAt(file, node.start) });
  });
  return found;
}
