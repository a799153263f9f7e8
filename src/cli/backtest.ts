/**
 * `failoverd backtest`: what the matrix of a config would have decided over a stretch of Prometheus' history, judged by the
 * same core as in the daemon. It asks, and does nothing else: no action, no page, no journal.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import Value from 'typebox/value';
import { ASSUMABLE, type Assumable } from '../backtest/assumed.ts';
import { type BlockServer, serveBlocks } from '../backtest/blocks.ts';
import { HistoryError } from '../backtest/error.ts';
import { framesOf } from '../backtest/frames.ts';
import type { History } from '../backtest/history.ts';
import { type BacktestMap, loadMap } from '../backtest/map.ts';
import type { Range, Server } from '../backtest/prometheus.ts';
import { collect } from '../backtest/report.ts';
import { gather } from '../backtest/sources.ts';
import { rfc3339Ms } from '../daemon/intake.ts';
import { replay } from '../engine/replay.ts';
import { Duration, durationMs } from '../model/primitives.ts';
import { systemClock } from '../runtime/clock.ts';
import { loadConfig } from '../runtime/config/load.ts';
import { problemText } from '../runtime/config/problem.ts';
import { isBearerToken } from '../runtime/token.ts';
import { type BacktestResult, backtestLines } from './backtest-text.ts';
import { type Command, EXIT, readArgs, type Shell, UsageError } from './command.ts';
import { painter, wrap } from './terminal.ts';

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  from: { type: 'string' },
  to: { type: 'string' },
  prometheus: { type: 'string' },
  'token-file': { type: 'string' },
  blocks: { type: 'string' },
  map: { type: 'string' },
  step: { type: 'string', default: '15s' },
  'stale-after': { type: 'string' },
  assume: { type: 'string', default: 'all' },
  json: { type: 'boolean', default: false },
} as const;
const USAGE = 'failoverd backtest --config FILE --from TIME (--prometheus URL | --blocks DIR)';
const STEP_MS = { least: 1000, most: 3_600_000 } as const;
/** Four years at 15 s; a column of it takes 64 MB. */
const MOST_STEPS = 8_000_000;
const STALE_LEAST_MS = 60_000;

/** Exit 0: it was replayed, whatever was found. Exit 1: the history could not be had. Exit 2: arguments, config or map. */
export const backtest: Command = async (args, shell) => {
  const { values, positionals } = readArgs(args, OPTIONS);
  if (positionals[0] !== undefined) throw new UsageError(`${positionals[0]} is one too many`, USAGE);
  if (values.config === undefined) throw new UsageError('no config is named', USAGE);
  const range = rangeOf(values);
  const assume = assumeOf(values.assume);
  const source = sourceOf(values, shell);
  const loaded = await loadConfig(values.config, shell.cwd);
  if (loaded.kind === 'refused') return refuse(loaded.problems.map(problemText), shell);
  const { settings } = loaded;
  let map: BacktestMap = {};
  if (values.map !== undefined) {
    const read = await loadMap(values.map, shell.cwd, settings);
    if (read.kind === 'refused') return refuse(read.problems, shell);
    map = read.map;
  }
  const stopping = new AbortController();
  const stop = (): void => stopping.abort(new HistoryError('stopped', 'begin it again when you want to know'));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  let gathered: Awaited<ReturnType<typeof gather>>;
  let blocks: BlockServer | null = null;
  try {
    if (source.kind === 'blocks') {
      shell.stderr(`backtest: starting Prometheus on ${source.dir}\n`);
      blocks = await serveBlocks({
        dir: resolve(shell.cwd, source.dir),
        variable: shell.variable,
        signal: stopping.signal,
      });
    }
    const server = source.kind === 'server' ? source.server : blocks?.server;
    if (server === undefined) throw new TypeError('a source is a server or blocks');
    gathered = await gather({
      server,
      settings,
      map,
      range,
      assume,
      signal: stopping.signal,
      asking: (what) => shell.stderr(`backtest: asking for ${what}\n`),
    });
  } catch (error) {
    if (!(error instanceof HistoryError)) throw error;
    for (const line of wrap(error.message, 'failoverd: ')) shell.stderr(`${line}\n`);
    for (const line of wrap(error.remedy, '  help: ')) shell.stderr(`${line}\n`);
    return EXIT.failed;
  } finally {
    await blocks?.stop();
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
  const { history, assumptions, missing } = gathered;
  const collector = collect(settings);
  const replayed = replay({
    settings,
    frames: framesOf(history, settings),
    skip: true,
    said: (entries, state) =>
      collector.said(
        entries.map(({ body }) => body),
        state,
      ),
    passed: progress(history, shell),
  });
  const to = history.from + (history.count - 1) * history.stepMs;
  const result: BacktestResult = {
    from: history.from,
    to,
    stepMs: history.stepMs,
    steps: history.count,
    looks: replayed.turns,
    groups: Object.values(settings.groups).map(({ id, title, businessHours, autonomy }) => ({
      group: id,
      title,
      autonomy,
      timeZone: businessHours?.timeZone ?? null,
    })),
    assumptions,
    missing,
    gaps: gapsOf(history),
    ...collector.end(to),
  };
  if (values.json) shell.stdout(`${JSON.stringify(result)}\n`);
  else shell.stdout(`${backtestLines(result, painter(shell.color)).join('\n')}\n`);
  return EXIT.done;
};

type Values = ReturnType<typeof readArgs<typeof OPTIONS>>['values'];

function rangeOf(values: Values): Range {
  if (values.from === undefined) throw new UsageError('where the history begins is not said', USAGE);
  const now = systemClock.wall();
  const stepMs = spanOf('step', values.step);
  if (stepMs < STEP_MS.least || stepMs > STEP_MS.most || stepMs % 1000 !== 0)
    throw new UsageError(`--step ${values.step} is out of range`, 'give whole seconds, from 1s to 1h');
  const from = Math.floor(timeOf('from', values.from, now) / stepMs) * stepMs;
  const to = values.to === undefined ? now : timeOf('to', values.to, now);
  if (values.to === undefined && from >= now)
    throw new UsageError(`--from ${values.from} lies ahead`, 'give a time of the past, such as 30d');
  if (to <= from) throw new UsageError('the history ends before it begins', 'give a --to after --from');
  const count = Math.floor((to - from) / stepMs) + 1;
  if (count > MOST_STEPS) throw new UsageError(`${count} steps are too many`, 'shorten the range, or lengthen --step');
  const stale = values['stale-after'];
  const staleAfterMs = stale === undefined ? Math.max(STALE_LEAST_MS, 4 * stepMs) : spanOf('stale-after', stale);
  if (staleAfterMs < stepMs)
    throw new UsageError(
      `--stale-after ${stale} is shorter than a step`,
      'let samples count for a step at least, and for longer than they are apart',
    );
  return { from, stepMs, count, staleAfterMs };
}

function assumeOf(text: string): ReadonlySet<Assumable> {
  if (text === 'all') return new Set(ASSUMABLE);
  if (text === 'nothing') return new Set();
  const names = text.split(',').map((name) => name.trim());
  const strange = names.find((name) => !ASSUMABLE.some((one) => one === name));
  if (strange !== undefined)
    throw new UsageError(
      `--assume ${text}: ${strange === '' ? 'an empty name' : strange} can’t be assumed`,
      `give all, nothing, or some of ${ASSUMABLE.join(', ')}, with commas between`,
    );
  return new Set(ASSUMABLE.filter((one) => names.includes(one)));
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const isSpan = (text: string): boolean => Value.Check(Duration, text);

function spanOf(option: string, text: string): number {
  if (!isSpan(text)) throw new UsageError(`--${option} ${text} is no span of time`, 'write it like 15s or 1m');
  return durationMs(text);
}

function timeOf(option: string, text: string, now: number): number {
  if (isSpan(text)) return now - durationMs(text);
  const at = rfc3339Ms(DAY.test(text) ? `${text}T00:00:00Z` : text);
  if (at === null)
    throw new UsageError(
      `--${option} ${text} is no time`,
      'write it like 2026-01-31T03:15:00Z, 2026-01-31, or 30d for so long ago',
    );
  return at;
}

type Source = { readonly kind: 'server'; readonly server: Server } | { readonly kind: 'blocks'; readonly dir: string };

function sourceOf(values: Values, shell: Shell): Source {
  const { prometheus, blocks } = values;
  if ((prometheus === undefined) === (blocks === undefined))
    throw new UsageError('one source of history is needed: a Prometheus, or a folder of its blocks', USAGE);
  if (blocks !== undefined) {
    if (values['token-file'] !== undefined) throw new UsageError('--token-file is for --prometheus', USAGE);
    return { kind: 'blocks', dir: blocks };
  }
  const text = prometheus ?? '';
  if (!/^https?:\/\/[^\s/]+/.test(text) || !URL.canParse(text))
    throw new UsageError(`${text} is no http or https address`, 'give one, such as --prometheus http://127.0.0.1:9090');
  const url = new URL(text);
  // Not repeated: what stands before the @ is a secret (invariant 24).
  if (url.username !== '' || url.password !== '')
    throw new UsageError(`the address of ${url.host} holds a user or password`, 'give a token by --token-file instead');
  const file = values['token-file'];
  return {
    kind: 'server',
    server: {
      url,
      credentials: file === undefined ? null : { kind: 'bearer', token: tokenIn(file, shell) },
    },
  };
}

function tokenIn(file: string, shell: Shell): string {
  let token: string;
  try {
    token = readFileSync(resolve(shell.cwd, file), 'utf8').trim();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new UsageError(`the token file ${file} can’t be read (${code})`, 'check its path and who may read it');
  }
  if (isBearerToken(token)) return token;
  throw new UsageError(`the token file ${file} holds no token`, 'it must hold the token alone');
}

function refuse(problems: readonly string[], shell: Shell): number {
  for (const problem of problems) shell.stderr(`error  ${problem}\n`);
  return EXIT.usage;
}

/** A word at each tenth of the way. */
function progress({ count, from, stepMs }: History, shell: Shell): (index: number) => void {
  let told = 0;
  return (index) => {
    const tenth = Math.floor(((index + 1) * 10) / count);
    if (tenth <= told) return;
    told = tenth;
    shell.stderr(`backtest: ${tenth * 10} %, at ${new Date(from + index * stepMs).toISOString()}\n`);
  };
}

function gapsOf({ alive, from, stepMs, count }: History): BacktestResult['gaps'] {
  const gaps: { from: number; to: number }[] = [];
  for (let index = 0; index < count; index += 1) {
    if (alive[index] === 1) continue;
    const at = from + index * stepMs;
    const last = gaps.at(-1);
    if (last !== undefined && last.to === at) last.to = at + stepMs;
    else gaps.push({ from: at, to: at + stepMs });
  }
  return gaps;
}
