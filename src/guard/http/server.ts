/**
 * The guard's API. Reading is open to whoever reaches the listener; orders, and what peers ask, need the guard's token.
 * Nothing in a request is coerced, defaulted or dropped.
 */
import { constants } from 'node:crypto';
import type { Server as HttpsServer } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { GuardOrder, type GuardStatus, PromiseRequest } from '../../model/guard.ts';
import { bearerOf, sameToken, tokenHash } from '../../runtime/bearer.ts';
import type { Log } from '../../runtime/log.ts';
import type { Timers } from '../../runtime/timers.ts';
import type { Loop } from '../loop.ts';
import type { GuardMetrics } from './metrics.ts';
import { statusPage } from './page.ts';
import { refuse } from './problem.ts';

/** What doctor shows beside the status. */
export type GuardDoctor = {
  readonly driver: { readonly kind: string; readonly proven: boolean };
  readonly deadMan: { readonly expired: boolean; readonly why: string; readonly deeds: readonly string[] };
  readonly timingsHash: string;
};

export type GuardHttpOptions = {
  readonly loop: Pick<Loop, 'order' | 'promise' | 'isAlive'>;
  readonly status: () => GuardStatus;
  readonly doctor: () => GuardDoctor;
  readonly metrics: GuardMetrics;
  /** As it is now: it may be renewed. */
  readonly token: () => string;
  readonly secure: {
    readonly context: () => SecureContextOptions;
    readonly clients: 'none' | 'may' | 'must';
    readonly onRenewed: (call: () => void) => void;
  } | null;
  readonly log: Log;
  readonly timers: Timers;
};

const BODY_LIMIT_BYTES = 16 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
/** An order is answered once it is durable; a disk that stalls is told as such. */
const ANSWER_WITHIN_MS = 10_000;

const withoutTickets = (context: () => SecureContextOptions): SecureContextOptions => ({
  ...context(),
  secureOptions: constants.SSL_OP_NO_TICKET,
});

type App = FastifyInstance;

export function createGuardHttp(options: GuardHttpOptions): App {
  const { secure, log } = options;
  const limits = {
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: 1_000,
  };
  const tls =
    secure === null
      ? {}
      : {
          ...withoutTickets(secure.context),
          requestCert: secure.clients !== 'none',
          rejectUnauthorized: secure.clients === 'must',
        };
  const app = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    [secure === null ? 'http' : 'https']: { ...limits, ...tls },
  }) as unknown as App;
  if (secure !== null)
    secure.onRenewed(() => (app.server as unknown as HttpsServer).setSecureContext(withoutTickets(secure.context)));
  app.addHook('onSend', async (_request, reply) => {
    reply.headers({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
  });
  answerErrors(app, log);
  readRoutes(app, options);
  orderRoutes(app, options);
  return app;
}

function answerErrors(app: App, log: FastifyBaseLogger | Log): void {
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('application/json', { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));
  app.setNotFoundHandler((_request, reply) => refuse(reply, 'not-found'));
  app.setErrorHandler<Error & { readonly code?: string; readonly statusCode?: number }>((error, _request, reply) => {
    if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return refuse(reply, 'too-large');
    if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
      return refuse(reply, 'unsupported-media-type', { field: 'Content-Type' });
    if (error instanceof SyntaxError || /JSON_BODY$/.test(error.code ?? ''))
      return refuse(reply, 'malformed-json', { detail: error.message });
    if ((error.statusCode ?? 500) < 500) return refuse(reply, 'malformed-request', { detail: error.message });
    log.error({ err: error }, 'a request failed');
    return refuse(reply, 'internal');
  });
}

function readRoutes(app: App, { loop, status, doctor, metrics }: GuardHttpOptions): void {
  app.get('/-/healthy', async (_request, reply) => {
    const alive = loop.isAlive();
    return reply
      .status(alive ? 200 : 503)
      .type('text/plain; charset=utf-8')
      .send(alive ? 'the guard is alive\n' : 'the guard stands still\n');
  });
  app.get('/status', async (request, reply) => {
    if (!/\btext\/html\b/.test(request.headers.accept ?? '')) return reply.send(status());
    return reply.type('text/html; charset=utf-8').send(statusPage(status(), doctor()));
  });
  app.get('/v1/doctor', async (_request, reply) => reply.send(doctor()));
  app.get('/metrics', async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.exposition(status(), doctor().deadMan.expired)),
  );
}

function orderRoutes(app: App, options: GuardHttpOptions): void {
  const { loop, timers } = options;
  const authenticate = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const shown = bearerOf(request.headers.authorization);
    if (shown === null || !sameToken(tokenHash(shown), tokenHash(options.token())))
      return refuse(reply, 'unauthenticated', { field: 'Authorization' });
    return undefined;
  };
  const checked = bodiesOf(PromiseRequest);
  app.post('/v1/promise', { onRequest: authenticate }, async (request, reply) => {
    const ask = checked(request.body, reply);
    if (ask === null) return reply;
    const answer = await inTime(loop.promise(ask), timers);
    return answer === null ? refuse(reply, 'late') : reply.send(answer);
  });
  const ordered = bodiesOf(GuardOrder);
  app.post('/v1/orders', { onRequest: authenticate }, async (request, reply) => {
    const order = ordered(request.body, reply);
    if (order === null) return reply;
    const answer = await inTime(loop.order(order), timers);
    if (answer === null) return refuse(reply, 'late');
    return answer.taken ? reply.send(answer) : refuse(reply, 'not-taken', { detail: answer.message }, { ...answer });
  });
}

/** The body where it fits; else the refusal is sent, and it is null. */
function bodiesOf<T>(
  schema: TSchema & { static?: T },
): (body: unknown, reply: FastifyReply) => ReturnType<typeof JSON.parse> | null {
  const validator = Compile(schema);
  return (body, reply) => {
    if (validator.Check(body)) return body;
    const [fault] = validator.Errors(body);
    const field = fault?.instancePath || '/';
    void refuse(reply, 'invalid', { field, detail: `${field} ${fault?.message ?? 'does not fit'}` });
    return null;
  };
}

async function inTime<T>(answer: Promise<T>, timers: Timers): Promise<T | null> {
  let cancel = (): void => undefined;
  const late = new Promise<null>((resolve) => {
    cancel = timers.after(ANSWER_WITHIN_MS, () => resolve(null));
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    cancel();
  }
}
