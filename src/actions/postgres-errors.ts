/** What went wrong with PostgreSQL, as a code: by SQLSTATE and by the system's error codes, never by the text. */
import { isServerError } from '../runtime/postgres-driver.ts';
import type { ActionCode } from './codes.ts';
import { textOf } from './context.ts';
import { NotSent } from './postgres-connection.ts';

export type PostgresFailure = {
  readonly code: ActionCode;
  /** The server's own code, when it was the server that refused. */
  readonly sqlState: string | null;
  /** Whether anything was sent at all. */
  readonly sent: boolean;
  readonly message: string;
};

export function postgresFailure(error: unknown): PostgresFailure {
  if (!(error instanceof NotSent)) return { ...failureOf(error, 'broken'), sent: true };
  return { ...failureOf(error.cause, 'unreachable'), sent: false };
}

function failureOf(error: unknown, otherwise: ActionCode): Omit<PostgresFailure, 'sent'> {
  const message = textOf(error);
  if (!isServerError(error)) return { code: otherwise, sqlState: null, message };
  const sqlState = error.code ?? null;
  return { code: codeOf(sqlState ?? ''), sqlState, message: `${message} (SQLSTATE ${sqlState})` };
}

function codeOf(sqlState: string): ActionCode {
  if (sqlState.startsWith('28')) return 'auth';
  switch (sqlState) {
    case '42501': // insufficient_privilege
      return 'denied';
    case '55000': // object_not_in_prerequisite_state: recovery is not in progress
      return 'not-in-recovery';
    case '25006': // read_only_sql_transaction
      return 'not-writable';
    case '57P03': // cannot_connect_now
      return 'starting';
    case '57P01': // admin_shutdown
    case '57P02': // crash_shutdown
      return 'broken';
    default:
      return 'rejected';
  }
}
