// A real PostgreSQL and standbys of it, for the tests of what is done to databases.
import path from 'node:path';
import type { PostgresInstall } from '../../lab/binaries/postgres.ts';
import { freePort } from '../../lab/servers/ports.ts';
import {
  createStandby,
  destroyPostgres,
  type LabPasswords,
  type PostgresInstance,
  query,
  startPostgres,
} from '../../lab/servers/postgres.ts';
import { until } from '../../lab/servers/wait.ts';
import type { PostgresComponent } from '../../src/model/config.ts';
import { log, onePostgres, primaryIn, scratch } from '../lab-parts/real-servers.ts';
import { A, B, type Tap } from './world.ts';

export type Databases = {
  readonly primary: PostgresInstance;
  readonly passwords: LabPasswords;
  readonly systemIdentifier: string;
  /** A new standby of the primary, or of another standby; started, and it has everything its upstream has. */
  standby(name: string, upstream?: PostgresInstance): Promise<PostgresInstance>;
};

export async function databases(
  test: Tap,
  hostA: string,
  hostB: string,
  install?: PostgresInstall,
): Promise<Databases> {
  const place = await scratch(test);
  const { primary, passwords } = await primaryIn(place, install ?? (await onePostgres()), hostA);
  const made = [primary];
  // Made after the folder's own teardown, so it runs before it.
  test.teardown(async () => {
    for (const instance of made) await destroyPostgres(instance);
  });
  await startPostgres(primary, { log });
  const [control] = await query<{ id: string }>(
    primary,
    'select system_identifier::text as id from pg_control_system()',
  );
  return {
    primary,
    passwords,
    systemIdentifier: control?.id ?? '',
    async standby(name, upstream = primary) {
      const port = await freePort(hostB);
      const dir = path.join(place, name);
      const instance = await createStandby({ primary: upstream, upstream, dir, host: hostB, port, passwords, log });
      made.push(instance);
      await startPostgres(instance, { log });
      await caughtUp(upstream, instance);
      return instance;
    },
  };
}

/** Waits until the standby has replayed everything its upstream has up to now. */
export async function caughtUp(upstream: PostgresInstance, standby: PostgresInstance): Promise<void> {
  const [row] = await query<{ lsn: string }>(
    upstream,
    `select (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end)::text as lsn`,
  );
  await until({ what: `${standby.dir} at ${row?.lsn}`, timeoutMs: 20_000 }, async () => {
    const [there] = await query<{ reached: boolean | null }>(
      standby,
      'select pg_last_wal_replay_lsn() >= $1::pg_lsn as reached',
      [row?.lsn],
    );
    return there?.reached === true ? true : undefined;
  });
}

export const componentOf = (
  primary: PostgresInstance,
  standby: PostgresInstance,
  changes: Partial<PostgresComponent> = {},
): PostgresComponent => ({
  kind: 'postgres',
  tier: 1,
  database: 'app',
  user: 'failoverd',
  password: '${env:PGPASSWORD}',
  tls: 'disable',
  instances: { [A]: `${primary.host}:${primary.port}`, [B]: `${standby.host}:${standby.port}` },
  ...changes,
});
