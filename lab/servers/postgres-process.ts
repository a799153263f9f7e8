import { type ChildProcess, spawn } from 'node:child_process';
import { open, readFile, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import path from 'node:path';
import pg from 'pg';
import type { Log } from '../binaries/missing.ts';
import { run, serverEnv, tail } from './command.ts';
import { LabError, textOf } from './errors.ts';
import type { PostgresInstance } from './postgres-settings.ts';
import { killAll, scanProcesses, signalAll } from './processes.ts';
import { serverUser } from './user.ts';
import { until } from './wait.ts';

/** Under a second on an idle machine; a crash recovery on a slow disk takes longer. */
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const KILL_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 2_000;
const QUERY_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 1_000;

export interface StartOptions {
  readonly log: Log;
  readonly timeoutMs?: number;
  /** Asked at every try; a reason ends the wait (a power cut during start-up). */
  readonly giveUp?: () => string | undefined;
}

/**
 * Start the server and wait until it answers a query on its socket. The server outlives the process that called this:
 * who wants it gone stops it. Already running is an error, as with PostgreSQL itself.
 */
export async function startPostgres(
  instance: PostgresInstance,
  options: StartOptions,
): Promise<{ readonly pid: number; readonly tookMs: number }> {
  const beganMs = performance.now();
  const { pids } = await scanProcesses([instance.dataDir]);
  if (pids.length > 0)
    throw new LabError('start-failed', `${instance.dataDir} is in use by process ${pids.join(', ')}`);
  const child = await spawnServer(instance);
  const exited = (): string | undefined =>
    child.exitCode !== null || child.signalCode !== null
      ? `postgres ended (${child.exitCode ?? child.signalCode})`
      : undefined;
  try {
    await until(
      {
        what: `PostgreSQL of ${path.basename(instance.dir)} on ${instance.host}:${instance.port}`,
        timeoutMs: options.timeoutMs ?? START_TIMEOUT_MS,
        code: 'start-timeout',
        giveUp: () => exited() ?? options.giveUp?.(),
      },
      async () => await answers(instance),
    );
  } catch (error) {
    await killPostgres(instance);
    if (error instanceof LabError) throw new LabError(error.code, `${error.message}: ${await lastWords(instance)}`);
    throw error;
  }
  const tookMs = performance.now() - beganMs;
  options.log(
    `PostgreSQL ${instance.install.version} on ${instance.host}:${instance.port} is ready after ${Math.round(tookMs)} ms`,
  );
  return { pid: child.pid ?? 0, tookMs };
}

async function spawnServer(instance: PostgresInstance): Promise<ChildProcess> {
  const { tools, libDir } = instance.install;
  const logFile = await open(instance.logFile, 'a');
  try {
    const child = spawn(tools.postgres, ['-D', instance.dataDir], {
      cwd: instance.dataDir,
      env: serverEnv(libDir),
      detached: true,
      stdio: ['ignore', logFile.fd, logFile.fd],
      ...serverUser(),
    });
    child.unref();
    // Seen by `exited` as a missing pid would be: without a listener Node would end this process.
    const failed = new Promise<never>((_, reject) => child.once('error', reject));
    failed.catch(() => undefined);
    if (child.pid === undefined) await failed;
    return child;
  } catch (error) {
    throw new LabError('start-failed', `${tools.postgres}: ${textOf(error)}`);
  } finally {
    await logFile.close();
  }
}

async function answers(instance: PostgresInstance): Promise<true | undefined> {
  return await query(instance, 'select 1').then(
    () => true,
    () => undefined,
  );
}

async function lastWords(instance: PostgresInstance): Promise<string> {
  return tail(await readFile(instance.logFile, 'utf8').catch(() => 'no log'));
}

/**
 * Stop it, gently at first, and come back when the kernel shows no process of it. What a gentle stop doesn't achieve
 * in half the time, an immediate one and then SIGKILL do: `how` says which it took.
 */
export async function stopPostgres(
  instance: PostgresInstance,
  mode: 'fast' | 'immediate',
  timeoutMs = STOP_TIMEOUT_MS,
): Promise<{ readonly how: 'fast' | 'immediate' | 'killed' | 'not-running' }> {
  if ((await scanProcesses([instance.dataDir])).pids.length === 0) return { how: 'not-running' };
  const order = mode === 'fast' ? (['fast', 'immediate'] as const) : (['immediate'] as const);
  for (const how of order) {
    if (await endsBy(instance, how === 'fast' ? 'SIGINT' : 'SIGQUIT', timeoutMs / 2)) return { how };
  }
  await killPostgres(instance);
  return { how: 'killed' };
}

/** Signal the postmaster, once each: a start that overlapped with the stop puts a second one in the first one's place. */
async function endsBy(instance: PostgresInstance, signal: 'SIGINT' | 'SIGQUIT', timeoutMs: number): Promise<boolean> {
  const signalled = new Set<number>();
  const ask = async (): Promise<true | undefined> => {
    const { pids } = await scanProcesses([instance.dataDir]);
    if (pids.length === 0) return true;
    const postmaster = await postmasterPid(instance);
    if (postmaster !== undefined && !signalled.has(postmaster)) {
      signalAll([postmaster], signal);
      signalled.add(postmaster);
    }
    return undefined;
  };
  return await until({ what: 'stop', timeoutMs }, ask).catch((error: unknown) => {
    if (error instanceof LabError && error.code === 'timeout') return false;
    throw error;
  });
}

/** The end a power cut makes: every process of it killed at once, nothing flushed, nothing said. */
export async function killPostgres(instance: PostgresInstance): Promise<void> {
  await killAll([instance.dataDir], KILL_TIMEOUT_MS);
}

/** Stop it at once and remove everything it left, also what a killed server leaves in the kernel's tables. */
export async function destroyPostgres(instance: PostgresInstance): Promise<void> {
  await stopPostgres(instance, 'immediate');
  await removeSharedMemory(instance);
  await rm(instance.dir, { recursive: true, force: true });
}

/** The postmaster of this data directory, as its own file names it and the kernel confirms. */
export async function postmasterPid(instance: PostgresInstance): Promise<number | undefined> {
  const [first] = await pidFileLines(instance);
  const pid = Number(first);
  return (await scanProcesses([instance.dataDir])).pids.find((each) => each === pid);
}

async function pidFileLines(instance: PostgresInstance): Promise<string[]> {
  const text = await readFile(path.join(instance.dataDir, 'postmaster.pid'), 'utf8').catch(() => '');
  return text.split('\n');
}

/** A killed server leaves a few bytes of System V memory, which only a next start would take away. */
export async function removeSharedMemory(instance: PostgresInstance): Promise<void> {
  const shmid = /^\s*\d+\s+(\d+)\s*$/.exec((await pidFileLines(instance))[6] ?? '')?.[1];
  if (shmid === undefined) return;
  // Refused or gone already is as good: the segment is marked with our key, and ids are never reused while in use.
  await run(['ipcrm', '-m', shmid], { user: serverUser(), cwd: '/', timeoutMs: 5_000 }).catch(() => undefined);
}

/** A connection of the superuser on the socket, and how to be rid of it. */
export interface AdminConnection {
  readonly client: pg.Client;
  /** Closes it within a second, also when the server is frozen and will never answer. */
  readonly close: () => Promise<void>;
}

export async function connectAdmin(instance: PostgresInstance, database = 'postgres'): Promise<AdminConnection> {
  const socket = new Socket();
  const client = new pg.Client({
    stream: () => socket,
    host: instance.socketDir,
    port: instance.port,
    user: 'postgres',
    database,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
  });
  // A server that dies under an idle connection says so here; the next query says it too.
  client.on('error', () => undefined);
  const close = async (): Promise<void> => {
    const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS);
    try {
      await client.end();
    } finally {
      clearTimeout(timer);
      socket.destroy();
    }
  };
  try {
    await client.connect();
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return { client, close };
}

/** One query as superuser on the socket, over a connection of its own. */
export async function query<Row extends pg.QueryResultRow>(
  instance: PostgresInstance,
  sql: string,
  parameters: readonly unknown[] = [],
  database = 'postgres',
): Promise<Row[]> {
  const { client, close } = await connectAdmin(instance, database);
  try {
    return (await client.query<Row>(sql, [...parameters])).rows;
  } finally {
    await close();
  }
}
