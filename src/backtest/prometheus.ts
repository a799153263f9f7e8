/**
 * Asks Prometheus for a range of history (`/api/v1/query_range`), in chunks below its limit of 11,000 points, and gives it
 * back as columns: one number for each step, NaN where there is none.
 *
 * Prometheus goes on telling a sample for 5 minutes after the last one. It is left to, as it is when the daemon asks, or
 * an expression would be made of other series than there; and how old the samples are is asked beside it.
 */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { readPromql } from '../model/promql.ts';
import { authorizationOf, type HttpCredentials } from '../runtime/http-credentials.ts';
import { systemTimers } from '../runtime/timers.ts';
import { HistoryError } from './error.ts';
import type { Column } from './history.ts';

export type Server = {
  readonly url: URL;
  readonly credentials: HttpCredentials | null;
};
export type Range = {
  readonly from: number;
  readonly stepMs: number;
  readonly count: number;
  /** For how long a sample counts where nothing else says so. */
  readonly staleAfterMs: number;
};
export type Series = { readonly labels: Readonly<Record<string, string>>; readonly values: Column };

/** Prometheus refuses more than 11,000 points for each series. */
const MOST_POINTS = 10_000;
const ANSWER_WITHIN_MS = 120_000;
const EXCERPT_LENGTH = 300;

const Success = Compile(
  Type.Object({
    status: Type.Literal('success'),
    data: Type.Object({
      resultType: Type.Literal('matrix'),
      result: Type.Array(
        Type.Object({
          metric: Type.Record(Type.String(), Type.String()),
          values: Type.Optional(Type.Array(Type.Tuple([Type.Number(), Type.String()]))),
        }),
      ),
    }),
    warnings: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  }),
);
const Refusal = Compile(Type.Object({ status: Type.Literal('error'), errorType: Type.String(), error: Type.String() }));

/** Every series of an expression. Throws a {@link HistoryError} that names the expression and what the server said. */
export async function askRange(server: Server, promql: string, range: Range, signal: AbortSignal): Promise<Series[]> {
  const found = new Map<string, { labels: Series['labels']; values: Column }>();
  for (let first = 0; first < range.count; first += MOST_POINTS) {
    const last = Math.min(range.count, first + MOST_POINTS) - 1;
    const result = await askChunk(server, promql, range, first, last, signal);
    for (const { metric, values } of result) {
      const key = JSON.stringify(Object.entries(metric).sort());
      let column = found.get(key);
      if (column === undefined) {
        column = { labels: metric, values: new Float64Array(range.count).fill(Number.NaN) };
        found.set(key, column);
      }
      for (const [seconds, text] of values ?? []) {
        const index = Math.round((seconds * 1000 - range.from) / range.stepMs);
        if (index >= 0 && index < range.count) column.values[index] = text === 'NaN' ? Number.NaN : Number(text);
      }
    }
  }
  return [...found.values()];
}

/**
 * As {@link askRange}, without what is made of a sample older than `staleAfterMs`, as the daemon judges it (decision 0009). Of
 * a plain selector it is asked beside it whether a sample of each series lies that near; of an expression that computes,
 * whether all that it looks at does.
 *
 * The daemon asks how old the oldest sample is. Over a range that takes Prometheus seconds for each series; whether one is
 * too old takes a hundredth of it, and is all that is judged here.
 */
export async function askFresh(server: Server, promql: string, range: Range, signal: AbortSignal): Promise<Series[]> {
  const series = await askRange(server, promql, range, signal);
  const read = readPromql(promql);
  // One that looks at no sample of now is of the instant it was evaluated.
  if (series.length === 0 || read.kind === 'refused' || read.selectors.length === 0) return series;
  const within = (selector: string): string =>
    `present_over_time(${selector}\n[${Math.ceil(range.staleAfterMs / 1000)}s])`;
  const [only] = read.selectors;
  if (read.selectors.length === 1 && only === promql.trim())
    return keptWhere(series, await askRange(server, within(only), range, signal), range);
  const tooOld = read.selectors.map((selector) => `count(${selector}\nunless ${within(selector)})`).join(' or ');
  const [old] = await askRange(server, tooOld, range, signal);
  for (const { values } of series)
    for (let index = 0; index < range.count; index += 1)
      if (!Number.isNaN(old?.values[index] ?? Number.NaN)) values[index] = Number.NaN;
  return series;
}

/** Each series where the one of the same labels is known. */
function keptWhere(series: Series[], present: readonly Series[], { count }: Range): Series[] {
  const presentOf = new Map(present.map((one) => [nameless(one), one.values]));
  for (const one of series) {
    const known = presentOf.get(nameless(one));
    for (let index = 0; index < count; index += 1)
      if (Number.isNaN(known?.[index] ?? Number.NaN)) one.values[index] = Number.NaN;
  }
  return series;
}

const nameless = ({ labels }: Series): string =>
  JSON.stringify(
    Object.entries(labels)
      .filter(([label]) => label !== '__name__')
      .sort(),
  );

async function askChunk(
  server: Server,
  promql: string,
  { from, stepMs }: Range,
  first: number,
  last: number,
  signal: AbortSignal,
) {
  const body = new URLSearchParams({
    query: promql,
    start: String((from + first * stepMs) / 1000),
    end: String((from + last * stepMs) / 1000),
    step: String(stepMs / 1000),
  });
  const answer = await post(server, 'api/v1/query_range', body, signal);
  if (Success.Check(answer.body)) {
    const [warning] = answer.body.warnings ?? [];
    if (warning !== undefined)
      throw new HistoryError(
        `Prometheus warns on ${promql}: ${excerpt(warning)}`,
        'part of the data was missing: ask a server that has all of it',
      );
    return answer.body.data.result;
  }
  if (Refusal.Check(answer.body)) {
    const { errorType, error } = answer.body;
    const refused = errorType === 'bad_data' || errorType === 'execution';
    throw new HistoryError(
      `Prometheus refuses ${promql} (${excerpt(errorType)}): ${excerpt(error)}`,
      refused ? 'mend the expression' : 'try a shorter range or a longer --step',
      { refused },
    );
  }
  throw stranger(server, answer.status);
}

function stranger(server: Server, status: number): HistoryError {
  const where = `${server.url.origin}${server.url.pathname}`;
  if (status === 401 || status === 403)
    return new HistoryError(`${where} does not accept our credentials (${status})`, 'give a token by --token-file');
  return new HistoryError(
    `${where} does not answer like a Prometheus (${status})`,
    'give its address, with its path prefix',
  );
}

async function post(
  server: Server,
  path: string,
  body: URLSearchParams,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const base = server.url.href.endsWith('/') ? server.url : new URL(`${server.url.href}/`);
  const late = new AbortController();
  const cancel = systemTimers.after(ANSWER_WITHIN_MS, () => late.abort());
  try {
    const response = await fetch(new URL(path, base), {
      method: 'POST',
      headers: {
        accept: 'application/json',
        'user-agent': 'failoverd',
        ...(server.credentials === null ? {} : { authorization: authorizationOf(server.credentials) }),
      },
      body,
      redirect: 'error',
      signal: AbortSignal.any([late.signal, signal]),
    });
    return { status: response.status, body: parsed(await response.text()) };
  } catch (error) {
    signal.throwIfAborted();
    const where = `${server.url.origin}${server.url.pathname}`;
    if (late.signal.aborted)
      throw new HistoryError(`${where} did not answer in ${ANSWER_WITHIN_MS / 1000} s`, 'try a shorter range', {
        cause: error,
      });
    throw new HistoryError(
      `nothing answers at ${where} (${reason(error)})`,
      'is Prometheus running, and the address right?',
      {
        cause: error,
      },
    );
  } finally {
    cancel();
  }
}

/** The code of the system call under fetch's own error. */
function reason(error: unknown): string {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const code = 'code' in cause ? cause.code : undefined;
    if (typeof code === 'string') return code;
    if (cause.cause === undefined) return cause.message;
  }
  return String(error);
}

/** One line of printable text: it is a stranger's. */
const excerpt = (text: string): string => text.slice(0, EXCERPT_LENGTH).replace(/[^\x20-\x7e]+/g, ' ');

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
