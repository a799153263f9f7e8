/**
 * What people order: yes to a proposal, go on with a run, stop. The core decides and its answer is passed on once it is
 * durable; here stands only who is asking, and whether the order can be read (design §6).
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { Person, Reply } from '../../model/loop.ts';
import { ProposalId, type Role, RunId } from '../../model/primitives.ts';
import { hasAnyRole } from '../people.ts';
import type { App, HttpContext } from './context.ts';
import { makeDurable, RETRY_AFTER_SECONDS } from './durable.ts';
import { PROBLEMS, type ProblemCode, refuse } from './problem.ts';

export const REPLY_WITHIN_MS = 10_000;

const closed = { additionalProperties: false } as const;
const PlanHash = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the plan that is approved' });
const Reason = Type.String({ minLength: 3, maxLength: 500, description: 'Why, for the journal' });
const ApproveProposal = Type.Object(
  {
    planHash: PlanHash,
    breakGlass: Type.Optional(
      Type.String({
        minLength: 3,
        maxLength: 500,
        description: 'Why one SRE says yes for all who are needed; executives are told at once',
      }),
    ),
  },
  closed,
);
const ApproveRun = Type.Object({}, closed);
const Abort = Type.Object({ reason: Reason }, closed);
const OfProposal = Type.Object({ id: ProposalId });
const OfRun = Type.Object({ id: RunId });

const MAY_APPROVE: readonly Role[] = ['sre', 'vp'];
const MAY_RESUME: readonly Role[] = ['sre'];
/** Executives may abort (dr-strategy §4.2). */
const MAY_ABORT: readonly Role[] = ['sre', 'vp', 'executive'];

declare module 'fastify' {
  interface FastifyRequest {
    person: Person | null;
  }
}

export function orderRoutes(app: App, context: HttpContext): void {
  const { people, metrics } = context;
  app.decorateRequest('person', null);
  let count = 0;

  /** Known by the token before the body is read, and allowed by role. */
  const only = (roles: readonly Role[]) => async (request: FastifyRequest, reply: FastifyReply) => {
    request.person = people.identify(request.headers.authorization);
    if (request.person === null) return refuse(reply, 'unauthenticated', { field: 'Authorization' });
    if (!hasAnyRole(request.person, roles))
      return refuse(reply, 'role', {
        detail: `${request.person.id} is ${request.person.roles.join(', ')}`,
        remedy: `one of ${roles.join(', ')} may do this`,
      });
  };
  const counted = (order: 'approve' | 'abort') => async (_request: FastifyRequest, reply: FastifyReply) =>
    metrics.order(order, reply.problem ?? 'accepted');

  type Said =
    | {
        readonly kind: 'approve';
        readonly target: string;
        readonly planHash: string | null;
        readonly breakGlass: string | null;
      }
    | { readonly kind: 'abort'; readonly target: string; readonly why: string };

  async function order(request: FastifyRequest, reply: FastifyReply, said: Said): Promise<FastifyReply> {
    const { person } = request;
    if (person === null) return refuse(reply, 'unauthenticated');
    count += 1;
    const id = `order-${context.engine.state().incarnation}-${count}`;
    const waiting = context.replies.waitFor(id, REPLY_WITHIN_MS);
    context.log.info({ order: said.kind, target: said.target, person: person.id }, 'a person gave an order');
    const nonce = context.newNonce();
    const durability = await makeDurable(
      context,
      said.kind === 'approve' ? { ...said, request: id, person, nonce } : { ...said, request: id, person },
    );
    if (durability === 'failed') {
      waiting.cancel();
      reply.header('retry-after', String(RETRY_AFTER_SECONDS));
      return refuse(reply, 'journal-failed');
    }
    const answer = await waiting.reply;
    return answer === null ? refuse(reply, 'no-reply', { field: 'id', value: said.target }) : pass(reply, answer);
  }

  const approve = { onResponse: counted('approve') };
  const abort = { onRequest: only(MAY_ABORT), onResponse: counted('abort') };

  app.post(
    '/api/v1/proposals/:id/approve',
    {
      ...approve,
      onRequest: only(MAY_APPROVE),
      schema: { summary: 'Say yes to a proposal', tags: ['orders'], params: OfProposal, body: ApproveProposal },
    },
    (request, reply) =>
      order(request, reply, {
        kind: 'approve',
        target: request.params.id,
        planHash: request.body.planHash,
        breakGlass: request.body.breakGlass ?? null,
      }),
  );
  app.post(
    '/api/v1/runs/:id/approve',
    {
      ...approve,
      onRequest: only(MAY_RESUME),
      schema: { summary: 'Let a paused or halted run go on', tags: ['orders'], params: OfRun, body: ApproveRun },
    },
    (request, reply) =>
      order(request, reply, { kind: 'approve', target: request.params.id, planHash: null, breakGlass: null }),
  );
  app.post(
    '/api/v1/proposals/:id/abort',
    { ...abort, schema: { summary: 'Turn a proposal down', tags: ['orders'], params: OfProposal, body: Abort } },
    (request, reply) => order(request, reply, { kind: 'abort', target: request.params.id, why: request.body.reason }),
  );
  app.post(
    '/api/v1/runs/:id/abort',
    { ...abort, schema: { summary: 'Stop a run as far as it can be', tags: ['orders'], params: OfRun, body: Abort } },
    (request, reply) => order(request, reply, { kind: 'abort', target: request.params.id, why: request.body.reason }),
  );
}

/** The core's answer as it is; its refusals become problem documents of the same code. */
function pass(reply: FastifyReply, { status, body }: Reply): FastifyReply {
  if (status < 400) return reply.status(status).send(body);
  const said = String(body['code'] ?? '');
  const code: ProblemCode = Object.hasOwn(PROBLEMS, said) ? (said as ProblemCode) : 'conflict';
  return refuse(reply, code, { field: 'id', detail: String(body['detail'] ?? '') });
}
