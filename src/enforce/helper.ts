// The process that may change the kernel's rules, and can do nothing else: it takes orders as
// lines of JSON, makes the script of each itself (`script.ts`), and has `nft` run it. So the
// daemon, which reads what strangers send, holds no privilege, and whoever took it over could
// change no table but ours. When its input ends without a farewell, the daemon died: what is in
// the kernel expires.

import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Order, Scripts, table } from './script.js';

/** The answer to each line, in order. `counters` are packets, where they were asked for. */
export interface Answer {
  readonly error: string | null;
  readonly counters?: Readonly<Record<string, number>> | undefined;
}

/** A line: an order; a question for the counters; a farewell, upon which the table goes. */
export type Line = Order | { readonly count: true } | { readonly end: true };

const path = '/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin';
/** 100,000 members take a second; whoever takes longer hangs. */
const patience_ms = 60_000;
/** Of what nft says, which repeats the script. */
const errorMax = 300;

async function main(): Promise<void> {
  // A signal to the whole group is for the daemon, which says farewell.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  const scripts = new Scripts();
  for await (const text of createInterface({ input: process.stdin })) {
    const line = JSON.parse(text) as Line;
    answer(await obey(scripts, line));
    if ('end' in line) return;
  }
}

async function obey(scripts: Scripts, line: Line): Promise<Answer> {
  if ('end' in line) return { error: await nft(`add table ${table}\ndelete table ${table}\n`) };
  if ('count' in line) return count();
  try {
    const error = await nft(scripts.of(line));
    if (error !== null) scripts.undo();
    return { error };
  } catch (error) {
    scripts.undo();
    return { error: (error as Error).message };
  }
}

/** Runs a script as one transaction; what is wrong with it, or null. */
async function nft(script: string): Promise<string | null> {
  const { status, said } = await run(['-f', '-'], script);
  if (status === 0) return null;
  return said.trim().split('\n', 1)[0]!.slice(0, errorMax) || 'nft did not end in time';
}

async function count(): Promise<Answer> {
  const { status, said } = await run(['-j', 'list', 'counters', 'table', ...table.split(' ')], '');
  if (status !== 0) return { error: said.trim().slice(0, errorMax) };
  const { nftables } = JSON.parse(said) as { nftables: { counter?: Counter }[] };
  const counters = nftables.flatMap(({ counter }) =>
    counter === undefined ? [] : [[counter.name, counter.packets] as const],
  );
  return { error: null, counters: Object.fromEntries(counters) };
}

interface Counter {
  readonly name: string;
  readonly packets: number;
}

function run(words: string[], input: string): Promise<{ status: number | null; said: string }> {
  const env = { PATH: path, LC_ALL: 'C' };
  const child = spawn('nft', words, { stdio: 'pipe', env, timeout: patience_ms });
  let said = '';
  const take = (text: string): void => {
    if (said.length < 1 << 20) said += text;
  };
  child.stdout.setEncoding('utf8').on('data', take);
  child.stderr.setEncoding('utf8').on('data', take);
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve) => {
    child.once('error', ({ message }) => resolve({ status: null, said: message }));
    child.once('close', (status) => resolve({ status, said }));
  });
}

function answer(what: Answer): void {
  try {
    writeSync(1, `${JSON.stringify(what)}\n`);
  } catch {
    // The daemon is gone; the end of the input follows.
  }
}

await main();
