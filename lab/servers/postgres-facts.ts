import { mkdtemp, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../binaries/missing.ts';
import { mustRun, serverEnv } from './command.ts';
import { LabError } from './errors.ts';
import { forgetPatroni } from './patroni-files.ts';
import { copyTree, giveToServer, prepareInstanceDir } from './postgres-primary.ts';
import { connectAdmin, destroyPostgres, query, startPostgres } from './postgres-process.ts';
import { DATABASE, describeInstance, type PostgresInstance, writeInstanceSettings } from './postgres-settings.ts';
import { scanProcesses } from './processes.ts';

const CONTROLDATA_TIMEOUT_MS = 10_000;
const PAGE_ROWS = 10_000;

/** Who a data directory is, and which history it is on. */
export interface ControlFacts {
  /** The same for a primary and its standbys, different for every other cluster. In decimal. */
  readonly systemIdentifier: string;
  readonly timeline: number;
}

/** Read both from the running server, or from the files of a stopped one. */
export async function controlFacts(instance: PostgresInstance): Promise<ControlFacts> {
  const running = (await scanProcesses([instance.dataDir])).pids.length > 0;
  return running ? await factsOfServer(instance) : await factsOfFiles(instance);
}

async function factsOfServer(instance: PostgresInstance): Promise<ControlFacts> {
  // The control file's timeline lags behind a promotion until the next checkpoint: a primary asks its own WAL.
  const [row] = await query<{ identifier: string; timeline: number }>(
    instance,
    `select (select system_identifier::text from pg_control_system()) as identifier,
            case when pg_is_in_recovery()
                 then coalesce((select received_tli from pg_stat_wal_receiver),
                               (select timeline_id from pg_control_checkpoint()))
                 else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
            end as timeline`,
  );
  if (row === undefined) throw new LabError('not-running', `${instance.dataDir}: no control data`);
  return { systemIdentifier: row.identifier, timeline: row.timeline };
}

/** The identifier stands first in the control file; the newest timeline is in the names of the WAL files. */
async function factsOfFiles(instance: PostgresInstance): Promise<ControlFacts> {
  const control = await readFile(path.join(instance.dataDir, 'global', 'pg_control'));
  const systemIdentifier = control.readBigUInt64LE(0).toString();
  const names = await readdir(path.join(instance.dataDir, 'pg_wal'));
  const timelines = names.flatMap((name) => {
    const digits = /^([0-9A-F]{8})(?:[0-9A-F]{16}|\.history)$/.exec(name)?.[1];
    return digits === undefined ? [] : [Number.parseInt(digits, 16)];
  });
  return { systemIdentifier, timeline: Math.max(1, ...timelines) };
}

/** What `pg_controldata` prints, as key and value; undefined where this PostgreSQL has no such tool. */
export async function controlData(instance: PostgresInstance): Promise<ReadonlyMap<string, string> | undefined> {
  const { tools, libDir } = instance.install;
  if (tools.pg_controldata === undefined) return undefined;
  const { stdout } = await mustRun([tools.pg_controldata, '-D', instance.dataDir], {
    env: serverEnv(libDir),
    timeoutMs: CONTROLDATA_TIMEOUT_MS,
  });
  const pairs = stdout.split('\n').map((line) => /^([^:]+):\s+(.*)$/.exec(line));
  return new Map(pairs.flatMap((pair) => (pair?.[1] === undefined ? [] : [[pair[1], pair[2] ?? ''] as const])));
}

export interface DumpOptions {
  readonly instance: PostgresInstance;
  /** The file to write: one id a line, sorted by bytes. */
  readonly out: string;
  /** A folder the copy of a stopped server may lie in for a moment. */
  readonly scratchDir: string;
  readonly log: Log;
}

export interface WritesDump extends ControlFacts {
  readonly path: string;
  readonly rows: number;
  /** Asked of the server while it ran, or of a copy of its files started out of everyone's reach. */
  readonly how: 'live' | 'copy';
}

/**
 * Write every id in `app.writes` to a file. A stopped server is never touched: a copy of its files is started without
 * a network, and recovers to the end of its own WAL, so that a commit that never left the machine is in the dump too.
 */
export async function dumpWrites(options: DumpOptions): Promise<WritesDump> {
  const { instance, out, log } = options;
  const { pids } = await scanProcesses([instance.dataDir]);
  if (pids.length > 0) {
    const rows = await writeIds(instance, out);
    return { path: out, rows, how: 'live', ...(await controlFacts(instance)) };
  }
  // Read before the copy starts: ending its recovery must not be mistaken for a history of the original.
  const facts = await controlFacts(instance);
  const rows = await withCopy(options, async (copy) => await writeIds(copy, out));
  log(`${rows} rows in a copy of the stopped ${path.basename(instance.dir)}`);
  return { path: out, rows, how: 'copy', ...facts };
}

async function withCopy<T>(options: DumpOptions, use: (copy: PostgresInstance) => Promise<T>): Promise<T> {
  const { instance, scratchDir } = options;
  const dir = await mkdtemp(path.join(scratchDir, 'copy-'));
  const copy = describeInstance(instance.install, dir, instance.host, instance.port);
  try {
    await prepareInstanceDir(copy);
    await copyTree(instance.dataDir, copy.dataDir);
    for (const name of ['postmaster.pid', 'postmaster.opts', 'standby.signal', 'recovery.signal']) {
      await rm(path.join(copy.dataDir, name), { force: true });
    }
    await forgetPatroni(copy.dataDir);
    await writeInstanceSettings(copy, '', { primary_conninfo: '', primary_slot_name: '' });
    await giveToServer(copy);
    await startPostgres(copy, { log: () => undefined });
    return await use(copy);
  } finally {
    await destroyPostgres(copy);
  }
}

async function writeIds(instance: PostgresInstance, out: string): Promise<number> {
  const unfinished = `${out}.unfinished`;
  const { client, close } = await connectAdmin(instance, DATABASE);
  const file = await open(unfinished, 'w');
  let rows = 0;
  try {
    // One snapshot for all pages: rows written meanwhile are in none of them.
    await client.query('begin isolation level repeatable read read only');
    await client.query('declare ids cursor for select id from app.writes order by id collate "C"');
    for (;;) {
      const page = await client.query<{ id: string }>(`fetch ${PAGE_ROWS} from ids`);
      if (page.rows.length === 0) break;
      rows += page.rows.length;
      await writeFile(file, page.rows.map(({ id }) => `${id}\n`).join(''));
    }
  } finally {
    await file.close();
    await close();
  }
  await rename(unfinished, out);
  return rows;
}

/** The ids of a dump. */
export async function readDump(file: string): Promise<ReadonlySet<string>> {
  return new Set((await readFile(file, 'utf8')).split('\n').filter((line) => line !== ''));
}
