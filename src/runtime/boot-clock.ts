/**
 * Milliseconds since this machine booted, time asleep included (CLOCK_BOOTTIME). Node.js reads CLOCK_MONOTONIC alone, which
 * stands still while a machine sleeps: a lease counted in it would outlive its end. `/proc/uptime` counts that time too, in
 * steps of 10 ms, and is the same for every process of one boot.
 */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Clock } from './clock.ts';

const UPTIME = '/proc/uptime';
/** Twice the step of `/proc/uptime`: less than that apart, the two clocks agree. */
const AGREE_MS = 20;

/** Milliseconds since the boot, or null where this system doesn't say. */
export function readUptimeMs(read: () => string = () => readFileSync(UPTIME, 'latin1')): number | null {
  try {
    const seconds = Number(/^(\d+(?:\.\d+)?) /.exec(read())?.[1] ?? Number.NaN);
    return Number.isFinite(seconds) ? seconds * 1000 : null;
  } catch {
    // No such file: another system, or /proc isn't mounted. The caller has to know that there is no such clock.
    return null;
  }
}

/**
 * A clock whose `mono` counts from the boot and includes sleep; null where that can't be had. Between two steps of
 * `/proc/uptime` it goes on with the finer clock of the process, and it never goes back.
 */
export function createBootClock(
  uptimeMs: () => number | null = readUptimeMs,
  fineMs: () => number = () => performance.now(),
): Clock | null {
  const first = uptimeMs();
  if (first === null) return null;
  let offsetMs = first - fineMs();
  return {
    wall: () => Date.now(),
    mono() {
      const fine = fineMs();
      const boot = uptimeMs();
      // Only forward: what was slept through is added, and the coarse clock's rounding is not taken off.
      if (boot !== null && boot - fine - offsetMs > AGREE_MS) offsetMs = boot - fine;
      return fine + offsetMs;
    },
  };
}
