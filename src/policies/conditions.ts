/**
 * What would have to be seen for a fact to have another value, in words that can follow "if" (design §5). PURE.
 * Facts that are made of others are taken apart: not "if the region were unreachable", but how many vantages are missing.
 */
import { type ComponentId, durationText, type RegionId, type Verdict } from '../model/primitives.ts';
import { metricIn, type ReadableFact, rowFact } from '../model/row-facts.ts';
import { independent } from './diagnoses.ts';
import { readFact } from './rows.ts';
import type { Reach, View } from './view.ts';

type Value = Verdict | number | null;

const isAre = (count: number, one: string): string =>
  `${count === 1 ? 'one' : count} more ${one}${count === 1 ? '' : 's'}`;

/** How many more vantages it takes. */
function vantages(view: View, reach: readonly Reach[], to: Value, what: string): string {
  const tally = (verdict: Verdict): number => reach.filter((one) => one.verdict === verdict).length;
  const k = view.settings.quorum;
  if (to === 'bad') {
    const more = Math.max(1, k - tally('bad'));
    return `${isAre(more, 'vantage')} could not reach ${what}`;
  }
  const more = Math.max(1, reach.length - k + 1 - tally('ok'));
  return `${isAre(more, 'vantage')} reached ${what}`;
}

/** The active region is judged from more than probes: what stands against it, and what has to agree. */
function active(view: View, to: Value): string {
  const reach = view.reach[view.active] ?? [];
  if (to !== 'bad') return vantages(view, reach, to, view.active);
  const bad = reach.filter((one) => one.verdict === 'bad').length;
  const parts = bad >= view.settings.quorum ? [] : [vantages(view, reach, 'bad', view.active)];
  const vetoed = view.postgres.filter(({ streaming }) => streaming === 'ok');
  const { signs } = readFact(view, 'active.reachable');
  if (vetoed.length > 0) {
    const within = durationText(view.settings.standbyStreamedWithinMs);
    parts.push(
      `the standby of ${vetoed.map(({ component }) => component).join(', ')} had not heard from its primary for ${within}`,
    );
  } else if (!independent(signs.map((sign) => (sign.class === 'client-probe' ? { ...sign, verdict: 'bad' } : sign))))
    parts.push('another class of evidence over another path agreed (replication that stopped, or an alert)');
  return parts.length === 0 ? `${view.active} could not be reached` : parts.join(' and ');
}

const ALERTS: Readonly<Record<string, string>> = {
  'clickhouse.serving': 'clickhouse-failing',
  'nats.flowing': 'nats-failing',
  'workloads.healthy': 'workload-degraded',
  'maintenance.over': 'maintenance',
};

function alerts(view: View, fact: string, to: Value): string {
  const mapped = ALERTS[fact] ?? fact;
  if (to === 'bad') return `an alert mapped to ${mapped} fired`;
  const heard = readFact(view, 'monitoring.watching').value === 'ok';
  return `no alert mapped to ${mapped} fired${heard ? '' : ' and the watchdog was heard'}`;
}

function number(
  view: View,
  fact: ReadableFact,
  to: number,
  thresholds: readonly number[],
  component: ComponentId | null,
): string {
  const now = readFact(view, fact, component).value;
  const metric = view.settings.metrics.find(({ id }) => id === metricIn(fact));
  const unit = metric?.unit ?? rowFact(fact)?.unit;
  const is = typeof now === 'number' ? `it is ${Number(now.toPrecision(6))} now` : 'it is not known now';
  const limit = thresholds.find((one) => Math.abs(one - to) <= 1) ?? to;
  const way = to > limit ? `above ${limit}` : to < limit ? `below ${limit}` : `${limit}`;
  return `${fact} were ${way}${unit === null || unit === undefined ? '' : ` ${unit}`} (${is})`;
}

const across = (view: View, region: RegionId): readonly Reach[] => view.reach[region] ?? [];

/**
 * What would make `fact` be `to`, given what is seen now. `thresholds` are the numbers the row compares it with; `component`
 * is whom the row is judged for.
 */
export function conditionFor(
  view: View,
  fact: ReadableFact,
  to: Value,
  thresholds: readonly number[],
  component: ComponentId | null = null,
): string {
  if (typeof to === 'number') return number(view, fact, to, thresholds, component);
  switch (fact as string) {
    case 'active.reachable':
      return active(view, to);
    case 'standby.reachable':
      return vantages(view, across(view, view.standby), to, view.standby);
    case 'postgres.reachable':
      return vantages(view, view.activeReachByKind.postgres, to, `PostgreSQL in ${view.active}`);
    case 'services.reachable':
      return vantages(view, view.activeReachByKind.http, to, `an HTTP service in ${view.active}`);
    case 'replication.streaming':
      return to === 'ok'
        ? 'the standby heard from its primary'
        : `the standby had not heard from its primary for ${durationText(view.settings.standbyStreamedWithinMs)}`;
    case 'clickhouse.serving':
    case 'nats.flowing':
    case 'workloads.healthy':
    case 'maintenance.over':
      return alerts(view, fact, to);
    case 'monitoring.watching':
      return to === 'ok'
        ? 'the alert mapped to watchdog was heard'
        : `the watchdog were silent for ${durationText(view.settings.watchdogWithinMs)}`;
    case 'reports.corruption':
    case 'reports.deletion': {
      const report = fact.slice('reports.'.length);
      return to === 'bad'
        ? `somebody reported ${report} (failoverd flag ${view.group} ${report})`
        : `somebody cleared the report (failoverd clear ${view.group} ${report})`;
    }
    case 'component.reachable':
    case 'component.standby_reachable': {
      const region = fact === 'component.reachable' ? view.active : view.standby;
      return vantages(view, view.reachOfComponent(component ?? '', region), to, `${component} in ${region}`);
    }
    case 'component.healthy':
      return alerts(view, `a failure of ${component}`, to);
    case 'component.residency_allows':
      return `the config ${to === 'ok' ? 'let' : 'did not let'} the data of ${component} stand in ${view.standby}`;
    case 'residency.allows':
      return to === 'ok'
        ? `the config let the data of every component stand in ${view.standby}`
        : `the config forbade ${view.standby} to the data of a component`;
    default:
      return `${fact} were ${to ?? 'unknown'}`;
  }
}
