/** The fence by whatever driver the group has, and the read of it that everything after rests on (safety.md, "Fence proofs"). */
import type { OperationResult, Perform } from '../model/loop.ts';
import { no, type OperationContext, type StepActions } from './context.ts';
import { commandFence, verifyCommandFence } from './fence-command.ts';
import { expires, guardFence, verifyGuardFence } from './fence-guard.ts';

function driverOf({ group }: OperationContext): StepActions | null {
  const driver = group.fence?.driver ?? 'none';
  switch (driver) {
    case 'command':
      return commandFence;
    case 'guard':
      return guardFence;
    case 'none':
      return null;
    default:
      return driver satisfies never;
  }
}
const noDriver = async (): Promise<OperationResult> => no('unsupported', 'the group has no fence driver');

export const fence: StepActions = {
  check: (operation, context) => (driverOf(context)?.check ?? noDriver)(operation, context),
  do: (operation, context) => (driverOf(context)?.do ?? noDriver)(operation, context),
  verify: verifyFence,
  undo: (operation, context) => (driverOf(context)?.undo ?? noDriver)(operation, context),
};

/**
 * Reads back that the old side is off, now. A promotion asks this again right before it acts (invariant 4). Where a program can't
 * confirm it, and the end of the lease proves something, that is waited for instead.
 */
export async function verifyFence(operation: Perform, context: OperationContext): Promise<OperationResult> {
  if (context.group.fence?.driver === 'guard') return verifyGuardFence(operation, context);
  const confirmed = await verifyCommandFence(operation, context);
  if (confirmed.kind === 'ok' || !expires(context)) return confirmed;
  const ended = await verifyGuardFence(operation, context);
  return ended.kind === 'ok' ? ended : { ...confirmed, message: `${confirmed.message}; ${ended.message}` };
}
