/**
 * The fence by programs of the configuration: one that stops the old side, and one that reads back that it is stopped.
 * Nothing but exit 0 is ever taken for off: everything after it rests on that (safety.md).
 *
 * They are told FAILOVERD_OPERATION (`fence` or `verify`), FAILOVERD_REGION (the region to be off), FAILOVERD_GROUP,
 * FAILOVERD_EPOCH and FAILOVERD_RUN.
 */
import type { GroupConfig } from '../model/config.ts';
import type { OperationResult, Perform } from '../model/loop.ts';
import { no, type OperationContext, ok, type StepActions, unknown } from './context.ts';
import { judgeOperator, missingProgram, type OperatorProgram, runOperator } from './operator-program.ts';

type CommandFence = Extract<NonNullable<GroupConfig['fence']>, { driver: 'command' }>;
type Which = 'fence' | 'verify';

export const commandFence: StepActions = { check: checkFence, do: doFence, verify: verifyCommandFence };

const driverOf = (group: GroupConfig): CommandFence | null => (group.fence?.driver === 'command' ? group.fence : null);
const noDriver = (): OperationResult => no('unsupported', 'the group has no fence driver');

async function checkFence(_operation: Perform, context: OperationContext): Promise<OperationResult> {
  const driver = driverOf(context.group);
  if (driver === null) return noDriver();
  const programs = [driver.fence, driver.verify].map((argv) => ({ what: 'fence program', argv }));
  return (await missingProgram(programs, context)) ?? ok('both fence programs are there', { driver: 'command' });
}

async function doFence(operation: Perform, context: OperationContext): Promise<OperationResult> {
  const driver = driverOf(context.group);
  if (driver === null) return noDriver();
  return await runFence('fence', driver, operation, context);
}

/** Reads back that the old side is off, now. A promotion asks this again right before it acts (invariant 4). */
export async function verifyCommandFence(operation: Perform, context: OperationContext): Promise<OperationResult> {
  const driver = driverOf(context.group);
  if (driver === null) return unknown('unsupported', 'the group has no fence driver to read back with');
  return await runFence('verify', driver, operation, context);
}

async function runFence(
  which: Which,
  driver: CommandFence,
  operation: Perform,
  context: OperationContext,
): Promise<OperationResult> {
  const { from, group, epoch, run } = operation;
  const program: OperatorProgram = {
    what: `${which} program`,
    argv: driver[which],
    operation: which,
    values: { REGION: from, GROUP: group, EPOCH: String(epoch), RUN: run },
    timeout: driver.timeout ?? '20s',
  };
  const ran = await runOperator(program, context);
  const meaning = {
    yes: `confirms that ${from} is off`,
    no: `says that ${from} is not off`,
    noCode: 'not-off',
  } as const;
  const answer = judgeOperator(program, ran, meaning, { region: from }, context);
  // A program that never ran stopped nothing, for certain.
  return which === 'fence' && ran.end.kind === 'not-started' ? { ...answer, kind: 'no' } : answer;
}
