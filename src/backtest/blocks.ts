/**
 * A directory of Prometheus' blocks, read by a real Prometheus that is started for it and ended afterwards. It works on
 * links to the files, in a folder of its own, with no compaction and no end of retention: the directory stays as it is.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { access, constants, copyFile, link, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { systemTimers } from '../runtime/timers.ts';
import { HistoryError } from './error.ts';
import type { Server } from './prometheus.ts';

const HOST = '127.0.0.1';
const START_WITHIN_MS = 120_000;
const LOOK_EVERY_MS = 100;
const END_WITHIN_MS = 10_000;
export const PROMETHEUS_VARIABLE = 'FAILOVERD_PROMETHEUS';

export type BlockServer = { readonly server: Server; stop(): Promise<void> };

export type BlockOptions = {
  readonly dir: string;
  /** An environment variable; `FAILOVERD_PROMETHEUS` names the program, else PATH is searched. */
  readonly variable: (name: string) => string | undefined;
  readonly signal: AbortSignal;
};

/** Throws a {@link HistoryError} when there are no blocks, no Prometheus, or it does not start. */
export async function serveBlocks({ dir, variable, signal }: BlockOptions): Promise<BlockServer> {
  const blocks = await blocksIn(dir);
  const program = await findPrometheus(variable);
  const scratch = await mkdtemp(join(tmpdir(), 'failoverd-backtest-'));
  let child: ChildProcess | null = null;
  const stop = async (): Promise<void> => {
    if (child !== null) await end(child);
    await rm(scratch, { recursive: true, force: true });
  };
  try {
    const data = join(scratch, 'data');
    for (const block of blocks) await linkTree(join(dir, block), join(data, block));
    const config = join(scratch, 'prometheus.yml');
    await writeFile(config, '{}\n');
    const port = await freePort();
    const log: string[] = [];
    child = spawn(
      program,
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${data}`,
        '--storage.tsdb.retention.time=100y',
        // Blocks are not merged: it would take longer than to read them.
        '--storage.tsdb.min-block-duration=2h',
        '--storage.tsdb.max-block-duration=2h',
        `--web.listen-address=${HOST}:${port}`,
        '--log.level=warn',
      ],
      { cwd: scratch, env: { PATH: variable('PATH') ?? '' }, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log.push(text);
      if (log.length > 50) log.shift();
    });
    const url = new URL(`http://${HOST}:${port}/`);
    await ready(child, url, log, signal);
    return { server: { url, credentials: null }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Names of the blocks: folders with a `meta.json`. */
async function blocksIn(dir: string): Promise<string[]> {
  const names = await readdir(dir, { withFileTypes: true }).catch((error: unknown) => {
    throw new HistoryError(`${dir} can’t be read (${codeOf(error)})`, 'name the folder that holds the blocks', {
      cause: error,
    });
  });
  const blocks: string[] = [];
  for (const entry of names) {
    if (!entry.isDirectory()) continue;
    const meta = await readFile(join(dir, entry.name, 'meta.json'), 'utf8').catch(() => null);
    if (meta?.includes('"ulid"')) blocks.push(entry.name);
  }
  if (blocks.length === 0)
    throw new HistoryError(
      `there is no block of Prometheus in ${dir}`,
      'name a data folder of Prometheus, or a snapshot: its subfolders hold meta.json, index and chunks',
    );
  return blocks;
}

async function findPrometheus(variable: BlockOptions['variable']): Promise<string> {
  const named = variable(PROMETHEUS_VARIABLE);
  const remedy = `install Prometheus (Debian: apt-get install prometheus; else prometheus.io/download) so that it is on PATH, or name the program in ${PROMETHEUS_VARIABLE}; or ask one that runs by --prometheus`;
  if (named !== undefined && named !== '') {
    if (await isProgram(resolve(named))) return resolve(named);
    throw new HistoryError(`${PROMETHEUS_VARIABLE} = ${named} is no program`, remedy);
  }
  for (const folder of (variable('PATH') ?? '').split(delimiter).filter((part) => isAbsolute(part)))
    if (await isProgram(join(folder, 'prometheus'))) return join(folder, 'prometheus');
  throw new HistoryError('there is no Prometheus on PATH to read the blocks with', remedy);
}

const isProgram = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

/** Links where the file system allows it: Prometheus replaces files and never writes into those of a block. */
async function linkTree(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await linkTree(source, target);
    else if (entry.isFile()) await link(source, target).catch(() => copyFile(source, target));
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);

function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const server = createServer();
    server.once('error', failed);
    server.listen(0, HOST, () => {
      const address = server.address();
      server.close(() => found(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

const pause = (ms: number): Promise<void> => new Promise((done) => systemTimers.after(ms, done));

async function ready(child: ChildProcess, url: URL, log: readonly string[], signal: AbortSignal): Promise<void> {
  let failed: string | null = null;
  child.once('error', (error) => {
    failed = error.message;
  });
  child.once('exit', (code, by) => {
    failed ??= `it ended (${code ?? by})`;
  });
  for (let waitedMs = 0; waitedMs < START_WITHIN_MS; waitedMs += LOOK_EVERY_MS) {
    signal.throwIfAborted();
    if (failed !== null) break;
    const answered = await fetch(new URL('-/ready', url), { signal }).then(
      async (response) => {
        await response.body?.cancel();
        return response.ok;
      },
      () => false,
    );
    if (answered) return;
    await pause(LOOK_EVERY_MS);
  }
  const words = log.join('').trim().split('\n').at(-1)?.slice(0, 300) ?? '';
  throw new HistoryError(
    `Prometheus did not start on the blocks: ${failed ?? `not ready within ${START_WITHIN_MS / 1000} s`}`,
    words === '' ? 'start it on the folder by hand to see why' : `it said: ${words}`,
  );
}

/** Asked first, then made to; the files are gone only once it is. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  child.kill('SIGTERM');
  const cancel = systemTimers.after(END_WITHIN_MS, () => child.kill('SIGKILL'));
  await ended;
  cancel();
}
