import { rm } from 'node:fs/promises';
import path from 'node:path';
import { isMissing, type Log } from '../lab/binaries/missing.ts';
import { findPostgres } from '../lab/binaries/postgres.ts';
import { mustRun } from '../lab/servers/command.ts';
import { LabError } from '../lab/servers/errors.ts';
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
  stopPostgres,
} from '../lab/servers/postgres.ts';
import { copyTree } from '../lab/servers/postgres-primary.ts';
import { until } from '../lab/servers/wait.ts';

const STREAM_TIMEOUT_MS = 30_000;
const SETTLE_TIMEOUT_MS = 10_000;
const SYNC_TIMEOUT_MS = 120_000;

/** A real primary and its standby that can be put back to the state they were made in, file by file. */
export interface Pair {
  readonly a: PostgresInstance;
  readonly b: PostgresInstance;
  readonly passwords: LabPasswords;
  /** Both anew from the same files, running, and the standby streaming. */
  readonly restore: () => Promise<void>;
  /** The primary dies as in a power cut; back when the standby has noticed. */
  readonly killPrimary: () => Promise<void>;
  readonly destroy: () => Promise<void>;
}

export interface PairOptions {
  readonly dir: string;
  readonly hosts: { readonly a: string; readonly b: string };
  readonly port: number;
  readonly log: Log;
}

/** What it began is ended again when it fails. */
export async function makePair(options: PairOptions): Promise<Pair> {
  const made: PostgresInstance[] = [];
  try {
    return await makeAndKeep(options, made);
  } catch (error) {
    for (const instance of made.reverse()) await destroyPostgres(instance);
    throw error;
  }
}

async function makeAndKeep({ dir, hosts, port, log }: PairOptions, made: PostgresInstance[]): Promise<Pair> {
  const install = await findPostgres({ log });
  if (isMissing(install)) throw new LabError('start-failed', install.why, install.remedy);
  const passwords = generatePasswords();
  const shared = { port, passwords, log };
  const a = await createPrimary({ install, dir: path.join(dir, 'a'), host: hosts.a, ...shared });
  made.push(a);
  await startPostgres(a, { log });
  const upstream = { host: a.host, port };
  const b = await createStandby({ primary: a, upstream, dir: path.join(dir, 'b'), host: hosts.b, ...shared });
  made.push(b);
  await startPostgres(b, { log });
  await streaming(a);
  // The primary ends first, so that the standby has all of it.
  for (const instance of [a, b]) await stopPostgres(instance, 'fast');
  for (const instance of [a, b]) await copyTree(instance.dataDir, keptOf(instance));

  const restore = async (): Promise<void> => {
    for (const instance of [a, b]) {
      await stopPostgres(instance, 'immediate');
      await rm(instance.dataDir, { recursive: true, force: true });
      await copyTree(keptOf(instance), instance.dataDir);
    }
    // Otherwise the kernel writes the copies out when it likes, and whoever syncs at that moment waits for them.
    await mustRun(['sync', '-f', dir], { timeoutMs: SYNC_TIMEOUT_MS });
    for (const instance of [a, b]) await startPostgres(instance, { log });
    await streaming(a);
  };
  return {
    a,
    b,
    passwords,
    restore,
    killPrimary: async () => {
      await killPostgres(a);
      await until({ what: 'the standby notices', timeoutMs: SETTLE_TIMEOUT_MS }, async () => {
        const rows = await query(b, "select 1 from pg_stat_wal_receiver where status = 'streaming'");
        return rows.length === 0 ? true : undefined;
      });
    },
    destroy: async () => {
      for (const instance of [b, a]) await destroyPostgres(instance);
    },
  };
}

const keptOf = ({ dataDir }: PostgresInstance): string => `${dataDir}.kept`;

async function streaming(primary: PostgresInstance): Promise<void> {
  await until({ what: 'the standby streams', timeoutMs: STREAM_TIMEOUT_MS }, async () => {
    const rows = await query(primary, "select 1 from pg_stat_replication where state = 'streaming'");
    return rows.length > 0 ? true : undefined;
  });
}
