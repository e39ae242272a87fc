// Starts the helper that may change the kernel's rules, before the daemon gives up its privileges,
// with that one privilege and no other; asks it, one line and one answer at a time.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Answer, Line } from './helper.js';
import type { Hand } from './nftables.js';

/** The enforcer cannot start. The message is one line. */
export class EnforceError extends Error {
  override name = 'EnforceError';
}

const helperFile = fileURLToPath(new URL('./helper.js', import.meta.url));
const path = '/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin';
/** Of CAP_NET_ADMIN alone (capabilities(7)); `setpriv` is in util-linux. */
const only = ['inh', 'ambient'].map((kind) => `--${kind}-caps=-all,+net_admin`);

export class HelperHand implements Hand {
  readonly #child: ChildProcess;
  readonly #waiting: ((answer: Answer) => void)[] = [];
  #over: string | null = null;

  /** Started as root, the helper becomes `user` where one is given. Throws an `EnforceError`. */
  constructor(user: string | undefined) {
    const isRoot = process.getuid?.() === 0;
    const bounding = isRoot ? ['--bounding-set=-all,+net_admin'] : [];
    const words = [...only, ...bounding, '--no-new-privs'];
    if (isRoot && user !== undefined) words.push(...identity(user));
    const command = ['--', process.execPath, helperFile];
    this.#child = spawn('setpriv', [...words, ...command], {
      stdio: ['pipe', 'pipe', 'inherit'],
      // Nothing of the daemon's environment is the helper's business.
      env: { PATH: path },
    });
    this.#child.once('error', ({ message }) => this.#end(message));
    this.#child.once('exit', (status) => this.#end(`the nftables helper ended with ${status}`));
    this.#child.stdin!.on('error', () => {});
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.#waiting.shift()?.(JSON.parse(line) as Answer);
    });
  }

  ask(line: Line): Promise<Answer> {
    if (this.#over !== null) return Promise.resolve({ error: this.#over });
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#child.stdin!.write(`${JSON.stringify(line)}\n`);
      if ('end' in line) this.#child.stdin!.end();
    });
  }

  #end(reason: string): void {
    this.#over ??= reason;
    for (const resolve of this.#waiting.splice(0)) resolve({ error: this.#over });
  }
}

/** The words of `setpriv` by which it becomes a user. */
function identity(user: string): string[] {
  const { status, stdout } = spawnSync('id', ['-g', user], { encoding: 'utf8' });
  if (status !== 0) throw new EnforceError(`capture.user: there is no user "${user}"`);
  return [`--reuid=${user}`, `--regid=${stdout.trim()}`, '--init-groups'];
}
