/**
 * Promotion by programs of the configuration, for a manager that has no driver of its own: one that reads whether it may
 * be promoted, one that asks for it, and one that reads back. Exit 0 may be, asked for, promoted; 1 not, and nothing was
 * done; anything else says nothing, so that a promotion stands as one that may have been asked for (invariant 11).
 *
 * They are told FAILOVERD_OPERATION (`check`, `promote`, `verify`, `fence`, `fenceVerify`, `rejoin`), FAILOVERD_REGION (the
 * region it is done to), FAILOVERD_FROM and FAILOVERD_TO (old and new side), FAILOVERD_COMPONENT, FAILOVERD_GROUP,
 * FAILOVERD_EPOCH and FAILOVERD_RUN. What they say is never enough: PostgreSQL itself is asked as well.
 */
import type { CommandControl } from '../model/components.ts';
import type { OperationResult, Perform } from '../model/loop.ts';
import { no, type OperationContext, ok, unknown } from './context.ts';
import { judgeOperator, type Meaning, missingProgram, type OperatorProgram, runOperator } from './operator-program.ts';
import type { Operate, PostgresControl, Reversal } from './postgres-control.ts';
import { postgresFailure } from './postgres-errors.ts';
import { awaitPromotion, checkWith, nameOf, onlyPinned, readPromoted, sameStandby } from './postgres-promotion.ts';
import { readRejoined } from './postgres-rejoin.ts';
import { identityProblem, stateOf } from './postgres-state.ts';
import type { PostgresTarget } from './targets.ts';

const POLL_MS = 20;

type Which = Exclude<keyof CommandControl, 'timeout'>;

const MEANINGS: Readonly<Record<Which, Meaning>> = {
  check: { yes: 'says that it may be promoted', no: 'says that it may not be promoted', noCode: 'rejected' },
  promote: { yes: 'asked for the promotion', no: 'did not ask for the promotion', noCode: 'rejected' },
  verify: { yes: 'confirms the promotion', no: 'says that it is not promoted', noCode: 'still-in-recovery' },
  fence: { yes: 'had it stop taking writes', no: 'did not have it stop taking writes', noCode: 'not-off' },
  fenceVerify: { yes: 'confirms that it takes no writes', no: 'says that it may take writes', noCode: 'not-off' },
  rejoin: { yes: 'had it follow the new side', no: 'did not have it follow the new side', noCode: 'rejected' },
};

const obstacle: PostgresControl['obstacle'] = async (_state, target, operation, context) => {
  const programs = target.component.command;
  if (programs === undefined) return notConfigured(target);
  // The one that reads back must be there before anything is asked for.
  const all = [programs.check, programs.promote, programs.verify].map((argv) => ({ what: 'control program', argv }));
  const missing = await missingProgram(all, context);
  if (missing !== null) return missing;
  const answer = await runOne('check', target, operation, context);
  return answer.kind === 'ok' ? null : answer;
};

const notConfigured = (target: PostgresTarget): OperationResult =>
  no('unsupported', `no command is configured for ${target.id}`);

/** The answer of one program; one that never ran did nothing, which a read is no wiser by. */
async function runOne(
  which: Which,
  target: PostgresTarget,
  operation: Perform,
  context: OperationContext,
): Promise<OperationResult> {
  const programs = target.component.command;
  const argv = programs?.[which];
  if (programs === undefined || argv === undefined) {
    return no('unsupported', `no command.${which} is configured for ${target.id}`);
  }
  const program: OperatorProgram = {
    what: `${which} program`,
    argv,
    operation: which,
    values: {
      REGION: target.region,
      FROM: operation.from,
      TO: operation.to,
      COMPONENT: target.id,
      GROUP: operation.group,
      EPOCH: String(operation.epoch),
      RUN: operation.run,
    },
    timeout: programs.timeout ?? '60s',
  };
  const run = await runOperator(program, context);
  const answer = judgeOperator(program, run, MEANINGS[which], { region: target.region }, context);
  const effect = which === 'promote' || which === 'fence' || which === 'rejoin';
  return effect && run.end.kind === 'not-started' ? { ...answer, kind: 'no' } : answer;
}

async function promote(
  target: PostgresTarget,
  operation: Perform,
  context: OperationContext,
): Promise<OperationResult> {
  const name = nameOf(target);
  if (operation.preState?.['promoted'] === true) return ok(`${name} is promoted already: nothing is asked for`);
  if (target.component.command === undefined) return notConfigured(target);
  const identifier = onlyPinned(operation, target);
  if (typeof identifier !== 'string') return identifier;
  const standby = await sameStandby(target, operation, context);
  if ('kind' in standby) return standby;
  const asked = await runOne('promote', target, operation, context);
  if (asked.kind !== 'ok') return asked;
  try {
    return await context.postgres.read(target, context.signal, (session) =>
      awaitPromotion(session, target, context, POLL_MS),
    );
  } catch (error) {
    return unknown('not-yet', `${name}: promotion is asked for; ${postgresFailure(error).message}`);
  }
}

async function verify(target: PostgresTarget, operation: Perform, context: OperationContext): Promise<OperationResult> {
  const { result } = await readPromoted(target, operation, context);
  if (result.kind !== 'ok') return result;
  const answer = await runOne('verify', target, operation, context);
  if (answer.kind === 'ok') return { ...result, facts: { ...answer.facts, ...result.facts } };
  // PostgreSQL is promoted, so nothing proves that it is not.
  const code = answer.kind === 'no' ? 'manager-disagrees' : answer.code;
  return { kind: 'unknown', code, message: `${result.message}; ${answer.message}`, facts: result.facts };
}

/** By its program, and by PostgreSQL where that answers: one that takes writes is not off, whatever a program says. */
const readFenced: Operate = async (target, operation, context) => {
  const [state, answer] = await Promise.all([
    stateOf(target, context),
    runOne('fenceVerify', target, operation, context),
  ]);
  if (!('code' in state) && identityProblem(state, operation, target) === null && !state.inRecovery) {
    return no('not-off', `${nameOf(target)} takes writes`, answer.facts);
  }
  return answer.code === 'unsupported' ? { ...answer, kind: 'unknown' } : answer;
};

const fence: Reversal = {
  async do(target, operation, context) {
    const asked = await runOne('fence', target, operation, context);
    if (asked.kind !== 'ok') return asked;
    const read = await readFenced(target, operation, context);
    return read.kind === 'ok' ? read : { ...read, kind: 'unknown' };
  },
  verify: readFenced,
};

const rejoin: Reversal = {
  async do(target, operation, context) {
    const asked = await runOne('rejoin', target, operation, context);
    if (asked.kind !== 'ok') return asked;
    const read = await readRejoined(target, operation, context);
    return read.kind === 'ok' ? read : { ...read, kind: 'unknown' };
  },
  verify: readRejoined,
};

export const command: PostgresControl = {
  obstacle,
  check: checkWith(obstacle),
  promote,
  verify,
  fence,
  rejoin,
};
