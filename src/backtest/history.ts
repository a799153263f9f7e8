/**
 * A stretch of history as columns: one number for each step, NaN where nothing is known. What the columns hold comes from
 * Prometheus (`sources.ts`); what the core sees of them is made in `frames.ts`.
 */
import type { ComponentId, GroupId, RegionId, VantageId, WallMs } from '../model/primitives.ts';
import type { MetricSettings } from '../model/prometheus.ts';
import type { Assumable } from './assumed.ts';

/** One number for each step; NaN = nothing is known of that instant. */
export type Column = Float64Array;

export type AlertColumn = {
  /** Without `__name__` and `alertstate`, with the external labels that Alertmanager would have seen. */
  readonly labels: Readonly<Record<string, string>>;
  /** A number where it fires. */
  readonly firing: Column;
};

export type ProbeColumn = {
  readonly group: GroupId;
  readonly kind: 'postgres' | 'http';
  readonly component: ComponentId;
  readonly region: RegionId;
  readonly vantage: VantageId;
  /** 1 ok, 0 bad, all else unknown. */
  readonly verdict: Column;
};

export type ReplicationColumns = {
  /** 1 = the standby heard from its primary lately, 0 = it did not. */
  readonly streaming: Column | null;
  readonly receiveGapBytes: Column | null;
  readonly replayLagBytes: Column | null;
  readonly replayLagSeconds: Column | null;
};

export type MetricColumn = {
  readonly group: GroupId;
  readonly metric: MetricSettings;
  /** NaN also where a sample it is made from was too old. */
  readonly value: Column;
};

export type History = {
  readonly from: WallMs;
  readonly stepMs: number;
  /** How many instants there are: `from`, `from + stepMs`, ... */
  readonly count: number;
  /** 1 where anything at all is known; 0 = a gap, of which nothing may be concluded. */
  readonly alive: Uint8Array;
  readonly alerts: readonly AlertColumn[];
  /** 1 = a control target answers the vantage, 0 = none does. */
  readonly controls: ReadonlyMap<VantageId, Column>;
  readonly probes: readonly ProbeColumn[];
  readonly replication: ReadonlyMap<GroupId, ReplicationColumns>;
  readonly metrics: readonly MetricColumn[];
  /** What is taken for given of servers, since it is in no history. */
  readonly assumed: ReadonlySet<Assumable>;
};
