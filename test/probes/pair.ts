/** A real primary and a standby that streams from it, for one test file, and the targets that probe them. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describeMissing, isMissing } from '../../lab/binaries/missing.ts';
import { findPostgres, type PostgresInstall } from '../../lab/binaries/postgres.ts';
import { freePort } from '../../lab/servers/ports.ts';
import {
  createPrimary,
  createStandby,
  destroyPostgres,
  generatePasswords,
  type LabPasswords,
  type PostgresInstance,
  query,
  startPostgres,
} from '../../lab/servers/postgres.ts';
import { until } from '../../lab/servers/wait.ts';
import type { PostgresTarget } from '../../src/probes/target.ts';
import { SecretValue } from '../../src/runtime/secret.ts';

const log = (): void => undefined;

export type Place = {
  readonly dir: string;
  readonly install: PostgresInstall;
  readonly passwords: LabPasswords;
  /** Everything made here, to be destroyed at the end. */
  readonly made: PostgresInstance[];
  remove(): Promise<void>;
};

export async function place(): Promise<Place> {
  const install = await findPostgres({ log });
  if (isMissing(install)) throw new Error(describeMissing(install));
  const dir = await mkdtemp(path.join(tmpdir(), 'fp-'));
  await chmod(dir, 0o711);
  const made: PostgresInstance[] = [];
  const remove = async (): Promise<void> => {
    for (const instance of made) await destroyPostgres(instance);
    await rm(dir, { recursive: true, force: true });
  };
  return { dir, install, passwords: generatePasswords(), made, remove };
}

export type PrimaryHow = { readonly name?: string; readonly host: string; readonly fresh?: boolean };

/** A running primary. */
export async function primaryAt(at: Place, { name = 'a', host, fresh = false }: PrimaryHow): Promise<PostgresInstance> {
  const { install, passwords } = at;
  const port = await freePort(host);
  const dir = path.join(at.dir, name);
  const instance = await createPrimary({ install, dir, host, port, passwords, log, fresh });
  at.made.push(instance);
  await startPostgres(instance, { log });
  return instance;
}

/** A running standby that streams already, directly or through a link in front of the primary. */
export async function standbyAt(
  at: Place,
  primary: PostgresInstance,
  host: string,
  upstream: { readonly host: string; readonly port: number } = primary,
): Promise<PostgresInstance> {
  const { passwords } = at;
  const port = await freePort(host);
  const instance = await createStandby({ primary, upstream, dir: path.join(at.dir, 'b'), host, port, passwords, log });
  at.made.push(instance);
  await startPostgres(instance, { log });
  await until({ what: 'the standby to stream', timeoutMs: 20_000 }, async () => {
    const rows = await query(primary, `select 1 from pg_stat_replication where state = 'streaming'`);
    return rows.length > 0 || undefined;
  });
  return instance;
}

export function targetOf(
  instance: PostgresInstance,
  passwords: LabPasswords,
  over: Partial<PostgresTarget> = {},
): PostgresTarget {
  const name = path.basename(instance.dir);
  return {
    kind: 'postgres',
    key: `shop/db/${name}`,
    group: 'shop',
    component: 'db',
    region: name,
    host: instance.host,
    port: instance.port,
    database: 'app',
    user: 'failoverd',
    password: new SecretValue(passwords.failoverd),
    tls: 'disable',
    systemIdentifier: null,
    canarySchema: 'failoverd',
    canary: true,
    intervalMs: 1000,
    timeoutMs: 3000,
    ...over,
  };
}
