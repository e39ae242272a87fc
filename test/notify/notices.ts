// Notices with a number each.

import type { Notice } from '../../src/notify/outbox.js';

export function notice(n: number): Notice {
  return {
    kind: n % 2 === 0 ? 'alert' : 'decision',
    severity: 1,
    time: 1_700_000_000_123_456,
    text: `{"n":${n},"samples":[1]}`,
    brief: `{"n":${n}}`,
  };
}
