/** Clients are told the new address: every configured resolver answers the target's records, exactly. */
import type { OperationResult, Perform } from '../model/loop.ts';
import { no, nothingToDo, type OperationContext, ok, type StepActions, unknown } from './context.ts';
import { askResolver, sameAnswers, targetAnswers } from './dns-answers.ts';
import { meant } from './targets.ts';

export const verifyDns: StepActions = { check: allAnswerTarget, do: nothingToDo, verify: allAnswerTarget };

async function allAnswerTarget(operation: Perform, context: OperationContext): Promise<OperationResult> {
  const names = meant(operation, context.group, 'dns');
  if (names.length === 0) return no('unsupported', 'no DNS name is configured');
  const asked = names.flatMap(({ component }) =>
    component.resolvers.map(async (resolver) => ({
      name: component.name,
      target: targetAnswers(component, operation.to),
      answer: await askResolver(resolver, component.name, component.type ?? 'A', context.signal),
    })),
  );
  const all = await Promise.all(asked);
  const facts = {
    resolvers: Object.fromEntries(
      all.map(({ name, answer }) => [`${answer.resolver} ${name}`, answer.answers ?? answer.message]),
    ),
  };
  const silent = all.filter(({ answer }) => answer.answers === null);
  const stale = all.filter(({ answer, target }) => answer.answers !== null && !sameAnswers(answer.answers, target));
  const who = (some: typeof all): string => some.map(({ answer }) => answer.resolver).join(', ');
  // A stale answer is known, whatever the silent ones would have said.
  if (stale.length > 0) return no('stale', `not the target’s records at ${who(stale)}`, facts);
  if (silent.length > 0) return unknown('no-answer', `no answer from ${who(silent)}`, facts);
  return ok(`${all.length} resolvers answer the records of ${operation.to}`, facts);
}
