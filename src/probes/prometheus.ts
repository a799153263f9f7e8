/**
 * Asks one Prometheus for one value, at this instant (`/api/v1/query`). Everything that is not exactly one finite number
 * is a failure with its own name: it is told, and never taken for well or for bad (design §2, §4).
 */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { ProbeErrorCode } from '../model/evidence.ts';
import type { WallMs } from '../model/primitives.ts';
import { type Api, addressIn, answerFailure, get, parsed, statusFailure } from './api-request.ts';
import type { Failure } from './failure.ts';
import { type HttpResult, urlText } from './http-request.ts';

/** As much of a server's own words as helps a person. */
const EXCERPT_LENGTH = 300;
/** Series that are named where there are several. */
const MOST_NAMED = 2;

export type Question = {
  readonly promql: string;
  /** The instant it is asked for; null = the server's own now. */
  readonly at: WallMs | null;
};

export type Answer =
  | {
      readonly kind: 'value';
      readonly value: number;
      /** When it was evaluated, by the server's clock. */
      readonly at: WallMs;
    }
  | { readonly kind: 'failed'; readonly reached: 'none' | 'connect' | 'respond'; readonly failure: Failure };

export type Asking = { readonly signal: AbortSignal; readonly log: (line: string) => void };

const Labels = Type.Record(Type.String(), Type.String());
/** Seconds since the epoch, and the value as text. A histogram stands under another key, and is no value. */
const Sample = Type.Tuple([Type.Number(), Type.String({ maxLength: 64 })]);
const Success = Type.Object({
  status: Type.Literal('success'),
  data: Type.Object({ resultType: Type.String(), result: Type.Array(Type.Unknown()) }),
  warnings: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
});
const Refusal = Type.Object({ status: Type.Literal('error'), errorType: Type.String(), error: Type.String() });
const Series = Type.Object({ metric: Labels, value: Type.Optional(Sample) });
type Series = Static<typeof Series>;

const checks = {
  success: Compile(Success),
  refusal: Compile(Refusal),
  scalar: Compile(Sample),
  series: Compile(Type.Array(Series)),
};

/** Never rejects. The signal is the deadline. */
export async function askPrometheus(api: Api, question: Question, { signal, log }: Asking): Promise<Answer> {
  const url = addressIn(api, queryPath(question));
  const result = await get({ ...api, url, signal, log });
  if (result.kind === 'failed') return { kind: 'failed', reached: result.reached, failure: result.failure };
  const read = valueIn(result, url);
  return 'code' in read ? { kind: 'failed', reached: 'respond', failure: read } : { kind: 'value', ...read };
}

function queryPath({ promql, at }: Question): string {
  const query = new URLSearchParams({ query: promql });
  if (at !== null) query.set('time', String(at / 1000));
  return `api/v1/query?${query}`;
}

type Value = { readonly value: number; readonly at: WallMs };
type Answered = Extract<HttpResult, { kind: 'answered' }>;

function valueIn(result: Answered, url: URL): Value | Failure {
  const failure = answerFailure(result, url);
  if (failure !== null) return failure;
  const where = urlText(url);
  const answer = parsed(result.body);
  // An error speaks for itself, whatever status it came with.
  if (checks.refusal.Check(answer)) return refused(answer, where);
  const status = statusFailure(result, url);
  if (status !== null) return status;
  if (!checks.success.Check(answer)) return stranger(where);
  // Part of the data was missing when it was evaluated: what the rest adds up to is another question's answer.
  const [warning] = answer.warnings ?? [];
  if (warning !== undefined) return { code: 'failed', message: `Prometheus warns: ${excerpt(warning)}` };
  return oneValue(answer.data, where);
}

const stranger = (where: string): Failure => ({
  code: 'protocol',
  message: `${where} did not answer as Prometheus’ API does`,
});

/** What an error of the API is to us. What is not here is the server's own trouble. */
const ERROR_TYPES: Readonly<Record<string, ProbeErrorCode>> = {
  bad_data: 'query',
  execution: 'query',
  timeout: 'timeout',
};

const refused = ({ errorType, error }: Static<typeof Refusal>, where: string): Failure => ({
  code: (Object.hasOwn(ERROR_TYPES, errorType) ? ERROR_TYPES[errorType] : undefined) ?? 'failed',
  message: `Prometheus refuses it (${excerpt(errorType)}): ${excerpt(error)} (${where})`,
});

function oneValue({ resultType, result }: Static<typeof Success>['data'], where: string): Value | Failure {
  if (resultType === 'scalar') return checks.scalar.Check(result) ? numberIn(result) : stranger(where);
  if (resultType !== 'vector')
    return { code: 'query', message: `the expression gives a ${excerpt(resultType)}, where one value is meant` };
  if (!checks.series.Check(result)) return stranger(where);
  const [first] = result;
  if (first === undefined)
    return { code: 'empty', message: 'no series: nothing matches, or nothing was scraped lately' };
  if (result.length > 1) {
    const named = result.slice(0, MOST_NAMED).map(labelsText).join(' and ');
    return {
      code: 'several',
      message: `${result.length} series where one value is meant, such as ${named}: aggregate them, as sum() or max() does`,
    };
  }
  if (first.value === undefined)
    return { code: 'no-number', message: `a histogram where one number is meant: ${labelsText(first)}` };
  return numberIn(first.value);
}

/** Go writes a float so; what else Number() takes (nothing at all, blanks, 0x10) is none. */
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

function numberIn([seconds, text]: Static<typeof Sample>): Value | Failure {
  const value = NUMBER.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value))
    return { code: 'no-number', message: `the value is ${excerpt(text)}, which says neither well nor bad` };
  return { value, at: Math.round(seconds * 1000) };
}

const labelsText = ({ metric }: Series): string => excerpt(JSON.stringify(metric)).slice(0, EXCERPT_LENGTH / 3);

/** One line of printable text: it is a stranger's. */
const excerpt = (text: string): string => text.slice(0, EXCERPT_LENGTH).replace(/[^\x20-\x7e]+/g, ' ');
