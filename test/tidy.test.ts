// The laws of src/README.md and the numbers of the house style, as far as a scan can see them. A
// failure names file and line. What a scan cannot see (law 2's spirit, law 4 beyond views, law 6)
// is for the reader of the change.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  functionName,
  importsOf,
  isFunction,
  isNode,
  lineAt,
  type Node,
  pathsUnder,
  type SourceFile,
  sourceFiles,
  textOf,
  walk,
} from './helper/scan.js';

const root = join(import.meta.dirname, '..');
const files = sourceFiles();
const own = files.filter(({ path }) => path.startsWith('src/'));

/** Law 1: a stage may import itself, `lib/`, and what stands here. */
const upstream: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  capture: [],
  decode: ['capture'],
  flow: ['decode'],
  smtp: ['flow'],
  batch: ['smtp'],
  // Beside the way: what is known about addresses before a packet comes.
  register: [],
  detect: ['batch', 'smtp', 'register'],
  decide: ['detect', 'register'],
  block: ['decide'],
  serve: ['block'],
  export: ['block'],
  // Rules of this box's kernel, and whether the wire shows that entries are enforced at all.
  enforce: ['block', 'batch'],
  // Whom it sends to, not what: events come as text.
  notify: [],
  // These stand behind the block list, and read rows as they leave the packet plane.
  record: ['block', 'batch'],
  metrics: ['block', 'batch', 'decide', 'register', 'smtp'],
  // A row carries labels and anomalies as numbers; their words are in smtp.
  output: ['block', 'decide', 'detect', 'batch', 'smtp'],
};
/**
 * The only places that connect stages; limits adds up what one slot of each stage costs, figures
 * what each one counts.
 */
const connectors = /^src\/(main|program|engine|worker|rehearsal|limits|figures)\.ts$|^src\/cli\//;
const packetPlane = /^src\/(decode|flow|smtp|batch)\//;
/** Functions of the packet plane that may allocate, beside constructors. */
const mayAllocate = /^#?(open|grow|flush|keep)/;
/** Callbacks that are as long as the list of cases inside. */
const testBlocks = new Set(['describe', 'it', 'test', 'suite']);

const numbers = { columns: 100, functionLines: 70, fileLines: 500, parameters: 5, nesting: 4 };

function stageOf(path: string): string {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? '';
}

/** Every finding of `look` over the files as "file:line what". */
function findings(
  among: readonly SourceFile[],
  look: (file: SourceFile, tell: (line: number, what: string) => void) => void,
): string[] {
  const found: string[] = [];
  for (const file of among) {
    look(file, (line, what) => found.push(`${file.path}:${line} ${what}`));
  }
  return found;
}

/** The same over the nodes of the syntax trees. */
function findingsIn(
  among: readonly SourceFile[],
  look: (node: Node, around: readonly Node[], file: SourceFile) => string | null,
): string[] {
  return findings(among, (file, tell) => {
    walk(file.tree, (node, around) => {
      const what = look(node, around, file);
      if (what !== null) tell(lineAt(file, node.start), what);
    });
  });
}

/** `a.b` of a member expression, `a` of an identifier, else "". */
function dotted(value: unknown): string {
  if (!isNode(value)) return '';
  if (value.type === 'Identifier') return String(value['name']);
  if (value.type !== 'MemberExpression' || !isNode(value['property'])) return '';
  return `${dotted(value['object'])}.${String(value['property']['name'])}`;
}

describe('laws', () => {
  it('law 1: arrows point upstream', () => {
    const wrong = findings(own, (file, tell) => {
      if (connectors.test(file.path)) return;
      const stage = stageOf(file.path);
      for (const { from, line } of importsOf(file)) {
        if (!from.startsWith('.')) continue;
        const target = posix.join(posix.dirname(file.path), from);
        const other = stageOf(target);
        const root = stage === '' && other === '' && /^src\/config/.test(target);
        const allowed = ['lib', stage, ...(upstream[stage] ?? [])];
        if (!root && (other === '' || !allowed.includes(other))) tell(line, `imports ${from}`);
      }
    });
    expect(wrong).toEqual([]);
  });

  it('law 1: every folder of src has its place in the order', () => {
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'cli')
      .map((entry) => entry.name);
    expect(folders.filter((name) => upstream[name] === undefined)).toEqual([]);
  });

  it('law 2: only main, engine, worker and cli connect', () => {
    const wrong = findings(own, (file, tell) => {
      if (connectors.test(file.path)) return;
      for (const { from, line } of importsOf(file)) {
        const target = posix.join(posix.dirname(file.path), from).replace(/\.js$/, '.ts');
        if (from.startsWith('.') && connectors.test(target)) tell(line, `imports ${from}`);
      }
    });
    expect(wrong).toEqual([]);
  });

  const plane = own.filter(({ path }) => packetPlane.test(path));

  it('law 3: the packet plane imports nothing of Node and waits for nothing', () => {
    const imports = findings(plane, (file, tell) => {
      for (const { from, line } of importsOf(file)) {
        if (from.startsWith('node:')) tell(line, `imports ${from}`);
      }
    });
    const globals = /^(Promise|console|process|queueMicrotask|set(Timeout|Interval|Immediate))$/;
    const waits = findingsIn(plane, (node) => {
      if (node['async'] === true) return 'async function';
      if (node.type === 'AwaitExpression' || node.type === 'ImportExpression') return node.type;
      if (node.type === 'Identifier' && globals.test(String(node['name']))) return dotted(node);
      return null;
    });
    expect([...imports, ...waits]).toEqual([]);
  });

  it('law 3: the packet plane allocates only where names say so', () => {
    const wrong = findingsIn(plane, (node, around, file) => {
      const what = allocation(node, around);
      if (what === null || mayAllocateHere(around)) return null;
      const reasons = [node, ...around.filter(isFunction).map((one) => whole(one, around))];
      return reasons.some((one) => excused(file, one, 'allocates')) ? null : what;
    });
    expect(wrong).toEqual([]);
  });

  it('law 5: time comes in with the packet', () => {
    const inner = own.filter(({ path }) =>
      /^src\/(decode|flow|smtp|batch|detect|decide)\//.test(path),
    );
    const clocks = /^(Date\.now|performance\.now|process\.hrtime)/;
    const wrong = findingsIn(inner, (node) => {
      if (node.type === 'NewExpression' && dotted(node['callee']) === 'Date') return 'new Date';
      const name = node.type === 'MemberExpression' ? dotted(node) : '';
      return clocks.test(name) ? name : null;
    });
    expect(wrong).toEqual([]);
  });
});

/** What a node allocates when it runs, or null. */
function allocation(node: Node, around: readonly Node[]): string | null {
  switch (node.type) {
    case 'NewExpression':
      return `new ${dotted(node['callee'])}`;
    case 'ObjectExpression':
    case 'ArrayExpression':
      return node.type;
    case 'ArrowFunctionExpression':
    case 'FunctionExpression':
      return around.at(-1)?.type === 'MethodDefinition' ? null : 'a closure';
    case 'CallExpression': {
      const method = dotted(node['callee']).split('.').at(-1) ?? '';
      return /^(subarray|slice|concat|map|filter)$/.test(method) ? `${method}()` : null;
    }
    default:
      return null;
  }
}

/** Outside functions, in constructors, and in functions whose name says that they allocate. */
function mayAllocateHere(around: readonly Node[]): boolean {
  const inside = around.filter(isFunction);
  if (inside.length === 0) return true;
  return inside.some((one) => {
    const name = functionName(one, around.slice(0, around.indexOf(one)));
    return name === 'constructor' || mayAllocate.test(name);
  });
}

/** A method with its name, where the node is only its parameters and body. */
function whole(node: Node, around: readonly Node[]): Node {
  const holder = around[around.indexOf(node) - 1] ?? around.at(-1);
  return holder?.type === 'MethodDefinition' && holder['value'] === node ? holder : node;
}

/** Whether the line above says why, as in `// long: a byte-level switch`. */
function excused(file: SourceFile, node: Node, word: string): boolean {
  const above = file.lines[lineAt(file, node.start) - 2] ?? '';
  return new RegExp(`^\\s*// ${word}: \\S`).test(above);
}

describe('numbers', () => {
  it('lines have at most 100 columns', () => {
    const wrong = findings(files, (file, tell) => {
      file.lines.forEach((line, at) => {
        if ([...line].length > numbers.columns) tell(at + 1, `${[...line].length} columns`);
      });
    });
    expect(wrong).toEqual([]);
  });

  it('files have at most 500 lines', () => {
    const long = files.filter(({ lines }) => lines.length > numbers.fileLines + 1);
    expect(long.map(({ path, lines }) => `${path} ${lines.length - 1} lines`)).toEqual([]);
  });

  it('functions have at most 70 lines, unless the line above says why', () => {
    const wrong = findingsIn(files, (node, around, file) => {
      if (!isFunction(node) || isTestBlock(around)) return null;
      const all = whole(node, [...around, node]);
      const lines = lineAt(file, all.end) - lineAt(file, all.start) + 1;
      if (lines <= numbers.functionLines || excused(file, all, 'long')) return null;
      return `a function of ${lines} lines`;
    });
    expect(wrong).toEqual([]);
  });

  it('functions have at most 5 parameters', () => {
    const wrong = findingsIn(files, (node) => {
      const parameters = isFunction(node) ? (node['params'] as unknown[]).length : 0;
      return parameters > numbers.parameters ? `${parameters} parameters` : null;
    });
    expect(wrong).toEqual([]);
  });

  it('blocks nest at most 4 deep', () => {
    const wrong = findingsIn(files, (node, around) => {
      const depth = opensBlock(node, around) ? nesting([...around, node]) : 0;
      return depth === numbers.nesting + 1 ? `nests ${depth} deep` : null;
    });
    expect(wrong).toEqual([]);
  });
});

function isTestBlock(around: readonly Node[]): boolean {
  const call = around.at(-1);
  if (call?.type !== 'CallExpression') return false;
  let callee: unknown = call['callee'];
  // describe.each(table)(name, callback)
  while (isNode(callee) && callee.type === 'CallExpression') callee = callee['callee'];
  return testBlocks.has(dotted(callee).split('.')[0] ?? '');
}

const blocks = new Set([
  'IfStatement',
  'ForStatement',
  'ForOfStatement',
  'ForInStatement',
  'WhileStatement',
  'DoWhileStatement',
  'SwitchStatement',
  'TryStatement',
]);

/** An `else if` stands beside its `if`, not in it. */
function opensBlock(node: Node, around: readonly Node[]): boolean {
  const holder = around.at(-1);
  const beside = holder?.type === 'IfStatement' && holder['alternate'] === node;
  return blocks.has(node.type) && !(beside && node.type === 'IfStatement');
}

function nesting(path: readonly Node[]): number {
  const start = path.findLastIndex(isFunction);
  return path.slice(start + 1).filter((node, at, inner) => opensBlock(node, inner.slice(0, at)))
    .length;
}

describe('habits', () => {
  it('no any, enum that is not const, default export or parameter property', () => {
    const refused: Readonly<Record<string, string>> = {
      TSAnyKeyword: 'any',
      TSEnumDeclaration: 'enum',
      ExportDefaultDeclaration: 'default export',
      TSParameterProperty: 'parameter property',
    };
    const wrong = findingsIn(files, (node) =>
      node.type === 'TSEnumDeclaration' && node['const'] === true
        ? null
        : (refused[node.type] ?? null),
    );
    expect(wrong).toEqual([]);
  });

  it('no leftover words, silenced checks, or focused and skipped tests', () => {
    // Written in pieces, because this file is scanned too.
    const words = ['TO|DO', 'FIX|ME', 'X|XX', 'not |implemented', '@ts-no|check', '@ts-ig|nore'];
    const left = new RegExp(`(${words.map((word) => word.replace('|', '')).join('|')})(?!\\w)`);
    const switched = /\b(describe|it|test|suite)\.(skip|todo|only)\(/;
    const wrong = findings(files, (file, tell) => {
      file.lines.forEach((line, at) => {
        const word = left.exec(line) ?? switched.exec(line);
        if (word !== null) tell(at + 1, word[0]);
      });
    });
    expect(wrong).toEqual([]);
  });

  it('no file only passes on what others export', () => {
    const barrels = files.filter(({ tree }) => {
      const body = tree['body'] as Node[];
      return (
        body.length > 0 && body.every((node) => isNode(node['source']) && /^Export/.test(node.type))
      );
    });
    expect(barrels.map(({ path }) => path)).toEqual([]);
  });

  it('every file opens with what it is', () => {
    const silent = files.filter(
      ({ lines }) => !/^(#!.*\n)?\/\/ \S/.test(lines.slice(0, 2).join('\n')),
    );
    expect(silent.map(({ path }) => path)).toEqual([]);
  });

  it('every top folder has a README', () => {
    const folders = ['src', 'bench', 'test', 'rules', 'dashboards', 'deploy'];
    const there = folders.filter((folder) => existsSync(join(root, folder)));
    const silent = there.filter((folder) => !existsSync(join(root, folder, 'README.md')));
    expect(silent).toEqual([]);
  });

  it('nothing names a path of one machine or a download address', () => {
    const texts = ['src', 'bench', 'test'].flatMap((folder) => [
      ...pathsUnder(folder, '.ts'),
      ...pathsUnder(folder, '.mjs'),
      ...pathsUnder(folder, '.md'),
    ]);
    const places = new RegExp('/(wo' + 'rk|fa' + 'rm|ro' + 'ot|ho' + 'me)/|/tm' + 'p/[a-z]');
    const rest = ['README.md', 'CHANGELOG.md', 'package.json', '.ci/run'];
    const wrong = [...texts, ...rest].filter((path) => places.test(textOf(path)));
    expect(wrong).toEqual([]);
    expect(textOf('package-lock.json')).not.toMatch(/"resolved": "http/);
  });
});

it('package-lock.json names the packages of every system', () => {
  const lock = JSON.parse(textOf('package-lock.json')) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  };
  const missing = Object.values(lock.packages)
    .flatMap(({ optionalDependencies }) => Object.keys(optionalDependencies ?? {}))
    .filter((name) => lock.packages[`node_modules/${name}`] === undefined);
  expect(missing, 'npm ci refuses such a lock; npm run lock completes it').toEqual([]);
});

describe('tools', () => {
  it.each([
    ['biome', ['check', '--error-on-warnings', '.']],
    ['knip', []],
  ])(
    '%s has nothing to say',
    (tool, words) => {
      const program = join(root, 'node_modules', '.bin', tool);
      const { status, stdout, stderr } = spawnSync(program, words, { cwd: root, encoding: 'utf8' });
      expect(status, stdout + stderr).toBe(0);
    },
    120_000,
  );
});
