import { spawn } from 'node:child_process';
import { LabError, textOf } from './errors.ts';
import type { ServerUser } from './user.ts';

/** More than any tool of the lab prints; what comes after is dropped, so that a babbling tool can't fill the memory. */
const OUTPUT_LIMIT_BYTES = 1_048_576;

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly user?: ServerUser | undefined;
  readonly timeoutMs: number;
  readonly stdin?: string;
}

export interface CommandResult {
  /** The exit code; null when a signal ended it. */
  readonly exitCode: number | null;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run a tool to its end, in its own process group, which is killed whole when the time is up. */
export async function run(argv: readonly [string, ...string[]], options: CommandOptions): Promise<CommandResult> {
  const [file, ...args] = argv;
  return await new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      detached: true,
      stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ...options.user,
    });
    const out = collector();
    const err = collector();
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child.pid);
      // Whatever left the group and still holds a pipe would keep `close` away for as long as it lives.
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, options.timeoutMs);
    child.stdout?.on('data', out.add);
    child.stderr?.on('data', err.add);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(new LabError('command-failed', `${file}: ${textOf(error)}`));
    });
    child.once('close', (exitCode) => {
      clearTimeout(timer);
      resolve({ exitCode, timedOut, stdout: out.text(), stderr: err.text() });
    });
    // A tool may end without reading its input: its exit code says the rest.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.stdin);
  });
}

/** Like `run`, and anything but exit 0 in time is an error that quotes the tool's last words. */
export async function mustRun(argv: readonly [string, ...string[]], options: CommandOptions): Promise<CommandResult> {
  const result = await run(argv, options);
  if (result.exitCode === 0 && !result.timedOut) return result;
  const how = result.timedOut ? `no end within ${options.timeoutMs} ms` : `exit ${result.exitCode ?? 'by signal'}`;
  throw new LabError('command-failed', `${argv[0]}: ${how}: ${tail(result.stderr || result.stdout)}`);
}

/** The last lines of a text on one line, short enough for a message. */
export function tail(text: string, limitChars = 600): string {
  return text
    .trim()
    .slice(-limitChars)
    .replaceAll(/\s*\n\s*/g, ' | ');
}

/** Nothing of the caller's environment reaches a server: PGDATA or PGPORT there would change what it does. */
export function serverEnv(libDir: string | undefined): NodeJS.ProcessEnv {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  return libDir === undefined ? env : { ...env, LD_LIBRARY_PATH: libDir };
}

function collector(): { add: (chunk: Buffer) => void; text: () => string } {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return {
    add: (chunk) => {
      if (bytes < OUTPUT_LIMIT_BYTES) chunks.push(chunk);
      bytes += chunk.length;
    },
    text: () => Buffer.concat(chunks).toString('utf8'),
  };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group ended between the timer and here, which is what was wanted.
  }
}
