/**
 * What a failure is called and what it says of its target. One table, so that the question "does this count as down?"
 * is answered in one place for every protocol.
 */
import type { ProbeErrorCode } from '../model/evidence.ts';
import type { Verdict } from '../model/primitives.ts';

export type Failure = { readonly code: ProbeErrorCode; readonly message: string };

/**
 * *bad* only where a client would not have been served, through the fault of the target or of the path to it.
 * Everything else is unknown: a failover must not start from a wrong password.
 */
export const VERDICTS: Readonly<
  Record<ProbeErrorCode, { readonly verdict: Exclude<Verdict, 'ok'>; readonly why: string }>
> = {
  refused: { verdict: 'bad', why: 'nothing listens where clients connect' },
  unreachable: { verdict: 'bad', why: 'no client on this path gets there' },
  timeout: { verdict: 'bad', why: 'all that a dead host, a cut link and a half-open peer ever show' },
  reset: { verdict: 'bad', why: 'a client loses its connection as we did' },
  status: { verdict: 'bad', why: 'the service answers and says itself that it is not well' },
  starting: { verdict: 'bad', why: 'alive, and no client is let in yet' },
  'read-only': { verdict: 'bad', why: 'a client of the active side can’t write' },
  missing: { verdict: 'bad', why: 'a client that asks for this name gets nothing to go to' },
  auth: { verdict: 'unknown', why: 'something answered; that it refuses us says nothing of how it treats clients' },
  tls: { verdict: 'unknown', why: 'something answered; it may be our trust that is out of date' },
  protocol: {
    verdict: 'unknown',
    why: 'something answered that we don’t understand: the wrong address, or a stranger',
  },
  foreign: { verdict: 'unknown', why: 'another cluster answered; of the one we mean we learnt nothing' },
  denied: { verdict: 'unknown', why: 'a grant of ours is missing; clients have their own' },
  failed: { verdict: 'unknown', why: 'alive, and could not do this for us; clients may fare better' },
  query: { verdict: 'unknown', why: 'the question is wrong: what it asks for was not learnt' },
  several: { verdict: 'unknown', why: 'several values, and which is meant can’t be told' },
  empty: { verdict: 'unknown', why: 'nothing is known of it, which is neither well nor bad' },
  'no-number': { verdict: 'unknown', why: 'no comparison with it means anything' },
  stale: { verdict: 'unknown', why: 'it was so, and may not be any more' },
  internal: { verdict: 'unknown', why: 'we could not run the probe' },
};

export const verdictOf = (failure: Failure): Exclude<Verdict, 'ok'> => VERDICTS[failure.code].verdict;

/** Codes of Node's network, name and TLS errors. A code that isn't here and no TLS error is our own: `internal`. */
const CODES: Readonly<Record<string, ProbeErrorCode>> = {
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  ENETDOWN: 'unreachable',
  ENOTFOUND: 'unreachable',
  ETIMEDOUT: 'timeout',
  ECONNRESET: 'reset',
  ECONNABORTED: 'reset',
  EPIPE: 'reset',
  EPROTO: 'tls',
  // The resolver of this machine did not answer. Whether the target is there can't be told from that.
  EAI_AGAIN: 'internal',
};
const TLS_CODE =
  /^(?:ERR_TLS_|ERR_SSL_|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|PATH_LENGTH_)/;

const textOf = (value: unknown): string => (value instanceof Error ? value.message : String(value));

/** The `code` of an error as Node and PostgreSQL set it; undefined where there is none. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** What went wrong with a connection. Decided by the error's code, never by its text. */
export function networkFailure(error: unknown, where: string): Failure {
  const code = errorCode(error) ?? '';
  // A name with several addresses gives one error for all of them, without a text of its own.
  const text = error instanceof AggregateError ? error.errors.map(textOf).join('; ') : textOf(error);
  const message = text.includes(where) ? text : `${text} (${where})`;
  if (code.startsWith('HPE_')) return { code: 'protocol', message };
  if (TLS_CODE.test(code)) return { code: 'tls', message };
  return { code: CODES[code] ?? 'internal', message };
}

/**
 * The name had not been resolved when the deadline came. The resolver of this machine is silent, and an outage of name
 * resolution takes every vantage that shares it at the same time: nothing is learnt of the target.
 */
export const notResolved = (where: string): Failure => ({
  code: 'internal',
  message: `the name was not resolved before the deadline (${where})`,
});

export const timedOut = (where: string, waitingFor: string): Failure => ({
  code: 'timeout',
  message: `no ${waitingFor} before the deadline (${where})`,
});
