/**
 * Everything that `init` and `doctor` read of one PostgreSQL beside what the probe reads: its settings, who our role is,
 * and who streams from whom. Reads alone, on a connection that the server holds to be read-only.
 */
import type { PostgresFacts } from '../model/evidence.ts';
import type { Failure } from './failure.ts';
import { connect, type PostgresConnection, type QueryResult, type Row } from './postgres-connection.ts';
import { readFacts } from './postgres-facts.ts';
import type { ProbeContext } from './probe.ts';
import type { PostgresTarget } from './target.ts';

/** As the server shows it, `current_setting` with its unit; `source` tells whether anybody has set it. */
export type Setting = { readonly value: string; readonly source: string };

export type PostgresRole = {
  readonly name: string;
  readonly superuser: boolean;
  /** Of `pg_monitor`: without it the state of replication is hidden. */
  readonly monitor: boolean;
  /** Most connections at once; -1 = no limit of its own. */
  readonly connectionLimit: number;
};

/** A server that streams from this one. */
export type Downstream = {
  readonly name: string;
  readonly address: string | null;
  readonly state: string | null;
  /** sync, async, potential or quorum; null = hidden from us. */
  readonly syncState: string | null;
};

export type Slot = { readonly name: string; readonly type: string; readonly active: boolean };

export type PostgresSurvey = {
  readonly facts: PostgresFacts;
  /** What our role may not read, as the probe tells it; empty = everything. */
  readonly missingGrants: readonly string[];
  /** Such as `15.14 (Debian 15.14-0+deb12u1)`. */
  readonly version: string;
  readonly dataChecksums: boolean;
  /** The server's clock less ours, milliseconds; the truth lies within `clockUncertaintyMs` of it. */
  readonly clockOffsetMs: number | null;
  readonly clockUncertaintyMs: number;
  readonly role: PostgresRole;
  readonly settings: Readonly<Record<string, Setting>>;
  readonly downstream: readonly Downstream[];
  readonly slots: readonly Slot[];
};

export type SurveyResult =
  | { readonly kind: 'surveyed'; readonly survey: PostgresSurvey }
  | { readonly kind: 'failed'; readonly reached: string; readonly failure: Failure };

/** The settings that a failover depends on (PostgreSQL manual, chapter 20). */
export const SURVEYED_SETTINGS = [
  'fsync',
  'full_page_writes',
  'hot_standby_feedback',
  'max_connections',
  'max_slot_wal_keep_size',
  'max_standby_streaming_delay',
  'max_wal_senders',
  'primary_slot_name',
  'recovery_min_apply_delay',
  'synchronous_commit',
  'synchronous_standby_names',
  'wal_keep_size',
  'wal_level',
  'wal_log_hints',
  'wal_receiver_status_interval',
  'wal_receiver_timeout',
  'wal_retrieve_retry_interval',
  'wal_sender_timeout',
] as const;

const SETTINGS = `select name, current_setting(name) as value, source from pg_settings where name = any($1::text[])`;
const SERVER = `select current_setting('server_version') as version, current_setting('data_checksums') = 'on' as checksums`;
const ROLE = `select rolname as name, rolsuper as superuser, rolconnlimit as connection_limit,
  pg_has_role(oid, 'pg_monitor', 'usage') as monitor from pg_roles where rolname = current_user`;
const DOWNSTREAM = `select application_name as name, client_addr::text as address, state, sync_state
  from pg_stat_replication limit 100`;
const SLOTS = `select slot_name as name, slot_type as type, active from pg_replication_slots limit 100`;

/** Asks on a connection made for it and closed after. Never rejects; the context's signal is the deadline. */
export async function surveyPostgres(target: PostgresTarget, context: ProbeContext): Promise<SurveyResult> {
  // No canary whatever the target says: the connection itself refuses writes then.
  const result = await connect({ ...target, canary: false }, context);
  if (result.kind === 'failed') return result;
  const { connection } = result;
  try {
    return await survey(connection, context);
  } finally {
    await connection.close();
  }
}

async function survey(connection: PostgresConnection, { signal, clock }: ProbeContext): Promise<SurveyResult> {
  const askedAt = clock.wall();
  const startedMono = clock.mono();
  const known = await readFacts(connection, signal, []);
  const tookMs = clock.mono() - startedMono;
  if (known.kind !== 'facts') return { kind: 'failed', reached: 'authenticate', failure: known.failure };
  const answers: (readonly Row[])[] = [];
  for (const [text, values] of [
    [SERVER, []],
    [ROLE, []],
    [SETTINGS, [[...SURVEYED_SETTINGS]]],
    [DOWNSTREAM, []],
    [SLOTS, []],
  ] as const) {
    const answer: QueryResult = await connection.query(text, values, signal);
    if (answer.kind !== 'rows') return { kind: 'failed', reached: 'read', failure: answer.failure };
    answers.push(answer.rows);
  }
  const [server = [], role = [], settings = [], downstream = [], slots = []] = answers;
  const { facts, missingGrants } = known;
  return {
    kind: 'surveyed',
    survey: {
      facts,
      missingGrants,
      version: text(server[0]?.['version']),
      dataChecksums: server[0]?.['checksums'] === true,
      clockOffsetMs: facts.clockAt === null ? null : facts.clockAt - (askedAt + tookMs / 2),
      clockUncertaintyMs: tookMs / 2,
      role: {
        name: text(role[0]?.['name']),
        superuser: role[0]?.['superuser'] === true,
        monitor: role[0]?.['monitor'] === true,
        connectionLimit: Number(role[0]?.['connection_limit'] ?? -1),
      },
      settings: Object.fromEntries(
        settings.map((row) => [text(row['name']), { value: text(row['value']), source: text(row['source']) }]),
      ),
      downstream: downstream.map((row) => ({
        name: text(row['name']),
        address: textOrNull(row['address']),
        state: textOrNull(row['state']),
        syncState: textOrNull(row['sync_state']),
      })),
      slots: slots.map((row) => ({
        name: text(row['name']),
        type: text(row['type']),
        active: row['active'] === true,
      })),
    },
  };
}

const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const text = (value: unknown): string => textOrNull(value) ?? '';
