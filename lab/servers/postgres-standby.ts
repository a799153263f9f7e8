import { constants } from 'node:fs';
import { copyFile, lstat, mkdir, readdir, readlink, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../binaries/missing.ts';
import { mustRun, serverEnv } from './command.ts';
import { codeOf, LabError } from './errors.ts';
import { giveToServer, prepareInstanceDir } from './postgres-primary.ts';
import { connectAdmin, query } from './postgres-process.ts';
import {
  caFileOf,
  describeInstance,
  type LabPasswords,
  type PostgresInstance,
  type PostgresTls,
  writeInstanceSettings,
} from './postgres-settings.ts';
import { serverUser } from './user.ts';

const CLONE_TIMEOUT_MS = 120_000;

export interface StandbyOptions {
  /** The running primary, for the slot and for a copy on this machine's disk. */
  readonly primary: PostgresInstance;
  /** Where the standby streams from: the primary, or a link in front of it. */
  readonly upstream: { readonly host: string; readonly port: number };
  readonly dir: string;
  readonly host: string;
  readonly port: number;
  readonly passwords: LabPasswords;
  /** A physical slot of this name, made on the primary. Without it `wal_keep_size` bridges a cut. */
  readonly slot?: string;
  /** How the primary's `pg_stat_replication` calls it; the folder's name by default. */
  readonly applicationName?: string;
  /** Of the primary: the standby has the same, streams by TLS, and listens on ::1 too. */
  readonly tls?: PostgresTls | undefined;
  readonly log: Log;
}

/**
 * Make a standby of a running primary. It is left stopped, and streams through `upstream` once started.
 * With `pg_basebackup` the copy itself goes through `upstream` too; the PostgreSQL of the npm registry has none, so
 * there the files are copied between `pg_backup_start` and `pg_backup_stop`.
 */
export async function createStandby(options: StandbyOptions): Promise<PostgresInstance> {
  const instance = describeInstance(options.primary.install, options.dir, options.host, options.port);
  await prepareInstanceDir(instance);
  if (options.slot !== undefined) {
    await query(options.primary, 'select pg_create_physical_replication_slot($1, true)', [options.slot]);
  }
  const basebackup = options.primary.install.tools.pg_basebackup;
  if (basebackup === undefined) await copyOnline(options.primary, instance);
  else await takeBaseBackup(basebackup, options, instance);
  const name = options.applicationName ?? path.basename(options.dir);
  const addresses = options.tls === undefined ? instance.host : `${instance.host},::1`;
  await writeInstanceSettings(instance, addresses, {
    primary_conninfo: connectionString(options, name, instance),
    primary_slot_name: options.slot ?? '',
  });
  await writeFile(path.join(instance.dataDir, 'standby.signal'), '');
  await giveToServer(instance);
  options.log(`made a standby in ${instance.dir} that streams from ${options.upstream.host}:${options.upstream.port}`);
  return instance;
}

function connectionString(options: StandbyOptions, applicationName: string, { dataDir }: PostgresInstance): string {
  const parts: Record<string, string> = {
    host: options.upstream.host,
    port: String(options.upstream.port),
    user: 'replicator',
    password: options.passwords.replicator,
    application_name: applicationName,
    ...(options.tls === undefined
      ? { sslmode: 'disable' }
      : { sslmode: 'verify-full', sslrootcert: caFileOf(dataDir), sslcert: '', sslkey: '' }),
    gssencmode: 'disable',
    connect_timeout: '3',
  };
  // Inside a connection string a quote is escaped, where postgresql.conf doubles it.
  const inside = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  return Object.entries(parts)
    .map(([name, value]) => `${name}=${inside(value)}`)
    .join(' ');
}

async function takeBaseBackup(program: string, options: StandbyOptions, instance: PostgresInstance): Promise<void> {
  const { host, port } = options.upstream;
  // In place beforehand, since the server's user may pass the folder around it but not write there.
  await mkdir(instance.dataDir, { mode: 0o700 });
  await giveToServer(instance);
  const where = ['-h', host, '-p', String(port), '-U', 'replicator', '-w'];
  await mustRun([program, ...where, '-D', instance.dataDir, '-X', 'stream', '-c', 'fast', '--no-sync'], {
    user: serverUser(),
    cwd: instance.socketDir,
    env: {
      ...serverEnv(options.primary.install.libDir),
      PGPASSWORD: options.passwords.replicator,
      PGSSLMODE: 'disable',
      PGGSSENCMODE: 'disable',
      PGCONNECT_TIMEOUT: '5',
    },
    timeoutMs: CLONE_TIMEOUT_MS,
  });
}

/** Left out of a copy: what belongs to the running server alone. The folders themselves must be there. */
const EMPTIED = new Set([
  'pg_dynshmem',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
  'pg_wal',
]);
const LEFT_OUT = new Set(['postmaster.pid', 'postmaster.opts', 'pg_internal.init']);

/**
 * A base copy of a running server by hand. Torn pages are repaired by full page images, which backup mode forces; the
 * WAL of the copy's time is streamed by the standby from the position in `backup_label`.
 */
async function copyOnline(primary: PostgresInstance, instance: PostgresInstance): Promise<void> {
  const { client, close } = await connectAdmin(primary);
  try {
    // Start and stop must be one session: the backup is aborted when it ends.
    await client.query("select pg_backup_start('failoverd-lab', true)");
    await copyFolder(primary.dataDir, instance.dataDir, '');
    const stopped = await client.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)');
    const label = stopped.rows[0]?.labelfile;
    if (label === undefined) throw new LabError('copy-failed', 'pg_backup_stop gave no label');
    await writeFile(path.join(instance.dataDir, 'backup_label'), label);
  } finally {
    await close();
  }
}

/** A file that vanishes while it is copied was dropped by the server, and the WAL says so: it is no loss. */
async function copyFolder(from: string, to: string, below: string): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  if (EMPTIED.has(below)) {
    if (below === 'pg_wal') await mkdir(path.join(to, 'archive_status'), { mode: 0o700 });
    return;
  }
  for (const name of await readdir(from)) {
    if (LEFT_OUT.has(name) || name.startsWith('pgsql_tmp')) continue;
    try {
      await copyEntry(path.join(from, name), path.join(to, name), path.join(below, name));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
}

async function copyEntry(from: string, to: string, below: string): Promise<void> {
  const found = await lstat(from);
  if (found.isDirectory()) await copyFolder(from, to, below);
  else if (found.isSymbolicLink()) await symlink(await readlink(from), to);
  else if (found.isFile()) await copyFile(from, to, constants.COPYFILE_FICLONE);
}
