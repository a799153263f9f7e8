/**
 * The target's guard takes the lease: after that nobody else has it, which is what a fence by release or by time proves
 * (safety.md, "Fence proofs"; decision 0016; invariant 4).
 */
import type { Claim } from '../model/guard.ts';
import type { OperationResult, Perform } from '../model/loop.ts';
import { halt, no, type OperationContext, ok, type StepActions, unknown } from './context.ts';
import { verifyFence } from './fence.ts';
import { expires } from './fence-guard.ts';
import { guardName, orderGuard, readGuard } from './guard-api.ts';
import { meant } from './targets.ts';

export const acquireLease: StepActions = {
  /** By what right it is taken: read now, not remembered from the fence. */
  async check(operation, context) {
    const target = targetOf(operation, context);
    if (target === null) return noTarget();
    const read = await readGuard(target, operation.to, operation, context);
    if (read.kind === 'failed') return unknown('unreachable', read.message);
    const claim = await claimNow(operation, context);
    if (typeof claim !== 'string') return claim;
    const { part, obeyed, lease } = read.status;
    return ok(`${guardName(target.id, operation.to)} is ${part}, and takes the lease as ${claim}`, {
      claim,
      part,
      obeyed,
      epochBefore: lease?.epoch ?? null,
      holderBefore: lease?.holder ?? null,
    });
  },

  async do(operation, context) {
    const target = targetOf(operation, context);
    if (target === null) return noTarget();
    const claim = claimIn(operation);
    if (claim === null) return no('no-pre-state', 'by what right the lease is taken is not known');
    const order = { kind: 'candidacy', run: operation.run, epoch: operation.epoch, claim } as const;
    const answer = await orderGuard(target, operation.to, order, context);
    if (answer.kind === 'taken') return ok(answer.message);
    return answer.kind === 'unknown' ? unknown('broken', answer.message) : no('refused', answer.message);
  },

  async verify(operation, context) {
    const target = targetOf(operation, context);
    if (target === null) return noTarget();
    const read = await readGuard(target, operation.to, operation, context);
    if (read.kind === 'failed') return unknown('unreachable', read.message);
    const { status } = read;
    const name = guardName(target.id, operation.to);
    if (status.holds !== null && status.holds >= operation.epoch && status.candidacy?.run === operation.run) {
      return ok(`${name} has the lease at epoch ${status.holds}`, {
        epoch: status.holds,
        claim: status.candidacy.claim,
        process: status.process,
        release: status.lease?.release ?? null,
      });
    }
    if (status.obeyed > operation.epoch && status.candidacy?.run !== operation.run)
      return halt('higher-epoch', `${name} has obeyed epoch ${status.obeyed}, and this run has ${operation.epoch}`);
    return no('not-yet', `${name} does not have the lease yet: ${status.waitsFor ?? status.why}`);
  },

  /** Before the promotion it can be given back: the record says `unpromoted`, and the old side may go on. */
  async undo(operation, context) {
    const target = targetOf(operation, context);
    if (target === null) return noTarget();
    const order = { kind: 'withdraw', run: operation.run, epoch: operation.epoch } as const;
    const answer = await orderGuard(target, operation.to, order, context);
    if (answer.kind !== 'taken') return unknown('unreachable', answer.message);
    const read = await readGuard(target, operation.to, operation, context);
    if (read.kind === 'failed') return unknown('unreachable', read.message);
    const { holds, candidacy } = read.status;
    if (holds === null && candidacy === null)
      return ok(`${guardName(target.id, operation.to)} has given the lease back`);
    return unknown('not-yet', `${guardName(target.id, operation.to)} has the lease still, at epoch ${holds}`);
  },
};

function targetOf(operation: Perform, context: OperationContext) {
  const [target, ...others] = meant(operation, context.group, 'postgres');
  return target === undefined || others.length > 0 ? null : target;
}
const noTarget = (): OperationResult => no('unsupported', 'a lease is of one PostgreSQL component');

const claimIn = (operation: Perform): Claim | null => {
  const claim = operation.preState?.['claim'];
  return claim === 'expired' || claim === 'confirmed' || claim === 'person' ? claim : null;
};

/** A program that reads the old side back as off is the stronger claim; where it can't tell, the lease has to end. */
async function claimNow(operation: Perform, context: OperationContext): Promise<Claim | OperationResult> {
  if (operation.fence === 'none') return 'person';
  if (context.group.fence?.driver === 'guard') return 'expired';
  const fenced = await verifyFence(operation, context);
  if (fenced.kind === 'ok') return 'confirmed';
  return expires(context) ? 'expired' : fenced;
}
