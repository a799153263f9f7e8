// The guard as it runs in the field: a process beside a real PostgreSQL, with a dead-man of its own.
import t from 'tap';
import { until } from '../../lab/servers/wait.ts';
import { asClient, pidsOf, postmasterOf } from './hands.ts';
import { DEAD_MAN_MS, DEMOTE_MS, STOP_MS, setUp } from './running.ts';

const HOST = '127.0.71.6';
const write = `insert into app.writes (id, region) values (gen_random_uuid()::text, 'a') returning region`;
const isDown = async (hands: Parameters<typeof pidsOf>[0]): Promise<true | undefined> =>
  (await pidsOf(hands)).length === 0 ? true : undefined;

t.test('it boots a primary, adopts it after a restart, and stops it when nobody renews', async (t) => {
  const running = await setUp(t, HOST);
  const { hands, store } = running;
  const first = running.guard();
  const primary = await running.become('primary');
  t.match(primary, {
    holds: Number,
    deadMan: { kind: 'absolute', armed: true },
    postgres: { state: 'primary', timeline: 1 },
  });
  t.equal(await asClient(hands, write), 'a');
  t.match(store.record(), { holder: 'a', writer: 'a', state: 'held', epoch: (await running.status())?.holds });
  const postmaster = postmasterOf(hands);

  const second = running.guard();
  t.equal(await second.ended, 1, 'a second guard is refused');
  t.match(second.said(), /belongs to another guard/);

  first.child.kill('SIGKILL');
  await first.ended;
  const third = running.guard();
  const adopted = await running.become('primary');
  t.equal(postmasterOf(hands), postmaster, 'PostgreSQL was left alone');
  t.not(adopted.process, primary.process);
  t.equal(await asClient(hands, write), 'a');
  await until({ what: 'a renewal by the new one', timeoutMs: 5_000 }, async () => {
    const now = await running.status();
    return now?.renewedAgoMs != null && now.renewedAgoMs < 1_000 ? true : undefined;
  });

  store.gone = true;
  const goneMs = performance.now();
  await until({ what: 'the end of PostgreSQL', timeoutMs: 25_000, intervalMs: 20 }, () => isDown(hands));
  const tookMs = performance.now() - goneMs;
  t.ok(tookMs <= DEMOTE_MS + STOP_MS, `stopped ${Math.round(tookMs)} ms after the store was gone (invariant 30)`);
  t.ok(tookMs > DEMOTE_MS - 1_500, 'and not at once');
  const held = (await running.become('stopped')).holds ?? Number.NaN;

  store.gone = false;
  t.ok(((await running.become('primary')).holds ?? 0) > held, 'it comes back by a new epoch (invariant 2)');
  t.equal(await asClient(hands, write), 'a');

  const before = (await running.status())?.holds;
  process.kill(postmasterOf(hands), 'SIGKILL');
  await until({ what: 'a restart in place', timeoutMs: 15_000 }, async () => {
    const now = await running.status();
    return now?.part === 'primary' && now.holds !== before && now.postgres.open ? true : undefined;
  });
  t.equal(await asClient(hands, write), 'a');
  third.child.kill('SIGTERM');
  t.equal(await third.ended, 0);
  t.not((await pidsOf(hands)).length, 0, 'a guard that is stopped leaves PostgreSQL to the next one');

  const last = running.guard('--stop-postgres');
  await running.become('primary');
  last.child.kill('SIGTERM');
  t.equal(await last.ended, 0);
  t.same(await pidsOf(hands), []);
  t.match(store.record(), { state: 'released', release: { kind: 'clean', timeline: 1, endLsn: /\// } });
});

t.test('frozen, it is survived by its dead-man, which ends PostgreSQL', async (t) => {
  const running = await setUp(t, HOST);
  const { hands } = running;
  const { child } = running.guard();
  await running.become('primary');
  child.kill('SIGSTOP');
  const frozenMs = performance.now();
  await until({ what: 'the end of PostgreSQL', timeoutMs: DEAD_MAN_MS + 5_000, intervalMs: 20 }, () => isDown(hands));
  const tookMs = performance.now() - frozenMs;
  t.ok(tookMs < DEAD_MAN_MS + 1_000, `${Math.round(tookMs)} ms`);
  t.ok(tookMs > DEAD_MAN_MS - 1_500, `${Math.round(tookMs)} ms`);
  child.kill('SIGCONT');
  t.match(await running.become('primary'), { postgres: { state: 'primary' } }, 'thawed, it starts it by a new epoch');
  t.equal(await asClient(hands, write), 'a');
});

t.test('it takes orders and is asked for promises by who shows its token', async (t) => {
  const running = await setUp(t, HOST);
  running.guard();
  await running.become('primary');
  const promise = { group: 'g', component: 'db', holder: 'b', epoch: 9 };
  t.match(await running.post('/v1/promise', promise), { status: 200, body: { promised: false, why: /lease/ } });
  t.match(await running.post('/v1/promise', promise, 'another-token'), {
    status: 401,
    body: { field: 'Authorization' },
  });
  t.match(await running.post('/v1/orders', { kind: 'freeze', why: 'x' }), {
    status: 409,
    body: { taken: false, message: /standby/ },
  });
  t.match(await running.post('/v1/orders', { kind: 'freeze', why: 'x', more: 1 }), { status: 422 });
  t.match(await running.post('/v1/orders', '{'), { status: 400 });
  t.match(await running.post('/v1/orders', { kind: 'thaw', why: 'x' }), { status: 200, body: { taken: true } });
  t.match(await running.post('/v1/none', {}), { status: 404 });
  const get = async (where: string, accept = 'application/json') =>
    await fetch(`http://${running.listen}${where}`, { headers: { accept } });
  t.equal((await get('/-/healthy')).status, 200);
  t.match(
    await (await get('/metrics')).text(),
    /failoverd_guard_part\{part="primary"\} 1[\s\S]*failoverd_guard_held_epoch [1-9]/,
  );
  t.match(await (await get('/v1/doctor')).json(), {
    driver: { kind: 'pg_ctl', proven: true },
    deadMan: { expired: Boolean, why: /\w/ },
  });
  t.match(await (await get('/status', 'text/html')).text(), /<h1>g\/db in a: primary<\/h1>/);
  const { status, body } = await running.post('/v1/orders', { kind: 'release', run: 'run-1', epoch: 50 });
  t.match({ status, body }, { status: 200, body: { taken: true } });
  await until({ what: 'the release', timeoutMs: 15_000 }, async () =>
    running.store.record()?.state === 'released' ? true : undefined,
  );
  t.match(running.store.record(), { release: { kind: 'clean' } });
  t.match(await running.status(), { holds: null, rests: { run: 'run-1' }, postgres: { state: 'stopped' } });
});
