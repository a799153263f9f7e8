/** The canary: one row for each vantage, rewritten by each probe that may, so that "takes writes" is seen and not assumed. */
import { postgresDriver } from '../runtime/postgres-driver.ts';
import type { Failure } from './failure.ts';
import type { PostgresConnection, QueryResult } from './postgres-connection.ts';

export type CanaryResult =
  | { readonly kind: 'written' }
  | { readonly kind: 'refused'; readonly failure: Failure }
  | { readonly kind: 'lost'; readonly failure: Failure };

/** No such table, no such schema. */
const ABSENT = new Set(['42P01', '3F000']);
/** Somebody else made it at the same moment, another vantage for one. */
const MADE_MEANWHILE = new Set(['23505', '42P06', '42P07']);

/**
 * Writes this vantage's row, on a server that is not in recovery. Makes schema and table where they are absent and our
 * role may; a role that may not gets `denied`. Never rejects.
 */
export async function writeCanary(
  connection: PostgresConnection,
  schema: string,
  vantage: string,
  signal: AbortSignal,
): Promise<CanaryResult> {
  const quoted = postgresDriver().escapeIdentifier(schema);
  const write = (): Promise<QueryResult> =>
    connection.query(
      `insert into ${quoted}.canary as kept (vantage, written_at, writes) values ($1, clock_timestamp(), 1)
       on conflict (vantage) do update set written_at = excluded.written_at, writes = kept.writes + 1`,
      [vantage],
      signal,
    );
  let result = await write();
  if (result.kind === 'error' && ABSENT.has(result.sqlState)) {
    // IF NOT EXISTS asks for the right to create even where nothing has to be created: the schema may be the DBA's.
    const known = await connection.query('select to_regnamespace($1) is not null as known', [quoted], signal);
    const steps =
      known.kind === 'rows' && known.rows[0]?.['known'] === true ? [] : [`create schema if not exists ${quoted}`];
    steps.push(
      `create table if not exists ${quoted}.canary
       (vantage text primary key, written_at timestamptz not null, writes bigint not null)`,
    );
    for (const step of steps) {
      const made = await connection.query(step, [], signal);
      if (made.kind === 'lost') return made;
      if (made.kind === 'error' && !MADE_MEANWHILE.has(made.sqlState))
        return { kind: 'refused', failure: made.failure };
    }
    result = await write();
  }
  switch (result.kind) {
    case 'rows':
      return { kind: 'written' };
    case 'error':
      return { kind: 'refused', failure: result.failure };
    case 'lost':
      return result;
    default:
      return result satisfies never;
  }
}
