// Errors as strangers and programs see them: RFC 9457 problem documents, all from one table. No
// text of ours tells more than the one who asked may know.

import type { FastifyReply } from 'fastify';

/** Kinds of problems: the status, and what is wrong in general. */
const problems = {
  'bad-request': [400, 'The request cannot be understood'],
  unauthorized: [401, 'A token is needed'],
  forbidden: [403, 'The token does not reach this far'],
  'not-found': [404, 'There is nothing here'],
  conflict: [409, 'The list does not allow it'],
  gone: [410, 'What changed since then is not kept any more'],
  'too-large': [413, 'The body is too large'],
  'wrong-host': [421, 'This name is not served here'],
  'too-many': [429, 'Too many requests'],
  internal: [500, 'Something went wrong here'],
  unavailable: [503, 'Not available now'],
} as const;

export type ProblemKind = keyof typeof problems;

/** Thrown by handlers; `detail` is for whoever asked. */
export class Problem extends Error {
  override name = 'Problem';
  readonly kind: ProblemKind;

  constructor(kind: ProblemKind, detail: string) {
    super(detail);
    this.kind = kind;
  }
}

/** Sends a problem document. */
export function sendProblem(reply: FastifyReply, kind: ProblemKind, detail: string): FastifyReply {
  const [status, title] = problems[kind];
  return reply
    .code(status)
    .type('application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', title, status, detail }));
}

/** The kind of problem that a status of Fastify's own errors means. */
export function kindOf(status: number): ProblemKind {
  const found = Object.entries(problems).find(([, [code]]) => code === status);
  if (found !== undefined) return found[0] as ProblemKind;
  return status >= 500 ? 'internal' : 'bad-request';
}
