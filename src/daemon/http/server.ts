/**
 * The HTTP face (design §10). Routes hand evidence and orders to the engine and show what it knows; none of them decides
 * anything. Nothing in a request is coerced, defaulted or dropped.
 */
import type { Server as HttpsServer } from 'node:https';
import { type FastifyReply, fastify } from 'fastify';
import type { App, HttpContext } from './context.ts';
import { divergenceRoute } from './divergence.ts';
import { answerClientError, answerErrors, parseJsonGuarded } from './errors.ts';
import { explainRoutes } from './explain.ts';
import { healthRoutes } from './health.ts';
import { LEASE_PATH, leaseRoutes } from './leases.ts';
import { clientOf, createLimits, type Limits, RATES } from './limits.ts';
import { openApiRoute } from './openapi.ts';
import { orderDesk } from './order-desk.ts';
import { orderRoutes } from './orders.ts';
import { refuse, refuseTooMany } from './problem.ts';
import { reloadRoute } from './reload.ts';
import { reportRoutes } from './reports.ts';
import { reviewRoutes } from './review.ts';
import { followRenewals, type SecureListener, secureOptions } from './secure.ts';
import { statusNowOf, statusRoutes } from './status.ts';
import { validatorCompiler } from './validation.ts';
import { webhookRoutes } from './webhooks.ts';
import { witnessRoutes } from './witness.ts';
import { REPORT_PATH } from './witness-desk.ts';

/** Never told 429: who sends evidence is held back by 503 (`backpressure.ts`), and who watches us must see us. */
const UNLIMITED = new Set(['/webhooks/alertmanager', REPORT_PATH, LEASE_PATH, '/-/healthy', '/-/ready']);
const BODY_LIMIT_BYTES = 64 * 1024;
/** A sender that takes longer than this to say what it wants is hanging. */
const REQUEST_TIMEOUT_MS = 15_000;
/** How often connections are looked at for it. */
const LOOK_EVERY_MS = 1_000;

const noneOfIts = (): never => {
  throw new TypeError('the schemas of this server are compiled by its own compilers');
};

const optionsOf = (requestTimeoutMs: number, secure: SecureListener | undefined) => ({
  logger: false,
  // Ours are set below. Without a word here Fastify loads its own, ajv and all that belongs to it, for nothing.
  schemaController: { compilersFactory: { buildValidator: noneOfIts, buildSerializer: noneOfIts } },
  bodyLimit: BODY_LIMIT_BYTES,
  requestTimeout: requestTimeoutMs,
  [secure === undefined ? 'http' : 'https']: {
    // Node's own server needs all three, or a body that trickles in is not cut off in time.
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(LOOK_EVERY_MS, requestTimeoutMs),
    ...(secure === undefined ? {} : secureOptions(secure)),
  },
  // Open event streams and kept-alive connections must not hold up the end.
  forceCloseConnections: true,
  clientErrorHandler: answerClientError,
  /** An address that can't be decoded never reaches a route, nor its hooks. */
  frameworkErrors: (error: Error, _request: unknown, reply: FastifyReply): void => {
    void refuse(reply, 'malformed-request', { field: 'path', detail: error.message });
  },
});

/** The whole face, not yet listening. */
export function createHttp(context: HttpContext, requestTimeoutMs = REQUEST_TIMEOUT_MS): App {
  const { secure } = context;
  const app: App = fastify(optionsOf(requestTimeoutMs, secure));
  if (secure !== undefined) followRenewals(app.server as HttpsServer, secure);
  const limits = createLimits(context.rates ?? RATES, context.clock.mono);
  app.decorateReply('problem', null);
  app.decorateReply('witnessCode', null);
  app.decorateReply('leaseAnswer', null);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.addHook('onSend', async (_request, reply) => {
    reply.headers({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
  });
  app.addHook('onResponse', async ({ method, ip, routeOptions }, reply) => {
    if (reply.problem === null) return;
    const { problem: code, statusCode: status } = reply;
    context.log.warn({ method, route: routeOptions.url ?? null, from: ip, status, code }, 'refused');
  });
  app.addHook('onRequest', async (request, reply) => {
    if (UNLIMITED.has(request.routeOptions.url ?? '')) return;
    const waitMs = limits.client.take(clientOf(request.ip));
    if (waitMs > 0) return refuseTooMany(reply, waitMs);
  });
  parseJsonGuarded(app);
  answerErrors(app, context.log);
  routes(app, context, limits);
  // The twin is only described: what it counts is not to be told.
  const described = { ...context, metrics: { ...context.metrics, eventStreams: () => undefined } };
  openApiRoute(app, context.version, (twin) => routes(twin, described, limits));
  return app;
}

function routes(app: App, context: HttpContext, limits: Limits): void {
  const statusNow = statusNowOf(context);
  healthRoutes(app, context, statusNow);
  statusRoutes(app, context, statusNow);
  explainRoutes(app, context, limits);
  webhookRoutes(app, context);
  witnessRoutes(app, context);
  const desk = orderDesk(app, context, limits);
  orderRoutes(app, context, desk);
  reportRoutes(app, desk);
  leaseRoutes(app, context, desk, limits, statusNow);
  divergenceRoute(app, context, limits);
  reloadRoute(app, context, desk);
  reviewRoutes(app, context, desk, limits);
}
