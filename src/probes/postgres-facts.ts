/**
 * What a PostgreSQL server tells of itself, in one query. A grant that is missing costs the readings that need it and
 * no others: they become null, which policies read as unknown.
 */
import type { PostgresFacts } from '../model/evidence.ts';
import type { Failure } from './failure.ts';
import type { PostgresConnection, QueryResult, Row } from './postgres-connection.ts';

/** Facts of which none is known. */
export const NO_POSTGRES_FACTS: PostgresFacts = {
  systemIdentifier: null,
  timeline: null,
  inRecovery: null,
  insertLsn: null,
  flushLsn: null,
  receiveLsn: null,
  replayLsn: null,
  walReceiver: null,
  lastMessageAgeMs: null,
  lastReplayedCommitAt: null,
  replayPaused: null,
  replayWaits: null,
  fromArchive: null,
  clockAt: null,
  canary: 'skipped',
};

type Reading = {
  readonly name: string;
  readonly sql: string;
  /** Functions (with arguments) and relations (without) that our role must be allowed to use. */
  readonly needs: readonly string[];
};

/** Some functions raise an error on the other kind of server: CASE keeps them from being called there. */
const onPrimary = (sql: string): string => `case when not pg_is_in_recovery() then ${sql} end`;
const onStandby = (sql: string): string => `case when pg_is_in_recovery() then ${sql} end`;
const epochMs = (sql: string): string => `(extract(epoch from ${sql}) * 1000)::float8`;

const READINGS: readonly Reading[] = [
  { name: 'in_recovery', sql: 'pg_is_in_recovery()', needs: [] },
  { name: 'clock_ms', sql: epochMs('clock_timestamp()'), needs: [] },
  {
    name: 'system_identifier',
    sql: '(select system_identifier::text from pg_control_system())',
    needs: ['pg_control_system()'],
  },
  // The control file names a promoted server's new timeline only after its next checkpoint; the log it writes does at once.
  {
    name: 'insert_file',
    sql: onPrimary('pg_walfile_name(pg_current_wal_insert_lsn())'),
    needs: ['pg_walfile_name(pg_lsn)', 'pg_current_wal_insert_lsn()'],
  },
  {
    name: 'insert_lsn',
    sql: onPrimary('pg_current_wal_insert_lsn()::text'),
    needs: ['pg_current_wal_insert_lsn()'],
  },
  { name: 'flush_lsn', sql: onPrimary('pg_current_wal_flush_lsn()::text'), needs: ['pg_current_wal_flush_lsn()'] },
  // A standby is on the newest of three: what it receives, what it must replay to be consistent, its last restart point.
  {
    name: 'restart_timeline',
    sql: onStandby('(select timeline_id from pg_control_checkpoint())'),
    needs: ['pg_control_checkpoint()'],
  },
  {
    name: 'recovery_timeline',
    sql: onStandby('(select min_recovery_end_timeline from pg_control_recovery())'),
    needs: ['pg_control_recovery()'],
  },
  { name: 'receive_lsn', sql: onStandby('pg_last_wal_receive_lsn()::text'), needs: ['pg_last_wal_receive_lsn()'] },
  { name: 'replay_lsn', sql: onStandby('pg_last_wal_replay_lsn()::text'), needs: ['pg_last_wal_replay_lsn()'] },
  {
    name: 'replayed_commit_ms',
    sql: onStandby(epochMs('pg_last_xact_replay_timestamp()')),
    needs: ['pg_last_xact_replay_timestamp()'],
  },
  { name: 'replay_paused', sql: onStandby('pg_is_wal_replay_paused()'), needs: ['pg_is_wal_replay_paused()'] },
  // What the startup process waits for: more of the log, from the primary or from anywhere. Null where our role may not see it.
  {
    name: 'replay_waits',
    sql: onStandby(
      `(select coalesce(wait_event in ('RecoveryWalStream', 'RecoveryRetrieveRetryInterval'), false) from pg_stat_activity where backend_type = 'startup')`,
    ),
    needs: ['pg_stat_activity', 'pg_stat_get_activity(integer)'],
  },
  { name: 'from_archive', sql: onStandby("current_setting('restore_command') <> ''"), needs: [] },
  {
    name: 'receiver',
    sql: onStandby(
      `(select json_build_object('status', status, 'timeline', received_tli, 'age_ms', ${epochMs('(clock_timestamp() - last_msg_receipt_time)')}) from pg_stat_wal_receiver)`,
    ),
    needs: ['pg_stat_get_wal_receiver()', 'pg_stat_wal_receiver'],
  },
];

const FORBIDDEN = `
  select coalesce(array_agg(need), '{}') as needs from unnest($1::text[]) as need
  where not coalesce(case when need like '%)'
    then has_function_privilege(to_regprocedure('pg_catalog.' || need)::oid, 'execute')
    else has_table_privilege(to_regclass('pg_catalog.' || need)::oid, 'select') end, false)`;

export type FactsResult =
  | {
      readonly kind: 'facts';
      readonly facts: PostgresFacts;
      /** What our role may not read, for people; empty = everything was read. */
      readonly missingGrants: readonly string[];
      /** The part of it that the next query on this connection leaves out. */
      readonly forbidden: readonly string[];
    }
  /** The server refused the query as a whole; the connection goes on. */
  | { readonly kind: 'error'; readonly failure: Failure }
  | { readonly kind: 'lost'; readonly failure: Failure };

/**
 * Reads the facts on this connection. `forbidden` is what an earlier answer on it named as missing grants, so that they
 * are not run into again. Never rejects.
 */
export async function readFacts(
  connection: PostgresConnection,
  signal: AbortSignal,
  forbidden: readonly string[],
): Promise<FactsResult> {
  const read = (without: readonly string[]): Promise<QueryResult> => connection.query(factsQuery(without), [], signal);
  let without = forbidden;
  let result = await read(without);
  if (result.kind === 'error' && result.sqlState === '42501') {
    const needs = [...new Set(READINGS.flatMap((reading) => reading.needs))];
    const answer = await connection.query(FORBIDDEN, [needs], signal);
    if (answer.kind !== 'rows') return answer;
    without = texts(answer.rows[0]?.['needs']);
    result = await read(without);
  }
  // 55000: the server was promoted between two parts of the query, so that one was asked of the wrong kind of server.
  if (result.kind === 'error' && result.sqlState === '55000') result = await read(without);
  if (result.kind !== 'rows') return result;
  return factsOf(result.rows[0] ?? {}, without);
}

function factsQuery(without: readonly string[]): string {
  const columns = READINGS.map(({ name, sql, needs }) => {
    const allowed = !needs.some((need) => without.includes(need));
    return `${allowed ? sql : 'null'} as ${name}`;
  });
  return `select ${columns.join(', ')}`;
}

function factsOf(row: Row, without: readonly string[]): FactsResult {
  const inRecovery = flag(row['in_recovery']);
  const receiver = receiverOf(row['receiver'], inRecovery === true && !without.includes('pg_stat_wal_receiver'));
  const insertFile = text(row['insert_file']);
  const standbyTimelines = [row['restart_timeline'], row['recovery_timeline'], receiver.timeline]
    .map(number)
    .filter((timeline) => timeline !== null);
  const standbyTimeline = standbyTimelines.length === 0 ? null : Math.max(...standbyTimelines);
  return {
    kind: 'facts',
    forbidden: without,
    missingGrants: receiver.hidden ? [...without, 'pg_read_all_stats'] : without,
    facts: {
      systemIdentifier: text(row['system_identifier']),
      timeline: insertFile === null ? standbyTimeline : Number.parseInt(insertFile.slice(0, 8), 16),
      inRecovery,
      insertLsn: text(row['insert_lsn']),
      flushLsn: text(row['flush_lsn']),
      receiveLsn: text(row['receive_lsn']),
      replayLsn: text(row['replay_lsn']),
      walReceiver: receiver.state,
      lastMessageAgeMs: receiver.ageMs,
      lastReplayedCommitAt: number(row['replayed_commit_ms']),
      replayPaused: flag(row['replay_paused']),
      replayWaits: flag(row['replay_waits']),
      fromArchive: flag(row['from_archive']),
      clockAt: number(row['clock_ms']),
      canary: 'skipped',
    },
  };
}

type Receiver = {
  readonly state: PostgresFacts['walReceiver'];
  readonly timeline: number | null;
  readonly ageMs: number | null;
  /** A receiver runs and our role may not see more than that. */
  readonly hidden: boolean;
};

function receiverOf(value: unknown, readable: boolean): Receiver {
  const nothing: Receiver = { state: null, timeline: null, ageMs: null, hidden: false };
  if (!readable) return nothing;
  if (typeof value !== 'object' || value === null) return { ...nothing, state: 'none' };
  const row: Row = { ...value };
  const status = text(row['status']);
  if (status === null) return { ...nothing, hidden: true };
  const state = status === 'streaming' ? 'streaming' : 'other';
  return { state, timeline: number(row['timeline']), ageMs: number(row['age_ms']), hidden: false };
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const number = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const flag = (value: unknown): boolean | null => (typeof value === 'boolean' ? value : null);
const texts = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
