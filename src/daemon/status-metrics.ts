/** Metrics that a group names as facts: each with its value, its age, where it is from, and why it is unknown. PURE. */
import { expressionOf } from '../model/expression.ts';
import type { State } from '../model/loop.ts';
import { metricFactName } from '../model/row-facts.ts';
import { METRICS_VANTAGE, metricKey } from '../policies/evidence.ts';
import { type MetricView, serverText } from '../policies/metrics.ts';
import type { View } from '../policies/view.ts';
import type { MetricStatus } from './status-document.ts';
import { failuresOf } from './status-facts.ts';

export const metricsOf = (state: State, view: View): MetricStatus[] =>
  view.metrics.map((metric) => metricStatus(state, view, metric));

function metricStatus(state: State, view: View, metric: MetricView): MetricStatus {
  const { id, type, says, promql, unit, bad, freshMs, server } = metric.settings;
  const fact = metricFactName(id);
  const reading = view.settings.rows.filter((row) =>
    expressionOf(row.when, view.settings.metrics).facts.includes(fact),
  );
  // Of one that is unknown, the age of what was last known tells how long.
  const aged = metric.sights.filter((sight) => sight.ageMs !== null).sort((a, b) => (a.ageMs ?? 0) - (b.ageMs ?? 0))[0];
  return {
    ...{ fact, type, says, promql, unit, freshMs },
    verdict: metric.value === null ? 'unknown' : typeof metric.value === 'string' ? metric.value : 'ok',
    value: metric.number,
    bad: bad === null ? null : `${bad.comparator} ${bad.limit}`,
    why: metric.why,
    ageMs: metric.ageMs ?? aged?.ageMs ?? null,
    sampleAt: metric.sampleAt ?? aged?.sampleAt ?? null,
    server: metric.replica === null ? server : serverText(metric.settings, metric.replica),
    path: metric.path,
    rows: reading.map((row) => row.id),
    servers: metric.sights.map(({ replica, value, verdict, why, ageMs, log }) => {
      const kept = state.volatile.sights[view.group]?.[metricKey(METRICS_VANTAGE, id, server, replica)];
      return {
        ...{ value, verdict, why, ageMs },
        server: serverText(metric.settings, replica),
        log: [...log],
        failures: failuresOf(state, kept?.failures ?? []),
      };
    }),
  };
}
