// What the API is: its OpenAPI 3.1 document, the pages that show it, and headers that keep browsers
// careful. Routes describe themselves; here is what all of them have in common.

import helmet from '@fastify/helmet';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import type { Served } from './server.js';

/** A problem document (RFC 9457): how every operation says no. */
const problem = {
  description: 'Why not, as a problem document (RFC 9457)',
  content: {
    'application/problem+json': {
      schema: {
        type: 'object' as const,
        required: ['type', 'title', 'status', 'detail'] as string[],
        properties: {
          type: { type: 'string' as const },
          title: { type: 'string' as const },
          status: { type: 'integer' as const },
          detail: { type: 'string' as const },
        },
      },
    },
  },
};

interface Operation {
  readonly operationId?: string;
  readonly responses?: object;
}

/** A HEAD beside a GET has a name of its own; every operation can say no. */
function complete(path: Record<string, Operation>): void {
  for (const [method, operation] of Object.entries(path)) {
    const { operationId, responses } = operation;
    // The two are one object until here.
    path[method] = {
      ...operation,
      ...(method === 'head' && { operationId: `${operationId}Head` }),
      responses: { ...responses, '4XX': { $ref: '#/components/responses/Problem' } },
    };
  }
}

/** What the API is, as a document and as pages; and headers that keep browsers careful. */
export async function addDescription(app: FastifyInstance, served: Served): Promise<void> {
  await app.register(swagger, {
    transformObject: (whole) => {
      const document = 'openapiObject' in whole ? whole.openapiObject : whole.swaggerObject;
      for (const path of Object.values(document.paths ?? {})) {
        complete(path as Record<string, Operation>);
      }
      return document;
    },
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Mailweir',
        version: served.version,
        description: 'The block list: documents, entries, appeals, and what consumers fetched.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer' },
          key: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
        },
        responses: { Problem: problem },
      },
      security: [{ token: [] }, { key: [] }],
    },
  });
  await app.register(swaggerUi, { routePrefix: '/docs' });
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        frameAncestors: ["'none'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        objectSrc: ["'none'"],
      },
    },
    // Behind a plain listener it would lock people out of the host's other ports.
    strictTransportSecurity: served.tls !== undefined,
  });
}
