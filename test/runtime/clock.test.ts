import t from 'tap';
import type { Clock as ClockPort, Timers as TimersPort } from '../../src/engine/ports.ts';
import { type Clock, systemClock } from '../../src/runtime/clock.ts';
import { createTimers, systemTimers } from '../../src/runtime/timers.ts';

// The engine can't import these and these can't import the engine: the compiler holds them together here.
const enginesClock: ClockPort = systemClock;
const enginesTimers: TimersPort = systemTimers;

t.test('the wall clock is the time of day, and the monotonic one starts with the process', async (t) => {
  const before = Date.now();
  const wall = enginesClock.wall();
  t.ok(wall >= before && wall <= Date.now());
  t.ok(systemClock.mono() > 0);
  t.ok(systemClock.mono() < process.uptime() * 1000 + 1000);
});

t.test('the monotonic clock never goes back', async (t) => {
  let last = systemClock.mono();
  let back = 0;
  for (let i = 0; i < 10_000; i++) {
    const now = systemClock.mono();
    if (now < last) back += 1;
    last = now;
  }
  t.equal(back, 0);
});

t.test('a timer calls once and never early as the monotonic clock counts', async (t) => {
  for (const delayMs of [0, 1, 2.5, 7, 20]) {
    const dueMono = systemClock.mono() + delayMs;
    const { promise, resolve } = Promise.withResolvers<number>();
    enginesTimers.after(delayMs, () => resolve(systemClock.mono()));
    t.ok((await promise) >= dueMono, `after ${delayMs} ms`);
  }
});

t.test('a timer that fires before its time by the clock is waited for again', async (t) => {
  let monoMs = 0;
  const slowClock: Clock = { wall: () => 0, mono: () => monoMs };
  const { promise, resolve } = Promise.withResolvers<number>();
  createTimers(slowClock).after(3, () => resolve(monoMs));
  // The process's timers turn 4 times as fast as this clock.
  const turning = setInterval(() => {
    monoMs += 0.25;
  }, 1);
  const calledMono = await promise;
  clearInterval(turning);
  t.ok(calledMono >= 3, `called at ${calledMono}`);
});

t.test('a cancelled timer never calls, also when it is cancelled twice or after its time', async (t) => {
  let calls = 0;
  const cancel = systemTimers.after(2, () => {
    calls += 1;
  });
  cancel();
  cancel();
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancelLate = systemTimers.after(10, resolve);
  await promise;
  cancelLate();
  t.equal(calls, 0);
});

t.test('a delay of two months is not taken for no delay, nor waited for busily', async (t) => {
  let calls = 0;
  let reads = 0;
  const countingClock: Clock = {
    wall: systemClock.wall,
    mono: () => {
      reads += 1;
      return systemClock.mono();
    },
  };
  const timers = createTimers(countingClock);
  const cancel = [60 * 86_400_000, Number.POSITIVE_INFINITY].map((delayMs) =>
    timers.after(delayMs, () => {
      calls += 1;
    }),
  );
  const readsAtFirst = reads;
  const { promise, resolve } = Promise.withResolvers<void>();
  systemTimers.after(50, resolve);
  await promise;
  for (const each of cancel) each();
  t.equal(calls, 0);
  t.equal(reads, readsAtFirst);
});

t.test('a delay that is no number is a mistake of the caller', async (t) => {
  t.throws(() => systemTimers.after(Number.NaN, () => undefined), RangeError);
});
