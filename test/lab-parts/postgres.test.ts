import { appendFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import t from 'tap';
import { codeOf } from '../../lab/servers/errors.ts';
import { freePort } from '../../lab/servers/ports.ts';
import {
  controlFacts,
  createPrimary,
  createStandby,
  destroyPostgres,
  dumpWrites,
  killPostgres,
  type PostgresInstance,
  query,
  readDump,
  startPostgres,
  stopPostgres,
} from '../../lab/servers/postgres.ts';
import { scanProcesses } from '../../lab/servers/processes.ts';
import { until } from '../../lab/servers/wait.ts';
import { everyPostgres, log, onePostgres, primaryIn, scratch } from './real-servers.ts';

const HOST_A = '127.0.81.10';
const HOST_B = '127.0.81.20';

const installs = await everyPostgres();

async function as<T extends pg.QueryResultRow>(
  instance: PostgresInstance,
  user: string,
  password: string,
  sql: string,
): Promise<T[]> {
  const { host, port } = instance;
  const client = new pg.Client({ host, port, user, password, database: 'app', connectionTimeoutMillis: 3_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<T>(sql)).rows;
  } finally {
    await client.end();
  }
}

const outcome = async (attempt: Promise<unknown>): Promise<string> =>
  await attempt.then(
    () => 'done',
    (error: unknown) => codeOf(error) ?? String(error),
  );

for (const install of installs) {
  t.test(`a pair of PostgreSQL ${install.versionText} (${install.source})`, async (t) => {
    const place = await scratch(t);
    const { primary, passwords } = await primaryIn(place, install, HOST_A);
    const made: PostgresInstance[] = [primary];
    t.teardown(async () => {
      for (const instance of made) await destroyPostgres(instance);
    });
    await startPostgres(primary, { log });

    await t.test('each role can do its work and no more', async (t) => {
      const write = "insert into app.writes (id, region) values ('w-0', 'a')";
      t.equal(await outcome(as(primary, 'app', passwords.app, write)), 'done');
      t.equal(await outcome(as(primary, 'app', 'wrong', write)), '28P01');
      t.equal(await outcome(as(primary, 'postgres', '', 'select 1')), '28000', 'the superuser only on the socket');
      t.equal(
        await outcome(as(primary, 'failoverd', passwords.failoverd, 'create table failoverd.epoch (n int)')),
        'done',
      );
      t.equal(await outcome(as(primary, 'failoverd', passwords.failoverd, 'delete from app.writes')), '42501');
      t.equal(
        await outcome(as(primary, 'failoverd_ro', passwords.failoverd_ro, 'select * from pg_stat_replication')),
        'done',
      );
      t.equal(await outcome(as(primary, 'failoverd_ro', passwords.failoverd_ro, 'select pg_promote()')), '42501');
    });

    const standby = await createStandby({
      primary,
      upstream: primary,
      dir: path.join(place, 'b'),
      host: HOST_B,
      port: await freePort(HOST_B),
      passwords,
      log,
    });
    made.push(standby);
    await startPostgres(standby, { log });

    await t.test('the standby streams, is read-only and of the same cluster', async (t) => {
      await as(primary, 'app', passwords.app, "insert into app.writes (id, region) values ('w-1', 'a')");
      await until({ what: 'w-1 on the standby', timeoutMs: 10_000 }, async () => {
        const rows = await query(standby, "select 1 from app.writes where id = 'w-1'", [], 'app');
        return rows.length === 1 ? true : undefined;
      });
      const write = "insert into app.writes (id, region) values ('w-x', 'b')";
      t.equal(await outcome(as(standby, 'app', passwords.app, write)), '25006');
      t.same(await controlFacts(standby), await controlFacts(primary));
    });

    await t.test('a killed primary leaves no process, and its standby is promoted by failoverd', async (t) => {
      await killPostgres(primary);
      t.same(await scanProcesses([primary.dataDir]), { pids: [], unreadable: [] });
      const [row] = await as<{ promoted: boolean }>(
        standby,
        'failoverd',
        passwords.failoverd,
        'select pg_promote(true, 30) as promoted',
      );
      t.equal(row?.promoted, true);
      await as(standby, 'app', passwords.app, "insert into app.writes (id, region) values ('w-2', 'b')");
      t.equal((await controlFacts(standby)).timeline, 2);
      t.equal((await controlFacts(primary)).timeline, 1);
    });

    await t.test('both histories can be dumped, and the stopped one stays as it was', async (t) => {
      const before = await readFile(path.join(primary.dataDir, 'global', 'pg_control'));
      const dumpOf = async (instance: PostgresInstance): Promise<[string, string[]]> => {
        const out = path.join(place, `${path.basename(instance.dir)}.ids`);
        const dump = await dumpWrites({ instance, out, scratchDir: place, log });
        return [dump.how, [...(await readDump(out))]];
      };
      t.same(await dumpOf(primary), ['copy', ['w-0', 'w-1']]);
      t.same(await dumpOf(standby), ['live', ['w-0', 'w-1', 'w-2']]);
      t.same(await readFile(path.join(primary.dataDir, 'global', 'pg_control')), before);
      t.same((await scanProcesses([primary.dataDir])).pids, []);
    });

    await t.test('it stops when asked, and says how', async (t) => {
      t.same(await stopPostgres(standby, 'fast'), { how: 'fast' });
      t.same(await stopPostgres(standby, 'fast'), { how: 'not-running' });
      await startPostgres(standby, { log });
      t.same(await stopPostgres(standby, 'immediate'), { how: 'immediate' });
      t.same(await scanProcesses([place]), { pids: [], unreadable: [] });
    });
  });
}

t.test('a dump of a stopped primary holds what never left it', async (t) => {
  const place = await scratch(t);
  const { primary, passwords } = await primaryIn(place, await onePostgres(), HOST_A);
  t.teardown(async () => {
    await destroyPostgres(primary);
  });
  await startPostgres(primary, { log });
  const values = Array.from({ length: 500 }, (_, index) => `('n-${String(index).padStart(4, '0')}', 'a')`);
  await as(primary, 'app', passwords.app, `insert into app.writes (id, region) values ${values.join(',')}`);
  await killPostgres(primary);
  const out = path.join(place, 'ids');
  const dump = await dumpWrites({ instance: primary, out, scratchDir: place, log });
  t.equal(dump.rows, 500);
  t.equal((await readDump(out)).has('n-0499'), true);
});

t.test('a cluster initialised afresh has another system identifier', async (t) => {
  const place = await scratch(t);
  const install = await onePostgres();
  const { primary, passwords } = await primaryIn(place, install, HOST_A);
  const port = await freePort(HOST_B);
  const other = await createPrimary({
    install,
    dir: path.join(place, 'other'),
    host: HOST_B,
    port,
    passwords,
    log,
    fresh: true,
  });
  t.teardown(async () => {
    for (const instance of [primary, other]) await destroyPostgres(instance);
  });
  t.not((await controlFacts(other)).systemIdentifier, (await controlFacts(primary)).systemIdentifier);
});

t.test('a start that can not be is refused with the reason, and harms nothing', async (t) => {
  const place = await scratch(t);
  const { primary } = await primaryIn(place, await onePostgres(), HOST_A);
  t.teardown(async () => {
    await destroyPostgres(primary);
  });
  await startPostgres(primary, { log });
  await t.rejects(startPostgres(primary, { log }), { name: 'LabError', code: 'start-failed' }, 'it runs already');
  t.same(await query(primary, 'select 1 as one'), [{ one: 1 }], 'and goes on running');
  await stopPostgres(primary, 'fast');
  await appendFile(path.join(primary.dataDir, 'postgresql.conf'), 'no_such_setting = 1\n');
  const refused = await startPostgres(primary, { log }).catch((error: unknown) => error);
  t.match(refused, { code: 'start-failed', message: /no_such_setting/ });
});
