/**
 * What groups went through over a time, from the journal. Whoever has a role may read it; where the config names nobody,
 * as in a first week of observing, it is open like the status.
 */
import type { FastifyReply } from 'fastify';
import Type from 'typebox';
import Value from 'typebox/value';
import { Duration, durationMs, Name, type Role } from '../../model/primitives.ts';
import { type Review, Reviews } from '../../model/review.ts';
import { reviewOf } from '../../policies/review.ts';
import { answers, asJson } from './answers.ts';
import type { App, HttpContext } from './context.ts';
import { clientOf, type Limits } from './limits.ts';
import type { OrderDesk } from './order-desk.ts';
import { refuse, refuseTooMany } from './problem.ts';

const READERS: readonly Role[] = ['viewer', 'auditor', 'sre', 'dba', 'vp', 'executive'];
const DEFAULT_SINCE = '7d';
const MOST_SINCE_MS = 400 * 86_400_000;
/** Each is a read of the whole journal. */
const MOST_GROUPS = 50;

const Query = Type.Object(
  {
    group: Type.Optional(Type.Unsafe<string>({ ...Name, description: 'Only this group' })),
    since: Type.Optional(Type.String({ maxLength: 40, description: 'How far to look back, such as 7d; default 7d' })),
  },
  { additionalProperties: false },
);

type Context = Pick<HttpContext, 'engine' | 'clock' | 'past' | 'log' | 'people'>;

/** As text: what is sent has this shape already, and copying it once more would take its time. */
const sendJson = (reply: FastifyReply, reviews: Reviews): FastifyReply =>
  reply.header('cache-control', 'no-store').type('application/json; charset=utf-8').send(JSON.stringify(reviews));

export function reviewRoutes(app: App, context: Context, desk: OrderDesk, limits: Pick<Limits, 'past'>): void {
  const { engine, clock, past, log, people } = context;
  const known = desk.only(READERS);
  app.get(
    '/api/v1/report',
    {
      onRequest: async (request, reply) => {
        if (people.count > 0) return await known(request, reply);
        const waitMs = limits.past.take(clientOf(request.ip));
        return waitMs > 0 ? refuseTooMany(reply, waitMs) : undefined;
      },
      schema: {
        summary: 'What was held, decided, proposed and run over a time, and what stood in the way',
        tags: ['status'],
        operationId: 'review',
        querystring: Query,
        // Open where the config names nobody.
        security: [{ person: [] }, {}],
        response: answers({ 200: asJson('Each group over that time', Reviews) }, [
          'invalid',
          'not-found',
          'unauthenticated',
          'role',
        ]),
      },
    },
    async (request, reply) => {
      const { group, since = DEFAULT_SINCE } = request.query;
      const to = clock.wall();
      const spanMs = Value.Check(Duration, since) ? durationMs(since) : 0;
      if (spanMs <= 0 || spanMs > MOST_SINCE_MS)
        return refuse(reply, 'invalid', {
          field: 'since',
          value: since,
          remedy: 'write a span from 1ms to 400d, such as 7d or 12h',
        });
      const all = Object.keys(engine.state().settings.groups);
      if (group !== undefined && !all.includes(group))
        return refuse(reply, 'not-found', { field: 'group', value: group, remedy: `groups are ${all.join(', ')}` });
      if (group === undefined && all.length > MOST_GROUPS)
        return refuse(reply, 'invalid', { field: 'group', remedy: `name one: there are ${all.length} groups` });
      const from = to - spanMs;
      const groups: Review[] = [];
      try {
        for (const one of group === undefined ? all : [group])
          groups.push(reviewOf({ group: one, from, to, kept: await past(one, to) }));
      } catch (error) {
        log.error({ err: error }, 'the journal could not be read for a report');
        return refuse(reply, 'internal', {
          detail: 'the journal could not be read',
          remedy: 'see the log of the daemon',
        });
      }
      return sendJson(reply, { from, to, groups });
    },
  );
}
