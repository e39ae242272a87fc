// Where bytes go: nothing is lost or doubled at the edges of the buffer, and a slow or vanished
// reader is handled. A FIFO of our own stands for the pipe.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Out, OutError } from '../../src/output/out.js';

const folder = mkdtempSync(join(tmpdir(), 'mailweir-out-'));
afterAll(() => rmSync(folder, { recursive: true }));
const place = (name: string): string => join(folder, name);

describe('a file', () => {
  it('holds all bytes in order, whatever the sizes', () => {
    const path = place('sizes');
    const out = new Out({ path, append: false });
    const parts: Buffer[] = [];
    for (const length of [1, 300_000, 0, 262_144, 262_143, 1_000_000, 7]) {
      const part = Buffer.alloc(length, parts.length + 65);
      parts.push(part);
      out.write(part, length);
    }
    out.close();
    expect(readFileSync(path).equals(Buffer.concat(parts))).toBe(true);
  });

  it('takes only the length it is given', () => {
    const path = place('length');
    const out = new Out({ path, append: false });
    out.write(Buffer.from('onetwo'), 3);
    out.close();
    expect(readFileSync(path, 'utf8')).toBe('one');
  });

  it('is replaced, or continued for a log', () => {
    const path = place('old');
    for (const [append, content] of [
      [true, 'oldnew'],
      [false, 'new'],
    ] as const) {
      writeFileSync(path, 'old');
      const out = new Out({ path, append });
      out.writeText('new');
      out.close();
      expect(readFileSync(path, 'utf8')).toBe(content);
    }
  });

  it('is opened again after it was renamed', () => {
    const path = place('log');
    const out = new Out({ path, append: true });
    out.writeText('one\n');
    renameSync(path, `${path}.1`);
    out.writeText('two\n');
    out.reopen();
    out.writeText('three\n');
    out.close();
    expect(readFileSync(`${path}.1`, 'utf8')).toBe('one\ntwo\n');
    expect(readFileSync(path, 'utf8')).toBe('three\n');
  });

  it('that cannot be opened is told in one line', () => {
    const open = () => new Out({ path: place('no/such/folder'), append: false });
    expect(open).toThrow(OutError);
    expect(open).toThrow(/^[^\n]*no\/such\/folder: cannot be opened for writing \(ENOENT\)[^\n]*$/);
  });

  it('on a full disk is told in one line', () => {
    const out = new Out({ path: '/dev/full', append: true });
    out.writeText('x');
    expect(() => out.flush()).toThrow(/^\/dev\/full: cannot be written \(ENOSPC\)[^\n]*$/);
    expect(out.lost).toBe(false);
    out.close();
  });
});

// What standard output does needs a process of its own.
const built = new URL('../../dist/src/output/out.js', import.meta.url).href;
const writer = `
  import { Out } from ${JSON.stringify(built)};
  const out = new Out({ path: '-', append: false });
  const line = Buffer.alloc(1000, 'x');
  line[999] = 10;
  let most = 0;
  for (let at = 0; at < 20_000 && !out.closed; at++) {
    out.write(line, 1000);
    await out.drain();
    most = Math.max(most, process.memoryUsage.rss());
  }
  out.close();
  process.stderr.write(JSON.stringify({ lost: out.lost, most }));
`;

function start() {
  return spawn(process.execPath, ['--input-type=module', '-e', writer]);
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

describe('a pipe', () => {
  it('with a slow reader holds the writer back', async () => {
    const child = start();
    const report = textOf(child.stderr);
    // Nothing is read for a while: the writer must wait with a small buffer, not collect.
    await new Promise((resume) => setTimeout(resume, 500));
    expect(child.exitCode).toBe(null);
    const text = await textOf(child.stdout);
    expect(text.length).toBe(20_000_000);
    const { lost, most } = JSON.parse(await report) as { lost: boolean; most: number };
    expect(lost).toBe(false);
    expect(most).toBeLessThan(150e6);
  });

  it('whose reader goes away ends quietly', async () => {
    const child = start();
    const report = textOf(child.stderr);
    child.stdout.once('data', () => child.stdout.destroy());
    await once(child, 'exit');
    expect(JSON.parse(await report)).toMatchObject({ lost: true });
    expect(child.exitCode).toBe(0);
  });
});
