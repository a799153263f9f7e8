// What the log and the metrics are told of what became durable.
import t from 'tap';
import { createMetrics, meteredStore } from '../../src/daemon/metrics.ts';
import { createObserver } from '../../src/daemon/observer.ts';
import { seal } from '../../src/journal/chain.ts';
import { openMemoryJournal } from '../../src/journal/memory.ts';
import { type EventBody, GENESIS_HASH } from '../../src/model/events.ts';
import { createLog } from '../../src/runtime/log.ts';

const started = (at: number): EventBody => ({
  kind: 'daemon.started',
  at,
  incarnation: 'one',
  version: '0',
  configHash: 'none',
});
const held: EventBody = { kind: 'hold.ended', at: 3, group: 'orders', row: 40, why: 'it recovered' };
const halted: EventBody = { kind: 'run.halted', at: 4, group: 'orders', run: 'run-orders-1', code: 'x', why: 'stop' };

async function value(metrics: ReturnType<typeof createMetrics>, line: string): Promise<number | null> {
  const found = (await metrics.registry.metrics()).split('\n').find((one) => one.startsWith(`${line} `));
  return found === undefined ? null : Number(found.slice(line.length + 1));
}

t.test('every entry is a line at the level of its urgency, and counted', async (t) => {
  const lines: Record<string, unknown>[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(JSON.parse(line)) } });
  const metrics = createMetrics({ version: '0' });
  const observer = createObserver({ log, metrics });
  observer.appended(seal(0, GENESIS_HASH, [started(1), held, halted]));
  t.match(lines, [
    { level: 'info', event: 'daemon.started', seq: 1 },
    { level: 'warn', event: 'hold.ended', group: 'orders', row: 40, why: 'it recovered' },
    { level: 'error', event: 'run.halted', run: 'run-orders-1', code: 'x', why: 'stop' },
  ]);
  observer.failed(new Error('the disk is gone'));
  t.match(lines[3], { level: 'error', err: { message: 'the disk is gone' } });
  t.equal(await value(metrics, 'failoverd_journal_entries_total'), 3);
  t.equal(await value(metrics, 'failoverd_events_total{kind="run.halted"}'), 1);
});

t.test('appends are timed, also those that fail', async (t) => {
  const metrics = createMetrics({ version: '0' });
  let now = 0;
  let fails = false;
  const inner = await openMemoryJournal({ fault: () => (fails ? { kind: 'fail', code: 'full' } : null) });
  const store = meteredStore(inner, metrics, () => {
    now += 5;
    return now;
  });
  const [first] = seal(0, GENESIS_HASH, [started(1)]);
  if (first === undefined) throw new Error('no entry');
  await store.append([first]);
  fails = true;
  await t.rejects(store.append(seal(first.seq, first.hash, [held])), { code: 'full' });
  t.equal(await value(metrics, 'failoverd_journal_append_duration_seconds_sum{outcome="ok"}'), 0.005);
  t.equal(await value(metrics, 'failoverd_journal_append_duration_seconds_count{outcome="failed"}'), 1);
  t.equal((await store.load()).length, 1);
  await store.close();
});
