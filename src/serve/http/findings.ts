// What detectors said lately, also about sources that nothing is done to: the latest first, with
// the numbers that decided. Events and syslog have all of it; here is what a person looks at now.

import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { Served } from './server.js';

/** An alert as its event says it, with what one can ask for. */
export interface Finding {
  /** Microseconds since 1970. */
  readonly time: number;
  readonly rule: string;
  /** The address or prefix that it speaks of; empty: the network as a whole. */
  readonly cidr: string;
  readonly severity: string;
  readonly event: object;
}

const pageMax = 500;

const query = Type.Object({
  rule: Type.Optional(Type.String({ maxLength: 100 })),
  cidr: Type.Optional(Type.String({ maxLength: 50 })),
  severity: Type.Optional(Type.String({ maxLength: 10 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: pageMax })),
});

export function addFindings(app: FastifyInstance, served: Served): void {
  app.get<{ Querystring: Static<typeof query> }>(
    '/v1/findings',
    {
      schema: {
        tags: ['state'],
        operationId: 'findings',
        summary: 'The latest alerts, the newest first',
        querystring: query,
      },
    },
    (request) => {
      const { rule, cidr, severity, limit = 100 } = request.query;
      const found: object[] = [];
      const all = served.findings?.() ?? [];
      for (let at = all.length - 1; at >= 0 && found.length < limit; at--) {
        const one = all[at]!;
        const fits =
          (rule === undefined || one.rule === rule) &&
          (severity === undefined || one.severity === severity) &&
          (cidr === undefined || isAbout(one, cidr));
        if (fits) found.push(one.event);
      }
      return { findings: found };
    },
  );
}

/** Whether it is about a prefix, or an address written without its length. */
function isAbout(one: Finding, cidr: string): boolean {
  return one.cidr === cidr || one.cidr.replace(/\/(32|128)$/, '') === cidr;
}
