// How the sensor and the list do, in one answer: what somebody who was woken up looks at first, and
// what the console asks for again and again.

import type { FastifyInstance } from 'fastify';
import { countsOf } from '../../block/order.js';
import { moment } from './entry-view.js';
import type { Served } from './server.js';

/** What the daemon says of itself; plain data. */
export interface DaemonState {
  readonly sensor: string;
  /** observe, limit or enforce. */
  readonly mode: string;
  /** On which side of the mail routers the tap sits. */
  readonly tapSide: string;
  /** What a `stats` event would say now. */
  readonly figures: object;
  /** The last half hour of some of them. */
  readonly history: object;
  /** What everybody together did in the last two hours, by the clock of the packets. */
  readonly activity: object;
}

export function addState(app: FastifyInstance, served: Served): void {
  const { list, visitors } = served;
  const counts = countsByRevision(served);
  app.get(
    '/v1/state',
    {
      schema: {
        tags: ['state'],
        operationId: 'state',
        summary: 'Sensor, list and consumers at this moment, with the last half hour of rates',
      },
    },
    (request) => {
      const { name, scopes } = visitors.of(request);
      const { actions, rules } = counts();
      return {
        version: served.version,
        wall: new Date().toISOString(),
        // The clock of the packets: in a replay it is not the one on the wall.
        time: moment(list.now),
        me: { name, scopes: [...scopes] },
        ...served.state?.(),
        list: {
          revision: list.revision,
          count: list.count,
          actions,
          rules,
          sound: list.isSound,
          held_from: list.heldFrom,
          appeals: list.openAppeals.length,
        },
        consumers: visitors.all.map((one) => ({
          name: one.name,
          fetched_at: moment(one.fetched),
          behind: one.revision === null ? null : Math.max(0, list.revision - one.revision),
          what: one.what,
        })),
        rules: [...list.quality].map(([id, { wrong, demoted }]) => ({
          id,
          wrong,
          observes_since: moment(demoted),
        })),
        problems: served.unready(),
      };
    },
  );
}

/** Counts are taken once for each revision of the list. */
function countsByRevision({ list }: Served): () => ReturnType<typeof countsOf> {
  let revision = -1;
  let counts = countsOf(list.snapshot());
  return () => {
    if (revision === list.revision) return counts;
    counts = countsOf(list.snapshot());
    revision = list.revision;
    return counts;
  };
}
