/** Every protocol there is, in one map, and the observation that comes of one probe. */
import type { Observation, ProbeKind } from '../model/evidence.ts';
import type { VantageId, WallMs } from '../model/primitives.ts';
import type { Redact } from '../runtime/redact.ts';
import { probeAlertmanager } from './alertmanager-server.ts';
import { probeControl } from './control.ts';
import { NO_DNS_FACTS, probeDns } from './dns.ts';
import { type Failure, verdictOf } from './failure.ts';
import { probeHttp } from './http.ts';
import { probeMetric } from './metric.ts';
import { createPostgresProbe } from './postgres.ts';
import type { Probe, ProbeAnswer, ProbeContext } from './probe.ts';
import { probePrometheus } from './prometheus-server.ts';
import { probeReadiness } from './readiness.ts';
import type { Target, TargetOf } from './target.ts';
import { probeTcp } from './tcp.ts';

export type ProbeMap = { readonly [K in ProbeKind]: Probe<K> };
export type Probes = {
  readonly map: ProbeMap;
  /** Lets go of what is kept between probes; bounded. */
  close(): Promise<void>;
};

export function createProbes(): Probes {
  const postgres = createPostgresProbe();
  return {
    map: {
      postgres: postgres.probe,
      http: probeHttp,
      tcp: probeTcp,
      dns: probeDns,
      control: probeControl,
      metric: probeMetric,
      prometheus: probePrometheus,
      alertmanager: probeAlertmanager,
      readiness: probeReadiness,
    },
    close: postgres.close,
  };
}

/** A target with what its own protocol made of it. */
export type Asked = {
  [K in ProbeKind]: { readonly kind: K; readonly target: TargetOf<K>; readonly answer: ProbeAnswer<K> };
}[ProbeKind];

/** Probes the target with the probe of its kind. Rejects only where that probe has a defect. */
export async function askTarget(map: ProbeMap, target: Target, context: ProbeContext): Promise<Asked> {
  switch (target.kind) {
    case 'postgres':
      return { kind: target.kind, target, answer: await map.postgres(target, context) };
    case 'http':
      return { kind: target.kind, target, answer: await map.http(target, context) };
    case 'dns':
      return { kind: target.kind, target, answer: await map.dns(target, context) };
    case 'control':
      return { kind: target.kind, target, answer: await map.control(target, context) };
    case 'tcp':
      return { kind: target.kind, target, answer: await map.tcp(target, context) };
    case 'metric':
      return { kind: target.kind, target, answer: await map.metric(target, context) };
    case 'readiness':
      return { kind: target.kind, target, answer: await map.readiness(target, context) };
    case 'prometheus':
      return { kind: target.kind, target, answer: await map.prometheus(target, context) };
    case 'alertmanager':
      return { kind: target.kind, target, answer: await map.alertmanager(target, context) };
    default:
      return target satisfies never;
  }
}

/** What is said of a target whose probe gave no answer of its own. */
export function unanswered(target: Target, failure: Failure): Asked {
  const outcome = { verdict: verdictOf(failure), reached: 'none', code: failure.code, message: failure.message };
  switch (target.kind) {
    case 'postgres':
      return { kind: target.kind, target, answer: { ...outcome, facts: null } };
    case 'readiness':
      return { kind: target.kind, target, answer: { ...outcome, facts: null } };
    case 'http':
      return { kind: target.kind, target, answer: { ...outcome, facts: { status: null } } };
    case 'dns':
      return {
        kind: target.kind,
        target,
        answer: { ...outcome, facts: { ...NO_DNS_FACTS, resolver: target.resolver } },
      };
    case 'tcp':
      return { kind: target.kind, target, answer: { ...outcome, facts: null } };
    case 'control':
      return { kind: target.kind, target, answer: { ...outcome, facts: null } };
    case 'prometheus':
      return { kind: target.kind, target, answer: { ...outcome, facts: null } };
    case 'alertmanager':
      return { kind: target.kind, target, answer: { ...outcome, facts: null } };
    case 'metric':
      // Silence of Prometheus is none of what the metric is about.
      return { kind: target.kind, target, answer: { ...outcome, verdict: 'unknown', facts: null } };
    default:
      return target satisfies never;
  }
}

/** When and from where it was seen, and the probe's own lines. */
export type Circumstances = {
  readonly vantage: VantageId;
  readonly at: WallMs;
  readonly durationMs: number;
  readonly log: readonly string[];
  readonly redact: Redact;
};

/** As much of a message as an observation holds. */
const MESSAGE_LENGTH = 500;

/** The observation that comes of a probe. The log goes with what is not entirely well, and nowhere else. */
export function observationOf(asked: Asked, { vantage, at, durationMs, log, redact }: Circumstances): Observation {
  const { verdict, reached, code, message } = asked.answer;
  const observed = {
    vantage,
    at,
    durationMs,
    verdict,
    reached,
    code,
    message: message === null ? null : redact(message).slice(0, MESSAGE_LENGTH),
    ...(verdict === 'ok' && code === null ? {} : { log: [...log] }),
  };
  if (asked.kind === 'control') return { kind: asked.kind, target: asked.target.target, ...observed };
  if (asked.kind === 'metric') {
    const { group, fact, server, replica, region } = asked.target;
    return { kind: asked.kind, group, fact, server, replica, region, ...observed, facts: asked.answer.facts };
  }
  if (asked.kind === 'prometheus' || asked.kind === 'alertmanager') {
    const { server, replica, region } = asked.target;
    const about = { server, replica, region, ...observed };
    return asked.kind === 'prometheus'
      ? { kind: asked.kind, ...about, facts: asked.answer.facts }
      : { kind: asked.kind, ...about, facts: asked.answer.facts };
  }
  const { group, component, region } = asked.target;
  const subject = { group, component, region };
  switch (asked.kind) {
    case 'readiness':
      return { kind: asked.kind, ...subject, ...observed, facts: asked.answer.facts };
    case 'postgres':
      return { kind: asked.kind, ...subject, ...observed, facts: asked.answer.facts };
    case 'http':
      return { kind: asked.kind, ...subject, ...observed, facts: asked.answer.facts };
    case 'tcp':
      return { kind: asked.kind, ...subject, ...observed, facts: null };
    case 'dns':
      return { kind: asked.kind, ...subject, ...observed, facts: asked.answer.facts };
    default:
      return asked satisfies never;
  }
}
