/**
 * One connection to PostgreSQL, made so that nothing of it outlives the signal: a peer that accepts and never answers
 * costs one socket until the deadline, and no more.
 */
import { isIP, Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type pg from 'pg';
import { isServerError, postgresDriver } from '../runtime/postgres-driver.ts';
import type { Timers } from '../runtime/timers.ts';
import { ABORTED, untilAborted } from './abort.ts';
import { errorCode, type Failure, networkFailure, notResolved, timedOut } from './failure.ts';
import type { ProbeContext } from './probe.ts';
import { addressText, type PostgresPlace } from './target.ts';

export type Row = Readonly<Record<string, unknown>>;
export type QueryResult =
  | { readonly kind: 'rows'; readonly rows: readonly Row[] }
  /** The server refused this statement; the connection goes on. */
  | { readonly kind: 'error'; readonly sqlState: string; readonly failure: Failure }
  /** The connection is gone, or the signal ended the wait and it was dropped. */
  | { readonly kind: 'lost'; readonly failure: Failure };

export type PostgresConnection = {
  readonly alive: () => boolean;
  query(text: string, values: readonly unknown[], signal: AbortSignal): Promise<QueryResult>;
  /** Takes leave as a client should, so that the server logs nothing; what doesn't end by that is cut off. */
  close(): Promise<void>;
  destroy(): void;
};

export type ConnectResult =
  | { readonly kind: 'connected'; readonly connection: PostgresConnection }
  | { readonly kind: 'failed'; readonly reached: 'none' | 'connect'; readonly failure: Failure };

/** The kernel's own sign of life on a kept connection; finds a vanished peer even between probes. */
const KEEP_ALIVE_AFTER_MS = 5_000;
/** How long taking leave may take. */
const CLOSE_MS = 200;

/** The SQLSTATEs after which PostgreSQL closes the connection, beside the whole class 08. */
const FATAL = new Set(['57P01', '57P02', '57P03', '57P05', '25P03']);

/** What a server's error says, by SQLSTATE (PostgreSQL manual, appendix A). */
export function serverFailure(sqlState: string, message: string): Failure {
  const code = ((): Failure['code'] => {
    switch (sqlState) {
      case '57P01': // told to stop
      case '57P02': // another backend crashed
      case '57P03': // starting up, stopping, or in recovery without hot standby
        return 'starting';
      case '57014': // statement_timeout, which is our own deadline kept by the server
        return 'timeout';
      case '42501':
        return 'denied';
      case '25006':
        return 'read-only';
      case '3D000': // no such database: this server isn't what the config says
      case '08P01':
        return 'protocol';
      default:
        if (sqlState.startsWith('28')) return 'auth';
        if (sqlState.startsWith('08')) return 'reset';
        return 'failed';
    }
  })();
  return { code, message: `${message} (SQLSTATE ${sqlState})` };
}

/** What the bytes of the peer tell beside the errors of the driver, which has no codes for most of its own. */
type Wire = { resolved: boolean; connected: boolean; ended: boolean; firstByte: string | null };

/** The first byte of every answer that a PostgreSQL server may give to a start-up message, and to a request for TLS. */
const PLAIN_ANSWERS = new Set(['R', 'E', 'N', 'v']);
const TLS_ANSWERS = new Set(['S', 'N', 'E']);

/** What answered, if anything did, certainly isn't PostgreSQL. */
function isStranger({ firstByte }: Wire, { tls }: PostgresPlace): boolean {
  return firstByte !== null && !(tls === 'disable' ? PLAIN_ANSWERS : TLS_ANSWERS).has(firstByte);
}

/** Why nothing came of connecting before the deadline. */
function lateFailure(wire: Wire, target: PostgresPlace): Failure {
  const where = addressText(target);
  if (!wire.resolved) return notResolved(where);
  // A driver that is told a stranger's bytes may wait for more of them for ever.
  if (isStranger(wire, target)) return { code: 'protocol', message: `what answers is not PostgreSQL (${where})` };
  return timedOut(where, wire.connected ? 'answer' : 'connection');
}

function driverFailure(error: unknown, wire: Wire, target: PostgresPlace): Failure {
  const where = addressText(target);
  const code = errorCode(error);
  if (isServerError(error) && code !== undefined) return serverFailure(code, error.message);
  if (code !== undefined) return networkFailure(error, where);
  const text = `${error instanceof Error ? error.message : String(error)} (${where})`;
  // In answer to a request for TLS: not offered, or an error before it came to that.
  if (target.tls !== 'disable' && wire.firstByte === 'N') return { code: 'tls', message: text };
  if (target.tls !== 'disable' && wire.firstByte === 'E') return { code: 'failed', message: text };
  if (isStranger(wire, target)) return { code: 'protocol', message: `what answers is not PostgreSQL: ${text}` };
  if (wire.ended) return { code: 'reset', message: text };
  // The peer speaks and is still there, and the driver gave up by itself: it can't agree on how to authenticate.
  return { code: 'auth', message: text };
}

/** `host` is what the certificate must be for: without it the driver would have an IP address verified as `localhost`. */
function sslOf({ tls, host, certificates }: PostgresPlace): false | ConnectionOptions {
  if (tls === 'disable') return false;
  return {
    host,
    rejectUnauthorized: tls === 'verify-full',
    ...(certificates == null ? {} : { secureContext: certificates.secureContext() }),
  };
}

function clientOf(target: PostgresPlace, vantage: string, socket: Socket): pg.Client {
  return new (postgresDriver().Client)({
    host: target.host,
    port: target.port,
    database: target.database,
    user: target.user,
    // A function keeps the driver from looking for a password of its own in the environment or in a file.
    password: () => target.password?.reveal() ?? '',
    ssl: sslOf(target),
    stream: () => socket,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    application_name: `failoverd/${vantage}`,
    // A statement ends on the server when we have given up on it. A canary doesn't wait for a standby: with a
    // synchronous one away each would leave a backend waiting behind it, until clients find no connection left. Where
    // no canary may be written at all, the server is told to take no write from us, whatever our role is allowed to.
    options: [
      `-c statement_timeout=${target.timeoutMs} -c search_path=pg_catalog`,
      target.canary ? '-c synchronous_commit=local' : '-c default_transaction_read_only=on',
    ].join(' '),
  });
}

/** What both halves of this file need of a connection that is being made or has been. */
type Line = {
  readonly client: pg.Client;
  readonly where: string;
  readonly wire: Wire;
  readonly alive: () => boolean;
  readonly destroy: () => void;
};

function openLine(target: PostgresPlace, { vantage, log }: ProbeContext): Line {
  const where = addressText(target);
  const wire: Wire = { resolved: isIP(target.host) !== 0, connected: false, ended: false, firstByte: null };
  const socket = new Socket();
  socket.once('lookup', () => {
    wire.resolved = true;
  });
  socket.once('connect', () => {
    wire.connected = true;
    log(`connected to ${where}`);
  });
  socket.once('data', (chunk: Buffer) => {
    wire.firstByte = chunk.toString('latin1', 0, 1);
  });
  const client = clientOf(target, vantage, socket);
  let alive = true;
  const destroy = (): void => {
    alive = false;
    socket.destroy();
  };
  // Also between probes: a connection that breaks while nobody uses it must not end this process.
  client.on('error', destroy);
  client.on('end', () => {
    wire.ended = true;
    destroy();
  });
  return { client, where, wire, alive: () => alive, destroy };
}

/** Connects and authenticates. Never rejects. */
export async function connect(target: PostgresPlace, context: ProbeContext): Promise<ConnectResult> {
  const line = openLine(target, context);
  const { client, wire } = line;
  const failed = (failure: Failure): ConnectResult => {
    line.destroy();
    return { kind: 'failed', reached: wire.connected ? 'connect' : 'none', failure };
  };
  try {
    const outcome = await untilAborted(context.signal, client.connect());
    if (outcome === ABORTED) return failed(lateFailure(wire, target));
  } catch (error) {
    return failed(driverFailure(error, wire, target));
  }
  context.log(`authenticated as ${target.user}`);
  const { alive, destroy } = line;
  const connection: PostgresConnection = {
    alive,
    destroy,
    query: (text, values, signal) => query(line, text, values, signal),
    close: () => close(line, context.timers),
  };
  return { kind: 'connected', connection };
}

async function query(line: Line, text: string, values: readonly unknown[], signal: AbortSignal): Promise<QueryResult> {
  const { client, where } = line;
  const lost = (failure: Failure): QueryResult => {
    line.destroy();
    return { kind: 'lost', failure };
  };
  if (!line.alive()) return lost({ code: 'reset', message: `the connection was closed by the server (${where})` });
  try {
    const outcome = await untilAborted(signal, client.query(text, [...values]));
    if (outcome === ABORTED) return lost(timedOut(where, 'answer to a query'));
    return { kind: 'rows', rows: outcome.rows };
  } catch (error) {
    if (isServerError(error) && error.code !== undefined) {
      const sqlState = error.code;
      const failure = serverFailure(sqlState, error.message);
      const fatal = FATAL.has(sqlState) || sqlState.startsWith('08');
      return fatal ? lost(failure) : { kind: 'error', sqlState, failure };
    }
    // Without a code of its own the driver says only that the connection went away under the query.
    const reset: Failure = { code: 'reset', message: `the connection ended in the middle of a query (${where})` };
    return lost(errorCode(error) === undefined ? reset : networkFailure(error, where));
  }
}

async function close(line: Line, timers: Timers): Promise<void> {
  if (!line.alive()) return;
  let cancel = (): void => undefined;
  const late = new Promise<void>((resolve) => {
    cancel = timers.after(CLOSE_MS, resolve);
  });
  // A connection that breaks while taking leave is closed just as well.
  const ended = line.client.end().then(
    () => undefined,
    () => undefined,
  );
  await Promise.race([ended, late]);
  cancel();
  line.destroy();
}
