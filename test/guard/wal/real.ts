// What the tests of the log share: servers of their own, clients that write until they are cut off, and the programs.
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import type { Test } from 'tap';
import { isMissing } from '../../../lab/binaries/missing.ts';
import { findPostgres, type PostgresInstall } from '../../../lab/binaries/postgres.ts';
import { freePort } from '../../../lab/servers/ports.ts';
import {
  createPrimary,
  createStandby,
  destroyPostgres,
  generatePasswords,
  killPostgres,
  type LabPasswords,
  type PostgresInstance,
  query,
  startPostgres,
} from '../../../lab/servers/postgres.ts';
import { copyTree, giveToServer, prepareInstanceDir } from '../../../lab/servers/postgres-primary.ts';
import { describeInstance } from '../../../lab/servers/postgres-settings.ts';
import { scanProcesses } from '../../../lab/servers/processes.ts';
import { serverUser } from '../../../lab/servers/user.ts';
import { until } from '../../../lab/servers/wait.ts';
import type { Ask } from '../../../src/guard/wal/new-primary.ts';
import type { Stopped } from '../../../src/guard/wal/stopped.ts';
import type { Programs } from '../../../src/guard/wal/tool.ts';
import { log, scratch } from '../../lab-parts/real-servers.ts';

export const HOST = '127.0.84.10';
export const quiet = { log: () => undefined };
export const never = (): AbortSignal => new AbortController().signal;

/** A PostgreSQL with every tool; the test can't be without. */
export async function fullPostgres(): Promise<PostgresInstall> {
  for (const prefer of ['path', 'env', 'debian'] as const) {
    const found = await findPostgres({ prefer, fetch: true, log });
    if (!isMissing(found) && found.tools.pg_rewind !== undefined && found.tools.pg_waldump !== undefined) return found;
  }
  throw new Error('no PostgreSQL with pg_waldump and pg_rewind on this machine');
}

export const programsOf = (install: PostgresInstall): Programs => ({
  binDir: path.dirname(install.tools.postgres),
  libDir: install.libDir,
  user: serverUser(),
});

/** What the guard proves of its own PostgreSQL, here by the lab's look at the kernel. */
export const stoppedOf =
  (dataDir: string): Stopped =>
  async () => {
    const { pids, unreadable } = await scanProcesses([dataDir]);
    if (unreadable.length > 0) return { stopped: null, why: `processes ${unreadable.join(', ')} can't be looked at` };
    return pids.length === 0
      ? { stopped: true, why: 'no process works in it' }
      : { stopped: false, why: `processes ${pids.join(', ')} work in it` };
  };

export type Place = {
  readonly dir: string;
  readonly install: PostgresInstall;
  readonly programs: Programs;
  readonly passwords: LabPasswords;
  readonly primary: PostgresInstance;
  /** Destroyed at the end of the test, in any case. */
  readonly keep: (instance: PostgresInstance) => PostgresInstance;
};

export async function place(t: Test): Promise<Place> {
  const dir = await scratch(t);
  const install = await fullPostgres();
  const passwords = generatePasswords();
  const made: PostgresInstance[] = [];
  t.teardown(async () => {
    for (const instance of made) await destroyPostgres(instance);
  });
  const keep = (instance: PostgresInstance): PostgresInstance => {
    made.push(instance);
    return instance;
  };
  const port = await freePort(HOST);
  const primary = keep(await createPrimary({ install, dir: path.join(dir, 'a'), host: HOST, port, passwords, log }));
  await startPostgres(primary, quiet);
  return { dir, install, programs: programsOf(install), passwords, primary, keep };
}

/** A standby that streams from the primary, or through `upstream`. It is left running. */
export async function standbyOf(
  at: Place,
  upstream: { host: string; port: number } = at.primary,
): Promise<PostgresInstance> {
  const { primary, passwords, keep, dir } = at;
  const port = await freePort(HOST);
  const standby = await createStandby({
    primary,
    upstream,
    dir: path.join(dir, 'b'),
    host: HOST,
    port,
    passwords,
    log,
  });
  keep(standby);
  await startPostgres(standby, quiet);
  await until({ what: 'streaming', timeoutMs: 20_000 }, async () => {
    const [row] = await query<{ n: string }>(primary, 'select count(*) n from pg_stat_replication');
    return row?.n === '1' ? true : undefined;
  });
  return standby;
}

/** A copy of a stopped server, ready to be started out of everyone's reach. */
export async function copyOf(at: Place, instance: PostgresInstance, name: string): Promise<PostgresInstance> {
  const copy = describeInstance(instance.install, path.join(at.dir, name), instance.host, instance.port);
  await prepareInstanceDir(copy);
  await copyTree(instance.dataDir, copy.dataDir);
  const { writeInstanceSettings } = await import('../../../lab/servers/postgres-settings.ts');
  await writeInstanceSettings(copy, '');
  await giveToServer(copy);
  return at.keep(copy);
}

export type Acknowledged = { readonly id: string; readonly lsn: string | null };

/**
 * Writes rows over `clients` connections until the server is gone; each was acknowledged, with a position the commit is
 * before. `stop` waits until all of them are cut off.
 */
export function writers(
  instance: PostgresInstance,
  clients: number,
  prefix: string,
): { readonly acknowledged: Acknowledged[]; readonly ended: Promise<void>; readonly stop: () => void } {
  const acknowledged: Acknowledged[] = [];
  let stopping = false;
  const one = async (number: number): Promise<void> => {
    const client = new pg.Client({
      host: instance.socketDir,
      port: instance.port,
      user: 'postgres',
      database: 'app',
    });
    client.on('error', () => undefined);
    await client.connect();
    for (let count = 0; !stopping; count += 1) {
      const id = `${prefix}-${number}-${count}`;
      try {
        await client.query(
          `insert into app.writes (id, region) values ('${id}', repeat('x', ${1 + ((count * 37) % 400)}))`,
        );
        const row: { id: string; lsn: string | null } = { id, lsn: null };
        acknowledged.push(row);
        // After the acknowledgement, and in a command of its own: at least as late as the commit's end.
        const { rows } = await client.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text lsn');
        row.lsn = rows[0]?.lsn ?? null;
      } catch {
        return;
      }
    }
    await client.end().catch(() => undefined);
  };
  const ended = Promise.all(Array.from({ length: clients }, async (_, number) => await one(number))).then(
    () => undefined,
  );
  return {
    acknowledged,
    ended,
    stop: () => {
      stopping = true;
    },
  };
}

export async function idsIn(instance: PostgresInstance): Promise<ReadonlySet<string>> {
  const rows = await query<{ id: string }>(instance, 'select id from app.writes', [], 'app');
  return new Set(rows.map(({ id }) => id));
}

/** A folder that the servers' user may write into. */
export async function openFolder(at: Place, name: string): Promise<string> {
  const folder = path.join(at.dir, name);
  await mkdir(folder, { mode: 0o755 });
  return folder;
}

/** From now on the standby receives nothing; what it has it keeps. */
export async function cutOff(standby: PostgresInstance): Promise<void> {
  await query(standby, "alter system set primary_conninfo = ''");
  await query(standby, 'select pg_reload_conf()');
  await until({ what: 'the receiver gone', timeoutMs: 20_000 }, async () => {
    const [row] = await query<{ n: string }>(standby, 'select count(*) n from pg_stat_wal_receiver');
    return row?.n === '0' ? true : undefined;
  });
}

export type Parted = {
  readonly standby: PostgresInstance;
  /** Acknowledged by the primary after the standby received nothing more. */
  readonly divergent: readonly string[];
  /** Of the new primary. */
  readonly history: string;
};

/** A primary that went on alone for a while and was then killed; its standby was promoted without that part. */
export async function parted(at: Place, more?: (primary: PostgresInstance) => Promise<void>): Promise<Parted> {
  const { primary } = at;
  const standby = await standbyOf(at);
  await query(primary, "insert into app.writes (id, region) values ('shared', 'a')", [], 'app');
  const [row] = await query<{ lsn: string }>(primary, 'select pg_current_wal_flush_lsn()::text lsn');
  await until({ what: 'caught up', timeoutMs: 20_000 }, async () => {
    const [there] = await query<{ ok: boolean }>(standby, `select pg_last_wal_replay_lsn() >= '${row?.lsn}' ok`);
    return there?.ok === true ? true : undefined;
  });
  await cutOff(standby);
  const load = writers(primary, 2, 'alone');
  await until({ what: 'rows', timeoutMs: 20_000 }, async () => (load.acknowledged.length > 30 ? true : undefined));
  load.stop();
  await load.ended;
  await more?.(primary);
  await killPostgres(primary);
  await query(standby, 'select pg_promote()');
  const history = await readFile(path.join(standby.dataDir, 'pg_wal', '00000002.history'), 'utf8');
  return { standby, divergent: load.acknowledged.map(({ id }) => id), history };
}

/** A statement to a server on its socket, over a connection of its own. */
export const askOf =
  (socketDir: string, port: number): Ask =>
  async (sql, values = []) => {
    const client = new pg.Client({ host: socketDir, port, user: 'postgres', database: 'postgres' });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(sql, [...values])).rows;
    } finally {
      await client.end();
    }
  };

export type RejoinWords = {
  readonly dataDir: string;
  readonly programs: Programs;
  readonly archives: string;
  readonly recordFile: string;
  readonly keep: readonly string[];
  readonly acceptMissing: boolean;
  readonly socketDir: string;
  readonly port: number;
  /** Of the superuser on the socket, for the rewind. */
  readonly conninfo: string;
  /** Of the replicator over TCP, for a clone and the stream. */
  readonly replication: string;
  readonly rewind: boolean;
};

export const rejoinWords = (at: Place, newPrimary: PostgresInstance, rewind: boolean): RejoinWords => ({
  dataDir: at.primary.dataDir,
  programs: at.programs,
  archives: path.join(at.dir, 'archive'),
  recordFile: path.join(at.dir, 'rejoin.json'),
  keep: [],
  acceptMissing: false,
  socketDir: newPrimary.socketDir,
  port: newPrimary.port,
  conninfo: `host=${newPrimary.socketDir} port=${newPrimary.port} user=postgres dbname=postgres`,
  replication: `host=${newPrimary.host} port=${newPrimary.port} user=replicator password=${at.passwords.replicator} application_name=home sslmode=disable`,
  rewind,
});
