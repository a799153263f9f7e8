/**
 * Where a history comes from: what is asked of Prometheus for a config, and how the answers become columns.
 *
 * For each probe: the expression of the map; else failoverd's own series, where they are in that Prometheus; else nothing,
 * which is told, since what nobody saw is unknown and can't be found.
 */
import type { GroupSettings, Settings } from '../model/settings.ts';
import { type Assumable, type Assumption, assumedControls, assumedOf, refusedOf } from './assumed.ts';
import { HistoryError } from './error.ts';
import type { AlertColumn, Column, History, MetricColumn, ProbeColumn, ReplicationColumns } from './history.ts';
import type { BacktestMap } from './map.ts';
import { askFresh, type Range, type Series, type Server } from './prometheus.ts';

export type Gathered = {
  readonly history: History;
  /** What is taken for given, since no history holds it. */
  readonly assumptions: readonly Assumption[];
  /** What the history does not hold, for whoever reads that nothing was found. */
  readonly missing: readonly string[];
};

export type GatherOptions = {
  readonly server: Server;
  readonly settings: Settings;
  readonly map: BacktestMap;
  readonly range: Range;
  readonly assume: ReadonlySet<Assumable>;
  readonly signal: AbortSignal;
  /** Before each question. */
  readonly asking: (what: string) => void;
};

const OWN = {
  probe: 'failoverd_probe_verdict',
  connected: 'failoverd_vantage_connected',
  streaming: 'failoverd_postgres_streaming',
  receiveGapBytes: 'failoverd_postgres_receive_gap_bytes',
  replayLagBytes: 'failoverd_postgres_replay_lag_bytes',
  replayLagSeconds: 'failoverd_postgres_replay_lag_seconds',
} as const;

/** Throws a {@link HistoryError} when something could not be asked, or an expression gives several series. */
export async function gather(options: GatherOptions): Promise<Gathered> {
  const { server, settings, map, range, assume, signal, asking } = options;
  const groups = Object.values(settings.groups);
  const plain = async (selector: string): Promise<Series[]> => {
    asking(selector);
    return await askFresh(server, selector, range, signal);
  };
  const one = async (key: string, promql: string, staleAfterMs = range.staleAfterMs): Promise<Column> => {
    asking(key);
    const series = await askFresh(server, promql, { ...range, staleAfterMs }, signal);
    if (series.length > 1)
      throw new HistoryError(
        `${key}: ${series.length} series where one value is meant: ${promql}`,
        'aggregate them, as min() or max() does',
      );
    return series[0]?.values ?? empty(range);
  };

  const up = await plain('up');
  const alerts = await alertsIn(plain, groups, map);
  const owns = {
    probe: await plain(OWN.probe),
    connected: await plain(OWN.connected),
    streaming: await plain(OWN.streaming),
    receiveGapBytes: await plain(OWN.receiveGapBytes),
    replayLagBytes: await plain(OWN.replayLagBytes),
    replayLagSeconds: await plain(OWN.replayLagSeconds),
  };

  const missing: string[] = groups.flatMap((group) => refusedOf(group, assume));
  const assumptions: Assumption[] = groups.flatMap((group) => assumedOf(group, assume));
  const controls = new Map<string, Column>();
  /** Vantages whose control targets are in no history: what is assumed of them shows of no instant that it is known. */
  const taken = new Set<string>();
  for (const vantage of new Set(groups.flatMap((group) => group.vantages.map(({ id }) => id)))) {
    const expr = map.vantages?.[vantage];
    const own = owns.connected.filter(({ labels }) => labels['vantage'] === vantage);
    if (expr !== undefined) controls.set(vantage, await one(`vantages.${vantage}`, expr));
    else if (own.length > 0) controls.set(vantage, least(own, range));
    else if (assume.has('controls')) {
      controls.set(vantage, empty(range).fill(1));
      taken.add(vantage);
      assumptions.push(assumedControls(vantage));
    }
    const column = controls.get(vantage);
    if (column === undefined || isEmpty(column))
      missing.push(`whether vantage ${vantage} was connected: it counts for nothing then`);
  }

  const probes: ProbeColumn[] = [];
  for (const group of groups)
    for (const target of targetsOf(group)) {
      const { component, region, vantage } = target;
      const expr = map.groups?.[group.id]?.probes?.find(
        (probe) => probe.component === component && probe.region === region && probe.vantage === vantage,
      )?.expr;
      const own = owns.probe.filter(
        ({ labels }) =>
          labels['group'] === group.id &&
          labels['component'] === component &&
          labels['region'] === region &&
          labels['vantage'] === vantage,
      );
      const key = `groups.${group.id}.probes: ${component} in ${region} by ${vantage}`;
      const verdict = expr !== undefined ? await one(key, expr) : own.length > 0 ? least(own, range) : null;
      if (verdict === null || isEmpty(verdict)) missing.push(`${component} in ${region} by ${vantage}, of ${group.id}`);
      if (verdict !== null) probes.push({ ...target, group: group.id, verdict });
    }

  const replication = new Map<string, ReplicationColumns>();
  for (const group of groups) {
    const named = map.groups?.[group.id]?.replication ?? {};
    const column = async (key: keyof ReplicationColumns): Promise<Column | null> => {
      const expr = named[key];
      if (expr !== undefined) return await one(`groups.${group.id}.replication.${key}`, expr);
      const own = owns[key].filter(({ labels }) => labels['group'] === group.id);
      return own.length === 0 ? null : least(own, range);
    };
    const columns: ReplicationColumns = {
      streaming: await column('streaming'),
      receiveGapBytes: await column('receiveGapBytes'),
      replayLagBytes: await column('replayLagBytes'),
      replayLagSeconds: await column('replayLagSeconds'),
    };
    replication.set(group.id, columns);
    if (!group.components.some(({ kind, supported }) => kind === 'postgres' && supported)) continue;
    if (columns.streaming === null)
      missing.push(`whether the standby of ${group.id} streamed: no veto, no second class of evidence`);
    if (columns.receiveGapBytes === null)
      missing.push(`the receive gap of ${group.id}: what would have been lost is not known`);
    if (columns.replayLagSeconds === null) missing.push(`the replay lag of ${group.id}`);
  }

  const metrics: MetricColumn[] = [];
  for (const group of groups)
    for (const metric of group.metrics)
      metrics.push({
        group: group.id,
        metric,
        // How long its samples count is of the config.
        value: await one(`groups.${group.id}.facts.${metric.id}`, metric.promql, metric.freshMs),
      });

  if (alerts.length === 0 && groups.some((group) => group.alertMeanings.length > 0))
    missing.push('alerts: no series ALERTS that the config gives a meaning to');
  return {
    history: {
      from: range.from,
      stepMs: range.stepMs,
      count: range.count,
      alive: aliveOf(range, up, [
        ...alerts.map(({ firing }) => firing),
        ...[...controls].flatMap(([vantage, column]) => (taken.has(vantage) ? [] : [column])),
        ...probes.map(({ verdict }) => verdict),
        ...metrics.map(({ value }) => value),
      ]),
      alerts,
      controls,
      probes,
      replication,
      metrics,
      assumed: assume,
    },
    assumptions,
    missing,
  };
}

const empty = (range: Range): Column => new Float64Array(range.count).fill(Number.NaN);
const isEmpty = (column: Column): boolean => column.every(Number.isNaN);

type Target = Omit<ProbeColumn, 'group' | 'verdict'>;

const targetsOf = (group: GroupSettings): Target[] =>
  group.components.flatMap(({ id: component, kind, regions, supported }) =>
    supported && (kind === 'postgres' || kind === 'http')
      ? regions.flatMap((region) =>
          group.vantages.map(({ id: vantage }): Target => ({ kind, component, region, vantage })),
        )
      : [],
  );

/** Of several daemons that tell of one thing, the one that says least: -1 before 0 before 1. */
function least(series: readonly Series[], range: Range): Column {
  const column = empty(range);
  for (const { values } of series)
    for (let index = 0; index < range.count; index += 1) {
      const value = values[index] ?? Number.NaN;
      const before = column[index] ?? Number.NaN;
      if (!Number.isNaN(value) && !(before <= value)) column[index] = value;
    }
  return column;
}

/**
 * An instant is known where Prometheus scraped anything; where a history has no `up`, where anything that was asked for has
 * a value. `up` alone is better: there something is asked for at every instant.
 */
function aliveOf({ count }: Range, up: readonly Series[], columns: readonly Column[]): Uint8Array {
  const alive = new Uint8Array(count);
  const scraped = up.map((one) => one.values);
  for (const values of scraped.length > 0 ? scraped : columns)
    for (let index = 0; index < count; index += 1) if (!Number.isNaN(values[index] ?? Number.NaN)) alive[index] = 1;
  return alive;
}

/** Alerts that the config gives a meaning to. */
async function alertsIn(
  plain: (selector: string) => Promise<Series[]>,
  groups: readonly GroupSettings[],
  map: BacktestMap,
): Promise<AlertColumn[]> {
  const meanings = groups.flatMap((group) => group.alertMeanings);
  if (meanings.length === 0) return [];
  const names = meanings.map(
    ({ match }) => match.find(({ label, equal }) => label === 'alertname' && equal)?.value ?? null,
  );
  const named = names.every((name) => name !== null);
  const alternatives = [...new Set(names)].map((name) => (name ?? '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const only = named ? `,alertname=~${JSON.stringify(alternatives.join('|'))}` : '';
  const series = await plain(`ALERTS{alertstate="firing"${only}}`);
  return series.flatMap(({ labels, values }): AlertColumn[] => {
    const { __name__: _name, alertstate: _state, ...own } = labels;
    const seen = { ...map.externalLabels, ...own };
    const means = meanings.some(({ match }) => match.every((m) => ((seen[m.label] ?? '') === m.value) === m.equal));
    return means ? [{ labels: seen, firing: values }] : [];
  });
}
