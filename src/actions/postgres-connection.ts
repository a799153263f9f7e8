/**
 * Connections to PostgreSQL, kept open so that a failover starts without a set-up of several round trips. A kept
 * connection is taken out while it is used, so no two operations ever share a session; one that turns out broken is
 * replaced by a fresh one before anything that matters is sent.
 */
import { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { isServerError, postgresDriver } from '../runtime/postgres-driver.ts';
import type { Timers } from '../runtime/timers.ts';
import { type FindCertificates, NO_CERTIFICATES } from '../runtime/tls.ts';
import { pause } from './context.ts';
import type { PostgresTarget } from './targets.ts';

/** A kept connection that says nothing for this long is taken for dead: a peer that vanished never closes it. */
const KEPT_TRY_MS = 1000;
const CONNECT_TIMEOUT_MS = 3000;
const CLOSE_TIMEOUT_MS = 500;

export type Row = { readonly [column: string]: unknown };
export type Session = {
  query<R extends Row>(sql: string, values?: readonly unknown[]): Promise<R[]>;
};

/** No connection came about: nothing was sent, so nothing can have had an effect. The reason is the `cause`. */
export class NotSent extends Error {
  constructor(cause: unknown) {
    super('no connection', { cause });
    this.name = 'NotSent';
  }
}

type Kept = Session & {
  readonly broken: () => boolean;
  /** Drops the socket; what is under way on it fails at once. */
  destroy(): void;
  end(): Promise<unknown>;
};

export type PostgresPool = {
  /**
   * Runs a read. It may run twice: when the kept connection fails it is repeated on a fresh one. Rejects with
   * {@link NotSent}, or with the driver's error.
   */
  read<T>(target: PostgresTarget, signal: AbortSignal, ask: (session: Session) => Promise<T>): Promise<T>;
  /** Runs something that must not be repeated, on a connection that answered just now. Rejects likewise. */
  once<T>(target: PostgresTarget, signal: AbortSignal, ask: (session: Session) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

export function createPostgresPool(
  secret: (reference: string) => string,
  timers: Timers,
  certificates: FindCertificates = NO_CERTIFICATES,
): PostgresPool {
  const idle = new Map<string, Kept>();
  const open = new Set<Kept>();
  let closed = false;

  async function fresh(target: PostgresTarget, signal: AbortSignal): Promise<Kept> {
    try {
      if (closed || signal.aborted) throw new Error('the actor is closed');
      const session = await connect(target, { secret, certificates }, signal, (gone) => open.delete(gone));
      open.add(session);
      return session;
    } catch (error) {
      throw new NotSent(error);
    }
  }

  function take(target: PostgresTarget): Kept | null {
    const kept = idle.get(target.key);
    idle.delete(target.key);
    return kept === undefined || kept.broken() ? null : kept;
  }

  function giveBack(target: PostgresTarget, session: Kept): void {
    if (closed || session.broken() || idle.has(target.key)) session.destroy();
    else idle.set(target.key, session);
  }

  /** After an error the session's state is anyone's guess (a transaction may be open): it is not used again. */
  async function use<T>(
    target: PostgresTarget,
    session: Kept,
    signal: AbortSignal,
    ask: (session: Session) => Promise<T>,
  ): Promise<T> {
    const drop = (): void => session.destroy();
    signal.addEventListener('abort', drop, { once: true });
    try {
      if (signal.aborted) drop();
      const answer = await ask(session);
      giveBack(target, session);
      return answer;
    } catch (error) {
      session.destroy();
      throw error;
    } finally {
      signal.removeEventListener('abort', drop);
    }
  }

  async function read<T>(
    target: PostgresTarget,
    signal: AbortSignal,
    ask: (session: Session) => Promise<T>,
  ): Promise<T> {
    const kept = take(target);
    if (kept !== null) {
      const cancel = timers.after(KEPT_TRY_MS, () => kept.destroy());
      try {
        return await use(target, kept, signal, ask);
      } catch (error) {
        if (signal.aborted || !worthAnother(error)) throw error;
      } finally {
        cancel();
      }
    }
    return await use(target, await fresh(target, signal), signal, ask);
  }

  return {
    read,
    async once(target, signal, ask) {
      try {
        await read(target, signal, alive);
      } catch (error) {
        throw error instanceof NotSent ? error : new NotSent(error);
      }
      const session = take(target) ?? (await fresh(target, signal));
      return await use(target, session, signal, ask);
    },
    async close() {
      closed = true;
      const ending = [...idle.values()].map((session) => session.end().catch(() => undefined));
      idle.clear();
      const enough = new AbortController();
      const ended = Promise.all(ending).finally(() => enough.abort());
      await Promise.race([ended, pause(CLOSE_TIMEOUT_MS, timers, enough.signal)]);
      for (const session of [...open]) session.destroy();
    },
  };
}

const alive = async (session: Session): Promise<void> => {
  await session.query('select 1');
};

/** A server that answers with an error has answered; one that says it is going away, or says nothing, has not. */
const worthAnother = (error: unknown): boolean => !isServerError(error) || (error.code?.startsWith('57P0') ?? false);

async function connect(
  target: PostgresTarget,
  { secret, certificates }: { readonly secret: (reference: string) => string; readonly certificates: FindCertificates },
  signal: AbortSignal,
  gone: (session: Kept) => void,
): Promise<Kept> {
  const { component } = target;
  const socket = new Socket();
  const client = new (postgresDriver().Client)({
    host: target.host,
    port: target.port,
    database: component.database,
    user: component.user,
    ...(component.password === undefined ? {} : { password: secret(component.password) }),
    ssl: sslOf(target, certificates),
    application_name: 'failoverd',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    stream: () => socket,
  });
  let broken = false;
  const session: Kept = {
    query: async <R extends Row>(sql: string, values: readonly unknown[] = []): Promise<R[]> =>
      (await client.query<R>(sql, [...values])).rows,
    broken: () => broken,
    destroy: () => {
      broken = true;
      socket.destroy();
      gone(session);
    },
    end: () => client.end(),
  };
  // The server went away while nobody asked; whoever takes this session next sees that it is broken.
  client.on('error', session.destroy);
  client.on('end', session.destroy);
  const drop = (): void => session.destroy();
  signal.addEventListener('abort', drop, { once: true });
  try {
    await client.connect();
    return session;
  } catch (error) {
    session.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', drop);
  }
}

/** `host` is what the certificate must be for: without it the driver would have an IP address verified as `localhost`. */
function sslOf({ host, component }: PostgresTarget, certificates: FindCertificates): false | ConnectionOptions {
  const mode = component.tls ?? 'verify-full';
  if (mode === 'disable') return false;
  const found = certificates(component);
  const secure = found === null ? {} : { secureContext: found.secureContext() };
  return { host, rejectUnauthorized: mode === 'verify-full', ...secure };
}
