/**
 * The executor: carries one operation out through its actor, and gives up waiting when its time is over. Giving up says
 * nothing of the effect: for a `do` the outcome is then unknown, and only a read will tell (design §7).
 */
import type { OperationResult, Perform } from '../model/loop.ts';
import type { Ports } from './ports.ts';

const unknown = (code: string, message: string): OperationResult => ({ kind: 'unknown', code, message, facts: {} });

/** Calls `answer` exactly once unless the process is ending, in which case nobody is left to tell. */
export function execute(
  operation: Perform,
  ports: Pick<Ports, 'actor' | 'timers'>,
  ending: AbortSignal,
  answer: (result: OperationResult) => void,
): void {
  const giveUp = new AbortController();
  let answered = false;
  const finish = (result: OperationResult): void => {
    if (answered) return;
    answered = true;
    cancelTimer();
    ending.removeEventListener('abort', end);
    if (!ending.aborted) answer(result);
  };
  const end = (): void => giveUp.abort();
  const cancelTimer = ports.timers.after(operation.timeoutMs, () => {
    giveUp.abort();
    finish(unknown('timeout', `no answer within ${operation.timeoutMs} ms`));
  });
  ending.addEventListener('abort', end, { once: true });
  ports.actor.perform(operation, giveUp.signal).then(finish, (error: unknown) => {
    finish(unknown('internal', error instanceof Error ? error.message : String(error)));
  });
}
