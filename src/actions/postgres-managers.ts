/**
 * Signs by which a PostgreSQL shows that a manager owns it, read by SQL. A sign is enough to refuse pg_promote; no sign
 * proves nothing: a manager that is stopped, or unknown here, leaves none.
 */
import type { OperationContext } from './context.ts';
import { type PostgresFailure, postgresFailure } from './postgres-errors.ts';
import type { PostgresTarget } from './targets.ts';

export type ManagerName = 'Patroni' | 'repmgr' | 'pg_auto_failover' | 'CloudNativePG';
export type ManagerSign =
  | { readonly by: ManagerName; readonly sign: string }
  | { readonly by: null; readonly sign: null };

/**
 * Patroni keeps a connection open under its own name; repmgr must be preloaded for its daemon; pg_auto_failover names
 * its slots; CloudNativePG archives by its own program. A role outside of pg_monitor sees neither names of connections
 * nor settings of superusers, and finds less.
 */
const SIGNS = `
select (select application_name from pg_stat_activity where application_name like 'Patroni%' limit 1) as "patroni",
       (select setting from pg_settings where name = 'shared_preload_libraries' and setting ~ '\\mrepmgr\\M') as "repmgr",
       (select slot_name::text from pg_replication_slots where slot_name like 'pgautofailover\\_standby\\_%' limit 1) as "autoFailover",
       (select setting from pg_settings where name = 'archive_command' and setting ~ '/controller/manager\\M') as "cloudNative"`;
type SignsRow = {
  readonly patroni: string | null;
  readonly repmgr: string | null;
  readonly autoFailover: string | null;
  readonly cloudNative: string | null;
};

/** Who owns the server, by the first sign that is there; or why it could not be asked. */
export async function managerOf(
  target: PostgresTarget,
  context: Pick<OperationContext, 'postgres' | 'signal'>,
): Promise<ManagerSign | PostgresFailure> {
  try {
    const [row] = await context.postgres.read(target, context.signal, (session) => session.query<SignsRow>(SIGNS));
    if (row === undefined) throw new Error('the server answered with no row');
    return signIn(row);
  } catch (error) {
    return postgresFailure(error);
  }
}

function signIn({ patroni, repmgr, autoFailover, cloudNative }: SignsRow): ManagerSign {
  if (patroni !== null) return { by: 'Patroni', sign: `a connection named ${patroni}` };
  if (repmgr !== null) return { by: 'repmgr', sign: `shared_preload_libraries ${repmgr}` };
  if (autoFailover !== null) return { by: 'pg_auto_failover', sign: `the slot ${autoFailover}` };
  if (cloudNative !== null) return { by: 'CloudNativePG', sign: `archive_command ${cloudNative}` };
  return { by: null, sign: null };
}
