/** Timers of this process. Satisfies `Timers` of `engine/ports.ts`. */
import { type Clock, systemClock } from './clock.ts';

export type Timers = {
  /** Calls once after `delayMs`; the function returned cancels it and may be called at any time. */
  after(delayMs: number, call: () => void): () => void;
};

/** Node takes a longer delay for 1 ms (it is held in 31 bits); longer ones are waited for in parts. */
const LONGEST_PART_MS = 2 ** 31 - 1;

/**
 * Timers that never fire early as `clock.mono` counts: Node's own may, by a fraction of a millisecond, and a deadline
 * that is not there yet when its timer fires has to be waited for again. A delay of NaN is a mistake of the caller and
 * throws a RangeError; one that is negative counts as 0.
 */
export function createTimers(clock: Clock = systemClock): Timers {
  return {
    after(delayMs, call) {
      if (Number.isNaN(delayMs)) throw new RangeError('a delay must be a number of milliseconds');
      const dueMono = clock.mono() + delayMs;
      let timer: NodeJS.Timeout | undefined;
      const arm = (): void => {
        const restMs = Math.max(0, dueMono - clock.mono());
        timer = setTimeout(fire, Math.min(Math.ceil(restMs), LONGEST_PART_MS));
      };
      const fire = (): void => {
        if (clock.mono() < dueMono) arm();
        else call();
      };
      arm();
      return () => clearTimeout(timer);
    },
  };
}

export const systemTimers: Timers = createTimers();
