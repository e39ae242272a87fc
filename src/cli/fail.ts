// How a command ends badly: one line on standard error that says what is wrong, where, and what to
// do. No stack trace unless somebody asked for it.

import { writeSync } from 'node:fs';

/** Exit status of the program (contracts section 1). */
export const Exit = { done: 0, failed: 1, usage: 2, found: 3 } as const;

/** An end that is explained in one line. `status` is the exit status. */
export class CommandError extends Error {
  override name = 'CommandError';
  readonly status: number;

  constructor(message: string, status: number = Exit.failed) {
    super(message);
    this.status = status;
  }
}

/** Writes one line for people to standard error. A standard error that is gone is no error. */
export function complain(message: string): void {
  try {
    writeSync(2, `mailweir: ${message.replaceAll('\n', '\nmailweir: ')}\n`);
  } catch {
    // Nobody is left to tell.
  }
}

/** Names of errors whose message is already the one line that people should see. */
const explained = new Set([
  'CommandError',
  'ConfigError',
  'OutError',
  'CaptureError',
  'RegisterError',
  'RuleError',
  'TokenError',
  'BlockError',
  'EnforceError',
]);

/** Tells what went wrong and gives the exit status. */
export function explain(error: unknown, debug: boolean): number {
  const known = error instanceof Error && explained.has(error.name);
  const message = error instanceof Error ? error.message : String(error);
  if (known) complain(message);
  else complain(`internal error: ${message}; please report it with the output of --debug`);
  if (debug && error instanceof Error && error.stack) complain(error.stack);
  return error instanceof CommandError ? error.status : Exit.failed;
}
