/**
 * Promotion by the guard that has the lease (safety.md, "Promotion"): it alone asks PostgreSQL, its dead-man watching. What
 * proves it is PostgreSQL itself, and that its guard still has the lease it was promoted under.
 */
import type { Claim, GuardStatus } from '../model/guard.ts';
import type { OperationResult, Perform } from '../model/loop.ts';
import { no, ok, unknown } from './context.ts';
import { guardName, named, orderGuard, readGuard } from './guard-api.ts';
import type { PostgresControl } from './postgres-control.ts';
import { postgresFailure } from './postgres-errors.ts';
import { awaitPromotion, checkWith, nameOf, readPromoted } from './postgres-promotion.ts';

/** What the guard itself would be in the way of. */
const obstacle: PostgresControl['obstacle'] = async (_state, target, operation, context) => {
  const read = await readGuard(named(target), target.region, operation, context);
  if (read.kind === 'failed') return unknown('unreachable', read.message);
  return hindrance(read.status, guardName(target.id, target.region), operation);
};

function hindrance(status: GuardStatus, name: string, { run }: Perform): OperationResult | null {
  const { part, frozen, deposedBy, candidacy } = status;
  if (frozen !== null) return no('replay-paused', `${name} holds replay frozen: ${frozen.why}`);
  if (deposedBy !== null)
    return no('not-standby', `${name}: its data has diverged since epoch ${deposedBy}; it has to rejoin first`);
  if (candidacy !== null && candidacy.run !== run) return no('not-standby', `${name} stands for ${candidacy.run}`);
  const ready = part === 'standby' || part === 'candidate' || part === 'holding' || part === 'promoting';
  return ready ? null : no('not-standby', `${name} is ${part}: ${status.why}`);
}

const check = checkWith(obstacle);

export const guard: PostgresControl = {
  obstacle,

  async check(target, operation, context) {
    const standby = await check(target, operation, context);
    if (standby.kind !== 'ok' || standby.facts['promoted'] === true) return standby;
    const read = await readGuard(named(target), target.region, operation, context);
    if (read.kind === 'failed') return unknown('unreachable', read.message);
    const { holds, candidacy, part, why, heldMs } = read.status;
    if (holds === null || candidacy?.run !== operation.run)
      return no(
        'no-lease',
        `${guardName(target.id, target.region)} has no lease for ${operation.run}: it is ${part}, ${why}`,
      );
    return { ...standby, facts: { ...standby.facts, claim: candidacy.claim, heldMs } };
  },

  async promote(target, operation, context) {
    if (operation.preState?.['promoted'] === true)
      return ok(`${nameOf(target)} is promoted already: nothing is asked for`);
    const claim = claimOf(operation);
    if (claim === null) return no('no-pre-state', 'by what right it has the lease is not known');
    const order = { kind: 'promote', run: operation.run, epoch: operation.epoch, claim } as const;
    const answer = await orderGuard(named(target), target.region, order, context);
    if (answer.kind === 'unknown') return unknown('broken', answer.message);
    if (answer.kind !== 'taken') return no('refused', answer.message);
    try {
      return await context.postgres.read(target, context.signal, (session) => awaitPromotion(session, target, context));
    } catch (error) {
      return unknown('not-yet', `${nameOf(target)}: promotion is asked for; ${postgresFailure(error).message}`);
    }
  },

  async verify(target, operation, context) {
    const [{ result: promoted }, read] = await Promise.all([
      readPromoted(target, operation, context),
      readGuard(named(target), target.region, operation, context),
    ]);
    if (promoted.kind !== 'ok') return promoted;
    if (read.kind === 'failed') return unknown('unreachable', read.message);
    const { part, holds, why, process } = read.status;
    if (part !== 'primary' || holds === null || holds < operation.epoch)
      return no('not-yet', `${guardName(target.id, target.region)} is ${part}: ${why}`);
    return { ...promoted, facts: { ...promoted.facts, leaseEpoch: holds, guard: process } };
  },
};

/** A fence that was confirmed when the lease was taken, and could be proven only by time since, is claimed as that. */
function claimOf({ preState }: Perform): Claim | null {
  const claim = preState?.['claim'];
  const proof = preState?.['fenceProof'];
  const driver: unknown = typeof proof === 'object' && proof !== null ? Reflect.get(proof, 'driver') : null;
  if (claim === 'confirmed') return driver === 'guard' ? 'expired' : 'confirmed';
  return claim === 'expired' || claim === 'person' ? claim : null;
}
