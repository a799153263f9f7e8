/**
 * The API's own description. It is made from the same routes when somebody first asks for it, so that a start doesn't
 * pay for it and it can't drift.
 */
import { fastify } from 'fastify';
import Type from 'typebox';
import { answers, asJson } from './answers.ts';
import type { App } from './context.ts';

const DESCRIPTION = {
  summary: 'This description',
  tags: ['status'],
  operationId: 'describe',
  response: answers({ 200: asJson('OpenAPI 3.1', Type.Object({ openapi: Type.String() })) }, []),
};

export function openApiRoute(app: App, version: string, routes: (twin: App) => void): void {
  let document: Promise<string> | null = null;
  app.get('/api/v1/openapi.json', { schema: DESCRIPTION }, async (_request, reply) => {
    document ??= describe(version, routes);
    return reply.type('application/json; charset=utf-8').send(await document);
  });
}

/** New in OpenAPI 3.1; the types of the library know the kinds of 3.0. */
const CERTIFICATE = {
  type: 'mutualTLS',
  description: 'A certificate as alertmanager.clientCertificate says, where that is set',
} as never;

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
      tags: [
        { name: 'status', description: 'How things stand; open to whoever reaches the listener' },
        { name: 'orders', description: 'What people order of proposals and runs' },
        { name: 'reports', description: 'What people report of the data' },
        { name: 'lease', description: 'Who may write: the lease store, for guards' },
        { name: 'evidence', description: 'Alerts and observations' },
        { name: 'health', description: 'Of this process' },
      ],
      components: {
        securitySchemes: {
          person: { type: 'http', scheme: 'bearer', description: 'Token of a person in people' },
          guard: { type: 'http', scheme: 'bearer', description: 'Token of a guard, as the config names it' },
          alertmanagerBearer: { type: 'http', scheme: 'bearer', description: 'alertmanager.bearer, where that is set' },
          alertmanagerBasic: { type: 'http', scheme: 'basic', description: 'alertmanager.basic, where that is set' },
          alertmanagerCertificate: CERTIFICATE,
          witness: {
            type: 'apiKey',
            in: 'header',
            name: 'failoverd-signature',
            description: '`ed25519=BASE64`, over the bytes of the body',
          },
        },
      },
    },
  });
  await twin.register(async (inner) => {
    routes(inner);
    openApiRoute(inner, version, () => undefined);
  });
  await twin.ready();
  try {
    return JSON.stringify(twin.swagger());
  } finally {
    await twin.close();
  }
}
