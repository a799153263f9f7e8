import pg from 'pg';
import { codeOf } from '../servers/errors.ts';
import type { ServiceConfig } from './config.ts';

const CONNECT_TIMEOUT_MS = 1_000;
const WRITE_TIMEOUT_MS = 1_500;
/** Below a scrape's one second. */
const HEALTH_TIMEOUT_MS = 700;
const POOL_SIZE = 10;

const UNIQUE_VIOLATION = '23505';

/**
 * The server refused the statement in these classes and codes, and went on: nothing was applied. Any other error,
 * above all a connection that broke while the answer was awaited, leaves it open whether the row is there.
 */
const REFUSED = /^(?:0[36].{3}|2[2358].{3}|3[DF].{3}|42.{3}|53.{3}|57P03|57014)$/;

export type InsertResult =
  | {
      readonly kind: 'created';
      readonly at: string;
      /** The WAL positions that the commit lies between; the second is missing when it could not be asked for. */
      readonly lsnBefore: string;
      readonly lsn?: string;
    }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'failed'; readonly applied: 'no' | 'unknown'; readonly code: string };

export interface Health {
  readonly up: boolean;
  readonly writable: boolean;
}

export interface Writes {
  readonly insert: (id: string) => Promise<InsertResult>;
  readonly health: () => Promise<Health>;
  readonly close: () => Promise<void>;
}

/** The service's way to its database: small pools that give up soon and drop a connection at its first error. */
export function openWrites(config: ServiceConfig): Writes {
  const pool = openPool(config, POOL_SIZE, WRITE_TIMEOUT_MS, CONNECT_TIMEOUT_MS);
  // Of its own, so that writes that wait for a frozen database don't make the health answer wait for them.
  const healthPool = openPool(config, 2, HEALTH_TIMEOUT_MS, HEALTH_TIMEOUT_MS);
  return {
    insert: async (id) => await insert(pool, config.region, id),
    health: async () => {
      try {
        const rows = await withClient(healthPool, async (client) => {
          const answer = await client.query<{ standby: boolean }>('select pg_is_in_recovery() as standby');
          return { result: answer.rows, sound: true };
        });
        return { up: true, writable: rows[0]?.standby === false };
      } catch {
        // Whatever the reason, its database doesn't answer: that is the answer.
        return { up: false, writable: false };
      }
    },
    close: async () => {
      await Promise.all([pool.end(), healthPool.end()]);
    },
  };
}

function openPool(config: ServiceConfig, max: number, queryTimeoutMs: number, connectTimeoutMs: number): pg.Pool {
  const pool = new pg.Pool({
    ...config.postgres,
    max,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: queryTimeoutMs,
    statement_timeout: queryTimeoutMs,
    idleTimeoutMillis: 10_000,
    application_name: `service-${config.region}`,
  });
  // The server went away under an idle connection: the pool drops it, the next use opens another.
  pool.on('error', () => undefined);
  // One that is in use tells its query, and would end this process on top of that if nobody listened.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** A connection goes back to the pool only when `use` says that it is sound, or the server merely refused a statement. */
async function withClient<T>(
  pool: pg.Pool,
  use: (client: pg.PoolClient) => Promise<{ readonly result: T; readonly sound: boolean }>,
): Promise<T> {
  const client = await pool.connect();
  let sound = false;
  try {
    const used = await use(client);
    sound = used.sound;
    return used.result;
  } catch (error) {
    sound = REFUSED.test(codeOf(error) ?? '');
    throw error;
  } finally {
    client.release(!sound);
  }
}

async function insert(pool: pg.Pool, region: string, id: string): Promise<InsertResult> {
  let sent = false;
  try {
    return await withClient(pool, async (client) => {
      sent = true;
      const inserted = await client.query<{ at: Date; lsn: string }>(
        `insert into app.writes (id, region) values ($1, $2)
         returning written_at as at, pg_current_wal_insert_lsn()::text as lsn`,
        [id, region],
      );
      const [row] = inserted.rows;
      // The commit is done: failing to learn its position must not turn it into a failure.
      const lsn = await positionNow(client);
      const result: InsertResult = {
        kind: 'created',
        at: (row?.at ?? new Date()).toISOString(),
        lsnBefore: row?.lsn ?? '0/0',
        ...(lsn === undefined ? {} : { lsn }),
      };
      return { result, sound: lsn !== undefined };
    });
  } catch (error) {
    const code = codeOf(error) ?? 'no-answer';
    if (code === UNIQUE_VIOLATION) return { kind: 'duplicate' };
    return { kind: 'failed', applied: !sent || REFUSED.test(code) ? 'no' : 'unknown', code };
  }
}

async function positionNow(client: pg.PoolClient): Promise<string | undefined> {
  return await client.query<{ lsn: string }>('select pg_current_wal_insert_lsn()::text as lsn').then(
    ({ rows }) => rows[0]?.lsn,
    () => undefined,
  );
}
