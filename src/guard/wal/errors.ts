/** What can go wrong with the log of a PostgreSQL that is down, as a closed set of codes; the sentence is for people. */
export type WalErrorCode =
  /** A program of PostgreSQL is not where it was looked for, or did not run. */
  | 'tool-missing'
  /** It ran, and ended with a complaint that says nothing about the data. */
  | 'tool-failed'
  /** Not a data directory, or one of another cluster than was expected. */
  | 'not-this-cluster'
  /** What must be valid is not: the checkpoint's own record, or a part that was acknowledged before. */
  | 'wal-damaged'
  /** A segment that is needed is gone. */
  | 'wal-missing'
  /** A PostgreSQL works in the data directory, or nobody can say that none does. */
  | 'running'
  | 'disk-full'
  /** What was copied or received is not what was sent. */
  | 'checksum'
  /** The two sides share no history, or have not parted. */
  | 'no-fork'
  /** The divergent log is not archived whole. */
  | 'not-archived'
  /** The other side did not answer, or not what was asked for. */
  | 'unreachable'
  | 'timeout'
  | 'aborted';

export class WalError extends Error {
  readonly code: WalErrorCode;
  /** What a person can do about it. */
  readonly remedy: string | null;

  constructor(code: WalErrorCode, message: string, remedy: string | null = null) {
    super(message);
    this.name = 'WalError';
    this.code = code;
    this.remedy = remedy;
  }
}

export const systemCodeOf = (error: unknown): string | null =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;

export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The error to go on with: a full disk is a case of its own, anything else is passed on as it came. */
export function orDiskFull(error: unknown, doing: string): unknown {
  const code = systemCodeOf(error);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new WalError(
    'disk-full',
    `no space left while ${doing}`,
    'make room there, then try again: it goes on where it stopped',
  );
}

/** Throws when the caller has given up. */
export function goOn(signal: AbortSignal, doing: string): void {
  if (signal.aborted) throw new WalError('aborted', `given up while ${doing}`);
}
