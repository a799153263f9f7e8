/**
 * What a backtest takes for given because no history of Prometheus holds it. Each assumption is told at the head of the
 * output, and can be refused; what is refused is unknown. PURE.
 */
import type { Readiness } from '../model/readiness.ts';
import type { GroupSettings } from '../model/settings.ts';

/** In the order they are told. */
export const ASSUMABLE = ['roles', 'identity', 'readiness', 'controls'] as const;
export type Assumable = (typeof ASSUMABLE)[number];

export type Assumption = {
  readonly kind: Assumable;
  /** null = of a vantage, which speaks for every group. */
  readonly group: string | null;
  readonly says: string;
};

/** What both servers of a cluster are taken to tell of how they are made: the same, and nothing that stands in anybody's way. */
export const ALIKE: Readiness = {
  version: 170_000,
  settings: {
    max_connections: 100,
    max_prepared_transactions: 0,
    max_locks_per_transaction: 64,
    max_worker_processes: 8,
    max_wal_senders: 10,
  },
  walLevel: 'replica',
  hotStandby: true,
  walRetrieveRetryMs: null,
  databases: [],
  moreDatabases: 0,
  logicalSlots: [],
};

/** What is taken for given of each PostgreSQL that is probed. */
export function assumedOf(group: GroupSettings, assumed: ReadonlySet<Assumable>): Assumption[] {
  const servers = group.components.filter(({ kind, supported }) => kind === 'postgres' && supported);
  const { primary, secondary } = group;
  return servers.flatMap(({ id, systemIdentifier }) => {
    const says: Readonly<Record<Exclude<Assumable, 'controls'>, string>> = {
      roles: `${id} in ${primary} was the primary all along, and in ${secondary} its standby, on one timeline, with replay not paused`,
      identity: `${id} was one cluster in both regions${systemIdentifier === null ? '' : `, the one that is pinned (${systemIdentifier})`}`,
      readiness: `${id} in ${secondary} was made as in ${primary}: version, settings, extensions, collations, slots`,
    };
    return (['roles', 'identity', 'readiness'] as const)
      .filter((kind) => assumed.has(kind))
      .map((kind): Assumption => ({ kind, group: group.id, says: says[kind] }));
  });
}

export const assumedControls = (vantage: string): Assumption => ({
  kind: 'controls',
  group: null,
  says: `control targets of vantage ${vantage} answered all along, so it was never the isolated one`,
});

/** What is not known of a PostgreSQL where an assumption is refused. */
export function refusedOf(group: GroupSettings, assumed: ReadonlySet<Assumable>): string[] {
  if (!group.components.some(({ kind, supported }) => kind === 'postgres' && supported)) return [];
  const says: Readonly<Record<Exclude<Assumable, 'controls'>, string>> = {
    roles: `which PostgreSQL of ${group.id} was primary, and which standby`,
    identity: `whether both PostgreSQL of ${group.id} were one cluster`,
    readiness: `how the PostgreSQL servers of ${group.id} were made`,
  };
  return (['roles', 'identity', 'readiness'] as const).filter((kind) => !assumed.has(kind)).map((kind) => says[kind]);
}
