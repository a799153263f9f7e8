/**
 * How a person's order reaches the core and its answer comes back: who is asking, whether the order can be durable, and
 * the core's own answer, passed on only once it is (design §6).
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Submission } from '../../engine/engine.ts';
import type { Person, Reply } from '../../model/loop.ts';
import type { Role } from '../../model/primitives.ts';
import { hasAnyRole } from '../people.ts';
import type { App, HttpContext } from './context.ts';
import { failedCode, makeDurable, RETRY_AFTER_SECONDS } from './durable.ts';
import { PROBLEMS, type ProblemCode, refuse } from './problem.ts';

export const REPLY_WITHIN_MS = 10_000;

declare module 'fastify' {
  interface FastifyRequest {
    person: Person | null;
  }
}

type Ordered = Extract<Submission, { kind: 'approve' | 'abort' | 'report' | 'clear-report' }>;
type WithoutSender<I> = I extends Ordered ? Omit<I, 'request' | 'person'> : never;
/** An order before it is known who gives it. */
export type Order = WithoutSender<Ordered>;

export type OrderDesk = {
  /** Known by the token before the body is read, and allowed by role. */
  only(roles: readonly Role[]): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>;
  counted(
    order: 'approve' | 'abort' | 'report' | 'clear-report',
  ): (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
  /** `about` is what the order names, for the log and for the refusal that nobody answered. */
  give(request: FastifyRequest, reply: FastifyReply, about: string, order: Order): Promise<FastifyReply>;
};

/** What of the address names what the order is about. */
const FIELD = { approve: 'id', abort: 'id', report: 'group', 'clear-report': 'group' } as const;

export function orderDesk(app: App, context: HttpContext): OrderDesk {
  const { people, metrics } = context;
  app.decorateRequest('person', null);
  let count = 0;
  return {
    only: (roles) => async (request, reply) => {
      request.person = people.identify(request.headers.authorization);
      if (request.person === null) return refuse(reply, 'unauthenticated', { field: 'Authorization' });
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
      count += 1;
      const id = `order-${context.engine.state().incarnation}-${count}`;
      const waiting = context.replies.waitFor(id, REPLY_WITHIN_MS);
      context.log.info({ order: order.kind, target: about, person: person.id }, 'a person gave an order');
      const durability = await makeDurable(context, { ...order, request: id, person } as Submission);
      if (durability === 'failed') {
        waiting.cancel();
        reply.header('retry-after', String(RETRY_AFTER_SECONDS));
        return refuse(reply, failedCode(context.engine));
      }
      const answer = await waiting.reply;
      return answer === null
        ? refuse(reply, 'no-reply', { field: FIELD[order.kind], value: about })
        : pass(reply, answer, FIELD[order.kind]);
    },
  };
}

/** The core's answer as it is; its refusals become problem documents of the same code. */
function pass(reply: FastifyReply, { status, body }: Reply, field: string): FastifyReply {
  if (status < 400) return reply.status(status).send(body);
  const said = String(body['code'] ?? '');
  const code: ProblemCode = Object.hasOwn(PROBLEMS, said) ? (said as ProblemCode) : 'conflict';
  return refuse(reply, code, { field, detail: String(body['detail'] ?? '') });
}
