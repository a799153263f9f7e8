/**
 * Why a part of the lab could not do what it was asked. A closed set, so that a scenario can tell "the machine is slow"
 * from "the request was wrong" without reading a sentence.
 */
export type LabErrorCode =
  | 'bad-input'
  | 'command-failed'
  | 'copy-failed'
  | 'interrupted'
  | 'not-reachable'
  | 'not-running'
  | 'not-traversable'
  | 'start-failed'
  | 'start-timeout'
  | 'stop-timeout'
  | 'timeout';

/** An error of the lab: a code to decide by, a message that names the thing, and what a person can do about it. */
export class LabError extends Error {
  readonly code: LabErrorCode;
  readonly remedy: string;

  constructor(code: LabErrorCode, message: string, remedy = '') {
    super(remedy === '' ? message : `${message} (${remedy})`);
    this.name = 'LabError';
    this.code = code;
    this.remedy = remedy;
  }
}

/** The text of whatever was thrown, for a log line. Nothing decides by it. */
export function textOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(textOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node or PostgreSQL error (`ENOENT`, `25006`, ...), when it has one. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
