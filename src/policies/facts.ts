/**
 * The facts that rows read, taken from the view: each with its value, why it has it, and the signs it stands on
 * (`model/row-facts.ts`). PURE.
 */

import type { AlertFact } from '../model/config.ts';
import type { Sign } from '../model/events.ts';
import { lsnGapBytes, type RegionId } from '../model/primitives.ts';
import type { GroupFactName } from '../model/row-facts.ts';
import { alerted } from './alert-facts.ts';
import { DIAGNOSES } from './diagnoses.ts';
import { maintenanceReading } from './maintenance.ts';
import type { PostgresView } from './postgres-view.ts';
import { quorumOf } from './quorum.ts';
import { plain, type Reading } from './reading.ts';
import type { Reach, View } from './view.ts';
import { watchingAll } from './watchdog.ts';

export const READERS: Readonly<Record<GroupFactName, (view: View) => Reading>> = {
  'active.reachable': (view) => {
    const { verdict, ...finding } = DIAGNOSES.RegionUnreachable.judge(view);
    return { ...finding, value: verdict };
  },
  'standby.reachable': (view) => {
    const { verdict, why } = quorumOf(view, view.standby);
    return { ...plain(verdict, why), region: view.standby };
  },
  'postgres.reachable': (view) => reachable(view, view.active, 'postgres', view.activeReachByKind.postgres),
  'services.reachable': (view) => reachable(view, view.active, 'http', view.activeReachByKind.http),
  'replication.streaming': ({ postgres }) => {
    const worst = postgres.find(({ streaming }) => streaming !== 'ok') ?? postgres[0];
    return worst === undefined
      ? plain(null, 'there is no PostgreSQL')
      : plain(worst.streaming, `${worst.component}: ${worst.streamingWhy}`);
  },
  'replication.replay_lag_seconds': ({ postgres }) => replayLag(postgres),
  'replication.receive_gap_bytes': ({ postgres }) => receiveGap(postgres),
  'clickhouse.serving': (view) => says(view, 'clickhouse-failing'),
  'nats.flowing': (view) => says(view, 'nats-failing'),
  'workloads.healthy': (view) => says(view, 'workload-degraded'),
  'maintenance.over': (view) => maintenanceReading(view),
  'monitoring.watching': watchingAll,
  'reports.corruption': ({ ledger }) => reported(ledger.reports['corruption'], 'corruption'),
  'reports.deletion': ({ ledger }) => reported(ledger.reports['deletion'], 'an accidental deletion'),
  'residency.allows': ({ settings, standby }) => {
    const bound = settings.components.filter(({ residency }) => residency !== null && !residency.includes(standby));
    return bound.length === 0
      ? plain('ok', `every component may stand in ${standby}`)
      : plain('bad', `${bound.map(({ id }) => id).join(', ')} may not stand in ${standby}`);
  },
};

/** A metric that the config names. Its sign is of a class of its own, which vouches for no region (invariant 17). */
export function readMetric(view: View, id: string): Reading {
  const metric = view.metrics.find(({ settings }) => settings.id === id);
  if (metric === undefined) return plain(null, `no fact is named ${id}`);
  const { settings, value, path, ageMs, badSince } = metric;
  const why = value === null ? `metrics.${id} is unknown: ${metric.why}` : `${metric.why}`;
  const sign: Sign = {
    class: 'metric',
    vantage: settings.server,
    path,
    verdict: typeof value === 'string' ? value : 'unknown',
    ageMs: ageMs ?? -1,
    says: why,
  };
  return {
    ...plain(value, why),
    signs: [sign],
    impactAt: value === 'bad' ? badSince : null,
    region: settings.about,
  };
}

const says = (view: View, fact: AlertFact): Reading => alerted(view, fact, (meaning) => meaning.fact === fact);

/** What a quorum of vantages says of some components in one region; `what` names them. */
export function reachable(view: View, region: RegionId, what: string, reach: readonly Reach[]): Reading {
  const { verdict, why } = quorumOf(view, region, reach);
  const since = reach.filter((one) => one.verdict === 'bad').map((one) => one.badSince ?? view.at);
  const signs = reach.map(
    (one): Sign => ({
      class: 'client-probe',
      vantage: one.vantage,
      path: one.path,
      verdict: one.verdict,
      ageMs: one.ageMs ?? -1,
      says: one.why,
    }),
  );
  return {
    ...plain(verdict, `${what} in ${region}: ${why}`),
    signs,
    impactAt: since.length === 0 ? null : Math.min(...since),
    region,
  };
}

/** What was received is replayed in time, whether or not the primary lives: so it is measured on the standby alone. */
export function replayLag(some: readonly PostgresView[]): Reading {
  let most = 0;
  for (const { component, standby } of some) {
    const facts = standby?.observation.facts ?? null;
    if (facts === null || facts.receiveLsn === null || facts.replayLsn === null)
      return plain(null, `${component}: the standby was not seen lately, or does not tell`);
    // A primary that dies while it is busy leaves the first part of a record behind, which is received and never replayed.
    if (facts.replayWaits === true || lsnGapBytes(facts.receiveLsn, facts.replayLsn) <= 0) continue;
    if (facts.clockAt === null || facts.lastReplayedCommitAt === null)
      return plain(null, `${component}: the standby is behind, and does not tell by how much`);
    most = Math.max(most, (facts.clockAt - facts.lastReplayedCommitAt) / 1000);
  }
  return some.length === 0
    ? plain(null, 'there is no PostgreSQL')
    : plain(most, `the standby has replayed up to ${most.toFixed(1)} s ago`);
}

export function receiveGap(some: readonly PostgresView[]): Reading {
  const gaps = some.map(({ receiveGapBytes }) => receiveGapBytes);
  if (gaps.length === 0 || gaps.includes(null)) return plain(null, 'primary and standby were not both seen lately');
  const most = Math.max(...gaps.map((gap) => gap ?? 0));
  return plain(most, `${most} bytes are flushed and not received`);
}

function reported(report: View['ledger']['reports'][string] | undefined, what: string): Reading {
  if (report === undefined) return plain('ok', `${what} is not reported`);
  return {
    ...plain('bad', `${what} was reported by ${report.by}: ${report.what}`),
    impactAt: report.at,
  };
}
