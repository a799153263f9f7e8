/**
 * The fence by guards: the old side's is asked to stop PostgreSQL and release the lease; where it can't be reached, the lease
 * has to end, as the target's guard sees it (safety.md, "Fence proofs").
 */

import type { PostgresComponent } from '../model/config.ts';
import { leaseSettings } from '../model/lease-settings.ts';
import type { OperationResult, Perform } from '../model/loop.ts';
import { no, type OperationContext, ok, type StepActions, unknown } from './context.ts';
import { type GuardAnswer, guardName, orderGuard, readGuard } from './guard-api.ts';
import { allPostgres, type Named } from './targets.ts';

export const guardFence: StepActions = {
  async check(operation, context) {
    const reads = await Promise.all(
      guarded(context).map((target) => readGuard(target, operation.to, operation, context)),
    );
    const failed = reads.find((read) => read.kind === 'failed');
    if (failed?.kind === 'failed') return unknown('unreachable', failed.message);
    return reads.length === 0
      ? no('unsupported', 'no PostgreSQL of the group has a guard')
      : ok('the target’s guards answer');
  },

  async do(operation, context) {
    const order = { kind: 'release', run: operation.run, epoch: operation.epoch } as const;
    return summary(
      await Promise.all(guarded(context).map((target) => orderGuard(target, operation.from, order, context))),
    );
  },

  verify: verifyGuardFence,

  async undo(operation, context) {
    const order = {
      kind: 'resume',
      run: operation.run,
      epoch: operation.epoch,
      why: `${operation.run} was given up`,
    } as const;
    const answers = await Promise.all(
      guarded(context).map((target) => orderGuard(target, operation.from, order, context)),
    );
    const result = summary(answers);
    return result.kind === 'ok' ? result : { ...result, kind: 'unknown' };
  },
};

const guarded = (context: OperationContext): readonly Named<PostgresComponent>[] =>
  allPostgres(context.group).filter(({ component }) => component.control === 'guard');

/** Whether the end of a lease proves anything here. */
export const expires = (context: OperationContext): boolean =>
  leaseSettings(context.config, context.group)?.expiredIsNoProof.length === 0;

function summary(answers: readonly GuardAnswer[]): OperationResult {
  const message = answers.map((answer) => answer.message).join('; ');
  if (answers.every(({ kind }) => kind === 'taken')) return ok(message);
  const open = answers.some(({ kind }) => kind === 'taken' || kind === 'unknown');
  return open ? unknown('no-answer', message) : no('unreachable', message);
}

/** Read at the target's guards: the old side's may be beyond reach, and only who comes next has to know. */
export async function verifyGuardFence(operation: Perform, context: OperationContext): Promise<OperationResult> {
  const lease = leaseSettings(context.config, context.group);
  if (lease === null) return no('unsupported', 'the group has no lease');
  const reads = await Promise.all(
    guarded(context).map(async (target) => ({
      target,
      read: await readGuard(target, operation.to, operation, context),
    })),
  );
  const proofs: Record<string, unknown> = {};
  for (const { target, read } of reads) {
    const name = guardName(target.id, operation.to);
    if (read.kind === 'failed') return unknown('unreachable', read.message);
    const { status } = read;
    const facts = { lease: status.lease, at: context.clock.wall() };
    const ours = status.holds !== null && (status.candidacy?.run === operation.run || status.part === 'primary');
    // Taken because a program had confirmed the fence: where that is not so any more, W counts from the guard's own set.
    const lasted = status.candidacy?.claim !== 'confirmed' || (status.heldMs ?? 0) >= lease.timings.waitMs;
    if (ours && !lasted) {
      const leftMs = lease.timings.waitMs - (status.heldMs ?? 0);
      return no('not-off', `${name} has the lease for less than the wait: ${Math.ceil(leftMs / 1000)} s to go`);
    }
    if (ours) {
      proofs[target.id] = { proof: 'held', ...facts };
    } else if (status.lease?.state === 'released') {
      proofs[target.id] = { proof: 'released', ...facts };
    } else if (status.lease === null) {
      return unknown('not-yet', `${name} has not heard of the lease`);
    } else if (lease.expiredIsNoProof.length > 0) {
      return no(
        'not-off',
        `${status.lease.holder} has the lease and did not release it; that it ends proves nothing: ${lease.expiredIsNoProof.join('; ')}`,
      );
    } else if (status.lease.unchangedMs < lease.timings.waitMs) {
      const leftMs = lease.timings.waitMs - status.lease.unchangedMs;
      return no(
        'not-off',
        `${status.lease.holder} has not released the lease; it ends in ${Math.ceil(leftMs / 1000)} s, as ${name} sees it`,
      );
    } else {
      proofs[target.id] = { proof: 'expired', ...facts };
    }
  }
  return ok(`${operation.from} has no lease any more`, { driver: 'guard', proofs, at: context.clock.wall() });
}
