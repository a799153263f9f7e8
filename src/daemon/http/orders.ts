/**
 * What people order of proposals and runs: yes, go on, stop. The core decides; here stands only what an order looks like
 * and who may give it (design §6).
 */
import Type from 'typebox';
import { ProposalId, RaiseId, type Role, RunId } from '../../model/primitives.ts';
import type { App, HttpContext } from './context.ts';
import { describeOrder, type OrderDesk } from './order-desk.ts';

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
const ApproveRaise = Type.Object(
  { configHash: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Hash of the config that asks for it' }) },
  closed,
);
const ApproveRun = Type.Object({}, closed);
const Abort = Type.Object({ reason: Reason }, closed);
const OfProposal = Type.Object({ id: ProposalId });
const OfRaise = Type.Object({ id: RaiseId });
const OfRun = Type.Object({ id: RunId });

const MAY_APPROVE: readonly Role[] = ['sre', 'vp'];
const MAY_RESUME: readonly Role[] = ['sre'];
/** Executives may abort (dr-strategy §4.2). */
const MAY_ABORT: readonly Role[] = ['sre', 'vp', 'executive'];

const Approved = Type.Object({
  proposal: ProposalId,
  approvedAs: Type.String({ description: 'The role it counts for, or break-glass' }),
  waitingFor: Type.Array(Type.String(), { description: 'Roles that have not said yes yet' }),
});
const Turned = Type.Object({ proposal: ProposalId, status: Type.Literal('aborted') });
const ApprovedRaise = Type.Object({
  raise: RaiseId,
  approvedAs: Type.String({ description: 'The role it counts for' }),
  waitingFor: Type.Array(Type.String(), { description: 'Roles that have not said yes yet' }),
});
const TurnedRaise = Type.Object({ raise: RaiseId, status: Type.Literal('aborted') });
const OfRunNow = Type.Object({
  run: RunId,
  status: Type.Enum(['running', 'aborting', 'paused', 'abandoned']),
  detail: Type.Optional(Type.String()),
});

export function orderRoutes(app: App, context: HttpContext, desk: OrderDesk): void {
  const approve = { onResponse: desk.counted('approve') };
  const abort = { onRequest: desk.only(MAY_ABORT), onResponse: desk.counted('abort') };

  app.post(
    '/api/v1/proposals/:id/approve',
    {
      ...approve,
      onRequest: desk.only(MAY_APPROVE),
      schema: {
        summary: 'Say yes to a proposal',
        tags: ['orders'],
        ...describeOrder('approveProposal', Approved, ['plan-hash', 'expired', 'already-approved']),
        params: OfProposal,
        body: ApproveProposal,
      },
    },
    (request, reply) =>
      desk.give(request, reply, request.params.id, {
        kind: 'approve',
        target: request.params.id,
        planHash: request.body.planHash,
        breakGlass: request.body.breakGlass ?? null,
        nonce: context.newNonce(),
      }),
  );
  app.post(
    '/api/v1/raises/:id/approve',
    {
      ...approve,
      onRequest: desk.only(MAY_APPROVE),
      schema: {
        summary: 'Say yes to more autonomy',
        tags: ['orders'],
        ...describeOrder('approveRaise', ApprovedRaise, ['config-hash', 'expired', 'already-approved']),
        params: OfRaise,
        body: ApproveRaise,
      },
    },
    (request, reply) =>
      desk.give(request, reply, request.params.id, {
        kind: 'approve',
        target: request.params.id,
        planHash: request.body.configHash,
        breakGlass: null,
        nonce: context.newNonce(),
      }),
  );
  app.post(
    '/api/v1/raises/:id/abort',
    {
      ...abort,
      schema: {
        summary: 'Turn more autonomy down',
        tags: ['orders'],
        ...describeOrder('abortRaise', TurnedRaise),
        params: OfRaise,
        body: Abort,
      },
    },
    (request, reply) =>
      desk.give(request, reply, request.params.id, {
        kind: 'abort',
        target: request.params.id,
        why: request.body.reason,
      }),
  );
  app.post(
    '/api/v1/runs/:id/approve',
    {
      ...approve,
      onRequest: desk.only(MAY_RESUME),
      schema: {
        summary: 'Let a paused or halted run go on',
        tags: ['orders'],
        ...describeOrder('approveRun', OfRunNow),
        params: OfRun,
        body: ApproveRun,
      },
    },
    (request, reply) =>
      desk.give(request, reply, request.params.id, {
        kind: 'approve',
        target: request.params.id,
        planHash: null,
        breakGlass: null,
        nonce: context.newNonce(),
      }),
  );
  app.post(
    '/api/v1/proposals/:id/abort',
    {
      ...abort,
      schema: {
        summary: 'Turn a proposal down',
        tags: ['orders'],
        ...describeOrder('abortProposal', Turned),
        params: OfProposal,
        body: Abort,
      },
    },
    (request, reply) =>
      desk.give(request, reply, request.params.id, {
        kind: 'abort',
        target: request.params.id,
        why: request.body.reason,
      }),
  );
  app.post(
    '/api/v1/runs/:id/abort',
    {
      ...abort,
      schema: {
        summary: 'Stop a run as far as it can be',
        tags: ['orders'],
        ...describeOrder('abortRun', OfRunNow, ['promotion-begun']),
        params: OfRun,
        body: Abort,
      },
    },
    (request, reply) =>
      desk.give(request, reply, request.params.id, {
        kind: 'abort',
        target: request.params.id,
        why: request.body.reason,
      }),
  );
}
