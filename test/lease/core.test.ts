import t from 'tap';
import { EngineFailed } from '../../src/engine/engine.ts';
import { A, B, codeOf, leaseContract, settled } from './contract.ts';
import { startCore } from './core.ts';

t.test('the core, on its journal', async (t) => {
  leaseContract(t, async (t) => {
    const core = await startCore();
    t.teardown(() => core.engine().stop());
    return core;
  });
});

const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test('a renewal waits for no disk, and an acquisition is answered once it is durable', async (t) => {
  const core = await startCore();
  const { a, b } = await settled(core);
  const disk = Promise.withResolvers<void>();
  core.fault = { kind: 'hang', applied: true, until: disk.promise };
  const reported = core.engine().submit({ kind: 'webhook', request: 'w', alerts: [ALERT] });
  await later();
  t.equal((await a.set()).kind, 'set', 'while something else is being written');
  t.equal((await b.read()).revision, a.last?.revision);
  const taking = b.acquire();
  await later();
  t.equal(b.last?.kind, 'is', 'no answer yet');
  t.equal(core.engine().state().ledger.groups[GROUP]?.epoch, 1);
  t.equal((await a.set()).kind, 'set', 'nothing of it was taken in yet');
  core.fault = null;
  disk.resolve();
  await reported;
  t.equal((await taking).kind, 'conflict', 'it is judged after the renewal that was granted meanwhile');
  await core.engine().stop();
});

t.test('what is not durable yet is told to nobody', async (t) => {
  const core = await startCore();
  const { a, b } = await settled(core);
  const disk = Promise.withResolvers<void>();
  core.fault = { kind: 'hang', applied: true, until: disk.promise };
  const taking = b.acquire({ peers: [A] });
  await later();
  const reading = a.read();
  const renewing = a.store.ask(a.request(a.setOf()));
  await later();
  t.equal(core.replies.filter(({ body }) => body['floor'] === 2).length, 0);
  core.fault = null;
  disk.resolve();
  t.equal((await taking).kind, 'set');
  t.match(await reading, { record: { holder: B, epoch: 2 } });
  t.equal((await renewing).kind, 'conflict');
  await core.engine().stop();
});

t.test('invariant 14: a journal that failed grants nothing, renewals among it', async (t) => {
  const core = await startCore();
  const { a, b } = await settled(core);
  core.fault = { kind: 'fail', code: 'full' };
  await t.rejects(b.acquire(), EngineFailed);
  core.fault = null;
  await t.rejects(a.set(), EngineFailed);
});

t.test('a renewal judges no group', async (t) => {
  const core = await startCore();
  const { a } = await settled(core);
  const { ledger } = core.engine().state();
  core.nowMs += 3000;
  for (let round = 0; round < 3; round += 1) t.equal(codeOf(await a.set()), 'set');
  t.equal(core.engine().state().ledger, ledger, 'and leaves the ledger as it was');
});

t.test('who is no guard of a PostgreSQL of ours is told so', async (t) => {
  const core = await startCore();
  const { a } = await settled(core);
  for (const over of [{ group: 'nobody' }, { component: 'api' }, { component: 'nothing' }, { guard: 'eu-west-1' }])
    await t.rejects(core.ask({ ...a.request({ kind: 'read' }), ...over }), /not-found/);
});

t.test('people are paged when a store halts, and the group acts by itself no more', async (t) => {
  const core = await startCore();
  const { b } = await settled(core);
  const backup = await core.copy();
  await b.acquire({ peers: [A] });
  await core.restart(backup);
  await b.read();
  await b.read();
  const pages = core.events().flatMap((event) => (event.kind === 'page.queued' ? [event.page] : []));
  t.equal(pages.filter(({ kind, title }) => kind === 'stuck' && title.includes('halted')).length, 1, 'once');
  const halts = core.events().filter(({ kind }) => kind === 'lease.halted');
  t.match(halts, [{ code: 'higher-epoch', guard: B, epoch: 2 }]);
  b.obeyed = 9;
  await b.read();
  t.equal(core.events().filter(({ kind }) => kind === 'lease.halted').length, 2, 'what is seen beyond is kept, too');
  await core.clear();
  t.ok((await b.read()).floor >= 9);
  await core.engine().stop();
});

const GROUP = 'platform';
const ALERT = {
  fingerprint: '00000000000000aa',
  startsAt: 1,
  status: 'firing' as const,
  labels: { alertname: 'PodFailing' },
  summary: null,
};
