/** A history made by hand: everything is well unless a test says otherwise. */
import { ASSUMABLE, type Assumable } from '../../src/backtest/assumed.ts';
import type { AlertColumn, Column, History, MetricColumn } from '../../src/backtest/history.ts';
import type { MetricSettings } from '../../src/model/prometheus.ts';
import { A, B, GROUP } from '../support/group.ts';

export const FROM = Date.UTC(2026, 0, 12, 7, 0, 0);
export const STEP_MS = 15_000;

export type Draft = {
  readonly count: number;
  readonly history: History;
  /** Sets a column from one step to another, the last one left out. */
  put(column: Column, from: number, to: number, value: number): void;
  probe(component: string, region: string, vantage?: string): readonly Column[];
  control(vantage: string): Column;
  readonly streaming: Column;
  readonly gap: Column;
  readonly lag: Column;
  alert(labels: Record<string, string>, from: number, to: number): void;
  /** A metric of the config, sampled at each step. */
  metric(metric: MetricSettings, value: number): MetricColumn;
  gapOfAll(from: number, to: number): void;
  /** The active region is gone: probes fail, and the standby hears nothing. */
  lose(from: number, to: number): void;
};

export function draft(count: number, assumed: readonly Assumable[] = ASSUMABLE): Draft {
  const all = (value: number): Column => new Float64Array(count).fill(value);
  const vantages = ['daemon', 'dublin'];
  const controls = new Map(vantages.map((vantage) => [vantage, all(1)]));
  const probes = (['db', 'api'] as const).flatMap((component) =>
    [A, B].flatMap((region) =>
      vantages.map((vantage) => ({
        group: GROUP,
        kind: component === 'db' ? ('postgres' as const) : ('http' as const),
        component,
        region,
        vantage,
        verdict: all(1),
      })),
    ),
  );
  const columns = { streaming: all(1), receiveGapBytes: all(0), replayLagBytes: null, replayLagSeconds: all(0) };
  const alerts: AlertColumn[] = [];
  const metrics: MetricColumn[] = [];
  const alive = new Uint8Array(count).fill(1);
  const history: History = {
    from: FROM,
    stepMs: STEP_MS,
    count,
    alive,
    alerts,
    controls,
    probes,
    replication: new Map([[GROUP, columns]]),
    metrics,
    assumed: new Set(assumed),
  };
  const put = (column: Column, from: number, to: number, value: number): void => void column.fill(value, from, to);
  const probe: Draft['probe'] = (component, region, vantage) =>
    probes
      .filter((one) => one.component === component && one.region === region)
      .filter((one) => vantage === undefined || one.vantage === vantage)
      .map(({ verdict }) => verdict);
  return {
    count,
    history,
    put,
    probe,
    control: (vantage) => controls.get(vantage) ?? all(0),
    streaming: columns.streaming,
    gap: columns.receiveGapBytes,
    lag: columns.replayLagSeconds,
    alert(labels, from, to) {
      const firing = all(Number.NaN);
      put(firing, from, to, 1);
      alerts.push({ labels, firing });
    },
    metric(metric, value) {
      const column = { group: GROUP, metric, value: all(value) };
      metrics.push(column);
      return column;
    },
    gapOfAll(from, to) {
      alive.fill(0, from, to);
      for (const column of [
        ...controls.values(),
        ...probes.map(({ verdict }) => verdict),
        ...alerts.map(({ firing }) => firing),
        ...metrics.map(({ value }) => value),
      ])
        put(column, from, to, Number.NaN);
    },
    lose(from, to) {
      for (const column of [...probe('db', A), ...probe('api', A)]) put(column, from, to, 0);
      put(columns.streaming, from, to, 0);
      // All that was received is replayed by then, and reads as no lag.
      put(columns.replayLagSeconds, from, to, 0);
    },
  };
}
