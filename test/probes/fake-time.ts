/** A clock that stands still until it is told to go on, and timers that follow it. */
import type { Clock } from '../../src/runtime/clock.ts';
import type { Timers } from '../../src/runtime/timers.ts';

export type FakeTime = {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Goes on, firing what is due on the way, each at its instant; promises are let run in between. */
  advance(ms: number): Promise<void>;
  /** Time passes and nothing fires meanwhile, as for a process that was stopped. Then what is due fires. */
  freeze(ms: number): Promise<void>;
  waiting(): number;
};

const START_WALL_MS = Date.UTC(2026, 0, 1);

/** Lets everything run that waits for promises alone. */
export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

export function fakeTime(): FakeTime {
  let now = 0;
  let count = 0;
  const timers = new Map<number, { readonly due: number; readonly call: () => void }>();
  const next = (until: number): number | null => {
    const due = [...timers].filter(([, timer]) => timer.due <= until);
    due.sort(([a, x], [b, y]) => x.due - y.due || a - b);
    return due[0]?.[0] ?? null;
  };
  const advance = async (ms: number): Promise<void> => {
    const until = now + ms;
    await settle();
    for (let id = next(until); id !== null; id = next(until)) {
      const timer = timers.get(id);
      timers.delete(id);
      now = Math.max(now, timer?.due ?? now);
      timer?.call();
      await settle();
    }
    now = until;
  };
  return {
    clock: { wall: () => START_WALL_MS + now, mono: () => now },
    timers: {
      after(delayMs, call) {
        count += 1;
        const id = count;
        timers.set(id, { due: now + Math.max(0, delayMs), call });
        return () => void timers.delete(id);
      },
    },
    advance,
    freeze: async (ms) => {
      now += ms;
      await advance(0);
    },
    waiting: () => timers.size,
  };
}
