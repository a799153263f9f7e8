// Assessment, promotion and the epoch row on real PostgreSQL servers.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import t from 'tap';
import { killPostgres, type PostgresInstance, query, startPostgres, stopPostgres } from '../../lab/servers/postgres.ts';
import { scanProcesses } from '../../lab/servers/processes.ts';
import { until } from '../../lab/servers/wait.ts';
import type { PostgresComponent } from '../../src/model/config.ts';
import { everyPostgres, log } from '../lab-parts/real-servers.ts';
import { caughtUp, componentOf, databases } from './database.ts';
import { A, actorOf, ask, configOf, EPOCH, gist, RUN, type Tap, type TestActor } from './world.ts';

const off = { driver: 'command', fence: ['true'], verify: ['true'] } as const;
const db = await databases(t, '127.0.82.10', '127.0.82.20');
const { primary, passwords, systemIdentifier } = db;
const identities = { db: systemIdentifier };

function actorFor(test: Tap, standby: PostgresInstance, changes: Partial<PostgresComponent> = {}): TestActor {
  const component = componentOf(primary, standby, changes);
  const fence = { driver: 'command' as const, fence: [...off.fence], verify: [...off.verify] };
  const role = component.user === 'failoverd_ro' ? passwords.failoverd_ro : passwords.failoverd;
  return actorOf(test, configOf({ db: component }, fence), { PGPASSWORD: role });
}

const step =
  (stepKind: 'assess' | 'promote' | 'write-epoch-row') =>
  (operation: 'check' | 'do' | 'verify', more: object = {}) => ({
    stepKind,
    operation,
    component: 'db',
    preState: { identities },
    ...more,
  });
const assess = step('assess');
const promote = step('promote');
const epochRow = step('write-epoch-row');

/** The process that replays WAL on a standby, and that ends recovery. */
async function startupProcess(instance: PostgresInstance): Promise<number> {
  const { pids } = await scanProcesses([instance.dataDir]);
  for (const pid of pids) {
    const title = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (title.includes('startup')) return pid;
  }
  throw new Error('no startup process');
}

t.test('a ready standby is assessed as what it is', async (t) => {
  const standby = await db.standby('b1');
  await query(primary, "insert into app.writes (id, region) values ('before', 'a')", [], 'app');
  await caughtUp(primary, standby);
  const actor = actorFor(t, standby);
  const result = await ask(actor, assess('verify'));
  t.equal(gist(result), 'ok', result.message);
  t.match(result.facts, {
    systemIdentifier,
    inRecovery: true,
    timeline: 1,
    replayPaused: false,
    receiveLsn: /^[0-9A-F]+\/[0-9A-F]+$/,
    replayLsn: /^[0-9A-F]+\/[0-9A-F]+$/,
  });
  t.ok(Math.abs(Number(result.facts['lastReplayedCommitAt']) - Date.now()) < 60_000, 'when the last commit was made');
  t.equal(gist(await ask(actor, assess('check'))), 'ok');

  await t.test('another cluster, or one that was never pinned, is not', async (t) => {
    const pinned = actorFor(t, standby, { systemIdentifier: '7300000000000000001' });
    t.equal(gist(await ask(pinned, assess('verify', { preState: null }))), 'no foreign');
    const other = { preState: { identities: { db: '7300000000000000001' } } };
    t.equal(gist(await ask(actor, assess('verify', other))), 'no foreign');
    t.equal(gist(await ask(actor, promote('check', other))), 'no foreign');
    t.equal(gist(await ask(actor, assess('verify', { preState: null }))), 'unknown not-pinned');
  });

  await t.test('a primary is no target', async (t) => {
    t.equal(gist(await ask(actor, assess('verify', { to: A }))), 'no not-in-recovery');
    t.equal(gist(await ask(actor, promote('check', { to: A }))), 'no not-in-recovery');
  });

  await t.test(
    'a role that may not promote, or not keep the epoch, is found out before anything is fenced',
    async (t) => {
      const readOnly = actorFor(t, standby, { user: 'failoverd_ro' });
      const result = await ask(readOnly, assess('verify'));
      t.equal(gist(result), 'no denied');
      t.match(result.message, /pg_promote/);
      t.equal(gist(await ask(readOnly, promote('do'))), 'no denied', 'and a refused promotion certainly is none');
      t.equal((await query(standby, 'select pg_is_in_recovery() as still'))[0]?.['still'], true);
      const elsewhere = actorFor(t, standby, { canarySchema: 'not_there' });
      t.equal(gist(await ask(elsewhere, assess('verify'))), 'no denied');
    },
  );

  await t.test('a paused standby is not promoted: it would replay what the pause keeps out', async (t) => {
    await query(standby, 'select pg_wal_replay_pause()');
    t.equal(gist(await ask(actor, assess('verify'))), 'no replay-paused');
    t.equal(gist(await ask(actor, promote('check'))), 'no replay-paused');
    await query(standby, 'select pg_wal_replay_resume()');
    t.equal(gist(await ask(actor, promote('check'))), 'ok');
  });

  await t.test('a server that does not answer is no target, and says nothing of a promotion', async (t) => {
    await stopPostgres(standby, 'fast');
    t.equal(gist(await ask(actor, assess('verify'))), 'no unreachable');
    t.equal(gist(await ask(actor, promote('check'))), 'unknown unreachable');
    t.equal(gist(await ask(actor, promote('do'))), 'no unreachable', 'nothing was sent');
    t.equal(
      gist(await ask(actor, promote('verify', { preState: { identities, timeline: 1, systemIdentifier } }))),
      'unknown unreachable',
    );
    await startPostgres(standby, { log });
    t.equal(gist(await ask(actor, assess('verify'))), 'ok', 'the broken connection is replaced');
  });

  await t.test('wrong credentials are told apart from a server that is gone', async (t) => {
    const stranger = actorOf(t, configOf({ db: componentOf(primary, standby) }), { PGPASSWORD: 'not-the-password' });
    const result = await ask(stranger, assess('verify'));
    t.equal(gist(result), 'no auth');
    t.notOk(JSON.stringify(result).includes('not-the-password'));
  });
});

t.test('a promotion: asked once, proven by a read, and the epoch written through it', async (t) => {
  const standby = await db.standby('b2');
  await query(primary, "insert into app.writes (id, region) values ('last', 'a')", [], 'app');
  await caughtUp(primary, standby);
  const actor = actorFor(t, standby);

  const checked = await ask(actor, promote('check', { fence: 'command' }));
  t.equal(gist(checked), 'ok', checked.message);
  t.match(checked.facts, { timeline: 1, systemIdentifier, fenceProof: { exit: 0, operation: 'verify' } });
  const preState: Record<string, unknown> = { ...checked.facts, identities };

  t.equal(gist(await ask(actor, promote('verify', { preState }))), 'no still-in-recovery');
  t.equal(gist(await ask(actor, epochRow('check'))), 'no in-recovery');

  const startedMs = performance.now();
  t.equal(gist(await ask(actor, promote('do', { preState }))), 'ok');
  const proof = await ask(actor, promote('verify', { preState }));
  t.comment(`promoted and proven in ${Math.round(performance.now() - startedMs)} ms`);
  t.equal(gist(proof), 'ok', proof.message);
  t.match(proof.facts, { timeline: 2, timelineBefore: 1, systemIdentifier, promotedLsn: String });
  t.equal(proof.facts['lastReplayedCommitAt'], preState['lastReplayedCommitAt']);
  const history = await readFile(path.join(standby.dataDir, 'pg_wal', '00000002.history'), 'utf8');
  t.equal(proof.facts['forkLsn'], history.split(/\s+/)[1], 'the fork is where the history file has it');

  await t.test('asking again does no harm, and is found done', async (t) => {
    t.equal(gist(await ask(actor, promote('do', { preState, attempt: 2 }))), 'unknown not-in-recovery');
    t.equal(gist(await ask(actor, promote('check', { preState, attempt: 1, fence: 'command' }))), 'ok');
    t.equal(gist(await ask(actor, promote('verify', { preState }))), 'ok');
  });

  await t.test(
    'a promotion found done by the check before a second attempt is proven, not taken for foreign',
    async (t) => {
      const again = await ask(actor, promote('check', { preState, attempt: 1, fence: 'command' }));
      // What the check says becomes the pre-state of the second attempt.
      const second = { preState: { ...again.facts, identities }, attempt: 2, fence: 'command' };
      t.equal(gist(await ask(actor, promote('do', second))), 'ok', 'nothing is asked for again');
      t.match(await ask(actor, promote('verify', second)), { kind: 'ok', facts: { timeline: 2, timelineBefore: 1 } });
      t.equal(again.facts['receiveLsn'], preState['receiveLsn'], 'and the loss account keeps its ground');
    },
  );

  await t.test('another history than our promotion gives stops everything', async (t) => {
    for (const timeline of [2, 0, 3]) {
      t.equal(
        gist(await ask(actor, promote('verify', { preState: { ...preState, timeline } }))),
        'halt foreign-timeline',
        `as if it had been on ${timeline}`,
      );
    }
    t.equal(gist(await ask(actor, promote('verify', { preState: { identities } }))), 'unknown no-pre-state');
    const other = { ...preState, identities: { db: '7300000000000000001' } };
    t.equal(gist(await ask(actor, promote('verify', { preState: other }))), 'unknown foreign');
  });

  await t.test('the epoch row: absent, written, there, and written again without harm', async (t) => {
    t.equal(gist(await ask(actor, epochRow('verify'))), 'no absent');
    t.equal(gist(await ask(actor, epochRow('check'))), 'ok');
    t.equal(gist(await ask(actor, epochRow('do'))), 'ok');
    const read = await ask(actor, epochRow('verify'));
    t.equal(gist(read), 'ok', read.message);
    t.match(read.facts, { epoch: EPOCH, run: RUN });
    t.equal(gist(await ask(actor, epochRow('check', { attempt: 2 }))), 'ok');
    t.equal(gist(await ask(actor, epochRow('do', { attempt: 2 }))), 'ok');
    t.same(await query(standby, 'select epoch::int, run from failoverd.epoch', [], 'app'), [
      { epoch: EPOCH, run: RUN },
    ]);
  });

  await t.test('a run that writes at the same moment is waited for, and the lower epoch gives way', async (t) => {
    const other = new pg.Client({
      host: standby.host,
      port: standby.port,
      database: 'app',
      user: 'failoverd',
      password: passwords.failoverd,
    });
    await other.connect();
    await other.query('begin');
    await other.query(`insert into failoverd.epoch values (${EPOCH + 3}, 'run-platform-8', 'x')`);
    let answered = false;
    const own = { epoch: EPOCH + 2, run: 'run-platform-7' } as const;
    const asked = ask(actor, epochRow('do', own)).finally(() => {
      answered = true;
    });
    await until({ what: 'the lower epoch to wait', timeoutMs: 5000 }, async () => {
      const waiting = await query(standby, 'select 1 from pg_locks where not granted');
      return waiting.length > 0 || answered ? true : undefined;
    });
    await other.query('commit');
    t.equal(gist(await asked), 'halt higher-epoch');
    await other.query(`delete from failoverd.epoch where epoch > ${EPOCH}`);
    await other.end();
  });

  await t.test('a higher epoch stops a stale run, and nothing is written', async (t) => {
    await query(standby, `insert into failoverd.epoch values (${EPOCH + 1}, 'run-platform-9', 'x')`, [], 'app');
    for (const operation of ['check', 'do', 'verify'] as const) {
      t.equal(gist(await ask(actor, epochRow(operation))), 'halt higher-epoch', operation);
    }
    const own = { epoch: EPOCH + 1, run: 'run-platform-4' } as const;
    t.equal(gist(await ask(actor, epochRow('do', own))), 'halt higher-epoch', 'nor one epoch under two runs');
    t.equal((await query(standby, 'select count(*)::int as n from failoverd.epoch', [], 'app'))[0]?.['n'], 2);
  });
});

t.test('a server that took the place of the one checked is not promoted, and no epoch is written on it', async (t) => {
  const standby = await db.standby('b7');
  const actor = actorFor(t, standby);
  const preState: Record<string, unknown> = { ...(await ask(actor, promote('check'))).facts, identities };
  const still = async () => (await query(standby, 'select pg_is_in_recovery() as still'))[0]?.['still'];

  const foreign = { ...preState, systemIdentifier: '7300000000000000001', identities: { db: '7300000000000000001' } };
  t.equal(gist(await ask(actor, promote('do', { preState: foreign }))), 'no foreign');
  t.equal(gist(await ask(actor, promote('do', { preState: { timeline: 1 } }))), 'no not-pinned');
  t.equal(gist(await ask(actor, promote('do', { preState: { ...foreign, identities } }))), 'no not-pinned');
  const ahead = { ...preState, replayLsn: 'FF/0' };
  t.equal(gist(await ask(actor, promote('do', { preState: ahead }))), 'no behind-check', 'a standby that lacks writes');
  t.equal(await still(), true);

  t.equal(gist(await ask(actor, promote('do', { preState }))), 'ok');
  t.equal(gist(await ask(actor, epochRow('do', { preState: null }))), 'no not-pinned');
  t.equal(gist(await ask(actor, epochRow('do', { preState: foreign }))), 'no foreign');
  const [table] = await query(standby, "select to_regclass('failoverd.epoch') as there", [], 'app');
  const rows = table?.['there'] == null ? [] : await query(standby, 'select 1 from failoverd.epoch', [], 'app');
  t.same(rows, []);
});

t.test('a promotion that does not finish in time stays open, and may finish later', async (t) => {
  const standby = await db.standby('b3');
  const actor = actorFor(t, standby);
  const preState = { ...(await ask(actor, promote('check'))).facts, identities };
  const startup = await startupProcess(standby);
  process.kill(startup, 'SIGSTOP');
  t.teardown(() => {
    try {
      process.kill(startup, 'SIGCONT');
    } catch {
      // It ended with its server, or with the recovery it was there for.
    }
  });
  const startedMs = performance.now();
  // Which of the two ends first, the server's wait or ours, is a matter of the machine.
  t.match(gist(await ask(actor, promote('do', { preState, timeoutMs: 700 }))), /^unknown (not-yet|timeout)$/);
  t.ok(performance.now() - startedMs < 15_000, 'and not when recovery would end, which is never');
  t.equal(gist(await ask(actor, promote('verify', { preState }))), 'no still-in-recovery');
  process.kill(startup, 'SIGCONT');
  const proof = await until({ what: 'the late promotion', timeoutMs: 10_000 }, async () => {
    const result = await ask(actor, promote('verify', { preState }));
    return result.kind === 'ok' ? result : undefined;
  });
  t.match(proof.facts, { timeline: 2, timelineBefore: 1 });
});

t.test('the timeline is right where the control file lags behind it', async (t) => {
  const first = await db.standby('b4');
  const second = await db.standby('b5', first);
  const standing = async (actor: TestActor) => ({ ...(await ask(actor, promote('check'))).facts, identities });
  const actor = actorFor(t, first);
  t.equal(gist(await ask(actor, promote('do', { preState: await standing(actor) }))), 'ok');
  await query(first, "insert into app.writes (id, region) values ('on timeline 2', 'b')", [], 'app');
  await caughtUp(first, second);
  await killPostgres(first);
  const [control] = await query<{ timeline: number }>(
    second,
    'select timeline_id as timeline from pg_control_checkpoint()',
  );
  t.equal(control?.timeline, 1, 'the control file is still on the timeline before');

  const next = actorFor(t, second);
  const preState: Record<string, unknown> = await standing(next);
  t.equal(preState['timeline'], 2);
  t.equal(gist(await ask(next, promote('do', { preState }))), 'ok');
  t.match(await ask(next, promote('verify', { preState })), { kind: 'ok', facts: { timeline: 3, timelineBefore: 2 } });
});

t.test('a fence that is lost, or can’t be read back, forbids the promotion', async (t) => {
  const standby = await db.standby('b6');
  const component = componentOf(primary, standby);
  const withVerify = (verify: string[]) =>
    actorOf(t, configOf({ db: component }, { driver: 'command', fence: ['true'], verify }), {
      PGPASSWORD: passwords.failoverd,
    });
  const check = promote('check', { fence: 'command' });
  t.equal(gist(await ask(withVerify(['false']), check)), 'no fence-lost');
  t.equal(gist(await ask(withVerify(['no-such-program-at-all']), check)), 'unknown not-found');
  t.equal(gist(await ask(withVerify(['sh', '-c', 'exit 75']), check)), 'unknown exit-75');
  t.equal(gist(await ask(withVerify(['true']), check)), 'ok');
  t.equal(gist(await ask(withVerify(['false']), promote('check', { fence: 'none' }))), 'ok', 'none was asked for');
});

t.test('a fence that was read back too long ago is read back again before the promotion is asked for', async (t) => {
  const standby = await db.standby('b8');
  const component = componentOf(primary, standby);
  const withVerify = (...verify: string[]) =>
    actorOf(t, configOf({ db: component }, { driver: 'command', fence: ['true'], verify }), {
      PGPASSWORD: passwords.failoverd,
    });
  const checked = await ask(withVerify('true'), promote('check', { fence: 'command' }));
  const proven = (ageMs: number) => {
    const fenceProof = { ...(checked.facts['fenceProof'] as object), at: Date.now() - ageMs };
    return promote('do', { fence: 'command', preState: { ...checked.facts, identities, fenceProof } });
  };
  t.equal(gist(await ask(withVerify('false'), proven(60_000))), 'no fence-lost', 'the disk stalled for a minute');
  t.equal(gist(await ask(withVerify('false'), proven(-60_000))), 'no fence-lost', 'or the clock was set back');
  t.equal(gist(await ask(withVerify('sh', '-c', 'exit 75'), proven(60_000))), 'no exit-75');
  const without = promote('do', { fence: 'command', preState: { ...checked.facts, identities, fenceProof: null } });
  t.equal(gist(await ask(withVerify('false'), without)), 'no fence-lost', 'or was never kept');
  t.equal((await query(standby, 'select pg_is_in_recovery() as still'))[0]?.['still'], true);
  t.equal(gist(await ask(withVerify('true'), proven(60_000))), 'ok');
});

t.test('a manager’s PostgreSQL is never promoted past its manager', async (t) => {
  const standby = await db.standby('b-managed');
  const { host, port } = standby;
  const by = { host, port, user: 'failoverd', password: passwords.failoverd, database: 'app' };
  const manager = new pg.Client({ ...by, application_name: 'Patroni heartbeat' });
  await manager.connect();
  t.teardown(() => manager.end());
  const actor = actorFor(t, standby);
  const refused = await ask(actor, promote('check'));
  t.equal(gist(refused), 'no managed');
  t.match(refused.facts, { manager: 'Patroni', sign: /Patroni heartbeat/ });
  t.equal(gist(await ask(actor, assess('verify'))), 'no managed', 'and before anything is fenced');
});

for (const install of (await everyPostgres()).slice(1)) {
  t.test(`PostgreSQL ${install.versionText} (${install.source}) says and does the same`, async (t) => {
    const other = await databases(t, '127.0.82.30', '127.0.82.40', install);
    const standby = await other.standby('b');
    const pinned = { identities: { db: other.systemIdentifier } };
    const actor = actorOf(t, configOf({ db: componentOf(other.primary, standby) }), {
      PGPASSWORD: other.passwords.failoverd,
    });
    t.equal(gist(await ask(actor, assess('verify', { preState: pinned }))), 'ok');
    const checked = await ask(actor, promote('check', { preState: pinned }));
    const preState = { ...checked.facts, ...pinned };
    t.equal(gist(await ask(actor, promote('do', { preState }))), 'ok');
    t.match(await ask(actor, promote('verify', { preState })), {
      kind: 'ok',
      facts: { timeline: 2, timelineBefore: 1 },
    });
    t.equal(gist(await ask(actor, epochRow('do', { preState: pinned }))), 'ok');
    t.equal(gist(await ask(actor, epochRow('verify', { preState: pinned }))), 'ok');
  });
}
