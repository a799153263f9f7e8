/**
 * How a person's order reaches the core and its answer comes back: who is asking, whether the order can be durable, and
 * the core's own answer, passed on only once it is (design §6). An order with a key may be sent again and again.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type, { type TSchema } from 'typebox';
import type { Submission } from '../../engine/engine.ts';
import type { Person, Reply } from '../../model/loop.ts';
import type { Idempotency } from '../../model/orders.ts';
import type { Role } from '../../model/primitives.ts';
import { hasAnyRole } from '../people.ts';
import { answers, asJson, BODY } from './answers.ts';
import type { App, HttpContext } from './context.ts';
import { failedCode, makeDurable, RETRY_AFTER_SECONDS } from './durable.ts';
import { createIdempotencyDesk, fingerprintOf, IDEMPOTENCY_HEADER, keyOf } from './idempotency.ts';
import { clientOf, type Limits } from './limits.ts';
import { PROBLEMS, type ProblemCode, refuse, refuseTooMany } from './problem.ts';

export const REPLY_WITHIN_MS = 10_000;
/** While the first of two orders with one key is under way. */
const UNDER_WAY_RETRY_SECONDS = 1;

declare module 'fastify' {
  interface FastifyRequest {
    person: Person | null;
  }
}

type Ordered = Extract<Submission, { kind: 'approve' | 'abort' | 'report' | 'clear-report' | 'clear-lease' }>;
type WithoutSender<I> = I extends Ordered ? Omit<I, 'request' | 'person' | 'idempotency'> : never;
/** An order before it is known who gives it. */
export type Order = WithoutSender<Ordered>;

/** Headers of an order; others may be there too. What the key looks like is judged when the order is given. */
export const OrderHeaders = Type.Object({
  [IDEMPOTENCY_HEADER]: Type.Optional(
    Type.String({
      description:
        'Drawn by the sender, new for each order: the same order with the same key is carried out once, and the first answer is given again. Kept for 24 hours.',
    }),
  ),
});

/** What of an order's description all orders share; `said` is the core's answer, `refusals` are its own. */
export const describeOrder = (operationId: string, said: TSchema, refusals: readonly ProblemCode[] = []) => ({
  operationId,
  security: [{ person: [] }],
  headers: OrderHeaders,
  response: answers({ 200: asJson('It was taken, and is durable', said) }, [
    ...BODY,
    'idempotency-key',
    'idempotency-under-way',
    'idempotency-key-reused',
    'unauthenticated',
    'role',
    'not-found',
    'conflict',
    'not-waiting',
    'journal-failed',
    'core-failed',
    'no-reply',
    ...refusals,
  ]),
});

export type OrderDesk = {
  /** Known by the token before the body is read, and allowed by role. */
  only(roles: readonly Role[]): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>;
  counted(
    order: 'approve' | 'abort' | 'report' | 'clear-report' | 'clear-lease' | 'reload',
  ): (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
  /** `about` is what the order names, for the log and for the refusal that nobody answered. */
  give(request: FastifyRequest, reply: FastifyReply, about: string, order: Order): Promise<FastifyReply>;
};

/** What of the address names what the order is about. */
const FIELD = { approve: 'id', abort: 'id', report: 'group', 'clear-report': 'group', 'clear-lease': 'group' } as const;

export function orderDesk(app: App, context: HttpContext, limits: Limits): OrderDesk {
  const { people, metrics } = context;
  const idempotency = createIdempotencyDesk();
  app.decorateRequest('person', null);
  let count = 0;

  /** The core's answer, or null where none came in time; refused as a whole where the journal takes nothing. */
  async function submit(
    order: Order,
    sender: Pick<Ordered, 'person' | 'idempotency'>,
  ): Promise<Reply | 'failed' | null> {
    count += 1;
    const id = `order-${context.engine.state().incarnation}-${count}`;
    const waiting = context.replies.waitFor(id, REPLY_WITHIN_MS);
    const durability = await makeDurable(context, { ...order, ...sender, request: id } as Submission);
    if (durability !== 'failed') return await waiting.reply;
    waiting.cancel();
    return 'failed';
  }

  return {
    only: (roles) => async (request, reply) => {
      const client = clientOf(request.ip);
      request.person = people.identify(request.headers.authorization);
      if (request.person === null) {
        // Counted after it was looked up: somebody else's bad tokens, from behind one proxy, lock nobody out at night.
        const guessWaitMs = limits.guess.take(client);
        if (guessWaitMs > 0) return refuseTooMany(reply, guessWaitMs, { field: 'Authorization' });
        return refuse(reply, 'unauthenticated', { field: 'Authorization' });
      }
      const waitMs = limits.person.take(request.person.id);
      if (waitMs > 0) return refuseTooMany(reply, waitMs, { detail: `${request.person.id} gave very many orders` });
      if (hasAnyRole(request.person, roles)) return undefined;
      return refuse(reply, 'role', {
        detail: `${request.person.id} is ${request.person.roles.join(', ')}`,
        remedy: `one of ${roles.join(', ')} may do this`,
      });
    },
    counted: (order) => async (_request, reply) => metrics.order(order, reply.problem ?? 'accepted'),
    async give(request, reply, about, order) {
      const { person } = request;
      if (person === null) return refuse(reply, 'unauthenticated');
      const field = FIELD[order.kind];
      const named = idempotencyOf(request, order);
      if (named === 'malformed') return refuse(reply, 'idempotency-key', { field: 'Idempotency-Key' });
      if (named !== null) {
        const earlier = idempotency.begin(person.id, named);
        if (earlier.kind === 'under-way') {
          reply.header('retry-after', String(UNDER_WAY_RETRY_SECONDS));
          return refuse(reply, 'idempotency-under-way', { field: 'Idempotency-Key' });
        }
        if (earlier.kind === 'other-order')
          return refuse(reply, 'idempotency-key-reused', { field: 'Idempotency-Key' });
        if (earlier.kind === 'refused') return pass(reply, earlier.reply, field);
      }
      context.log.info({ order: order.kind, target: about, person: person.id }, 'a person gave an order');
      let answer: Reply | 'failed' | null = null;
      try {
        answer = await submit(order, named === null ? { person } : { person, idempotency: named });
      } finally {
        if (named !== null) idempotency.end(person.id, named, answer === 'failed' ? null : answer);
      }
      if (answer === 'failed') {
        reply.header('retry-after', String(RETRY_AFTER_SECONDS));
        return refuse(reply, failedCode(context.engine));
      }
      return answer === null ? refuse(reply, 'no-reply', { field, value: about }) : pass(reply, answer, field);
    },
  };
}

function idempotencyOf(request: FastifyRequest, order: Order): Idempotency | 'malformed' | null {
  const header = request.headers[IDEMPOTENCY_HEADER];
  if (header === undefined) return null;
  const key = keyOf(String(header));
  if (key === null) return 'malformed';
  // The nonce is ours and new each time; everything else is what the person said.
  return { key, fingerprint: fingerprintOf('nonce' in order ? { ...order, nonce: '' } : order) };
}

/** The core's answer as it is; its refusals become problem documents of the same code. */
function pass(reply: FastifyReply, { status, body }: Reply, field: string): FastifyReply {
  if (status < 400) return reply.status(status).send(body);
  const said = String(body['code'] ?? '');
  const code: ProblemCode = Object.hasOwn(PROBLEMS, said) ? (said as ProblemCode) : 'conflict';
  return refuse(reply, code, {
    field: code === 'idempotency-key-reused' ? 'Idempotency-Key' : field,
    detail: String(body['detail'] ?? ''),
  });
}
