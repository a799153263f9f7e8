import t from 'tap';
import { EngineFailed, startEngine } from '../../src/engine/engine.ts';
import type { Ports } from '../../src/engine/ports.ts';
import { crashMemoryDisk, memoryDisk, openMemoryJournal } from '../../src/journal/memory.ts';
import type { JournalEntry } from '../../src/model/events.ts';
import type { Input, Reply } from '../../src/model/loop.ts';
import { settingsWith } from '../support/group.ts';

const alert = (fingerprint: string) => ({
  fingerprint,
  startsAt: 1,
  status: 'firing' as const,
  labels: { alertname: 'PodFailing' },
  summary: null,
});

function world() {
  const replies: Reply[] = [];
  const appended: JournalEntry[] = [];
  const failures: Error[] = [];
  const probed: string[] = [];
  const ports: Ports = {
    clock: { wall: () => 1_768_000_000_000, mono: () => 1000 },
    timers: { after: () => () => undefined },
    actor: { perform: () => new Promise(() => undefined) },
    prober: { probeNow: (group) => probed.push(group) },
    pager: { deliver: async () => ({ delivered: true, message: '' }) },
    replies: { reply: (reply) => replies.push(reply) },
    observer: {
      appended: (entries) => appended.push(...entries),
      failed: (error) => failures.push(error),
      clockSet: () => undefined,
    },
  };
  return { ports, replies, appended, failures, probed };
}
const options = { settings: settingsWith(), version: 'test', configHash: 'none' };

t.test('a reply leaves only when what it speaks of is durable', async (t) => {
  const disk = memoryDisk();
  const { ports, replies } = world();
  let let_: () => void = () => undefined;
  const until = new Promise<void>((resolve) => {
    let_ = resolve;
  });
  let holding = false;
  const store = await openMemoryJournal({
    disk,
    fault: () => (holding ? { kind: 'hang', applied: true, until } : null),
  });
  const engine = await startEngine({ ...options, store, ports, incarnation: 'one' });
  holding = true;
  const submitted = engine.submit({ kind: 'webhook', request: 'r', alerts: [alert('00000000000000aa')] });
  await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(replies, [], 'the disk has not answered yet');
  let_();
  await submitted;
  t.equal(replies.length, 1);
  await engine.stop();
});

t.test('invariant 14: once the journal failed, nothing follows', async (t) => {
  const { ports, replies, probed, failures } = world();
  let failing = false;
  const store = await openMemoryJournal({ fault: () => (failing ? { kind: 'fail', code: 'full' } : null) });
  const engine = await startEngine({ ...options, store, ports, incarnation: 'one' });
  failing = true;
  await t.rejects(engine.submit({ kind: 'webhook', request: 'r', alerts: [alert('00000000000000aa')] }), EngineFailed);
  failing = false;
  await t.rejects(engine.submit({ kind: 'webhook', request: 's', alerts: [alert('00000000000000bb')] }), EngineFailed);
  t.equal(engine.health(), 'failed');
  t.equal(engine.failureKind(), 'journal');
  t.strictSame(replies, []);
  t.strictSame(probed, []);
  t.equal(failures.length, 1);
  t.strictSame(engine.state().ledger.alerts, {}, 'and the state holds nothing that is not durable');
});

t.test('a defect of the judgement is not told as a failed journal', async (t) => {
  const { ports, failures } = world();
  const engine = await startEngine({ ...options, store: await openMemoryJournal(), ports, incarnation: 'one' });
  await t.rejects(engine.submit({ kind: 'nonsense' } as never), { name: 'EngineFailed', kind: 'core' });
  t.equal(engine.health(), 'failed');
  t.equal(engine.failureKind(), 'core');
  t.equal(failures.length, 1);
  await t.rejects(engine.submit({ kind: 'tick' }), { kind: 'core', message: /judgement/ });
  await engine.stop();
});

t.test('webhooks that come while the journal is written are taken in as one, and answered each', async (t) => {
  const { ports, replies, appended } = world();
  const held = Promise.withResolvers<void>();
  let holding = false;
  const store = await openMemoryJournal({
    fault: () => (holding ? { kind: 'hang', applied: true, until: held.promise } : null),
  });
  const inputs: Input[] = [];
  const record = (input: Input): void => void inputs.push(input);
  const engine = await startEngine({ ...options, store, ports, incarnation: 'one', record });
  inputs.length = 0;
  holding = true;
  const post = (request: string, fingerprint: string, status: 'firing' | 'resolved' = 'firing') =>
    engine.submit({ kind: 'webhook', request, alerts: [{ ...alert(fingerprint), status }] });
  const all = [post('first', '00000000000000a0')];
  await new Promise((resolve) => setImmediate(resolve));
  all.push(post('a', '00000000000000aa'), post('b', '00000000000000bb'), post('b2', '00000000000000bb'));
  all.push(post('c', '00000000000000aa', 'resolved'), post('d', '00000000000000dd'));
  held.resolve();
  await Promise.all(all);
  const seen = inputs.map((input) =>
    input.kind === 'webhooks'
      ? input.posts.map(({ request }) => request)
      : 'request' in input
        ? input.request
        : input.kind,
  );
  t.strictSame(seen, ['first', ['a', 'b', 'b2'], ['c', 'd']], 'what fires is seen to fire before it is resolved');
  t.strictSame(
    replies.map(({ request, body }) => [request, body['kept'], body['repeated']]),
    [
      ['first', 1, 0],
      ['a', 1, 0],
      ['b', 1, 0],
      ['b2', 0, 1],
      ['c', 1, 0],
      ['d', 1, 0],
    ],
  );
  t.equal(appended.filter(({ body }) => body.kind === 'alerts.received').length, 3);
  await engine.stop();
});

t.test('a restart knows what was acknowledged', async (t) => {
  const disk = memoryDisk();
  const first = await startEngine({
    ...options,
    store: await openMemoryJournal({ disk }),
    ports: world().ports,
    incarnation: 'one',
  });
  await first.submit({ kind: 'webhook', request: 'r', alerts: [alert('00000000000000aa')] });
  const before = first.state().ledger;
  await first.stop();
  await t.rejects(
    first.submit({ kind: 'tick' }),
    { name: 'EngineFailed', kind: 'stopped' } as never,
    'a stopped engine takes nothing',
  );
  crashMemoryDisk(disk);
  const { appended, ports } = world();
  const again = await startEngine({
    ...options,
    store: await openMemoryJournal({ disk }),
    ports,
    incarnation: 'two',
  });
  t.strictSame(again.state().ledger.alerts, before.alerts);
  t.equal(again.state().ledger.incarnation, 'two');
  t.equal(appended.length, 1, 'only its own start is new');
  await again.stop();
});

t.test('inputs that never cease don’t put the look at the clock off (invariants 27, 29)', async (t) => {
  const { ports } = world();
  let mono = 0;
  const armed: { dueMono: number; call: () => void; off: boolean }[] = [];
  const timers = {
    after(delayMs: number, call: () => void) {
      const timer = { dueMono: mono + delayMs, call, off: false };
      armed.push(timer);
      return () => {
        timer.off = true;
      };
    },
  };
  const inputs: Input[] = [];
  const engine = await startEngine({
    ...options,
    store: await openMemoryJournal({ disk: memoryDisk() }),
    ports: { ...ports, timers, clock: { wall: () => 1_768_000_000_000 + mono, mono: () => mono } },
    incarnation: 'one',
    record: (input) => inputs.push(input),
  });
  const first = inputs.length;
  for (let passes = 0; passes < 50; passes += 1) {
    mono += 100;
    for (const timer of armed.splice(0)) {
      if (timer.off) continue;
      if (timer.dueMono <= mono) timer.call();
      else armed.push(timer);
    }
    await engine.submit({ kind: 'webhook', request: `r${passes}`, alerts: [] });
  }
  const ticks = inputs.slice(first).filter(({ kind }) => kind === 'tick');
  t.equal(ticks.length, 5, 'one a second, whatever else comes');
  await engine.stop();
});
