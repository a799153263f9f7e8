import t from 'tap';
import { createLifecycle } from '../../src/runtime/lifecycle.ts';
import { createLog } from '../../src/runtime/log.ts';
import type { Timers } from '../../src/runtime/timers.ts';

/** Timers that fire when told to. */
function handTimers() {
  const due = new Map<() => void, number>();
  const timers: Timers = {
    after(delayMs, call) {
      due.set(call, delayMs);
      return () => void due.delete(call);
    },
  };
  const fire = (): void => {
    const calls = [...due.keys()];
    due.clear();
    for (const call of calls) call();
  };
  return { timers, fire, delays: () => [...due.values()] };
}

function bench() {
  const lines: Record<string, unknown>[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(JSON.parse(line)) } });
  const hand = handTimers();
  return { ...hand, lifecycle: createLifecycle({ log, timers: hand.timers }), lines };
}

/** Lets everything run that waits for nothing but its turn. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test('parts end in the reverse of their order, each after the one before it has ended', async (t) => {
  const { lifecycle, delays } = bench();
  const order: string[] = [];
  for (const name of ['journal', 'engine', 'http']) {
    lifecycle.onStop(name, 1000, async () => {
      order.push(`${name} ends`);
      await turn();
      order.push(`${name} ended`);
    });
  }
  const report = await lifecycle.stop('asked to');
  t.same(order, ['http ends', 'http ended', 'engine ends', 'engine ended', 'journal ends', 'journal ended']);
  t.same(
    report.parts.map(({ name, outcome }) => [name, outcome]),
    [
      ['http', 'ended'],
      ['engine', 'ended'],
      ['journal', 'ended'],
    ],
  );
  t.equal(report.reason, 'asked to');
  t.same(delays(), [], 'no timer is left behind');
});

t.test('a part that hangs costs its wait, is named, and the others end', async (t) => {
  const { lifecycle, fire, delays, lines } = bench();
  let ended = 0;
  lifecycle.onStop('journal', 1000, () => {
    ended += 1;
  });
  const hang = Promise.withResolvers<void>();
  lifecycle.onStop('http', 250, () => hang.promise);
  const stopping = lifecycle.stop('asked to');
  await turn();
  t.equal(ended, 0, 'its wait is not over');
  t.same(delays(), [250]);
  fire();
  const report = await stopping;
  t.equal(ended, 1);
  t.same(
    report.parts.map(({ name, outcome }) => [name, outcome]),
    [
      ['http', 'late'],
      ['journal', 'ended'],
    ],
  );
  t.match(
    lines.filter(({ level }) => level === 'error'),
    [
      { part: 'http', timeoutMs: 250 },
      { unclean: ['http'], reason: 'asked to' },
    ],
  );
  hang.resolve();
  await turn();
  t.match(lines.at(-1), { level: 'warn', part: 'http' }, 'that it ended after all is said');
});

t.test('a part that fails to end is named with its error, and the others end', async (t) => {
  const { lifecycle } = bench();
  let ended = 0;
  lifecycle.onStop('journal', 1000, () => {
    ended += 1;
  });
  lifecycle.onStop('engine', 1000, () => Promise.reject(new Error('no')));
  lifecycle.onStop('http', 1000, () => {
    throw new Error('never');
  });
  const { parts } = await lifecycle.stop('asked to');
  t.same(
    parts.map(({ name, outcome, error }) => [name, outcome, error?.message]),
    [
      ['http', 'failed', 'never'],
      ['engine', 'failed', 'no'],
      ['journal', 'ended', undefined],
    ],
  );
  t.equal(ended, 1);
});

t.test('a part that fails after its wait is over harms nobody', async (t) => {
  const { lifecycle, fire, lines } = bench();
  const hang = Promise.withResolvers<void>();
  lifecycle.onStop('http', 250, () => hang.promise);
  const stopping = lifecycle.stop('asked to');
  await turn();
  fire();
  await stopping;
  hang.reject(new Error('too late'));
  await turn();
  t.match(lines.at(-1), { level: 'error', part: 'http', err: { message: 'too late' } });
});

t.test('stopping twice ends each part once and gives one report', async (t) => {
  const { lifecycle } = bench();
  let ended = 0;
  lifecycle.onStop('http', 1000, () => {
    ended += 1;
  });
  const [one, two] = await Promise.all([lifecycle.stop('first'), lifecycle.stop('second')]);
  const three = await lifecycle.stop('third');
  t.equal(ended, 1);
  t.equal(one, two);
  t.equal(one, three);
  t.equal(one.reason, 'first');
});

t.test('a part that begins while others end is ended too, and one that begins after the end at once', async (t) => {
  const { lifecycle } = bench();
  const order: string[] = [];
  lifecycle.onStop('journal', 1000, () => order.push('journal'));
  lifecycle.onStop('starting', 1000, () => {
    order.push('starting');
    lifecycle.onStop('latecomer', 1000, () => order.push('latecomer'));
  });
  t.equal(lifecycle.stopping.aborted, false);
  const stopping = lifecycle.stop('asked to');
  t.equal(lifecycle.stopping.aborted, true, 'whoever starts can see it');
  await stopping;
  t.same(order, ['starting', 'latecomer', 'journal']);
  lifecycle.onStop('last', 1000, () => order.push('last'));
  await turn();
  t.same(order, ['starting', 'latecomer', 'journal', 'last']);
});
