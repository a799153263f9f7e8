/** Promotion, the point of no return for the data: right before it, the fence is read back again (invariant 4). */
import type { OperationResult, Perform } from '../model/loop.ts';
import { no, type OperationContext, type StepActions } from './context.ts';
import { verifyFence } from './fence-command.ts';
import { controlOf, type PostgresControl } from './postgres-control.ts';
import { meant, type PostgresTarget, postgresTarget } from './targets.ts';

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
  do: withControl((control, target, operation, context) => control.promote(target, operation, context)),
  verify: withControl((control, target, operation, context) => control.verify(target, operation, context)),
};

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
