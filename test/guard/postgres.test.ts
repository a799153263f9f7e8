// The guard's hands on a real PostgreSQL: start behind the boot fence, open, stop with proof, promote, freeze and thaw.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { query } from '../../lab/servers/postgres.ts';
import { serverUser } from '../../lab/servers/user.ts';
import { until } from '../../lab/servers/wait.ts';
import { createProver } from '../../src/guard/postgres/proof.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { systemTimers } from '../../src/runtime/timers.ts';
import { alive, asClient, client, type Hands, onePrimary, pidsOf, postmasterOf, standbyOf, within } from './hands.ts';

const HOST = '127.0.71.2';
const NO_ENTRY = '28000';

/** What somebody who knows nothing of the guard does. */
function strangerStarts({ instance }: Hands): { readonly status: number | null; readonly text: string } {
  const argv = ['start', '-w', '-t', '20', '-D', instance.dataDir, '-l', path.join(instance.dir, 'g', 'stranger.log')];
  const run = spawnSync(instance.install.tools.pg_ctl, argv, {
    cwd: '/',
    ...serverUser(),
    env: { PATH: '/usr/bin:/bin' },
  });
  return { status: run.status, text: `${run.stdout}${run.stderr}` };
}

t.test('a primary starts letting nobody in, is opened, and stops with proof', async (t) => {
  const hands = await onePrimary(t, HOST);
  const first = await hands.postgres.look(within(5_000));
  t.match(first, { state: 'stopped', open: false, cleanShutdown: true, timeline: 1 });
  t.ok(
    existsSync(path.join(hands.instance.dataDir, 'standby.signal')),
    'from the first look on a stranger gets a standby',
  );

  const started = await hands.does('start-fenced');
  t.match(started, { ok: true, seen: { state: 'primary', open: false, timeline: 1 } });
  t.match(started.seen.sample, { timeline: 1, insertLsn: /\// });
  t.equal(await asClient(hands, 'select 1'), NO_ENTRY);
  t.ok(existsSync(path.join(hands.instance.dataDir, 'standby.signal')), 'it is back while the primary runs');
  t.match(await hands.does('start-fenced'), { ok: false, message: /not started/ });

  const opened = await hands.does('open');
  t.match(opened, { ok: true, seen: { state: 'primary', open: true } });
  t.equal(await asClient(hands, `insert into app.writes (id, region) values ('1', 'a') returning id`), '1');
  t.equal(
    (await query<{ v: string }>(hands.instance, 'show restart_after_crash'))[0]?.['restart_after_crash' as 'v'],
    'off',
  );

  const stopped = await hands.does('stop', 6_000);
  t.match(stopped, { ok: true, seen: { state: 'stopped', open: false, cleanShutdown: true } });
  t.match(stopped.end, { timeline: 1, lsn: /^[0-9A-F]+\/[0-9A-F]+$/ });
  t.same(await pidsOf(hands), []);
  t.match(await hands.does('stop', 6_000), { ok: true }, 'what is stopped is proven again');
});

t.test('what a stranger starts is read-only and out of reach', async (t) => {
  const hands = await onePrimary(t, HOST);
  await hands.does('start-fenced');
  await hands.does('open');
  await hands.does('stop', 6_000);
  const { status, text } = strangerStarts(hands);
  t.equal(status, 0, text);
  t.equal(await asClient(hands, 'select 1'), 'ECONNREFUSED', 'it listens nowhere');
  await t.rejects(query(hands.instance, 'create table x (a int)'), { code: '25006' }, 'it is read-only');
  t.match(await hands.postgres.look(within(5_000)), { state: 'standby', open: true }, 'and it is not taken for fenced');
  t.match(await hands.does('stop', 6_000), { ok: true, seen: { state: 'stopped' } });
});

t.test('a primary that was killed leaves a data directory that a stranger can’t write to', async (t) => {
  const hands = await onePrimary(t, HOST);
  await hands.does('start-fenced');
  process.kill(postmasterOf(hands), 'SIGKILL');
  t.match(await hands.does('stop', 6_000), { ok: true, end: null, seen: { state: 'stopped', cleanShutdown: false } });
  t.match(strangerStarts(hands), { status: 0 });
  await t.rejects(query(hands.instance, 'create table x (a int)'), { code: '25006' });
  await hands.does('stop', 6_000);
});

/** A backend in the middle of something that it doesn't look up from. */
async function busy(hands: Hands): Promise<{ readonly pid: number; readonly end: () => Promise<void> }> {
  const one = client(hands);
  await one.connect();
  const pid = (await one.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid ?? 0;
  const running = one
    .query(`do $$ declare n bigint := 0; begin loop n := n + 1; end loop; end $$`)
    .catch(() => undefined);
  return {
    pid,
    end: async () => {
      await running;
      await one.end().catch(() => undefined);
    },
  };
}

/** What a weaker stop does: the postmaster's process group, and the postmaster's end taken for the end of all. */
async function groupKill(hands: Hands): Promise<'stopped' | 'running'> {
  const postmaster = postmasterOf(hands);
  process.kill(-postmaster, 'SIGKILL');
  await until({ what: 'the end of the postmaster', timeoutMs: 5_000 }, async () => !alive(postmaster) || undefined);
  return alive(postmaster) ? 'running' : 'stopped';
}

t.test('a backend that outlives its postmaster is found and killed', async (t) => {
  const hands = await onePrimary(t, HOST);
  await hands.does('start-fenced');
  await hands.does('open');
  const backend = await busy(hands);
  t.equal(await groupKill(hands), 'stopped', 'so a kill of the group would claim');
  t.ok(alive(backend.pid), 'and the backend goes on');
  const proof = hands.postgres.prover.prove();
  t.ok(proof.kind === 'running' && proof.pids.includes(backend.pid), 'which proves that nothing has stopped');
  const stopped = await hands.does('stop', 6_000);
  t.match(stopped, { ok: true, seen: { state: 'stopped' } });
  t.notOk(alive(backend.pid));
  await backend.end();
});

t.test('what a dead postmaster leaves is ended by the look that finds it', async (t) => {
  const hands = await onePrimary(t, HOST);
  await hands.does('start-fenced');
  await hands.does('open');
  const backend = await busy(hands);
  process.kill(postmasterOf(hands), 'SIGKILL');
  await until(
    { what: 'a look that finds them', timeoutMs: 5_000 },
    async () => (await hands.postgres.look(within(5_000))).state === 'stopped' || undefined,
  );
  t.notOk(alive(backend.pid));
  await backend.end();
  t.match(await hands.does('start-fenced'), { ok: true, seen: { state: 'primary' } }, 'and it can be started at once');
  await hands.does('stop', 6_000);
});

t.test('a stopped clock of PostgreSQL is no end of it', async (t) => {
  const hands = await onePrimary(t, HOST);
  await hands.does('start-fenced');
  const pids = await pidsOf(hands);
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  t.match(await hands.postgres.look(within(500)), { state: 'unknown' });
  t.match(hands.postgres.prover.prove(), { kind: 'running' });
  const begun = performance.now();
  t.match(await hands.does('stop', 2_000), { ok: true, seen: { state: 'stopped' } });
  t.ok(performance.now() - begun < 3_000, 'within the time given and a look');
});

t.test('what can’t be proven is unknown', async (t) => {
  const hands = await onePrimary(t, HOST);
  await hands.does('start-fenced');
  const immortal = { proc: '/proc', kill: () => undefined };
  const prover = createProver(hands.options.target, { clock: systemClock, timers: systemTimers, machine: immortal });
  t.match(await prover.kill(100), { kind: 'running' });
  const postgres = hands.again({ machine: immortal });
  t.match(await postgres.perform('stop', within(400)), { ok: false, message: /not proven to be stopped/ });
  const hidden = createProver(
    { dataDir: `${hands.instance.dataDir}-is-not-there`, cgroup: null },
    { clock: systemClock, timers: systemTimers },
  );
  t.match(hidden.prove(), { kind: 'unknown', why: /ENOENT/ });
  t.match(await hands.does('stop', 6_000), { ok: true });
});

t.test('a file of rules that PostgreSQL would not take is named, and nobody is let in by it', async (t) => {
  const hands = await onePrimary(t, HOST);
  const hba = path.join(hands.instance.dataDir, 'pg_hba.conf');
  const good = readFileSync(hba, 'utf8');
  await hands.does('start-fenced');
  writeFileSync(hba, `${good}host all all 10.0.0.0/33 trust\n`);
  t.match(await hands.does('open', 3_000), {
    ok: false,
    message: /pg_hba\.conf: .*\(line \d+\)/,
    seen: { open: false },
  });
  t.equal(await asClient(hands, 'select 1'), NO_ENTRY);
  writeFileSync(hba, good);
  t.match(await hands.does('open'), { ok: true });
  await hands.does('stop', 6_000);
});

t.test('a start that is cut off by a stop leaves nothing behind', async (t) => {
  const hands = await onePrimary(t, HOST);
  for (const afterMs of [0, 5, 20, 60, 150]) {
    const cut = new AbortController();
    const starting = hands.postgres.perform('start-fenced', within(20_000, cut.signal));
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    cut.abort();
    t.match(await hands.does('stop', 6_000), { ok: true }, `after ${afterMs} ms`);
    await starting;
    await new Promise((resolve) => setTimeout(resolve, 300));
    t.same(await pidsOf(hands), [], 'and nothing came up later');
    await hands.postgres.look(within(1_000));
    t.ok(existsSync(path.join(hands.instance.dataDir, 'standby.signal')));
  }
});

t.test('a second guard’s hands find a running one as it is', async (t) => {
  const hands = await onePrimary(t, HOST);
  await hands.does('start-fenced');
  const other = hands.again();
  t.match(await other.look(within(5_000)), { state: 'primary', open: false });
  await hands.does('open');
  t.match(await other.look(within(5_000)), { state: 'primary', open: true });
  t.ok(other.postmasterLives());
  process.kill(postmasterOf(hands), 'SIGKILL');
  await until({ what: 'the end to be seen', timeoutMs: 2_000 }, async () => !other.postmasterLives() || undefined);
  t.match(await other.perform('stop', within(6_000)), { ok: true });
});

t.test('a standby is promoted, and believed only once it is seen', async (t) => {
  const { a, b } = await standbyOf(t, HOST);
  t.match(await b.does('start-standby'), { ok: true, seen: { state: 'standby', open: true, timeline: 1 } });
  await asClient(a, `insert into app.writes (id, region) values ('1', 'a')`);
  await until({ what: 'the row on the standby', timeoutMs: 10_000 }, async () =>
    (await asClient(b, `select id from app.writes`)) === '1' ? true : undefined,
  );
  await a.does('stop', 6_000);
  const promoted = await b.does('promote');
  t.match(promoted, { ok: true, seen: { state: 'primary', open: true, timeline: 2 } });
  t.ok(existsSync(path.join(b.instance.dataDir, 'standby.signal')), 'written back before it is reported');
  t.match(await b.does('promote'), { ok: true }, 'asked again it is what it is');
  await b.does('stop', 6_000);
  t.match(strangerStarts(b), { status: 0 });
  await t.rejects(query(b.instance, 'create table x (a int)'), { code: '25006' });
  await b.does('stop', 6_000);
});

t.test('a promotion that does not show in time is not called one, and may come later', async (t) => {
  const { b } = await standbyOf(t, HOST);
  await b.does('start-standby');
  await query(b.instance, 'select pg_wal_replay_pause()');
  await until(
    { what: 'the pause', timeoutMs: 5_000 },
    async () =>
      (await query<{ s: string }>(b.instance, 'select pg_get_wal_replay_pause_state() as s'))[0]?.s === 'paused' ||
      undefined,
  );
  const startup = spawnSync('pgrep', ['-f', `startup.*`, '-P', String(postmasterOf(b))])
    .stdout.toString()
    .trim();
  process.kill(Number(startup), 'SIGSTOP');
  t.match(await b.does('promote', 800), { ok: false, message: /may yet/, seen: { state: 'standby' } });
  process.kill(Number(startup), 'SIGCONT');
  await until(
    { what: 'the late promotion', timeoutMs: 10_000 },
    async () => (await b.postgres.look(within(2_000))).state === 'primary' || undefined,
  );
  t.ok(existsSync(path.join(b.instance.dataDir, 'standby.signal')), 'the look wrote it before it told');
  await b.does('stop', 6_000);
});

t.test('a freeze holds over restarts, and a thaw goes on without promoting', async (t) => {
  const { a, b } = await standbyOf(t, HOST);
  await b.does('start-standby');
  const idsOnB = async (): Promise<unknown> => await asClient(b, 'select count(*)::int from app.writes');
  await asClient(a, `insert into app.writes (id, region) values ('1', 'a')`);
  await until({ what: 'the row', timeoutMs: 10_000 }, async () => ((await idsOnB()) === 1 ? true : undefined));
  const frozen = await b.does('freeze');
  t.match(frozen, { ok: true, message: /^frozen at / });
  await asClient(a, 'drop table app.writes');
  await query(a.instance, 'select pg_switch_wal()');
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  t.equal(await idsOnB(), 1, 'the table is there');
  await b.does('stop', 6_000);
  t.match(await b.does('start-fenced'), { ok: false, message: /frozen/ });
  t.match(strangerStarts(b), { status: 0 });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  t.same(
    await query(b.instance, `select to_regclass('app.writes') is not null as there`, [], 'app'),
    [{ there: true }],
    'also where a stranger starts it',
  );
  await b.does('stop', 6_000);
  await b.does('start-standby');
  t.equal(await idsOnB(), 1);
  t.match(await b.does('freeze'), { ok: true, message: frozen.message }, 'frozen twice it stays where it was');
  t.match(await b.does('thaw'), { ok: true, seen: { state: 'standby' } });
  await until({ what: 'the drop to arrive', timeoutMs: 15_000 }, async () =>
    (await idsOnB()) === '42P01' ? true : undefined,
  );
  t.match(await b.postgres.look(within(3_000)), { state: 'standby', timeline: 1 });
  await b.does('stop', 6_000);
  await a.does('stop', 6_000);
});
