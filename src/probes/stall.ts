/**
 * Notices when this process itself stood still: stopped by a signal, paused with its virtual machine, starved of the
 * processor. Deadlines that pass meanwhile say nothing of the targets, and all of them pass at once: without this, a
 * daemon that wakes up would see every region dead at the same instant.
 */
import type { Clock } from '../runtime/clock.ts';
import type { Timers } from '../runtime/timers.ts';

const BEAT_MS = 100;
/** Later than this is a stall; less is the ordinary unevenness of timers. */
const TOLERANCE_MS = 50;
/** Stalls are remembered for longer than any probe takes. */
const KEPT = 600;

export type StallWatch = {
  /** Milliseconds of standstill since that instant of the monotonic clock, as far as it was noticed. */
  stalledSinceMs(mono: number): number;
  stop(): void;
};

export function watchStalls(clock: Clock, timers: Timers): StallWatch {
  const stalls: { readonly endMono: number; readonly lengthMs: number }[] = [];
  let dueMono = clock.mono() + BEAT_MS;
  let cancel = (): void => undefined;
  const lateMs = (): number => {
    const late = clock.mono() - dueMono;
    return late > TOLERANCE_MS ? late : 0;
  };
  const beat = (): void => {
    const lengthMs = lateMs();
    if (lengthMs > 0) stalls.push({ endMono: clock.mono(), lengthMs });
    if (stalls.length > KEPT) stalls.shift();
    dueMono = clock.mono() + BEAT_MS;
    cancel = timers.after(BEAT_MS, beat);
  };
  cancel = timers.after(BEAT_MS, beat);
  return {
    stalledSinceMs(mono) {
      const past = stalls.filter((stall) => stall.endMono >= mono);
      // Of a stall that began before that instant only the part after it counts.
      const pastMs = past.reduce((sum, stall) => sum + Math.min(stall.lengthMs, stall.endMono - mono), 0);
      return pastMs + Math.min(lateMs(), Math.max(0, clock.mono() - mono));
    },
    stop: () => cancel(),
  };
}
