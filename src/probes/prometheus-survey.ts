/**
 * What a Prometheus knows that a config of ours wants to know: which Alertmanagers it sends to, which alerts it may
 * raise, and which regions its series name. Reads alone, over its HTTP API (v1).
 */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Failure } from './failure.ts';
import { request, urlText } from './http-request.ts';

/** Thousands of rules; more is no Prometheus that one group of ours has to do with. */
const ANSWER_LIMIT_BYTES = 16 * 1024 * 1024;

/** postgres_exporter 0.12 and newer; before it; cloudnative-pg. */
const LAG_METRICS: readonly string[] = ['pg_replication_lag_seconds', 'pg_replication_lag', 'cnpg_pg_replication_lag'];

const answerOf = <T extends Type.TSchema>(data: T) => Type.Object({ status: Type.Literal('success'), data });
const Build = Compile(answerOf(Type.Object({ version: Type.String() })));
const Alertmanagers = Compile(
  answerOf(Type.Object({ activeAlertmanagers: Type.Array(Type.Object({ url: Type.String() })) })),
);
const Rule = Type.Object({
  name: Type.String(),
  query: Type.String(),
  state: Type.String(),
  labels: Type.Optional(Type.Record(Type.String(), Type.String())),
  alerts: Type.Optional(Type.Array(Type.Object({ labels: Type.Record(Type.String(), Type.String()) }))),
});
const Rules = Compile(answerOf(Type.Object({ groups: Type.Array(Type.Object({ rules: Type.Array(Rule) })) })));
const Values = Compile(answerOf(Type.Array(Type.String())));

export type AlertingRule = {
  readonly name: string;
  readonly query: string;
  readonly firing: boolean;
  /** Labels that every alert of it has. */
  readonly labels: Readonly<Record<string, string>>;
  /** Of the alerts that fire now, the labels of each. */
  readonly alerts: readonly Readonly<Record<string, string>>[];
};

export type PrometheusSurvey = {
  readonly version: string;
  /** Bases of the API of each Alertmanager, such as `http://am-1:9093/`. */
  readonly alertmanagers: readonly string[];
  readonly rules: readonly AlertingRule[];
  /** Values of the label `region`, of any series. */
  readonly regions: readonly string[];
  /** Metrics of PostgreSQL's exporters that tell how far a standby is behind, in seconds. */
  readonly lagMetrics: readonly string[];
};

export type PrometheusSurveyResult =
  | { readonly kind: 'surveyed'; readonly survey: PrometheusSurvey }
  | { readonly kind: 'failed'; readonly failure: Failure };

type Checker<T> = { Check(value: unknown): value is T };

/** Never rejects; the signal is the deadline for everything. */
export async function surveyPrometheus(url: URL, signal: AbortSignal): Promise<PrometheusSurveyResult> {
  const get = async <T>(path: string, schema: Checker<T>): Promise<T> => await getJson(url, path, schema, signal);
  try {
    const build = await get('api/v1/status/buildinfo', Build);
    const alertmanagers = await get('api/v1/alertmanagers', Alertmanagers);
    const rules = await get('api/v1/rules?type=alert', Rules);
    const regions = await get('api/v1/label/region/values', Values);
    const metrics = await get('api/v1/label/__name__/values', Values);
    return {
      kind: 'surveyed',
      survey: {
        version: build.data.version,
        alertmanagers: alertmanagers.data.activeAlertmanagers.map(({ url: of }) => baseOf(of)),
        rules: rules.data.groups.flatMap((group) => group.rules.map(ruleOf)),
        regions: regions.data,
        lagMetrics: metrics.data.filter((name) => LAG_METRICS.includes(name)),
      },
    };
  } catch (error) {
    if (error instanceof Unanswered) return { kind: 'failed', failure: error.failure };
    throw error;
  }
}

class Unanswered extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

async function getJson<T>(base: URL, path: string, schema: Checker<T>, signal: AbortSignal): Promise<T> {
  const url = new URL(path, base.href.endsWith('/') ? base : new URL(`${base.href}/`));
  const where = urlText(url);
  const result = await request({
    method: 'GET',
    url,
    headers: { accept: 'application/json', 'user-agent': 'failoverd' },
    body: null,
    answerLimitBytes: ANSWER_LIMIT_BYTES,
    signal,
    log: () => undefined,
  });
  if (result.kind === 'failed') throw new Unanswered(result.failure);
  if (result.status === 401 || result.status === 403)
    throw new Unanswered({ code: 'auth', message: `${where} answered ${result.status}: it wants credentials` });
  if (result.status !== 200)
    throw new Unanswered({ code: 'status', message: `${where} answered ${result.status}, expected 200` });
  const value = parsed(result.body);
  if (schema.Check(value)) return value;
  throw new Unanswered({ code: 'protocol', message: `${where} did not answer as Prometheus’s API v1 does` });
}

/** Undefined for what is no JSON, which no schema takes. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Prometheus tells where it posts to; the API's base is what stands before it. */
const baseOf = (url: string): string => url.replace(/\/api\/v[12]\/alerts$/, '');

const ruleOf = ({ name, query, state, labels, alerts }: Static<typeof Rule>): AlertingRule => ({
  name,
  query,
  firing: state === 'firing',
  labels: labels ?? {},
  alerts: (alerts ?? []).map((alert) => alert.labels),
});
