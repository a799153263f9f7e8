// A real PostgreSQL in the hands of a guard, for the tests of what is done to it.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import type { Test } from 'tap';
import { freePort } from '../../lab/servers/ports.ts';
import { createStandby, destroyPostgres, type PostgresInstance } from '../../lab/servers/postgres.ts';
import { scanProcesses } from '../../lab/servers/processes.ts';
import { serverUser } from '../../lab/servers/user.ts';
import { type Launcher, pgCtl } from '../../src/guard/postgres/launch.ts';
import { createPostgres, type Postgres, type PostgresOptions } from '../../src/guard/postgres/postgres.ts';
import { isAlive } from '../../src/guard/postgres/processes.ts';
import type { PostgresTask } from '../../src/model/guard.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { systemTimers } from '../../src/runtime/timers.ts';
import { log, onePostgres, primaryIn, scratch } from '../lab-parts/real-servers.ts';

export const never = new AbortController().signal;
export const within = (timeoutMs: number, signal: AbortSignal = never) => ({ timeoutMs, signal });

export type Hands = {
  readonly instance: PostgresInstance;
  readonly password: string;
  readonly postgres: Postgres;
  readonly options: PostgresOptions;
  /** Does the task and returns what came of it. */
  readonly does: (task: PostgresTask, timeoutMs?: number) => ReturnType<Postgres['perform']>;
  /** Another one like it, on the same data. */
  readonly again: (over?: Partial<PostgresOptions>, launcher?: (options: PostgresOptions) => Launcher) => Postgres;
};

export type Making = { readonly cgroup?: string | null };

export function inHands(instance: PostgresInstance, password: string, { cgroup = null }: Making = {}): Hands {
  const binDir = path.dirname(instance.install.tools.pg_ctl);
  const options: PostgresOptions = {
    target: { dataDir: instance.dataDir, cgroup },
    binDir,
    folder: path.join(instance.dir, 'g'),
    server: { socketDir: instance.socketDir, port: instance.port, user: 'postgres', database: 'postgres' },
    listenAddresses: instance.host,
    operatorsHba: path.join(instance.dataDir, 'pg_hba.conf'),
    configFile: null,
    serverUser: serverUser() ?? null,
    clock: systemClock,
    timers: systemTimers,
  };
  const launcherOf = ({ target, folder, serverUser: user, machine }: PostgresOptions): Launcher =>
    pgCtl({
      ...{ binDir, serverUser: user, cgroup: target.cgroup, dataDir: target.dataDir },
      logFile: path.join(folder, 'postgres.log'),
      ...(machine === undefined ? {} : { machine }),
    });
  const again: Hands['again'] = (over = {}, launcher = launcherOf) => {
    const changed = { ...options, ...over };
    return createPostgres(launcher(changed), changed);
  };
  const postgres = again();
  return {
    ...{ instance, password, postgres, options, again },
    does: (task, timeoutMs = 20_000) => postgres.perform(task, within(timeoutMs)),
  };
}

export async function onePrimary(t: Pick<Test, 'teardown'>, host: string, making: Making = {}): Promise<Hands> {
  const place = await scratch(t);
  const { primary, passwords } = await primaryIn(place, await onePostgres(), host);
  t.teardown(async () => await destroyPostgres(primary));
  return inHands(primary, passwords.app, making);
}

/** A standby of a primary that is running and open. */
export async function standbyOf(t: Pick<Test, 'teardown'>, host: string): Promise<{ a: Hands; b: Hands }> {
  const place = await scratch(t);
  const { primary, passwords } = await primaryIn(place, await onePostgres(), host);
  t.teardown(async () => await destroyPostgres(primary));
  const a = inHands(primary, passwords.app);
  await a.does('start-fenced');
  await a.does('open');
  const port = await freePort(host);
  const standby = await createStandby({
    ...{ primary, upstream: primary, host, port, passwords, log },
    dir: path.join(place, 'b'),
  });
  t.teardown(async () => await destroyPostgres(standby));
  return { a, b: inHands(standby, passwords.app) };
}

export const pidsOf = async ({ instance }: Hands): Promise<readonly number[]> =>
  (await scanProcesses([instance.dataDir])).pids;

export const postmasterOf = ({ instance }: Hands): number =>
  Number(readFileSync(path.join(instance.dataDir, 'postmaster.pid'), 'utf8').split('\n')[0]);

/** A process that is dead and not waited for is none. */
export const alive = (pid: number): boolean => isAlive(pid);

/** As a client over the network. */
export function client({ instance, password }: Hands): pg.Client {
  const made = new pg.Client({
    ...{ host: instance.host, port: instance.port, user: 'app', database: 'app', password },
    connectionTimeoutMillis: 3_000,
  });
  made.on('error', () => undefined);
  return made;
}

/** The result of one query over the network, or the SQLSTATE (or system code) that refused it. */
export async function asClient(hands: Hands, sql: string): Promise<unknown> {
  const one = client(hands);
  try {
    await one.connect();
    return (await one.query({ text: sql, rowMode: 'array' })).rows[0]?.[0] ?? null;
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : String(error);
  } finally {
    await one.end().catch(() => undefined);
  }
}
