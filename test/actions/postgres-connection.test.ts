// Connections kept for a failover: there when they are needed, replaced when they are dead, and never shared.
import t from 'tap';
import { createLinks } from '../../lab/links/index.ts';
import { query, startPostgres, stopPostgres } from '../../lab/servers/postgres.ts';
import { until } from '../../lab/servers/wait.ts';
import { createPostgresPool, NotSent, type Session } from '../../src/actions/postgres-connection.ts';
import { postgresTarget } from '../../src/actions/targets.ts';
import { systemTimers } from '../../src/runtime/timers.ts';
import { log } from '../lab-parts/real-servers.ts';
import { componentOf, databases } from './database.ts';
import { A, actorOf, ask, B, configOf, GROUP, gist } from './world.ts';

const { primary, passwords, systemIdentifier } = await databases(t, '127.0.86.10', '127.0.86.20');
const links = createLinks();
t.teardown(() => links.close());
const link = links.link('B->A');
const forward = await link.forward({ listenHost: '127.0.86.1', targetHost: primary.host, targetPort: primary.port });
const component = componentOf(primary, primary, {
  instances: { [A]: `${primary.host}:${primary.port}`, [B]: `${forward.host}:${forward.port}` },
});
const target = postgresTarget(GROUP, { id: 'db', component }, B);
if (target === null) throw new Error('the target');
const never = new AbortController().signal;
const pidOf = async (session: Session): Promise<unknown> =>
  (await session.query('select pg_backend_pid() as pid'))[0]?.['pid'];

const pool = createPostgresPool(() => passwords.failoverd, systemTimers);
t.teardown(() => pool.close());

t.test('a connection is kept and used again', async (t) => {
  const first = await pool.read(target, never, pidOf);
  t.equal(await pool.read(target, never, pidOf), first);
  t.equal(await pool.once(target, never, pidOf), first);
});

t.test('two operations at once have a session each', async (t) => {
  const pids = await Promise.all([pool.read(target, never, pidOf), pool.read(target, never, pidOf)]);
  t.not(pids[0], pids[1]);
});

t.test('a server that was restarted is reached again without anybody noticing', async (t) => {
  const before = await pool.read(target, never, pidOf);
  await stopPostgres(primary, 'fast');
  await startPostgres(primary, { log });
  t.not(await pool.read(target, never, pidOf), before);
  await stopPostgres(primary, 'fast');
  await startPostgres(primary, { log });
  t.ok(await pool.once(target, never, pidOf), 'also by what must not be sent twice');
});

t.test('a session that the server ended is replaced', async (t) => {
  const before = await pool.read(target, never, pidOf);
  await query(primary, 'select pg_terminate_backend($1)', [before]);
  t.not(await pool.read(target, never, pidOf), before);
});

t.test('a connection that leads nowhere any more costs a second, not the operation', async (t) => {
  const before = await pool.read(target, never, pidOf);
  link.cut({ mode: 'drop' });
  const asked = pool.read(target, never, pidOf);
  // The kept one is silent; by the time a fresh one is made the way is free again.
  await until({ what: 'the fresh connection', timeoutMs: 5000 }, async () =>
    link.counters().held > 0 ? true : undefined,
  );
  link.heal();
  t.not(await asked, before);
});

t.test('what must not be sent twice is not sent into a connection that leads nowhere any more', async (t) => {
  await pool.read(target, never, pidOf);
  link.cut({ mode: 'drop' });
  let sent = 0;
  const asked = pool.once(target, never, async (session) => {
    sent += 1;
    return await pidOf(session);
  });
  await until({ what: 'the fresh connection', timeoutMs: 5000 }, async () =>
    link.counters().held > 0 ? true : undefined,
  );
  t.equal(sent, 0, 'before a connection answered, nothing is sent');
  link.heal();
  t.ok(await asked);
  t.equal(sent, 1);
});

t.test('what failed in the middle leaves no session behind that somebody would get next', async (t) => {
  const before = await pool.read(target, never, pidOf);
  await t.rejects(
    pool.once(target, never, async (session) => {
      await session.query('begin');
      await session.query('select 1/0');
    }),
    { code: '22012' },
  );
  t.not(await pool.read(target, never, pidOf), before);
  t.same(await pool.read(target, never, (session) => session.query('select 1 as one')), [{ one: 1 }]);
});

t.test('a way that is closed is told from an answer that was lost', async (t) => {
  await stopPostgres(primary, 'fast');
  await t.rejects(pool.once(target, never, pidOf), NotSent);
  await startPostgres(primary, { log });
  let sent = 0;
  const lost = pool.once(target, never, async (session) => {
    sent += 1;
    const answer = session.query('select pg_sleep(20)');
    await until({ what: 'it runs', timeoutMs: 5000 }, async () => {
      const [row] = await query(primary, "select 1 from pg_stat_activity where query = 'select pg_sleep(20)'");
      return row === undefined ? undefined : true;
    });
    link.cut({ mode: 'reset' });
    return await answer;
  });
  const error = await lost.catch((thrown: unknown) => thrown);
  t.ok(error instanceof Error);
  t.notOk(error instanceof NotSent);
  t.equal(sent, 1, 'it is not repeated');
  link.heal();
});

t.test('an actor warmed ahead needs no new connection', async (t) => {
  const actor = actorOf(t, configOf({ db: component }), { PGPASSWORD: passwords.failoverd });
  const accepted = link.counters().accepted;
  actor.warm(GROUP, B);
  await until({ what: 'the connection', timeoutMs: 5000 }, async () => {
    // The last of what a warming reads; before it the connection may be free for an instant and taken again.
    const rows = await query(
      primary,
      `select 1 from pg_stat_activity
        where usename = 'failoverd' and state = 'idle' and query like '%has_database_privilege%'`,
    );
    return link.counters().accepted === accepted + 1 && rows.length > 0 ? true : undefined;
  });
  const result = await ask(actor, {
    stepKind: 'write-epoch-row',
    operation: 'verify',
    preState: { identities: { db: systemIdentifier } },
  });
  t.equal(gist(result), 'no absent', result.message);
  t.equal(link.counters().accepted, accepted + 1);
});
