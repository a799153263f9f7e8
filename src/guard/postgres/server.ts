/** What the running server says, on a new connection over the guard's own socket each time. */
import { Socket } from 'node:net';
import { join } from 'node:path';
import { isServerError, postgresDriver } from '../../runtime/postgres-driver.ts';
import type { Timers } from '../../runtime/timers.ts';
import { textOf } from './proof.ts';

export type ServerAt = {
  readonly socketDir: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
};

export type Row = Readonly<Record<string, unknown>>;
export type Answer =
  | { readonly kind: 'rows'; readonly rows: readonly Row[] }
  /** It is there and takes no queries yet, or no more (SQLSTATE 57P03). */
  | { readonly kind: 'starting' }
  /** Refused with this SQLSTATE; null = it did not answer, or not in time. */
  | { readonly kind: 'failed'; readonly sqlState: string | null; readonly message: string };

export const socketPathOf = ({ socketDir, port }: ServerAt): string => join(socketDir, `.s.PGSQL.${port}`);

const NOT_NOW = '57P03';
const LEAVE_WITHIN_MS = 200;

/** Asks these one after the other, for at most so long; the answer is that of the last, or the first that fails. */
export async function ask(
  at: ServerAt,
  queries: readonly string[],
  { withinMs, timers }: { readonly withinMs: number; readonly timers: Timers },
): Promise<Answer> {
  const socket = new Socket();
  const client = new (postgresDriver().Client)({
    host: at.socketDir,
    port: at.port,
    user: at.user,
    database: at.database,
    // Never looked for in the environment or in a file: on this socket nobody is asked for one.
    password: () => '',
    stream: () => socket,
    application_name: 'failoverd guard',
    options: `-c statement_timeout=${Math.max(1, Math.floor(withinMs))} -c search_path=pg_catalog -c default_transaction_read_only=on`,
  });
  let cancel = (): void => undefined;
  const late = new Promise<'late'>((resolve) => {
    cancel = timers.after(withinMs, () => {
      socket.destroy();
      resolve('late');
    });
  });
  // A server that dies under the connection says so here too; the query tells it.
  client.on('error', () => undefined);
  const asked = (async (): Promise<Answer> => {
    let rows: readonly Row[] = [];
    await client.connect();
    for (const query of queries) rows = (await client.query<Row>(query)).rows;
    return { kind: 'rows', rows };
  })();
  try {
    const answer = await Promise.race([asked, late]);
    if (answer !== 'late') return answer;
    // It ends now that the socket is gone; how no longer matters.
    asked.catch(() => undefined);
    return { kind: 'failed', sqlState: null, message: `no answer within ${Math.round(withinMs)} ms` };
  } catch (error) {
    const sqlState = isServerError(error) ? (error.code ?? null) : null;
    if (sqlState === NOT_NOW) return { kind: 'starting' };
    return { kind: 'failed', sqlState, message: textOf(error) };
  } finally {
    cancel();
    // Taking leave is for the server's log alone: it is not waited for, and a frozen server costs no socket.
    const gone = (): void => void socket.destroy();
    const cutOff = timers.after(LEAVE_WITHIN_MS, gone);
    client.end().then(gone, gone).finally(cutOff);
  }
}
