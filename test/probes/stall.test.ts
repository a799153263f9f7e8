import t from 'tap';
import { watchStalls } from '../../src/probes/stall.ts';
import { fakeTime } from './fake-time.ts';

t.test('a process that runs evenly has not stood still', async (t) => {
  const time = fakeTime();
  const watch = watchStalls(time.clock, time.timers);
  for (let turn = 0; turn < 50; turn += 1) {
    await time.freeze(20);
    await time.advance(100);
  }
  t.equal(watch.stalledSinceMs(0), 0);
  watch.stop();
  t.equal(time.waiting(), 0);
});

t.test('a standstill counts from when it began to matter', async (t) => {
  const time = fakeTime();
  const watch = watchStalls(time.clock, time.timers);
  await time.advance(1_000);
  await time.freeze(5_000);
  await time.advance(1_000);
  t.ok(Math.abs(watch.stalledSinceMs(500) - 4_900) <= 100, `${watch.stalledSinceMs(500)} ms`);
  t.ok(Math.abs(watch.stalledSinceMs(5_000) - 1_000) <= 100, 'only the part after that instant');
  t.equal(watch.stalledSinceMs(6_500), 0, 'nothing of one that had ended before');
  watch.stop();
});

t.test('a standstill shows before the first timer after it has fired', async (t) => {
  const time = fakeTime();
  const watch = watchStalls(time.clock, time.timers);
  await time.advance(1_000);
  let seenMs = 0;
  time.timers.after(10, () => {
    seenMs = watch.stalledSinceMs(1_000);
  });
  await time.freeze(3_000);
  t.ok(seenMs >= 2_800, `${seenMs} ms`);
  watch.stop();
});
