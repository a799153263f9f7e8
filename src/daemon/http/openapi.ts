/**
 * The API's own description. It is made from the same routes when somebody first asks for it, so that a start doesn't
 * pay for it and it can't drift.
 */
import { fastify } from 'fastify';
import type { App } from './context.ts';

export function openApiRoute(app: App, version: string, routes: (twin: App) => void): void {
  let document: Promise<string> | null = null;
  app.get(
    '/api/v1/openapi.json',
    { schema: { summary: 'This description', tags: ['status'] } },
    async (_request, reply) => {
      document ??= describe(version, routes);
      return reply.type('application/json; charset=utf-8').send(await document);
    },
  );
}

async function describe(version: string, routes: (twin: App) => void): Promise<string> {
  const { fastifySwagger } = await import('@fastify/swagger');
  const twin: App = fastify();
  // It answers no requests: schemas are only described.
  twin.setValidatorCompiler(() => () => true);
  twin.setSerializerCompiler(() => JSON.stringify);
  await twin.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'failoverd',
        version,
        description: 'Every refusal is a problem document (RFC 9457). Unknown keys are errors, except in webhooks.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    },
  });
  await twin.register(async (inner) => routes(inner));
  await twin.ready();
  try {
    return JSON.stringify(twin.swagger());
  } finally {
    await twin.close();
  }
}
