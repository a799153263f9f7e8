/**
 * Runs PostgreSQL's own programs: without a shell, with nothing of our environment (PGDATA or a locale there would change what
 * they do or say), and killed when the caller gives up.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { goOn, WalError } from './errors.ts';

/** Where PostgreSQL's programs are, and as whom they run. */
export type Programs = {
  /** The folder with `pg_controldata`, `pg_waldump` and the others, of the major version of the data directory. */
  readonly binDir: string;
  /** Where their libraries are, if not where the system looks. */
  readonly libDir?: string | undefined;
  /**
   * The owner of the data directory: as whom those run that write into it, which refuse root. Those that only read run as the
   * caller, who may look into an archive that the owner may not.
   */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
};

export type Tool = 'pg_controldata' | 'pg_waldump' | 'pg_rewind' | 'pg_basebackup';

const WRITING: readonly Tool[] = ['pg_rewind', 'pg_basebackup'];

/** What is kept of the complaints. */
const KEPT_CHARACTERS = 2000;

export type ToolEnd = { readonly exit: number | null; readonly complaint: string };

type Surroundings = {
  readonly env?: Readonly<Record<string, string>>;
  /**
   * A program that changes a data directory works in it, as the server's own processes do: where it outlives its caller, the
   * proof that nothing runs there fails as long as it does.
   */
  readonly cwd?: string;
};

function begin(tool: Tool, args: readonly string[], programs: Programs, { env, cwd }: Surroundings) {
  const path = join(programs.binDir, tool);
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(path, args, {
    cwd: cwd ?? '/',
    env: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      LC_ALL: 'C',
      TZ: 'UTC',
      ...(programs.libDir === undefined ? {} : { LD_LIBRARY_PATH: programs.libDir }),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(programs.user === undefined || !WRITING.includes(tool) ? {} : programs.user),
  });
  let complaint = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text: string) => {
    complaint = (complaint + text).slice(-KEPT_CHARACTERS);
  });
  const end = new Promise<ToolEnd>((resolve, reject) => {
    child.once('error', (error) =>
      reject(
        new WalError(
          'tool-missing',
          `${path} does not run: ${error.message}`,
          `install the programs of this PostgreSQL, or name the folder that has ${tool}`,
        ),
      ),
    );
    child.once('close', (exit) => resolve({ exit, complaint: oneLine(complaint) }));
  });
  // Whoever reads the output first hears of it from there; this keeps a failed start from being nobody's.
  end.catch(() => undefined);
  return { child, end };
}

const oneLine = (text: string): string => text.trim().replaceAll(/\s*\n\s*/g, ' | ');

/**
 * The lines that a program prints, as they come: nothing is gathered, however much it is. `end` is for after the last line.
 * @throws WalError `tool-missing`, `aborted`
 */
export async function* linesOf(
  tool: Tool,
  args: readonly string[],
  programs: Programs,
  signal: AbortSignal,
): AsyncGenerator<string, ToolEnd> {
  goOn(signal, `starting ${tool}`);
  const { child, end } = begin(tool, args, programs, {});
  const stop = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  try {
    yield* createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY });
    const ended = await end;
    goOn(signal, `reading what ${tool} says`);
    return ended;
  } finally {
    // Also where the reader has seen enough.
    stop();
    signal.removeEventListener('abort', stop);
  }
}

/** Runs it to its end; what it prints is kept, up to a megabyte. @throws WalError `tool-missing`, `aborted` */
export async function runTool(
  tool: Tool,
  args: readonly string[],
  programs: Programs,
  signal: AbortSignal,
  around: Surroundings = {},
): Promise<ToolEnd & { readonly output: string }> {
  goOn(signal, `starting ${tool}`);
  const { child, end } = begin(tool, args, programs, around);
  const stop = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  let output = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text: string) => {
    if (output.length < 1_048_576) output += text;
  });
  try {
    const ended = await end;
    goOn(signal, `running ${tool}`);
    return { ...ended, output };
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
