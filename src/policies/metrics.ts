/**
 * Metrics that the config names as facts, as they stand now (design §4). PURE.
 *
 * A fact is known while a server's last answer was exactly one value whose sample is fresh by its own time. Of replicas
 * the first that knows counts; their numbers always differ a little, having been scraped at different instants, and no
 * tolerance of ours would be right for all. Verdicts don't: where two differ, one of them does not see what it should,
 * and which one can't be told, so the fact is unknown.
 */
import type { KeptObservation, State } from '../model/loop.ts';
import { type Path, pathOf, type RegionId, type Verdict } from '../model/primitives.ts';
import { type MetricSettings, metricVerdict } from '../model/prometheus.ts';
import type { GroupSettings } from '../model/settings.ts';
import { METRICS_VANTAGE, metricKey } from './evidence.ts';

/** What one server knows of a fact. */
export type MetricSight = {
  readonly replica: number;
  /** The number, also of a verdict; null = unknown. */
  readonly value: number | null;
  readonly verdict: Verdict;
  readonly why: string;
  /** Age of the sample; null where there is none. */
  readonly ageMs: number | null;
  readonly sampleAt: number | null;
  readonly badSince: number | null;
  readonly log: readonly string[];
};

export type MetricView = {
  readonly settings: MetricSettings;
  /** As rows read it; null = unknown. */
  readonly value: Verdict | number | null;
  /** The number it was made from. */
  readonly number: number | null;
  readonly why: string;
  /** The server that the value is from. */
  readonly replica: number | null;
  readonly ageMs: number | null;
  readonly sampleAt: number | null;
  readonly badSince: number | null;
  readonly path: Path;
  readonly sights: readonly MetricSight[];
};

export const metricsOf = (state: State, settings: GroupSettings, active: RegionId): readonly MetricView[] =>
  settings.metrics.map((metric) => metricView(state, settings.id, metric, active));

/** `main`, or `main, replica 1`. */
export const serverText = ({ server }: Pick<MetricSettings, 'server'>, replica: number): string =>
  replica === 0 ? server : `${server}, replica ${replica}`;

/** A number as people read it: no more digits than tell something. */
export const numberText = (value: number, unit: string | null): string =>
  `${Number(value.toPrecision(6))}${unit === null ? '' : ` ${unit}`}`;

function metricView(state: State, group: string, metric: MetricSettings, active: RegionId): MetricView {
  const sights = Array.from({ length: metric.replicas }, (_, replica) => {
    const key = metricKey(METRICS_VANTAGE, metric.id, metric.server, replica);
    return sightOf(state, metric, replica, state.volatile.sights[group]?.[key]);
  });
  const base = { settings: metric, path: pathOf(metric.from, metric.about ?? active), sights };
  const nothing = { value: null, number: null, replica: null, ageMs: null, sampleAt: null, badSince: null };
  const known = sights.filter((sight) => sight.value !== null);
  const [first] = known;
  if (first === undefined) {
    const [only, more] = sights;
    const why =
      more === undefined
        ? (only?.why ?? 'nobody is asked')
        : sights.map((sight) => `${serverText(metric, sight.replica)}: ${sight.why}`).join('; ');
    return { ...base, ...nothing, why };
  }
  const other = known.find((sight) => sight.verdict !== first.verdict);
  if (other !== undefined) {
    const says = (sight: MetricSight): string =>
      `${serverText(metric, sight.replica)} says ${sight.verdict} (${sight.why})`;
    return { ...base, ...nothing, why: `the servers disagree: ${says(first)}, ${says(other)}` };
  }
  return {
    ...base,
    value: metric.type === 'verdict' ? first.verdict : first.value,
    number: first.value,
    why: first.why,
    replica: first.replica,
    ageMs: first.ageMs,
    sampleAt: first.sampleAt,
    badSince: first.badSince,
  };
}

function sightOf(
  state: State,
  metric: MetricSettings,
  replica: number,
  kept: KeptObservation | undefined,
): MetricSight {
  const unknown = { replica, value: null, verdict: 'unknown', ageMs: null, sampleAt: null, badSince: null } as const;
  if (kept === undefined || kept.observation.kind !== 'metric')
    return { ...unknown, why: 'Prometheus was not asked yet', log: [] };
  const { facts, message, code, log } = kept.observation;
  const askedMs = Math.max(0, state.mono - kept.receivedMono);
  if (facts === null) return { ...unknown, why: message ?? code ?? 'Prometheus gave no value', log: [...(log ?? [])] };
  const ageMs = facts.ageMs + askedMs;
  const { value, sampleAt } = facts;
  const seen = { ...unknown, ageMs, sampleAt, log: [] };
  const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
  if (ageMs > metric.freshMs)
    return {
      ...seen,
      why: `the newest sample is ${seconds(ageMs)} old and counts for ${seconds(metric.freshMs)}; it was ${numberText(value, metric.unit)}`,
    };
  // Whatever it looked at has changed since, however long a sample of it may count.
  if (askedMs > 2 * metric.everyMs + metric.timeoutMs)
    return { ...seen, why: `Prometheus was last asked ${seconds(askedMs)} ago` };
  return {
    ...seen,
    value,
    verdict: metricVerdict(metric.bad, value),
    why: `${metric.id} is ${numberText(value, metric.unit)}`,
    badSince: kept.badSince,
  };
}
