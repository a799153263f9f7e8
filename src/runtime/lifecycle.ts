/**
 * Ends the parts of a process in the reverse of the order they began, each within a time of its own: a part that hangs
 * costs its wait, never the end of the others.
 */
import { type Clock, systemClock } from './clock.ts';
import type { Log } from './log.ts';
import type { Timers } from './timers.ts';

/** `late`: it had not ended in time, and we went on without it. */
export type PartOutcome = 'ended' | 'failed' | 'late';

export type PartReport = {
  readonly name: string;
  readonly outcome: PartOutcome;
  readonly tookMs: number;
  readonly error: Error | null;
};

export type StopReport = {
  readonly reason: string;
  /** In the order they were asked to end. */
  readonly parts: readonly PartReport[];
};

export type Lifecycle = {
  /** Aborted when stopping begins. */
  readonly stopping: AbortSignal;
  /**
   * Ends a part by calling `end` once. A part that comes while stopping is ended as well, at once where everything
   * else is down already: a start that was overtaken by a signal leaves nothing behind.
   */
  onStop(name: string, timeoutMs: number, end: () => unknown): void;
  /** Ends everything; later calls wait for the same end. Never rejects. */
  stop(reason: string): Promise<StopReport>;
};

type Part = { readonly name: string; readonly timeoutMs: number; readonly end: () => unknown };

const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));

export function createLifecycle(ports: {
  readonly log: Log;
  readonly timers: Timers;
  readonly clock?: Clock;
}): Lifecycle {
  const { log, timers, clock = systemClock } = ports;
  const parts: Part[] = [];
  const stopping = new AbortController();
  let stopped: Promise<StopReport> | null = null;
  let down = false;

  const endPart = (part: Part): Promise<PartReport> =>
    new Promise((resolve) => {
      const startedMono = clock.mono();
      const report = (outcome: PartOutcome, error: Error | null): PartReport => {
        const tookMs = Math.round(clock.mono() - startedMono);
        return { name: part.name, outcome, tookMs, error };
      };
      let waiting = true;
      const cancel = timers.after(part.timeoutMs, () => {
        waiting = false;
        log.error({ part: part.name, timeoutMs: part.timeoutMs }, 'a part did not end in time; going on without it');
        resolve(report('late', null));
      });
      const settle = (outcome: PartOutcome, error: Error | null): void => {
        const { tookMs } = report(outcome, error);
        if (error !== null) log.error({ part: part.name, tookMs, err: error }, 'a part failed to end');
        else if (waiting) log.debug({ part: part.name, tookMs }, 'a part ended');
        else log.warn({ part: part.name, tookMs }, 'a part ended after all');
        if (!waiting) return;
        cancel();
        resolve(report(outcome, error));
      };
      Promise.try(part.end).then(
        () => settle('ended', null),
        (thrown: unknown) => settle('failed', asError(thrown)),
      );
    });

  const stopAll = async (reason: string): Promise<StopReport> => {
    log.info({ reason, parts: parts.length }, 'stopping');
    stopping.abort(new Error(reason));
    const reports: PartReport[] = [];
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) reports.push(await endPart(part));
    down = true;
    const unclean = reports.filter(({ outcome }) => outcome !== 'ended').map(({ name }) => name);
    if (unclean.length === 0) log.info({ reason }, 'stopped');
    else log.error({ reason, unclean }, 'stopped, but not cleanly');
    return { reason, parts: reports };
  };

  return {
    stopping: stopping.signal,
    onStop(name, timeoutMs, end) {
      const part = { name, timeoutMs, end };
      if (down) void endPart(part);
      else parts.push(part);
    },
    stop(reason) {
      stopped ??= stopAll(reason);
      return stopped;
    },
  };
}
