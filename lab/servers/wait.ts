import { setTimeout as sleep } from 'node:timers/promises';
import { LabError, type LabErrorCode } from './errors.ts';

export interface WaitOptions {
  /** What is waited for, in the words of the error. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly intervalMs?: number;
  /** The code of the error when time is up. */
  readonly code?: LabErrorCode;
  /** Asked before every try: a reason to give up at once (the process died), or undefined to go on. */
  readonly giveUp?: () => string | undefined;
}

/**
 * Ask until the answer is not `undefined`. Every wait in the lab is one of these: bounded, and its error says what
 * never came. An error thrown by `ask` ends the wait: "not yet" is said by `undefined`, not by throwing.
 */
export async function until<T>(options: WaitOptions, ask: () => Promise<T | undefined>): Promise<T> {
  const deadlineMs = performance.now() + options.timeoutMs;
  for (;;) {
    const reason = options.giveUp?.();
    if (reason !== undefined) throw new LabError('start-failed', `${options.what}: ${reason}`);
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() >= deadlineMs) {
      throw new LabError(options.code ?? 'timeout', `${options.what}: not within ${options.timeoutMs} ms`);
    }
    await sleep(options.intervalMs ?? 25);
  }
}

/** Milliseconds since the epoch with a fraction, monotonic within this process: what the ledger and the log carry. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Poll until the condition is true, or say by `false` that it never was: the bounded wait of a scenario. */
export async function waitFor(what: string, timeoutMs: number, ask: () => Promise<boolean>): Promise<boolean> {
  return await until({ what, timeoutMs, intervalMs: 200 }, async () => ((await ask()) ? true : undefined)).catch(
    (error: unknown) => {
      if (error instanceof LabError && error.code === 'timeout') return false;
      throw error;
    },
  );
}
