/**
 * Assessment: the target is the standby we mean, and ready, and lets us do what the run will ask of it. It finds out
 * before the fence what would otherwise be found out after it.
 */
import type { OperationResult, Perform } from '../model/loop.ts';
import { no, nothingToDo, type OperationContext, ok, type StepActions, unknown } from './context.ts';
import { schemaProblem } from './epoch-row.ts';
import { controlOf } from './postgres-control.ts';
import type { PostgresFailure } from './postgres-errors.ts';
import { standbyFacts, standbyProblem } from './postgres-standby.ts';
import { identityProblem, type PostgresState, stateOf } from './postgres-state.ts';
import { meant, type PostgresTarget, postgresTarget } from './targets.ts';

export const assess: StepActions = { check: assessTarget, do: nothingToDo, verify: assessTarget };

async function assessTarget(operation: Perform, context: OperationContext): Promise<OperationResult> {
  const components = meant(operation, context.group, 'postgres');
  const results: [string, OperationResult][] = [];
  for (const component of components) {
    const target = postgresTarget(operation.group, component, operation.to);
    if (target === null) return no('unsupported', `${component.id} has no instance in ${operation.to}`);
    const result = await assessOne(target, operation, context);
    if (result.kind !== 'ok') return result;
    results.push([component.id, result]);
  }
  const [first] = results;
  if (first === undefined) return no('unsupported', 'no PostgreSQL is configured');
  if (results.length === 1) return first[1];
  return ok(results.map(([, { message }]) => message).join('; '), {
    components: Object.fromEntries(results.map(([id, { facts }]) => [id, facts])),
  });
}

async function assessOne(
  target: PostgresTarget,
  operation: Perform,
  context: OperationContext,
): Promise<OperationResult> {
  const state = await stateOf(target, context);
  if ('code' in state) return notAssessed(target, state);
  const problem =
    identityProblem(state, operation, target) ??
    standbyProblem(state, target) ??
    (await controlProblem(state, target, operation, context));
  if (problem !== null) return problem;
  const schema = await schemaProblem(target, context);
  if (schema !== null) return schema;
  return ok(`${target.id} in ${target.region} is a standby at ${state.replayLsn} on timeline ${state.timeline}`, {
    ...standbyFacts(state),
  });
}

/** What the one who would promote it says: that it is paused, say, must not be found out after the old side is off. */
async function controlProblem(
  state: PostgresState,
  target: PostgresTarget,
  operation: Perform,
  context: OperationContext,
): Promise<OperationResult | null> {
  const control = controlOf(target.component);
  if (control === null)
    return no('unsupported', `control ${target.component.control} of ${target.id} is not there yet`);
  return await control.obstacle(state, target, operation, context);
}

/**
 * The reads of an assessment ahead of time, and nothing of its judgement: it opens the connection, and the server and
 * this process have done once what must be quick later. Null when the server answered.
 */
export async function rehearse(target: PostgresTarget, context: OperationContext): Promise<PostgresFailure | null> {
  const state = await stateOf(target, context);
  if ('code' in state) return state;
  await schemaProblem(target, context);
  return null;
}

/** For a target that can't be reached there is nothing to fail over to, which is an answer; a lost one is none. */
function notAssessed(target: PostgresTarget, failure: PostgresFailure): OperationResult {
  const message = `${target.id} in ${target.region}: ${failure.message}`;
  return failure.sent && failure.sqlState === null ? unknown(failure.code, message) : no(failure.code, message);
}
