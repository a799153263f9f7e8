/**
 * Handing an input to the engine and telling three endings apart. A sender is told 2xx only after `durable`
 * (design §4); everything else is a 503, because sending again does no harm.
 */
import type { EngineFace, HttpContext } from './context.ts';
import type { ProblemCode } from './problem.ts';

/** Alertmanager hangs up after 10 s; an answer that comes before is worth more than one that would be right. */
export const DURABLE_WITHIN_MS = 8_000;
export const RETRY_AFTER_SECONDS = 5;

export type Durability = 'durable' | 'failed' | 'late';

/** Which of the two failed: they are mended by different people. */
export const failedCode = (engine: Pick<EngineFace, 'failureKind'>): ProblemCode =>
  engine.failureKind() === 'core' ? 'core-failed' : 'journal-failed';

export async function makeDurable(
  { engine, timers, log }: Pick<HttpContext, 'engine' | 'timers' | 'log'>,
  input: Parameters<EngineFace['submit']>[0],
): Promise<Durability> {
  if (engine.health() !== 'running') return 'failed';
  const { promise: late, resolve } = Promise.withResolvers<'late'>();
  const cancel = timers.after(DURABLE_WITHIN_MS, () => resolve('late'));
  const submitted = engine.submit(input).then(
    () => 'durable' as const,
    (error: unknown) => {
      log.error({ err: error, input: input.kind }, 'an input could not be made durable');
      return 'failed' as const;
    },
  );
  try {
    return await Promise.race([submitted, late]);
  } finally {
    cancel();
  }
}
