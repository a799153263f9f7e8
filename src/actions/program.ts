/**
 * Runs a program of the configuration: without a shell, in a process group of its own, with bounded output and a
 * bounded time, after which the whole group is killed. Nothing of it outlives the call, so that nothing of it acts
 * later, under an epoch that is not its own.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Timers } from '../runtime/timers.ts';
import { textOf } from './context.ts';

/** What is kept of each of the two outputs; the rest is read and dropped. */
const KEPT_BYTES = 16_384;
/** How long the output may trail the end of the program. */
const DRAIN_MS = 100;

export type ProgramEnd =
  | { readonly kind: 'exit'; readonly exit: number }
  | { readonly kind: 'signal'; readonly signal: string }
  | { readonly kind: 'timeout' }
  /** It did not start: no process, no effect. `code` is the system's, such as ENOENT. */
  | { readonly kind: 'not-started'; readonly code: string | null; readonly message: string };
export type ProgramRun = { readonly end: ProgramEnd; readonly stdout: string; readonly stderr: string };

export type ProgramOptions = {
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly timers: Timers;
};

type Child = ChildProcessByStdio<null, Readable, Readable>;

export function runProgram(argv: readonly string[], options: ProgramOptions): Promise<ProgramRun> {
  const [program = '', ...args] = argv;
  return new Promise((resolve) => {
    let child: Child;
    try {
      child = spawn(program, args, { env: options.env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    } catch (error) {
      return resolve({ end: notStarted(error), stdout: '', stderr: '' });
    }
    const stdout = keep(child.stdout);
    const stderr = keep(child.stderr);
    let end: ProgramEnd | null = null;
    let cancelDrain = (): void => undefined;

    const finish = (): void => {
      if (end === null) return;
      cancelTimer();
      cancelDrain();
      options.signal.removeEventListener('abort', outOfTime);
      // Whatever left the group may hold the pipes for as long as it likes: not for us to wait for.
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ end, stdout: stdout(), stderr: stderr() });
    };
    const ended = (how: ProgramEnd): void => {
      if (end !== null) return;
      end = how;
      killGroup(child.pid);
      cancelDrain = options.timers.after(DRAIN_MS, finish);
    };
    const outOfTime = (): void => {
      ended({ kind: 'timeout' });
      finish();
    };
    const cancelTimer = options.timers.after(options.timeoutMs, outOfTime);
    options.signal.addEventListener('abort', outOfTime, { once: true });
    if (options.signal.aborted) outOfTime();

    child.once('error', (error) => {
      if (child.pid !== undefined) return;
      end = notStarted(error);
      finish();
    });
    child.once('exit', (exit, signal) => {
      ended(exit === null ? { kind: 'signal', signal: signal ?? 'unknown' } : { kind: 'exit', exit });
    });
    child.once('close', finish);
  });
}

const notStarted = (error: unknown): ProgramEnd => ({
  kind: 'not-started',
  code: error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null,
  message: textOf(error),
});

function keep(stream: Readable): () => string {
  const chunks: Buffer[] = [];
  let keptBytes = 0;
  stream.on('data', (chunk: Buffer) => {
    const part = chunk.subarray(0, KEPT_BYTES - keptBytes);
    if (part.length > 0) chunks.push(part);
    keptBytes += part.length;
  });
  // A pipe that breaks ends what can be read of it; the program's end is told by its process.
  stream.on('error', () => undefined);
  return () => Buffer.concat(chunks).toString('utf8');
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in the group, which is what was wanted.
  }
}

/** Whether a program is there and may be executed, looked for as the system does. */
export async function findProgram(
  program: string,
  path: string | undefined,
): Promise<'found' | 'not-found' | 'not-executable'> {
  const candidates =
    program.includes('/') || isAbsolute(program)
      ? [program]
      : (path ?? '').split(delimiter).map((folder) => join(folder, program));
  let best: 'not-found' | 'not-executable' = 'not-found';
  for (const candidate of candidates) {
    try {
      if (!(await stat(candidate)).isFile()) continue;
    } catch {
      // Not there, or not to be looked at: the next folder may have it.
      continue;
    }
    try {
      await access(candidate, constants.X_OK);
      return 'found';
    } catch {
      best = 'not-executable';
    }
  }
  return best;
}
