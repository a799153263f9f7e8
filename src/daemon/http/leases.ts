/**
 * The lease store, as guards reach it (decision 0016). Every answer of the store is 200, a refusal by its rules too: it says what
 * stands. Anything else says nothing of whether the set was made, and a guard takes it for *not renewed*.
 */
import type { FastifyReply } from 'fastify';
import Type from 'typebox';
import { LeaseAnswer, LeaseRequest } from '../../model/lease.ts';
import type { Reply } from '../../model/loop.ts';
import { Name, type Role } from '../../model/primitives.ts';
import { type GuardName, guardText } from '../guards.ts';
import { LeaseStatus } from '../status-document.ts';
import { answers, asJson, BODY } from './answers.ts';
import { createGate, declaredBytes } from './backpressure.ts';
import type { App, HttpContext } from './context.ts';
import { failedCode } from './durable.ts';
import { clientOf, type Limits } from './limits.ts';
import { describeOrder, type OrderDesk } from './order-desk.ts';
import { type ProblemCode, refuse, refuseTooMany } from './problem.ts';
import type { StatusNow } from './status.ts';

export const LEASE_PATH = '/api/v1/lease';
/** A record with sixteen peers of the longest names has about 2 KiB. */
const LIMIT_BYTES = 16 * 1024;
/** Under way at once, apart from all other intake: an alert storm demotes no primary. */
const ROOM = { most: 512, mostBytes: 512 * LIMIT_BYTES };
/** Where no lease is configured the answer is that there is none. */
const NOBODY_WAITS_MS = 2_000;
/** Of the time that a guard waits (q): a set that is answered later renews nothing, and is better told so. */
const ANSWER_WITHIN = 0.75;

declare module 'fastify' {
  interface FastifyRequest {
    guard: GuardName | null;
  }
  interface FastifyReply {
    /** What the store answered, for the metric. */
    leaseAnswer: string | null;
  }
}

const ANSWERED = answers({ 200: asJson('What the store answers, refusals by its rules among it', LeaseAnswer) }, [
  ...BODY,
  'unauthenticated',
  'foreign-guard',
  'not-found',
  'busy',
  'journal-failed',
  'core-failed',
  'not-durable-in-time',
]);

const Leases = Type.Object({
  leases: Type.Array(Type.Object({ group: Name, ...LeaseStatus.properties })),
});

const MAY_CLEAR: readonly Role[] = ['sre', 'dba'];
const OfLease = Type.Object({ group: Name, component: Name });
const Clear = Type.Object(
  {
    reason: Type.String({
      minLength: 3,
      maxLength: 500,
      description: 'What you looked at, and why the store may go on',
    }),
  },
  { additionalProperties: false },
);
const Cleared = Type.Object({
  group: Name,
  component: Name,
  status: Type.Literal('cleared'),
  epoch: Type.Integer({ description: 'Acquisitions come above it' }),
  start: Type.Integer({ description: 'The store goes on as this life' }),
});

export function leaseRoutes(
  app: App,
  context: HttpContext,
  desk: OrderDesk,
  limits: Pick<Limits, 'guard' | 'guess'>,
  statusNow: StatusNow,
): void {
  const gate = createGate(ROOM);
  app.decorateRequest('guard', null);

  app.post(
    LEASE_PATH,
    {
      bodyLimit: LIMIT_BYTES,
      schema: {
        summary: 'A guard reads the lease of its PostgreSQL, or sets it',
        tags: ['lease'],
        operationId: 'lease',
        security: [{ guard: [] }],
        body: LeaseRequest,
        response: ANSWERED,
      },
      onRequest: async (request, reply) => {
        const guard = context.guards.identify(request.headers.authorization);
        if (guard === null) {
          const guessWaitMs = limits.guess.take(clientOf(request.ip));
          if (guessWaitMs > 0) return refuseTooMany(reply, guessWaitMs, { field: 'Authorization' });
          return refuse(reply, 'unauthenticated', {
            field: 'Authorization',
            remedy: 'send the token of this guard, as the config names it under guards',
          });
        }
        const waitMs = limits.guard.take(guardText(guard));
        if (waitMs > 0) return refuseTooMany(reply, waitMs, { detail: `${guardText(guard)} asked very often` });
        const leave = gate.enter(declaredBytes(request.headers['content-length'], LIMIT_BYTES));
        if (leave === null) return refuse(reply.header('retry-after', '1'), 'busy');
        reply.raw.once('close', leave);
        request.guard = guard;
        return undefined;
      },
      onResponse: async (_request, reply) => context.metrics.lease(reply.leaseAnswer ?? reply.problem ?? 'unanswered'),
    },
    async (request, reply) => {
      const { guard, body } = request;
      if (guard === null) return refuse(reply, 'unauthenticated');
      const foreign = foreignField(guard, body);
      if (foreign !== null)
        return refuse(reply, 'foreign-guard', {
          field: `/${foreign}`,
          value: body[foreign],
          detail: `the token is that of ${guardText(guard)}`,
        });
      const answer = await askCore(context, body);
      return typeof answer === 'string' ? refuse(reply, answer) : pass(reply, answer);
    },
  );
  app.get(
    '/api/v1/leases',
    {
      schema: {
        summary: 'Every lease, and how its guards were last heard',
        tags: ['lease'],
        operationId: 'leases',
        response: answers({ 200: asJson('As the store knows them', Leases) }, []),
      },
    },
    async (_request, reply) => {
      const leases = statusNow().groups.flatMap(({ group, leases }) => leases.map((lease) => ({ group, ...lease })));
      return reply.header('cache-control', 'no-store').send({ leases });
    },
  );
  app.post(
    '/api/v1/groups/:group/leases/:component/clear',
    {
      onRequest: desk.only(MAY_CLEAR),
      onResponse: desk.counted('clear-lease'),
      schema: {
        summary: 'Let a halted lease store go on',
        tags: ['lease'],
        ...describeOrder('clearLease', Cleared),
        params: OfLease,
        body: Clear,
      },
    },
    (request, reply) => {
      const { group, component } = request.params;
      const order = { kind: 'clear-lease', group, component, why: request.body.reason } as const;
      return desk.give(request, reply, `${group}/${component}`, order);
    },
  );
}

/** A guard speaks for itself alone. */
const foreignField = (guard: GuardName, ask: LeaseRequest): 'group' | 'component' | 'guard' | null =>
  ask.group !== guard.group
    ? 'group'
    : ask.component !== guard.component
      ? 'component'
      : ask.guard === guard.region
        ? null
        : 'guard';

let count = 0;

/** The core's answer, or why there is none. What was submitted may be done all the same. */
async function askCore(
  { engine, replies, log }: Pick<HttpContext, 'engine' | 'replies' | 'log'>,
  ask: LeaseRequest,
): Promise<Reply | ProblemCode> {
  if (engine.health() !== 'running') return failedCode(engine);
  count += 1;
  const request = `lease-${engine.state().incarnation}-${count}`;
  const { groups } = engine.state().settings;
  const lease = Object.hasOwn(groups, ask.group) ? groups[ask.group]?.lease : null;
  const waiting = replies.waitFor(request, ANSWER_WITHIN * (lease?.timings.attemptMs ?? NOBODY_WAITS_MS));
  const failed = Promise.withResolvers<ProblemCode>();
  engine.submit({ kind: 'lease', request, ask }).catch((error: unknown) => {
    log.error({ err: error }, 'a guard could not be answered');
    waiting.cancel();
    failed.resolve(failedCode(engine));
  });
  const answer = await waiting.reply;
  if (answer !== null) return answer;
  return engine.health() === 'running' ? 'not-durable-in-time' : await failed.promise;
}

function pass(reply: FastifyReply, { status, body }: Reply): FastifyReply {
  if (status !== 200) return refuse(reply, 'not-found', { field: 'body', detail: String(body['detail'] ?? '') });
  reply.leaseAnswer = body['kind'] === 'refused' ? String(body['code']) : String(body['kind']);
  return reply.header('cache-control', 'no-store').send(body);
}
