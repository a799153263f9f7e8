/** Runs a program to its end: without a shell, without our environment, outside of the data directory, and for a bounded time. */
import { execFile } from 'node:child_process';

export type ProgramEnd = {
  /** Null = it did not end by itself in time, or was never started. */
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** One line about an end that isn't exit 0, for people. */
  readonly words: string;
};

export type ProgramOptions = {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: ServerUser | null;
  /** The data directory for what starts a server, so that a stop that cuts it off finds it; `/` for everything else. */
  readonly cwd?: string;
};

/** Whom PostgreSQL runs as, where the guard is root: PostgreSQL itself refuses to be. */
export type ServerUser = { readonly uid: number; readonly gid: number };

/** PGDATA or PGPORT in our environment would change what a program of PostgreSQL does. */
export const SERVER_ENV = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' } as const;

const OUTPUT_LIMIT_BYTES = 256 * 1024;

export function runProgram(argv: readonly string[], options: ProgramOptions): Promise<ProgramEnd> {
  const [program = '', ...args] = argv;
  const { signal, timeoutMs, env = SERVER_ENV, user, cwd = '/' } = options;
  return new Promise((resolve) => {
    const limits = {
      timeout: Math.max(1, Math.ceil(timeoutMs)),
      killSignal: 'SIGKILL',
      maxBuffer: OUTPUT_LIMIT_BYTES,
    } as const;
    execFile(program, args, { ...limits, ...(user ?? {}), cwd, env: { ...env }, signal }, (error, stdout, stderr) => {
      if (error === null) return resolve({ exit: 0, stdout, stderr, words: '' });
      const exit = typeof error.code === 'number' && error.signal == null ? error.code : null;
      const how =
        exit === null
          ? signal.aborted
            ? 'was cut off'
            : `did not end well (${error.signal ?? error.code ?? 'unknown'})`
          : `exit ${exit}`;
      resolve({ exit, stdout, stderr, words: `${program}: ${how}: ${lastWords(stderr || stdout)}` });
    });
  });
}

/** The end of a text on one line. */
export const lastWords = (text: string, limitChars = 400): string =>
  text
    .trim()
    .slice(-limitChars)
    .replaceAll(/\s*\n\s*/g, ' | ');
