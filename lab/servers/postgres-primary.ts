import { appendFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { cacheDir, exists, installOnce } from '../binaries/cache.ts';
import type { Log } from '../binaries/missing.ts';
import type { PostgresInstall } from '../binaries/postgres.ts';
import { mustRun, serverEnv } from './command.ts';
import { LabError } from './errors.ts';
import { query, startPostgres, stopPostgres } from './postgres-process.ts';
import {
  DATABASE,
  describeInstance,
  INCLUDES,
  type LabPasswords,
  type PostgresInstance,
  type PostgresTls,
  socketTooLong,
  writeInstanceSettings,
  writeSharedSettings,
} from './postgres-settings.ts';
import { makePassable, serverUser } from './user.ts';

const INITDB_TIMEOUT_MS = 120_000;
const COPY_TIMEOUT_MS = 60_000;

/** Counts up when the template's content changes, so that an old one in a cache is not used again. */
const TEMPLATE_EDITION = 1;

export interface PrimaryOptions {
  readonly install: PostgresInstall;
  /** A folder for this instance, made if need be; its name becomes the server's `cluster_name`. */
  readonly dir: string;
  readonly host: string;
  readonly port: number;
  readonly passwords: LabPasswords;
  readonly tls?: PostgresTls | undefined;
  readonly log: Log;
  /**
   * Run `initdb` instead of copying the template: a second slower, and the only way to a *different* system
   * identifier, since every copy of one template carries the same.
   */
  readonly fresh?: boolean;
  readonly env?: NodeJS.ProcessEnv;
}

/** Make a primary with the lab's roles and tables. It is left stopped. */
export async function createPrimary(options: PrimaryOptions): Promise<PostgresInstance> {
  const instance = describeInstance(options.install, options.dir, options.host, options.port);
  await prepareInstanceDir(instance);
  if (options.fresh === true) await initialise(instance, options.log);
  else await copyTemplate(instance, options);
  await writeSharedSettings(instance.dataDir, options.tls);
  // Passwords are set while nobody can reach it.
  await writeInstanceSettings(instance, '');
  await giveToServer(instance);
  await startPostgres(instance, { log: () => undefined });
  await setPasswords(instance, options.passwords);
  await stopPostgres(instance, 'fast');
  await writeInstanceSettings(instance, instance.host);
  await giveToServer(instance);
  options.log(`made a PostgreSQL ${options.install.version} primary in ${instance.dir}`);
  return instance;
}

/** The folder of an instance, with its socket folder, passable for the user the server runs as. */
export async function prepareInstanceDir(instance: PostgresInstance): Promise<void> {
  const tooLong = socketTooLong(instance);
  if (tooLong !== undefined) throw new LabError('bad-input', tooLong, 'choose a shorter folder for the lab');
  if (await exists(instance.dataDir)) throw new LabError('bad-input', `${instance.dataDir} is there already`);
  await mkdir(instance.socketDir, { recursive: true, mode: 0o700 });
  await makePassable(instance.dir, serverUser());
  await giveToServer(instance);
}

/** Hand the files of an instance to the user the server runs as. */
export async function giveToServer(instance: PostgresInstance): Promise<void> {
  const user = serverUser();
  if (user === undefined) return;
  const targets = [instance.socketDir, ...((await exists(instance.dataDir)) ? [instance.dataDir] : [])];
  await mustRun(['chown', '-R', `${user.uid}:${user.gid}`, ...targets], { timeoutMs: COPY_TIMEOUT_MS });
}

async function copyTemplate(instance: PostgresInstance, options: PrimaryOptions): Promise<void> {
  const { install, log, env } = options;
  const name = `postgres-${install.source}-${install.versionText}-${TEMPLATE_EDITION}`.replaceAll(/[^\w.-]+/g, '-');
  const template = path.join(cacheDir(env), 'templates', name);
  if (!(await exists(template))) {
    log(`preparing a PostgreSQL ${install.version} template (once a machine)`);
    await makeTemplate(instance, template, log);
    return;
  }
  await copyTree(path.join(template, 'data'), instance.dataDir);
}

/** The first lab of a machine makes its own data directory, and leaves a copy for the next ones. */
async function makeTemplate(instance: PostgresInstance, template: string, log: Log): Promise<void> {
  await initialise(instance, log);
  await installOnce(template, async (scratch) => copyTree(instance.dataDir, path.join(scratch, 'data')));
}

async function initialise(instance: PostgresInstance, log: Log): Promise<void> {
  const { tools, libDir } = instance.install;
  const argv = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--data-checksums', '--no-sync'];
  const user = serverUser();
  await mkdir(instance.dataDir, { mode: 0o700 });
  await giveToServer(instance);
  await mustRun([tools.initdb, '-D', instance.dataDir, ...argv], {
    user,
    cwd: instance.dataDir,
    env: serverEnv(libDir),
    timeoutMs: INITDB_TIMEOUT_MS,
  });
  await appendFile(path.join(instance.dataDir, 'postgresql.conf'), INCLUDES);
  await writeSharedSettings(instance.dataDir);
  await writeInstanceSettings(instance, '');
  await giveToServer(instance);
  await startPostgres(instance, { log: () => undefined });
  await createSchema(instance);
  await stopPostgres(instance, 'fast');
  log(`initialised PostgreSQL ${instance.install.versionText}`);
}

/** Files and owners as they are; a copy-on-write file system shares the blocks. */
export async function copyTree(from: string, to: string): Promise<void> {
  await mustRun(['cp', '-a', '--reflink=auto', from, to], { timeoutMs: COPY_TIMEOUT_MS });
}

/**
 * Roles, each with what its work takes and no more. `failoverd` reads what probes read, promotes, and has a schema
 * for its control table; `failoverd_ro` can't do anything but look.
 */
const ROLES = `
create role replicator login replication;
create role app login;
create role failoverd login;
create role failoverd_ro login;
grant pg_monitor to failoverd, failoverd_ro;
create database ${DATABASE} owner app;
revoke connect, temporary on database ${DATABASE} from public;
grant connect on database ${DATABASE} to failoverd, failoverd_ro;
`;

/** Functions and schemas belong to one database each: a probe connects to `app`. */
const OBJECTS = `
revoke create on schema public from public;
grant execute on function pg_catalog.pg_promote(boolean, integer) to failoverd;
create schema app authorization app;
create table app.writes (
  id text primary key,
  region text not null,
  written_at timestamptz not null default clock_timestamp()
);
alter table app.writes owner to app;
create schema failoverd authorization failoverd;
`;

async function createSchema(instance: PostgresInstance): Promise<void> {
  for (const statement of statements(ROLES)) await query(instance, statement);
  for (const statement of statements(OBJECTS)) await query(instance, statement, [], DATABASE);
}

function statements(script: string): string[] {
  return script
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

async function setPasswords(instance: PostgresInstance, passwords: LabPasswords): Promise<void> {
  for (const [role, password] of Object.entries(passwords)) {
    await query(instance, `alter role ${role} password ${pg.escapeLiteral(String(password))}`);
  }
}
