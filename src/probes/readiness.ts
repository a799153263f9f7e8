/**
 * How a PostgreSQL server is made: settings, versions, extensions, collations, slots. Asked once a minute, on connections
 * of its own, so that a slow answer costs no probe its deadline. `pg_monitor` is enough, and to be let into each database.
 */
import { COMPARED_SETTINGS, type DatabaseReadiness, type Readiness } from '../model/readiness.ts';
import { type Failure, verdictOf } from './failure.ts';
import { connect, type PostgresConnection, type Row } from './postgres-connection.ts';
import type { Probe, ProbeAnswer, ProbeContext } from './probe.ts';
import type { ReadinessTarget } from './target.ts';

const MOST_DATABASES = 50;

const SERVER = `
select current_setting('server_version_num')::int as version,
       current_setting('wal_level') as wal_level,
       current_setting('hot_standby') = 'on' as hot_standby,
       (select setting::float8 from pg_settings where name = 'wal_retrieve_retry_interval') as retry_ms,
       (select json_object_agg(name, setting::float8) from pg_settings where name = any($1)) as settings,
       (select coalesce(json_agg(slot_name order by slot_name), '[]')
          from pg_replication_slots where slot_type = 'logical' and not temporary) as slots,
       (select json_agg(datname order by datname) from pg_database where datallowconn and not datistemplate) as databases`;

/** Versions of the default collation are kept since PostgreSQL 15. */
const DEFAULT_COLLATION = `
select datcollversion as recorded, pg_database_collation_actual_version(oid) as actual
  from pg_database where datname = current_database()`;

const DATABASE = `
select (select coalesce(json_agg(json_build_object('name', e.extname, 'version', e.extversion, 'files',
                 case when exists (select from pg_available_extension_versions v
                                    where v.name = e.extname and v.version = e.extversion) then 'same'
                      when exists (select from pg_available_extensions a where a.name = e.extname) then 'other'
                      else 'none' end) order by e.extname), '[]')
          from (select * from pg_extension order by extname limit 200) e) as extensions,
       (select coalesce(json_agg(json_build_object('name', c.collname, 'recorded', c.collversion,
                 'actual', pg_collation_actual_version(c.oid)) order by c.collname), '[]')
          from (select * from pg_collation
                 where collversion is distinct from pg_collation_actual_version(oid) and collversion is not null
                 order by collname limit 20) c) as collations`;

export const probeReadiness: Probe<'readiness'> = async (target, context) => {
  const made = await connect(target, context);
  if (made.kind === 'failed') return failed(made.reached, made.failure);
  const { connection } = made;
  try {
    const asked = await connection.query(SERVER, [[...COMPARED_SETTINGS]], context.signal);
    if (asked.kind !== 'rows') return failed('authenticate', asked.failure);
    const row = asked.rows[0] ?? {};
    const names = texts(row['databases']);
    const version = number(row['version']);
    const databases: DatabaseReadiness[] = [];
    for (const name of names.slice(0, MOST_DATABASES))
      databases.push(await lookInto(name, version, target, context, name === target.database ? connection : null));
    const closed = databases.filter((database) => database.closed !== null);
    return {
      verdict: 'ok',
      reached: 'read',
      code: closed.length === 0 ? null : 'denied',
      message:
        closed.length === 0 ? null : `not looked into: ${closed.map(({ name }) => name).join(', ')}`.slice(0, 500),
      facts: { ...readinessOf(row), databases, moreDatabases: Math.max(0, names.length - MOST_DATABASES) },
    };
  } finally {
    await connection.close();
  }
};

const failed = (reached: string, failure: Failure): ProbeAnswer<'readiness'> => ({
  verdict: verdictOf(failure),
  reached,
  code: failure.code,
  message: failure.message,
  facts: null,
});

function readinessOf(row: Row): Omit<Readiness, 'databases' | 'moreDatabases'> {
  const settings = typeof row['settings'] === 'object' && row['settings'] !== null ? (row['settings'] as Row) : {};
  return {
    version: number(row['version']),
    settings: {
      max_connections: number(settings['max_connections']),
      max_prepared_transactions: number(settings['max_prepared_transactions']),
      max_locks_per_transaction: number(settings['max_locks_per_transaction']),
      max_worker_processes: number(settings['max_worker_processes']),
      max_wal_senders: number(settings['max_wal_senders']),
    },
    walLevel: text(row['wal_level']),
    hotStandby: typeof row['hot_standby'] === 'boolean' ? row['hot_standby'] : null,
    walRetrieveRetryMs: number(row['retry_ms']),
    logicalSlots: Array.isArray(row['slots']) ? texts(row['slots']).slice(0, 200) : null,
  };
}

/** One database; what can't be looked into costs that one alone. */
async function lookInto(
  name: string,
  version: number | null,
  target: ReadinessTarget,
  context: ProbeContext,
  open: PostgresConnection | null,
): Promise<DatabaseReadiness> {
  const nothing = { name, recorded: null, actual: null, collations: [], extensions: [] };
  const closed = (failure: Failure): DatabaseReadiness => ({ ...nothing, closed: failure.message.slice(0, 300) });
  const made = open === null ? await connect({ ...target, database: name }, context) : null;
  if (made?.kind === 'failed') return closed(made.failure);
  const connection = open ?? made?.connection;
  if (connection === undefined) return nothing as never;
  try {
    const asked = await connection.query(DATABASE, [], context.signal);
    if (asked.kind !== 'rows') return closed(asked.failure);
    const collation =
      version !== null && version >= 150_000 ? await connection.query(DEFAULT_COLLATION, [], context.signal) : null;
    if (collation !== null && collation.kind !== 'rows') return closed(collation.failure);
    const row = asked.rows[0] ?? {};
    const kept = collation?.rows[0] ?? {};
    return {
      ...nothing,
      closed: null,
      recorded: text(kept['recorded']),
      actual: text(kept['actual']),
      collations: rows(row['collations']).map((each) => ({
        name: text(each['name']) ?? '',
        recorded: text(each['recorded']),
        actual: text(each['actual']),
      })),
      extensions: rows(row['extensions']).map((each) => ({
        name: text(each['name']) ?? '',
        version: text(each['version']) ?? '',
        files: each['files'] === 'same' ? 'same' : each['files'] === 'other' ? 'other' : 'none',
      })),
    };
  } finally {
    if (open === null) await connection.close();
  }
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const number = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const texts = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
const rows = (value: unknown): readonly Row[] => (Array.isArray(value) ? (value as Row[]) : []);
