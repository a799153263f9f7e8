/**
 * What a row of the matrix may read: facts of one group, folded from everything that is known of it (design §5).
 *
 * A verdict is read by `ok()`, `bad()` and `unknown()`; a number is compared. Either may be unknown at any time, and a
 * row that needs it can't tell then.
 *
 * Facts named `component.*` are of one component, and readable in rows whose `scope` is a kind that has them. Facts of the
 * group are readable in every row.
 */
import { COMPONENT_KINDS, type ComponentKind } from './components.ts';

export type RowFactSpec = {
  /** As it stands in an expression. */
  readonly name: `${string}.${string}`;
  readonly type: 'verdict' | 'number';
  readonly unit: string | null;
  /** Where it comes from; `alerts` are heard of by Alertmanager only, and quiet ones count while its watchdog barks. */
  readonly from: 'probes' | 'alerts' | 'reports' | 'config' | 'metrics';
  /** Kinds of components whose rows may read it; absent = a fact of the group, for every row. */
  readonly scopes?: readonly ComponentKind[];
  readonly says: string;
};

export const ROW_FACTS = [
  {
    name: 'active.reachable',
    type: 'verdict',
    unit: null,
    from: 'probes',
    says: 'bad = clients can’t reach the active region: a quorum of vantages, another class of evidence over another path, and no veto',
  },
  {
    name: 'standby.reachable',
    type: 'verdict',
    unit: null,
    from: 'probes',
    says: 'bad = a quorum of vantages can’t reach the standby region',
  },
  {
    name: 'postgres.reachable',
    type: 'verdict',
    unit: null,
    from: 'probes',
    says: 'bad = a quorum of vantages can’t use PostgreSQL in the active region',
  },
  {
    name: 'services.reachable',
    type: 'verdict',
    unit: null,
    from: 'probes',
    says: 'ok = a quorum of vantages reaches an HTTP service in the active region: the region is up',
  },
  {
    name: 'replication.streaming',
    type: 'verdict',
    unit: null,
    from: 'probes',
    says: 'ok = the standby heard from its primary within standbyStreamedWithin',
  },
  {
    name: 'replication.replay_lag_seconds',
    type: 'number',
    unit: 'seconds',
    from: 'probes',
    says: 'age of the last commit replayed by the standby while it has received more that can be replayed; catches up by itself, also when the primary is gone',
  },
  {
    name: 'replication.receive_gap_bytes',
    type: 'number',
    unit: 'bytes',
    from: 'probes',
    says: 'flushed by the primary and not received by the standby: the loss if the primary is gone',
  },
  {
    name: 'clickhouse.serving',
    type: 'verdict',
    unit: null,
    from: 'alerts',
    says: 'bad = an alert mapped to clickhouse-failing fires',
  },
  {
    name: 'nats.flowing',
    type: 'verdict',
    unit: null,
    from: 'alerts',
    says: 'bad = an alert mapped to nats-failing fires',
  },
  {
    name: 'workloads.healthy',
    type: 'verdict',
    unit: null,
    from: 'alerts',
    says: 'bad = an alert mapped to workload-degraded fires: a pod or node fails',
  },
  {
    name: 'maintenance.over',
    type: 'verdict',
    unit: null,
    from: 'alerts',
    says: 'bad = an alert mapped to maintenance fires: somebody works on the platform',
  },
  {
    name: 'monitoring.watching',
    type: 'verdict',
    unit: null,
    from: 'alerts',
    says: 'bad = the alert mapped to watchdog, which always fires, has fallen silent: no alert means nothing then',
  },
  {
    name: 'reports.corruption',
    type: 'verdict',
    unit: null,
    from: 'reports',
    says: 'bad = corruption was reported, and no person has cleared it',
  },
  {
    name: 'reports.deletion',
    type: 'verdict',
    unit: null,
    from: 'reports',
    says: 'bad = an accidental deletion was reported, and no person has cleared it',
  },
  {
    name: 'residency.allows',
    type: 'verdict',
    unit: null,
    from: 'config',
    says: 'bad = the data of a component may not stand in the region to move to',
  },
  {
    name: 'component.reachable',
    type: 'verdict',
    unit: null,
    from: 'probes',
    scopes: ['postgres', 'http'],
    says: 'bad = a quorum of vantages can’t use this component in the active region',
  },
  {
    name: 'component.standby_reachable',
    type: 'verdict',
    unit: null,
    from: 'probes',
    scopes: ['postgres', 'http'],
    says: 'bad = a quorum of vantages can’t use this component in the standby region',
  },
  {
    name: 'component.healthy',
    type: 'verdict',
    unit: null,
    from: 'alerts',
    scopes: COMPONENT_KINDS,
    says: 'bad = an alert mapped to a failure (workload-degraded, clickhouse-failing, nats-failing) with this component fires',
  },
  {
    name: 'component.identity',
    type: 'verdict',
    unit: null,
    from: 'probes',
    scopes: ['postgres'],
    says: 'bad = an answer of either side belongs to another cluster than the pinned one',
  },
  {
    name: 'component.streaming',
    type: 'verdict',
    unit: null,
    from: 'probes',
    scopes: ['postgres'],
    says: 'ok = the standby of this cluster heard from its primary within standbyStreamedWithin',
  },
  {
    name: 'component.replay_lag_seconds',
    type: 'number',
    unit: 'seconds',
    from: 'probes',
    scopes: ['postgres'],
    says: 'replication.replay_lag_seconds of this cluster alone',
  },
  {
    name: 'component.receive_gap_bytes',
    type: 'number',
    unit: 'bytes',
    from: 'probes',
    scopes: ['postgres'],
    says: 'replication.receive_gap_bytes of this cluster alone',
  },
  {
    name: 'component.residency_allows',
    type: 'verdict',
    unit: null,
    from: 'config',
    scopes: COMPONENT_KINDS,
    says: 'bad = the data of this component may not stand in the region to move to',
  },
] as const satisfies readonly RowFactSpec[];
export type RowFactName = (typeof ROW_FACTS)[number]['name'];
export type ComponentFactName = Extract<RowFactName, `component.${string}`>;
export type GroupFactName = Exclude<RowFactName, ComponentFactName>;

export const isComponentFact = (name: string): name is ComponentFactName => name.startsWith('component.');
export const rowFact = (name: string): RowFactSpec | undefined => ROW_FACTS.find((fact) => fact.name === name);

/** A fact that a config names itself (`groups.X.facts.NAME`), from one value of a metric. */
export type MetricFact = { readonly id: string; readonly type: RowFactSpec['type'] };
export type MetricFactName = `metrics.${string}`;
export const metricFactName = (id: string): MetricFactName => `metrics.${id}`;
/** The name behind `metrics.`, or null for a fact that every group has. */
export const metricIn = (fact: ReadableFact): string | null =>
  fact.startsWith('metrics.') ? fact.slice('metrics.'.length) : null;

/** What a row of a group may read: the facts above, and those its config names. */
export type ReadableFact = RowFactName | MetricFactName;
