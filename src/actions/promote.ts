/** Promotion, the point of no return for the data: right before it, the fence is read back again (invariant 4). */
import type { OperationResult, Perform } from '../model/loop.ts';
import { no, type OperationContext, type StepActions } from './context.ts';
import { verifyFence } from './fence.ts';
import { controlOf, type PostgresControl } from './postgres-control.ts';
import { meant, type PostgresTarget, postgresTarget } from './targets.ts';

/** Many times what a healthy disk takes for the intent, and less than any machine takes to come up. */
const PROOF_FRESH_MS = 2_000;

export const promote: StepActions = {
  check: withControl(async (control, target, operation, context) => {
    if (operation.fence === 'none') return await control.check(target, operation, context);
    // Side by side: every millisecond here is one the service is down for.
    const [fenced, standby] = await Promise.all([
      verifyFence(operation, context),
      control.check(target, operation, context),
    ]);
    if (standby.kind === 'ok' && standby.facts['promoted'] === true) return standby;
    if (fenced.kind === 'no') return { ...fenced, code: 'fence-lost' };
    if (fenced.kind !== 'ok' || standby.kind !== 'ok') return fenced.kind !== 'ok' ? fenced : standby;
    return { ...standby, facts: { ...standby.facts, fenceProof: fenced.facts } };
  }),
  do: withControl(async (control, target, operation, context) => {
    const lost = await fenceLost(operation, context);
    return lost ?? (await control.promote(target, operation, context));
  }),
  verify: withControl((control, target, operation, context) => control.verify(target, operation, context)),
};

/**
 * The check read the fence back, and then the intent had to be made durable: on a disk that stalls, or a machine that
 * stood still, that takes as long as somebody needs to switch the old side on again. Null while the proof is fresh.
 */
async function fenceLost(operation: Perform, context: OperationContext): Promise<OperationResult | null> {
  const pre = operation.preState ?? {};
  if (operation.fence === 'none' || pre['promoted'] === true) return null;
  const proof = pre['fenceProof'];
  const readAt: unknown = typeof proof === 'object' && proof !== null ? Reflect.get(proof, 'at') : null;
  const ageMs = typeof readAt === 'number' ? context.clock.wall() - readAt : Number.NaN;
  // A clock that was set in between makes it look old or of the future: read back once too often is no harm.
  if (ageMs >= 0 && ageMs <= PROOF_FRESH_MS) return null;
  const fenced = await verifyFence(operation, context);
  if (fenced.kind === 'ok') return null;
  // Nothing was asked of PostgreSQL.
  return { ...fenced, kind: 'no', code: fenced.kind === 'no' ? 'fence-lost' : fenced.code };
}

function withControl(
  act: (
    control: PostgresControl,
    target: PostgresTarget,
    operation: Perform,
    context: OperationContext,
  ) => Promise<OperationResult>,
) {
  return async (operation: Perform, context: OperationContext): Promise<OperationResult> => {
    const found = meant(operation, context.group, 'postgres');
    const [component] = found;
    if (component === undefined || found.length > 1) {
      return no('unsupported', 'a promotion must name one PostgreSQL component');
    }
    const target = postgresTarget(operation.group, component, operation.to);
    if (target === null) return no('unsupported', `${component.id} has no instance in ${operation.to}`);
    const control = controlOf(component.component);
    if (control === null)
      return no('unsupported', `control ${component.component.control} of ${component.id} is not there yet`);
    return await act(control, target, operation, context);
  };
}
