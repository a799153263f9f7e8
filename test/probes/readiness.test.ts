// How a server is made, asked of real PostgreSQL: a primary and its standby, and what they tell with least grants.
import { appendFile } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { query, startPostgres, stopPostgres } from '../../lab/servers/postgres.ts';
import { until } from '../../lab/servers/wait.ts';
import type { Readiness } from '../../src/model/readiness.ts';
import { compareReadiness } from '../../src/policies/readiness.ts';
import { probeReadiness } from '../../src/probes/readiness.ts';
import type { ReadinessTarget } from '../../src/probes/target.ts';
import { SecretValue } from '../../src/runtime/secret.ts';
import { ask } from './asking.ts';
import { place, primaryAt, standbyAt, targetOf } from './pair.ts';

const at = await place();
t.teardown(() => at.remove());
const { passwords } = at;
const primary = await primaryAt(at, { host: '127.0.93.1', fresh: true });
const standby = await standbyAt(at, primary, '127.0.93.2');
const log = (): void => undefined;

const targetAt = (instance: typeof primary, over: Partial<ReadinessTarget> = {}): ReadinessTarget => ({
  ...targetOf(instance, passwords),
  kind: 'readiness',
  timeoutMs: 10_000,
  ...over,
});
const made = async (instance: typeof primary, over: Partial<ReadinessTarget> = {}): Promise<Readiness> => {
  const answer = await ask(probeReadiness, targetAt(instance, over));
  t.equal(answer.verdict, 'ok', answer.message ?? '');
  if (answer.facts === null) throw new Error(`nothing was told: ${answer.message}`);
  return answer.facts;
};
const seen = (facts: Readiness) => ({ facts, ageMs: 1000 });
const compared = async () => compareReadiness('b', seen(await made(primary)), seen(await made(standby)));

t.test('a role with pg_monitor is told everything, of both sides', async (t) => {
  const user = { user: 'failoverd_ro', password: new SecretValue(passwords.failoverd_ro) };
  const [a, b] = [await made(primary, user), await made(standby, user)];
  const [said] = await query<{ connections: number; version: number }>(
    primary,
    `select current_setting('max_connections')::int as connections, current_setting('server_version_num')::int as version`,
  );
  t.equal(a.version, said?.version);
  t.equal(a.settings.max_connections, said?.connections);
  t.match(b, { hotStandby: true, logicalSlots: [], moreDatabases: 0 });
  t.ok((b.walRetrieveRetryMs ?? 0) > 0);
  const names = a.databases.map(({ name }) => name);
  t.ok(names.includes('app') && names.includes('postgres'), names.join());
  for (const database of [...a.databases, ...b.databases]) {
    t.equal(database.closed, null, `${database.name} was looked into`);
    t.match(database.extensions, [{ name: 'plpgsql', files: 'same' }]);
  }
});

t.test('a pair that is made alike has nothing against it', async (t) => {
  const found = await compared();
  t.strictSame({ ...found, told: [] }, { impossible: [], worse: [], unknown: [], told: [] });
  t.match(found.told.join(), /free disk on b is not known/);
});

t.test(
  'an extension that the standby has no files of, and a collation of another version, are seen there',
  async (t) => {
    // The catalogs are the primary's; the files are what the standby's machine has.
    const change = (sql: string) => query(primary, sql, [], 'app');
    await change(`insert into pg_extension values (99999, 'not_here', 10, 11, false, '2.1', null, null)`);
    await change(`update pg_extension set extversion = '0.9' where extname = 'plpgsql'`);
    const [before] = await query<{ version: string | null; actual: string | null }>(
      primary,
      `select datcollversion as version, pg_database_collation_actual_version(oid) as actual
       from pg_database where datname = 'app'`,
    );
    await change(`update pg_database set datcollversion = '1.0-other' where datname = 'app'`);
    t.teardown(async () => {
      await change(`delete from pg_extension where extname = 'not_here'`);
      await change(`update pg_extension set extversion = '1.0' where extname = 'plpgsql'`);
      await query(primary, `update pg_database set datcollversion = $1 where datname = 'app'`, [
        before?.version ?? null,
      ]);
    });
    const found = await until({ what: 'the standby to have it', timeoutMs: 20_000 }, async () => {
      const now = await compared();
      return now.worse.length >= 2 ? now : undefined;
    });
    t.match(found.worse.join('\n'), /database app: b has no files of extension not_here/);
    t.match(found.worse.join('\n'), /database app: extension plpgsql is 0.9/);
    if (before?.actual == null) t.comment('the database of the lab has a collation without versions (C)');
    else t.match(found.worse.join('\n'), /database app: its collation is version 1.0-other/);
  },
);

t.test('a database that it is not let into costs that one alone, and is told', async (t) => {
  await query(primary, 'create database secret');
  await query(primary, 'revoke connect on database secret from public');
  const answer = await ask(probeReadiness, targetAt(primary));
  t.match(answer, { verdict: 'ok', code: 'denied', message: /secret/ });
  const closed = answer.facts?.databases.find(({ name }) => name === 'secret');
  t.match(closed, { closed: /pg_hba|permission denied/ });
  t.ok(answer.facts?.databases.some(({ name, closed: why }) => name === 'app' && why === null));
  await until({ what: 'the standby to know', timeoutMs: 20_000 }, async () =>
    (await compared()).unknown.some((why) => /secret.*grant connect/.test(why)) ? true : undefined,
  );
  await query(primary, 'drop database secret');
});

t.test('a logical slot of the primary is told as lost', async (t) => {
  const facts = await made(primary);
  const found = compareReadiness('b', seen({ ...facts, logicalSlots: ['cdc'] }), seen(await made(standby)));
  t.match(found.told.join(), /lost with the primary: cdc/);
  t.strictSame(found.worse, []);
});

t.test('a standby with less than its primary has, after a restart of its own', async (t) => {
  // A standby refuses to run with less than its primary runs with for most of these; connections are what it may lower
  // once the primary was raised and before it is restarted itself, or with a primary that is raised later.
  await stopPostgres(primary, 'fast');
  await appendFile(path.join(primary.dataDir, 'postgresql.conf'), '\nmax_wal_senders = 33\nwal_level = logical\n');
  await startPostgres(primary, { log });
  const a = await until({ what: 'the primary', timeoutMs: 20_000 }, async () => {
    const answer = await ask(probeReadiness, targetAt(primary));
    return answer.facts ?? undefined;
  });
  t.equal(a.settings.max_wal_senders, 33);
  const b = await made(standby).catch(() => null);
  if (b === null) return t.comment('the standby stopped, as PostgreSQL says it may');
  const found = compareReadiness('b', seen(a), seen(b));
  t.match(found.worse.join('\n'), /max_wal_senders is \d+ on b, and 33 on the primary/);
  t.match(found.worse.join('\n'), /wal_level is replica on b, and logical on the primary/);
});

t.test('a server that is gone tells nothing, and is bad', async (t) => {
  await stopPostgres(standby, 'fast');
  t.match(await ask(probeReadiness, targetAt(standby)), { verdict: 'bad', facts: null });
});
