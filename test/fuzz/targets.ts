// All fuzzing targets. A new one: its file, and a line here.

import { captureTarget } from './capture-target.js';
import { decodeTarget } from './decode-target.js';
import { engineTarget } from './engine-target.js';
import { outputTarget } from './output-target.js';
import { smtpTarget } from './smtp-target.js';
import type { Target } from './target.js';

export const targets: readonly Target[] = [
  captureTarget,
  decodeTarget,
  engineTarget,
  smtpTarget,
  outputTarget,
];

export function targetOf(name: string): Target {
  const target = targets.find((each) => each.name === name);
  if (target !== undefined) return target;
  throw new Error(`${name}: no such target; there are ${targets.map((each) => each.name)}`);
}
