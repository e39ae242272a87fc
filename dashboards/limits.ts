// Numbers from which on something is wrong, once for the alerts and for the colours of the boards.

export const limits = {
  /** Share of packets that the kernel drops, and of payload that never reached the sensor. */
  kernelLoss: 0.001,
  streamLoss: 0.01,
  /** Share of connections of which one direction is seen: replies are evidence for many rules. */
  oneSided: 0.5,
  /** Share of connections with both directions under which nobody is blocked (decide/policy.ts). */
  symmetry: 0.8,
  /** Share of entries that may have been wrong, of those of 30 days (detection.md, the budget). */
  wrong: 0.001,
  /** Seconds after which a consumer that has not fetched is stale. */
  fetchAge: 3600,
  /** Share of the fullest ring that waits: above, the next burst is lost. */
  ringFill: 0.8,
} as const;
