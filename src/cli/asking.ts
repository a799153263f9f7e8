/** One question to one server from the command line: a deadline, and the same clocks and timers as the daemon has. */
import type { ProbeContext } from '../probes/probe.ts';
import { systemClock } from '../runtime/clock.ts';
import { systemTimers } from '../runtime/timers.ts';

/** Runs `ask` with a signal that ends after `timeoutMs`, which every probe of ours answers to at once. */
export async function within<T>(timeoutMs: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = new AbortController();
  const cancel = systemTimers.after(timeoutMs, () => deadline.abort());
  try {
    return await ask(deadline.signal);
  } finally {
    cancel();
  }
}

/** For a probe that is asked once, on a connection of its own, and writes nothing. */
export const probeContext = (vantage: string, signal: AbortSignal, log: (line: string) => void): ProbeContext => ({
  vantage,
  signal,
  fresh: true,
  canary: false,
  clock: systemClock,
  timers: systemTimers,
  log,
});
