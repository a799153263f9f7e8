// The PostgreSQL probe against real servers.
import { chmod, chown, writeFile } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { createLinks } from '../../lab/links/index.ts';
import {
  connectAdmin,
  controlFacts,
  killPostgres,
  type PostgresInstance,
  query,
  startPostgres,
  stopPostgres,
} from '../../lab/servers/postgres.ts';
import { serverUser } from '../../lab/servers/user.ts';
import { until } from '../../lab/servers/wait.ts';
import type { PostgresFacts } from '../../src/model/evidence.ts';
import { lsnGapBytes } from '../../src/model/primitives.ts';
import { createPostgresProbe, FRESH_EVERY } from '../../src/probes/postgres.ts';
import type { PostgresTarget } from '../../src/probes/target.ts';
import { SecretValue } from '../../src/runtime/secret.ts';
import { ask } from './asking.ts';
import { selfSigned } from './certificate.ts';
import { place, primaryAt, standbyAt, targetOf } from './pair.ts';

const HOST_A = '127.0.92.1';
const HOST_B = '127.0.92.2';
const OURS = `application_name like 'failoverd/%'`;

const at = await place();
t.teardown(() => at.remove());
const { passwords } = at;
const primary = await primaryAt(at, { host: HOST_A });
const { probe, close } = createPostgresProbe();
t.teardown(close);

const a = (over: Partial<PostgresTarget> = {}): PostgresTarget => targetOf(primary, passwords, over);
const backends = async (instance: PostgresInstance = primary): Promise<readonly number[]> =>
  (await query<{ pid: number }>(instance, `select pid from pg_stat_activity where ${OURS} order by pid`)).map(
    (row) => row.pid,
  );
const factsFrom = (facts: PostgresFacts | null): PostgresFacts => {
  if (facts === null) throw new Error('no facts');
  return facts;
};

t.test('a primary', async (t) => {
  t.test('tells who it is and where its log stands', async (t) => {
    const [said] = await query<{ lsn: string }>(primary, 'select pg_current_wal_insert_lsn()::text as lsn');
    const answer = await ask(probe, a({ key: 'primary-facts' }));
    t.match(answer, { verdict: 'ok', reached: 'read', code: null });
    const facts = factsFrom(answer.facts);
    const { systemIdentifier } = await controlFacts(primary);
    t.match(facts, { systemIdentifier, timeline: 1, inRecovery: false, canary: 'skipped' });
    t.match(facts, { receiveLsn: null, replayLsn: null, walReceiver: null, lastMessageAgeMs: null });
    const movedBytes = lsnGapBytes(facts.insertLsn ?? '', said?.lsn ?? '');
    t.ok(movedBytes >= 0 && movedBytes < 1_048_576, `${movedBytes} bytes after what it said itself before`);
    t.ok(lsnGapBytes(facts.insertLsn ?? '', facts.flushLsn ?? '') >= 0, 'flushed is never ahead of inserted');
    t.ok(Math.abs((facts.clockAt ?? 0) - Date.now()) < 5_000, 'the server’s own clock, in milliseconds');
  });

  t.test('takes a canary where that is allowed, and only there', async (t) => {
    const written = async (): Promise<readonly unknown[]> =>
      await query(primary, `select vantage, writes::int from failoverd.canary order by vantage`, [], 'app').catch(
        () => [],
      );
    const target = a({ key: 'canary' });
    t.match(await ask(probe, target, { canary: false }), {
      verdict: 'ok',
      reached: 'read',
      facts: { canary: 'skipped' },
    });
    t.match(await ask(probe, a({ key: 'canary', canary: false }), { canary: true }), { reached: 'read' });
    t.same(await written(), [], 'nothing was made and nothing written while it wasn’t allowed');
    t.match(await ask(probe, target, { canary: true }), {
      verdict: 'ok',
      reached: 'write',
      facts: { canary: 'written' },
    });
    t.match(await ask(probe, target, { canary: true }), { verdict: 'ok', reached: 'write' });
    t.match(await ask(probe, target, { canary: true, vantage: 'witness' }), { verdict: 'ok', reached: 'write' });
    t.same(await written(), [
      { vantage: 'daemon', writes: 2 },
      { vantage: 'witness', writes: 1 },
    ]);
  });

  t.test('two vantages that meet no canary table at the same moment both write', async (t) => {
    const both = ['east', 'west'].map(async (vantage) => {
      const target = a({
        key: `race-${vantage}`,
        canarySchema: 'race',
        user: 'app',
        password: new SecretValue(passwords.app),
      });
      await ask(probe, target, { canary: false, vantage });
      return async () => await ask(probe, target, { canary: true, vantage });
    });
    await query(primary, 'grant create on database app to app');
    const ready = await Promise.all(both);
    for (const answer of await Promise.all(ready.map((each) => each())))
      t.match(answer, { reached: 'write' }, answer.message ?? '');
  });

  t.test('that takes no writes from us is bad, since clients get no further', async (t) => {
    await query(primary, `alter role failoverd set default_transaction_read_only = on`);
    t.teardown(() => query(primary, `alter role failoverd reset default_transaction_read_only`));
    const answer = await ask(probe, a({ key: 'read-only' }), { canary: true });
    t.match(answer, {
      verdict: 'bad',
      reached: 'read',
      code: 'read-only',
      facts: { canary: 'refused', inRecovery: false },
    });
  });

  t.test('on which our role may not write is fine for clients, and it is said', async (t) => {
    const looking = a({ key: 'no-canary', user: 'failoverd_ro', password: new SecretValue(passwords.failoverd_ro) });
    const answer = await ask(probe, looking, { canary: true });
    t.match(answer, { verdict: 'ok', reached: 'read', code: 'denied', facts: { canary: 'refused', timeline: 1 } });
  });

  t.test('of another cluster is foreign, takes no canary, and lends no log positions', async (t) => {
    const before = await query(primary, 'select writes from failoverd.canary', [], 'app');
    const answer = await ask(probe, a({ key: 'foreign', systemIdentifier: '7000000000000000001' }), { canary: true });
    t.match(answer, { verdict: 'unknown', reached: 'read', code: 'foreign' });
    const { systemIdentifier } = await controlFacts(primary);
    t.match(answer.facts, { systemIdentifier, insertLsn: null, flushLsn: null, timeline: null, inRecovery: null });
    t.same(await query(primary, 'select writes from failoverd.canary', [], 'app'), before);
    t.match(await ask(probe, a({ key: 'ours', systemIdentifier })), { verdict: 'ok', code: null });
  });

  t.test('that does not know our password is alive', async (t) => {
    const wrong = a({ key: 'password', password: new SecretValue('not the one') });
    const answer = await ask(probe, wrong);
    t.match(answer, { verdict: 'unknown', reached: 'connect', code: 'auth', facts: null });
    t.notMatch(JSON.stringify(answer), /not the one/);
    t.match(await ask(probe, a({ key: 'none', password: null })), { verdict: 'unknown', code: 'auth' });
    t.match(await ask(probe, a({ key: 'user', user: 'nobody' })), { verdict: 'unknown', code: 'auth' });
  });

  t.test('without the database we ask for could not serve us, and no more is known', async (t) => {
    t.match(await ask(probe, a({ key: 'database', database: 'nothing' })), { verdict: 'unknown' });
  });

  t.test('whose functions our role may not call still shows the rest', async (t) => {
    const functions = ['pg_control_system()', 'pg_walfile_name(pg_lsn)', 'pg_current_wal_flush_lsn()'];
    for (const each of functions) await query(primary, `revoke execute on function ${each} from public`, [], 'app');
    t.teardown(async () => {
      for (const each of functions) await query(primary, `grant execute on function ${each} to public`, [], 'app');
    });
    const target = a({ key: 'grants' });
    for (const how of ['a new connection', 'the kept connection']) {
      const answer = await ask(probe, target, { canary: true });
      t.match(answer, { verdict: 'ok', reached: 'write', code: 'denied' }, how);
      for (const each of functions) t.ok(answer.message?.includes(each), `${each} is named`);
      t.match(answer.facts, { systemIdentifier: null, timeline: null, flushLsn: null, inRecovery: false });
      t.match(answer.facts?.insertLsn, /\//, 'what is granted is read');
    }
    const pinned = await ask(probe, a({ key: 'grants-pinned', systemIdentifier: '7000000000000000001' }), {
      canary: true,
    });
    t.match(pinned, { code: 'denied', facts: { canary: 'skipped' } }, 'no write where the cluster can’t be told');
  });
});

t.test('connections', async (t) => {
  t.beforeEach(async () => {
    await close();
    await until(
      { what: 'our backends to go', timeoutMs: 5_000 },
      async () => (await backends()).length === 0 || undefined,
    );
  });

  t.test('one is kept between probes, and every so often a new one takes its place', async (t) => {
    const target = a({ key: 'kept' });
    const pids: (number | undefined)[] = [];
    for (let turn = 0; turn < FRESH_EVERY + 1; turn += 1) {
      await ask(probe, target);
      const now = await until({ what: 'one backend', timeoutMs: 5_000 }, async () => {
        const all = await backends();
        return all.length === 1 ? all : undefined;
      });
      pids.push(now[0]);
    }
    t.equal(new Set(pids.slice(0, FRESH_EVERY)).size, 1);
    t.not(pids[FRESH_EVERY], pids[0]);
  });

  t.test('a fresh probe does not use the kept one', async (t) => {
    const target = a({ key: 'fresh' });
    await ask(probe, target);
    const [first] = await backends();
    t.match(await ask(probe, target, { fresh: true }), { verdict: 'ok' });
    await until(
      { what: 'the first backend to go', timeoutMs: 5_000 },
      async () => (await backends()).every((pid) => pid !== first) || undefined,
    );
  });

  t.test('a kept one that was ended is made up for within the same probe', async (t) => {
    const target = a({ key: 'severed' });
    await ask(probe, target);
    for (const how of ['while nobody looks', 'right before the query']) {
      await query(primary, `select pg_terminate_backend(pid, 5000) from pg_stat_activity where ${OURS}`);
      if (how === 'while nobody looks') await new Promise((resolve) => setImmediate(resolve));
      const answer = await ask(probe, target);
      t.match(answer, { verdict: 'ok', reached: 'read', code: null }, how);
    }
  });

  t.test('a kept one that is ended in the middle of a statement is made up for as well', async (t) => {
    const target = a({ key: 'middle', timeoutMs: 20_000 });
    t.match(await ask(probe, target, { canary: true }), { reached: 'write' });
    const { client, close: release } = await connectAdmin(primary, 'app');
    await client.query('begin; lock table failoverd.canary in exclusive mode');
    const asked = ask(probe, target, { canary: true });
    await until({ what: 'the canary to wait', timeoutMs: 5_000 }, async () => {
      const rows = await query(primary, `select 1 from pg_stat_activity where ${OURS} and wait_event_type = 'Lock'`);
      return rows.length > 0 || undefined;
    });
    await query(primary, `select pg_terminate_backend(pid) from pg_stat_activity where ${OURS}`);
    await client.query('rollback');
    await release();
    const answer = await asked;
    t.match(answer, { verdict: 'ok', reached: 'write', facts: { canary: 'written' } });
    t.ok(answer.lines.some((line) => line.includes('kept connection')));
  });

  t.test('a kept one whose path went silent is made up for, though it eats part of the deadline', async (t) => {
    const links = createLinks();
    t.teardown(() => links.close());
    const link = links.link('daemon->a');
    const first = await link.forward({ listenHost: HOST_A, targetHost: HOST_A, targetPort: primary.port });
    const target = a({ key: 'silent', port: first.port, timeoutMs: 3_000 });
    t.match(await ask(probe, target), { verdict: 'ok' });
    link.cut({ mode: 'drop' });
    // The old connection stays silent for good; the address itself serves again.
    t.match(await ask(probe, target), { verdict: 'bad', code: 'timeout' }, 'while nothing passes');
    link.heal();
    t.match(await ask(probe, target), { verdict: 'ok' });
    const [kept] = await backends();
    process.kill(kept ?? 0, 'SIGSTOP');
    // Killed instead, it would take the whole server down with it.
    t.teardown(() => process.kill(kept ?? 0, 'SIGCONT'));
    const answer = await ask(probe, target);
    t.match(answer, { verdict: 'ok', reached: 'read' });
    t.ok(answer.tookMs > 1_400 && answer.tookMs < 3_000, `took ${answer.tookMs} ms`);
    t.ok(
      answer.lines.some((line) => line.includes('kept connection')),
      'the log says so',
    );
  });

  t.test('new clients that are turned away are not hidden by a connection that is kept', async (t) => {
    const target = a({ key: 'door', timeoutMs: 1_000 });
    await ask(probe, target);
    await query(primary, 'alter role failoverd connection limit 0');
    t.teardown(() => query(primary, 'alter role failoverd connection limit -1'));
    const verdicts: string[] = [];
    for (let turn = 0; turn < FRESH_EVERY + 3; turn += 1) verdicts.push((await ask(probe, target)).code ?? 'ok');
    const first = verdicts.indexOf('failed');
    t.ok(first >= 0 && first < FRESH_EVERY, `seen at turn ${first}`);
    t.ok(
      verdicts.slice(first).every((code) => code === 'failed'),
      'and the verdict doesn’t swing back',
    );
  });

  t.test('nothing is left on the server when the probe is closed', async (t) => {
    await Promise.all(['x', 'y', 'z'].map((key) => ask(probe, a({ key }))));
    t.equal((await backends()).length, 3);
    await close();
    await until(
      { what: 'our backends to go', timeoutMs: 5_000 },
      async () => (await backends()).length === 0 || undefined,
    );
  });
});

t.test('TLS', async (t) => {
  const { certificate, key } = selfSigned('elsewhere.test');
  const files = { 'server.crt': certificate, 'server.key': key };
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(primary.dataDir, name);
    await writeFile(file, text);
    await chmod(file, 0o600);
    const user = serverUser();
    if (user !== undefined) await chown(file, user.uid, user.gid);
  }
  await query(primary, `alter system set ssl = on`);
  await query(primary, 'select pg_reload_conf()');
  await until({ what: 'TLS to be on', timeoutMs: 10_000 }, async () => {
    const [row] = await query<{ ssl: string }>(primary, 'show ssl');
    return row?.ssl === 'on' || undefined;
  });

  t.test('require encrypts and trusts whoever answers', async (t) => {
    const target = a({ key: 'require', tls: 'require' });
    t.match(await ask(probe, target), { verdict: 'ok', code: null });
    const rows = await query(
      primary,
      `select s.ssl from pg_stat_ssl s join pg_stat_activity p using (pid) where ${OURS} and s.ssl`,
    );
    t.equal(rows.length, 1);
  });

  t.test('verify-full says nothing of a server that can’t prove its name', async (t) => {
    const answer = await ask(probe, a({ key: 'verify', tls: 'verify-full' }));
    t.match(answer, { verdict: 'unknown', reached: 'connect', code: 'tls' });
  });
});

t.test('a standby', async (t) => {
  const links = createLinks();
  t.teardown(() => links.close());
  const link = links.link('b->a');
  const upstream = await link.forward({ listenHost: HOST_B, targetHost: HOST_A, targetPort: primary.port });
  const standby = await standbyAt(at, primary, HOST_B, upstream);
  const b = (over: Partial<PostgresTarget> = {}): PostgresTarget => targetOf(standby, passwords, over);
  const target = b();
  const facts = async (): Promise<PostgresFacts> => factsFrom((await ask(probe, target, { canary: true })).facts);

  t.test('tells what it receives and replays, and takes no canary', async (t) => {
    const beforeMs = Date.now();
    await query(primary, `insert into app.writes (id, region) values ('one', 'a')`, [], 'app');
    const [row] = await query<{ lsn: string }>(primary, 'select pg_current_wal_flush_lsn()::text as lsn');
    const seen = await until({ what: 'the write to be replayed', timeoutMs: 10_000 }, async () => {
      const now = await facts();
      return (now.lastReplayedCommitAt ?? 0) >= beforeMs && now.replayLsn === now.receiveLsn ? now : undefined;
    });
    const { systemIdentifier } = await controlFacts(primary);
    t.match(seen, { systemIdentifier, timeline: 1, inRecovery: true, insertLsn: null, flushLsn: null });
    t.match(seen, { walReceiver: 'streaming', replayPaused: false, canary: 'skipped', receiveLsn: row?.lsn });
    t.ok(seen.lastMessageAgeMs !== null && seen.lastMessageAgeMs >= 0 && seen.lastMessageAgeMs < 10_000);
    t.match(await ask(probe, target, { canary: true }), { verdict: 'ok', reached: 'read', code: null });
  });

  t.test('says when replay is paused', async (t) => {
    await query(standby, 'select pg_wal_replay_pause()');
    t.equal((await facts()).replayPaused, true);
    await query(standby, 'select pg_wal_replay_resume()');
    t.equal((await facts()).replayPaused, false);
  });

  t.test('says whether replay waits for more, or has not come to the end of what was received', async (t) => {
    const says = async (waits: boolean): Promise<boolean> =>
      await until({ what: `replay ${waits ? 'waits' : 'does not wait'} for more`, timeoutMs: 10_000 }, async () =>
        (await facts()).replayWaits === waits ? true : undefined,
      );
    t.ok(await says(true));
    await query(standby, 'select pg_wal_replay_pause()');
    await query(primary, `insert into app.writes (id, region) values ('two', 'a')`, [], 'app');
    t.ok(await says(false));
    await query(standby, 'select pg_wal_replay_resume()');
    t.ok(await says(true));
  });

  t.test('whose receiver our role may not see says so instead of guessing', async (t) => {
    const role = { user: 'app', password: new SecretValue(passwords.app), key: 'app' };
    const answer = await ask(probe, b(role));
    t.match(answer, {
      verdict: 'ok',
      code: 'denied',
      facts: { walReceiver: null, lastMessageAgeMs: null, inRecovery: true },
    });
    t.ok(answer.message?.includes('pg_read_all_stats'));
  });

  t.test('whose path to the primary goes silent hears nothing for ever longer, and then gives up', async (t) => {
    link.cut({ mode: 'drop' });
    t.teardown(() => link.heal());
    const older = await until({ what: 'the last message to age', timeoutMs: 10_000 }, async () => {
      const now = await facts();
      return (now.lastMessageAgeMs ?? 0) > 2_000 ? now : undefined;
    });
    t.equal(older.walReceiver, 'streaming', 'it does not know yet');
    const gone = await until({ what: 'the receiver to give up', timeoutMs: 15_000 }, async () => {
      const now = await facts();
      return now.walReceiver === 'streaming' ? undefined : now;
    });
    t.equal(gone.inRecovery, true);
    t.equal(gone.timeline, 1);
  });

  t.test('streams again when the path is back', async (t) => {
    const again = await until({ what: 'streaming', timeoutMs: 20_000 }, async () => {
      const now = await facts();
      return now.walReceiver === 'streaming' ? now : undefined;
    });
    t.equal(again.inRecovery, true);
  });

  t.test('keeps what it received when the primary dies', async (t) => {
    const last = await facts();
    await ask(probe, a());
    await killPostgres(primary);
    const dead = await ask(probe, a());
    t.match(dead, { verdict: 'bad', reached: 'none', code: 'refused', facts: null });
    t.ok(
      dead.lines.some((line) => line.includes('kept connection')),
      'it was not believed without a new connection',
    );
    const left = await until({ what: 'the receiver to end', timeoutMs: 10_000 }, async () => {
      const now = await facts();
      return now.walReceiver === 'none' ? now : undefined;
    });
    t.match(left, {
      walReceiver: 'none',
      lastMessageAgeMs: null,
      receiveLsn: last.receiveLsn,
      inRecovery: true,
      timeline: 1,
    });
  });

  t.test('that is promoted is a primary on the next timeline at once', async (t) => {
    t.match(await facts(), { inRecovery: true });
    await query(standby, 'select pg_promote(true, 30)');
    const now = await ask(probe, target, { canary: true });
    t.match(now, { verdict: 'ok', reached: 'write', facts: { inRecovery: false, timeline: 2, canary: 'written' } });
    t.match(now.facts, { receiveLsn: null, walReceiver: null, replayPaused: null });
    t.match(now.facts?.insertLsn, /\//);
  });
});

t.test('a database that was made anew at the same address is another cluster', async (t) => {
  const first = await primaryAt(at, { name: 'c', host: HOST_A });
  const pinned = (await controlFacts(first)).systemIdentifier;
  const target = (instance: PostgresInstance): PostgresTarget =>
    targetOf(instance, passwords, { key: 'anew', systemIdentifier: pinned });
  t.match(await ask(probe, target(first)), { verdict: 'ok' });
  await stopPostgres(first, 'immediate');
  const other = await primaryAt(at, { name: 'd', host: HOST_A, fresh: true });
  t.match(await ask(probe, target(other), { canary: true }), { verdict: 'unknown', code: 'foreign' });
});

t.test('a server that stops lets no client in, and comes back when it is started', async (t) => {
  const [server] = at.made.filter((instance) => path.basename(instance.dir) === 'd');
  if (server === undefined) throw new Error('no server');
  const target = targetOf(server, passwords, { key: 'stop' });
  t.match(await ask(probe, target), { verdict: 'ok' });
  await stopPostgres(server, 'fast');
  t.match(await ask(probe, target), { verdict: 'bad', code: 'refused' });
  await startPostgres(server, { log: () => undefined });
  t.match(await ask(probe, target), { verdict: 'ok' });
});
