/**
 * Prometheus as the configuration names it: servers that are asked, and PromQL expressions that are named as facts
 * (design §4). A fact is one number, or a verdict made of one number; whatever else is answered is unknown.
 */
import Type, { type Static } from 'typebox';
import {
  basic,
  Comparison,
  described,
  reference,
  says,
  secret,
  span,
  spanWithoutDefault,
  tlsClient,
  url,
} from './forms.ts';
import { durationMs, type RegionId, type Verdict } from './primitives.ts';
import type { MetricFact } from './row-facts.ts';

export const PrometheusConfig = Type.Object(
  {
    url: url('Address of the server, with its path prefix'),
    replicas: Type.Optional(
      Type.Array(url('Address of one more server, with its path prefix'), {
        minItems: 1,
        maxItems: 3,
        description:
          'Servers beside it that scrape the same targets, as an HA pair does: the first with an answer counts, and a verdict they disagree on is unknown',
      }),
    ),
    region: reference('Where it stands; decides the path of its evidence'),
    bearer: Type.Optional(secret('Token that is presented to it; either this or basic')),
    basic: Type.Optional(basic('User and password that are presented to it; either this or bearer')),
    tls: Type.Optional(tlsClient('it, by https')),
    timeout: span('5s', 'How long an answer may take'),
    scrapeInterval: span('30s', 'How often it scrapes what the facts read'),
  },
  described('A Prometheus, or what answers like one'),
);
export type PrometheusConfig = Static<typeof PrometheusConfig>;

export const MetricFactConfig = Type.Object(
  {
    promql: Type.String({
      minLength: 1,
      maxLength: 2000,
      description: 'PromQL that gives one value: one series, or a scalar',
    }),
    server: Type.Optional(reference('The Prometheus that is asked. Default: the only one that is named')),
    type: Type.Optional(
      Type.Enum(['number', 'verdict'], {
        default: 'number',
        description: 'How rows read it: a number is compared, a verdict is read by ok(), bad() and unknown()',
      }),
    ),
    bad: Type.Optional(
      Type.Unsafe<string>({
        ...Comparison,
        description: 'For a verdict: which values are bad, such as "> 0" or "== 0"; all others are ok',
      }),
    ),
    unit: Type.Optional(Type.String({ minLength: 1, maxLength: 30, description: 'Unit of the number, for people' })),
    region: Type.Optional(reference('The region it speaks of. Default: the one that is active')),
    every: span('15s', 'How often it is asked'),
    fresh: spanWithoutDefault(
      'How old a sample may be; an older one is unknown. Default: two intervals, of scraping or of asking, whichever is longer. Longer for exporters that lag, as CloudWatch’s do',
    ),
    says: Type.Optional(Type.String(says('What it tells, in words for people'))),
  },
  described('A PromQL expression, named as a fact'),
);
export type MetricFactConfig = Static<typeof MetricFactConfig>;

export const COMPARATORS = {
  '>': (value: number, limit: number) => value > limit,
  '>=': (value: number, limit: number) => value >= limit,
  '<': (value: number, limit: number) => value < limit,
  '<=': (value: number, limit: number) => value <= limit,
  '==': (value: number, limit: number) => value === limit,
  '!=': (value: number, limit: number) => value !== limit,
} as const;
export type Comparator = keyof typeof COMPARATORS;
export type BadWhen = { readonly comparator: Comparator; readonly limit: number };

/** What a number says; of one that is no verdict there is nothing to say but that it is known. */
export const metricVerdict = (bad: BadWhen | null, value: number): Exclude<Verdict, 'unknown'> =>
  bad !== null && COMPARATORS[bad.comparator](value, bad.limit) ? 'bad' : 'ok';

/** A fact as the core reads it. */
export type MetricSettings = MetricFact & {
  readonly promql: string;
  /** Which numbers are bad; null for a number. */
  readonly bad: BadWhen | null;
  readonly unit: string | null;
  readonly server: string;
  /** Servers that are asked: the one named, and its replicas. */
  readonly replicas: number;
  /** Where they stand. */
  readonly from: RegionId;
  /** The region it speaks of; null = the one that is active. */
  readonly about: RegionId | null;
  readonly everyMs: number;
  readonly timeoutMs: number;
  /** A sample older than this says nothing any more. */
  readonly freshMs: number;
  readonly says: string | null;
};

const spanMs = (text: string | undefined, fallback: string): number => durationMs(text ?? fallback);

/** Throws a RangeError on text that is no comparison: the schema keeps such text out. */
export function badWhen(text: string): BadWhen {
  const [, comparator, limit] = /^([<>]=?|[=!]=) ?(-?\d+(?:\.\d+)?)$/.exec(text) ?? [];
  if (comparator === undefined || !Object.hasOwn(COMPARATORS, comparator))
    throw new RangeError(`not a comparison: ${text}`);
  return { comparator: comparator as Comparator, limit: Number(limit) };
}

/** The server a fact asks: the one it names, or the only one there is; null where that can't be said. */
export function serverOf(
  fact: MetricFactConfig,
  servers: Readonly<Record<string, PrometheusConfig>>,
): { readonly name: string; readonly server: PrometheusConfig } | null {
  const names = Object.keys(servers);
  const name = fact.server ?? (names.length === 1 ? names[0] : undefined);
  if (name === undefined || !Object.hasOwn(servers, name)) return null;
  const server = servers[name];
  return server === undefined ? null : { name, server };
}

/** A fact whose server is not declared keeps its place, so that only that is told of it; a checked config has none. */
export function metricSettings(
  facts: Readonly<Record<string, MetricFactConfig>>,
  servers: Readonly<Record<string, PrometheusConfig>>,
): readonly MetricSettings[] {
  return Object.entries(facts).map(([id, fact]) => {
    const asked = serverOf(fact, servers);
    const everyMs = spanMs(fact.every, '15s');
    const scrapeMs = spanMs(asked?.server.scrapeInterval, '30s');
    const type = fact.type ?? 'number';
    return {
      id,
      type,
      promql: fact.promql,
      bad: type === 'verdict' && fact.bad !== undefined ? badWhen(fact.bad) : null,
      unit: fact.unit ?? null,
      server: asked?.name ?? fact.server ?? '',
      replicas: 1 + (asked?.server.replicas?.length ?? 0),
      from: asked?.server.region ?? '',
      about: fact.region ?? null,
      everyMs,
      timeoutMs: spanMs(asked?.server.timeout, '5s'),
      freshMs: fact.fresh === undefined ? 2 * Math.max(everyMs, scrapeMs) : durationMs(fact.fresh),
      says: fact.says ?? null,
    };
  });
}
