/** What a PostgreSQL says of itself, read in one round trip, and whether it is the one we mean. */
import type { OperationResult, Perform } from '../model/loop.ts';
import type { Lsn, WallMs } from '../model/primitives.ts';
import { no, type OperationContext, unknown } from './context.ts';
import type { Row, Session } from './postgres-connection.ts';
import { type PostgresFailure, postgresFailure } from './postgres-errors.ts';
import type { PostgresTarget } from './targets.ts';

export type PostgresState = {
  readonly systemIdentifier: string;
  readonly inRecovery: boolean;
  /** Of a standby: the newest timeline it has WAL of, which is the one a promotion starts from. */
  readonly timeline: number | null;
  /** Standby only. */
  readonly replayPaused: boolean | null;
  readonly receiveLsn: Lsn | null;
  /** Of a server that was promoted since it started: where its history left the old primary's. */
  readonly replayLsn: Lsn | null;
  /** Primary only. */
  readonly writeLsn: Lsn | null;
  /** Commit time, on the old primary's clock, of the last transaction replayed. */
  readonly lastReplayedCommitAt: WallMs | null;
  /** Standby only: whether a `restore_command` may bring it more than the stream did. */
  readonly fromArchive: boolean | null;
  readonly mayPromote: boolean;
  /** When the server was started, microseconds since 1970 by its own clock: no other server's is the same. */
  readonly startedUs: string | null;
};

/**
 * A primary's timeline is the one it writes: its control file follows only with the next checkpoint. A standby's
 * control file lags likewise, so the WAL receiver is asked too, and the files it left when its primary is gone.
 */
const STATE = `
select (select system_identifier::text from pg_control_system()) as "systemIdentifier",
       pg_is_in_recovery() as "inRecovery",
       case when pg_is_in_recovery()
            then greatest((select timeline_id from pg_control_checkpoint()),
                          (select min_recovery_end_timeline from pg_control_recovery()),
                          (select received_tli from pg_stat_wal_receiver))
            else ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int
       end as "timeline",
       (select received_tli is not null from pg_stat_wal_receiver) as "receiving",
       case when pg_is_in_recovery() then pg_is_wal_replay_paused() end as "replayPaused",
       case when pg_is_in_recovery() then pg_last_wal_receive_lsn()::text end as "receiveLsn",
       pg_last_wal_replay_lsn()::text as "replayLsn",
       case when not pg_is_in_recovery() then pg_current_wal_lsn()::text end as "writeLsn",
       (extract(epoch from pg_last_xact_replay_timestamp()) * 1000)::float8 as "lastReplayedCommitAt",
       case when pg_is_in_recovery() then current_setting('restore_command') <> '' end as "fromArchive",
       has_function_privilege('pg_promote(boolean, integer)', 'execute') as "mayPromote",
       (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint::text as "startedUs",
       has_function_privilege('pg_ls_waldir()', 'execute') as "mayListWal"`;
const NEWEST_WAL = `
select max(('x' || substr(name, 1, 8))::bit(32)::int) as "timeline"
  from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$'`;

type StateRow = PostgresState & { readonly receiving: boolean | null; readonly mayListWal: boolean } & Row;

export async function readState(session: Session): Promise<PostgresState> {
  const [row] = await session.query<StateRow>(STATE);
  if (row === undefined) throw new Error('the server answered with no row');
  const { receiving, mayListWal, ...state } = row;
  if (!state.inRecovery || receiving === true || !mayListWal) return state;
  const [wal] = await session.query<{ timeline: number | null }>(NEWEST_WAL);
  const timelines = [state.timeline, wal?.timeline ?? null].filter((timeline) => timeline !== null);
  return { ...state, timeline: timelines.length === 0 ? null : Math.max(...timelines) };
}

/** Reads the state of a server, or says why not. */
export async function stateOf(
  target: PostgresTarget,
  context: OperationContext,
): Promise<PostgresState | PostgresFailure> {
  try {
    return await context.postgres.read(target, context.signal, readState);
  } catch (error) {
    return postgresFailure(error);
  }
}

/** Everything the cluster was ever pinned to: by the config, by the journal, by this step's own pre-state. */
export function pinned(operation: Perform, target: PostgresTarget): string[] {
  const pre = operation.preState ?? {};
  const identities = pre['identities'];
  const journaled =
    typeof identities === 'object' && identities !== null ? Reflect.get(identities, target.id) : undefined;
  return [
    target.component.systemIdentifier,
    journaled,
    pre['systemIdentifier'],
    pre['expectedSystemIdentifier'],
  ].filter((identifier) => typeof identifier === 'string');
}

/** Null when the server is of the cluster we mean; otherwise what to answer. */
export function identityProblem(
  state: Pick<PostgresState, 'systemIdentifier'>,
  operation: Perform,
  target: PostgresTarget,
): OperationResult | null {
  const facts = { systemIdentifier: state.systemIdentifier };
  const expected = pinned(operation, target);
  if (expected.length === 0) {
    return unknown('not-pinned', `${target.id}: no system identifier is pinned to compare with`, facts);
  }
  const other = expected.find((identifier) => identifier !== state.systemIdentifier);
  if (other === undefined) return null;
  return no(
    'foreign',
    `${target.id} in ${target.region} is of cluster ${state.systemIdentifier}, and ${other} is pinned`,
    facts,
  );
}
