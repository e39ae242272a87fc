// Versions of a register file: every one that was ever imported, numbered, beside the file in
// FILE.versions/, with a small file about each. The register itself is replaced whole: written
// aside, brought to the disk, renamed. A daemon that reads at that moment sees the old one or the
// new one.
//
//   servers.csv                          what is in force: the version with the same SHA-256
//   servers.csv.versions/000012.csv      the bytes of version 12
//   servers.csv.versions/000012.about.json

import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { z } from 'zod';
import { RegisterError } from './mistakes.js';

/** What is known about a version. */
export interface Version {
  readonly version: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly sha256: string;
  readonly entries: number;
  /** Name of the file that was imported, without its folder. */
  readonly from: string;
  /** Why a version was let in that drops many entries, or another remark. */
  readonly reason: string;
}

const aboutShape = z.object({
  version: z.int().positive(),
  time: z.string(),
  sha256: z.string(),
  entries: z.int(),
  from: z.string(),
  reason: z.string(),
});

export function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export class History {
  readonly file: string;
  readonly folder: string;

  constructor(file: string) {
    this.file = file;
    this.folder = `${file}.versions`;
  }

  /** The register's bytes, or null where there is none yet. */
  current(): Buffer | null {
    return existsSync(this.file) ? readFileSync(this.file) : null;
  }

  /** All versions, the first one first. Throws a `RegisterError` when one cannot be read. */
  versions(): Version[] {
    if (!existsSync(this.folder)) return [];
    const names = readdirSync(this.folder).filter((name) => /^\d{6,}\.about\.json$/.test(name));
    const versions = names.map((name) => this.#about(join(this.folder, name)));
    return versions.sort((a, b) => a.version - b.version);
  }

  /** The version in force; undefined where the register was changed by hand, or never imported. */
  inForce(versions = this.versions()): Version | undefined {
    const bytes = this.current();
    if (bytes === null) return undefined;
    const digest = sha256(bytes);
    return versions.findLast((version) => version.sha256 === digest);
  }

  /** The file with the bytes of a version. */
  pathOf(version: number): string {
    return join(this.folder, `${number(version)}${extname(this.file)}`);
  }

  /** Keeps `bytes` as the next version, and leaves the register as it is. */
  keep(bytes: Buffer, about: Omit<Version, 'version' | 'sha256'>): Version {
    mkdirSync(this.folder, { recursive: true });
    for (let version = this.#next(); ; version++) {
      if (!this.#place(this.pathOf(version), bytes)) continue;
      const all = { version, sha256: sha256(bytes), ...about };
      const path = join(this.folder, `${number(version)}.about.json`);
      this.#place(path, Buffer.from(`${JSON.stringify(all)}\n`));
      return all;
    }
  }

  /** Makes `bytes` the register. */
  replace(bytes: Buffer): void {
    const aside = `${this.file}.${process.pid}.new`;
    const mode = existsSync(this.file) ? statSync(this.file).mode & 0o777 : 0o644;
    write(aside, bytes, mode);
    renameSync(aside, this.file);
    toDisk(dirname(this.file));
  }

  /** One more than the highest number that any file has, so that none is ever used again. */
  #next(): number {
    const numbers = readdirSync(this.folder).map((name) => Number(/^(\d+)\./.exec(name)?.[1] ?? 0));
    return numbers.reduce((a, b) => Math.max(a, b), 0) + 1;
  }

  /** Puts a whole file at `path`; false if there is one: another import was faster. */
  #place(path: string, bytes: Buffer): boolean {
    const aside = join(this.folder, `.${basename(path)}.${process.pid}.new`);
    write(aside, bytes, 0o644);
    try {
      linkSync(aside, path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    } finally {
      rmSync(aside);
      toDisk(this.folder);
    }
  }

  #about(path: string): Version {
    try {
      return aboutShape.parse(JSON.parse(readFileSync(path, 'utf8')));
    } catch {
      throw new RegisterError(`${path}: not what an import wrote; move it away, or restore it`);
    }
  }
}

function number(version: number): string {
  return String(version).padStart(6, '0');
}

function write(path: string, bytes: Buffer, mode: number): void {
  const file = openSync(path, 'w', mode);
  try {
    writeFileSync(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Brings a folder's names to the disk. */
function toDisk(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
