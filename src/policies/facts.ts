/**
 * The facts that rows read, taken from the view: each with its value, why it has it, and the signs it stands on
 * (`model/row-facts.ts`). PURE.
 */
import type { Sign } from '../model/events.ts';
import { lsnGapBytes, type RegionId, type Verdict } from '../model/primitives.ts';
import type { RowFactName } from '../model/row-facts.ts';
import { DIAGNOSES, quorumOf, type Veto } from './diagnoses.ts';
import type { View } from './view.ts';

export type Reading = {
  /** null = unknown. */
  readonly value: Verdict | number | null;
  readonly why: string;
  readonly signs: readonly Sign[];
  readonly vetoes: readonly Veto[];
  readonly impactAt: number | null;
  /** The region it is about, where it is about one. */
  readonly region: RegionId | null;
};

const plain = (value: Reading['value'], why: string): Reading => ({
  value,
  why,
  signs: [],
  vetoes: [],
  impactAt: null,
  region: null,
});

export const READERS: Readonly<Record<RowFactName, (view: View) => Reading>> = {
  'active.reachable': (view) => {
    const { verdict, ...finding } = DIAGNOSES.RegionUnreachable.judge(view);
    return { ...finding, value: verdict };
  },
  'standby.reachable': (view) => {
    const { verdict, why } = quorumOf(view, view.standby);
    return { ...plain(verdict, why), region: view.standby };
  },
  'postgres.reachable': (view) => reachable(view, 'postgres'),
  'services.reachable': (view) => reachable(view, 'http'),
  'replication.streaming': ({ postgres }) => {
    const worst = postgres.find(({ streaming }) => streaming !== 'ok') ?? postgres[0];
    return worst === undefined
      ? plain(null, 'there is no PostgreSQL')
      : plain(worst.streaming, `${worst.component}: ${worst.streamingWhy}`);
  },
  'replication.replay_lag_seconds': replayLag,
  'replication.receive_gap_bytes': ({ postgres }) => {
    const gaps = postgres.map(({ receiveGapBytes }) => receiveGapBytes);
    if (gaps.length === 0 || gaps.includes(null)) return plain(null, 'primary and standby were not both seen lately');
    const most = Math.max(...gaps.map((gap) => gap ?? 0));
    return plain(most, `${most} bytes are flushed and not received`);
  },
  'clickhouse.serving': (view) => alerted(view, 'clickhouse-failing'),
  'nats.flowing': (view) => alerted(view, 'nats-failing'),
  'workloads.healthy': (view) => alerted(view, 'workload-degraded'),
  'maintenance.over': (view) => alerted(view, 'maintenance'),
  'monitoring.watching': watching,
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

function reachable(view: View, kind: 'postgres' | 'http'): Reading {
  const reach = view.activeReachByKind[kind];
  const { verdict, why } = quorumOf(view, view.active, reach);
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
    ...plain(verdict, `${kind} in ${view.active}: ${why}`),
    signs,
    impactAt: since.length === 0 ? null : Math.min(...since),
    region: view.active,
  };
}

/** What was received is replayed in time, whether or not the primary lives: so it is measured on the standby alone. */
function replayLag({ postgres }: View): Reading {
  let most = 0;
  for (const { component, standby } of postgres) {
    const facts = standby?.observation.facts ?? null;
    if (facts === null || facts.receiveLsn === null || facts.replayLsn === null)
      return plain(null, `${component}: the standby was not seen lately, or does not tell`);
    // A primary that dies while it is busy leaves the first part of a record behind, which is received and never replayed.
    if (facts.replayWaits === true || lsnGapBytes(facts.receiveLsn, facts.replayLsn) <= 0) continue;
    if (facts.clockAt === null || facts.lastReplayedCommitAt === null)
      return plain(null, `${component}: the standby is behind, and does not tell by how much`);
    most = Math.max(most, (facts.clockAt - facts.lastReplayedCommitAt) / 1000);
  }
  return postgres.length === 0
    ? plain(null, 'there is no PostgreSQL')
    : plain(most, `the standby has replayed up to ${most.toFixed(1)} s ago`);
}

const firing = (view: View, fact: View['alerts'][number]['meaning']['fact']): View['alerts'] =>
  view.alerts.filter(({ meaning }) => meaning.fact === fact);

/** Quiet alerts say that all is well only while the watchdog is heard: *resolved* alone is no sign of health (design §4). */
function alerted(view: View, fact: View['alerts'][number]['meaning']['fact']): Reading {
  const alerts = firing(view, fact);
  if (alerts.length === 0) {
    const { value } = watching(view);
    return value === 'ok'
      ? plain('ok', `no alert mapped to ${fact} fires, and the watchdog is heard`)
      : plain(null, `no alert mapped to ${fact} fires, and whether any would can’t be told`);
  }
  const names = alerts.map(({ alert }) => `${alert.labels['alertname'] ?? alert.fingerprint} fires`);
  const signs = alerts.map(
    ({ alert, ageMs, path }, index): Sign => ({
      class: 'alert',
      vantage: 'alertmanager',
      path: path ?? '',
      verdict: 'bad',
      ageMs,
      says: `${names[index]}${alert.summary === null ? '' : `: ${alert.summary}`}`,
    }),
  );
  return {
    ...plain('bad', names.join('; ')),
    signs,
    impactAt: Math.min(...alerts.map(({ alert }) => alert.startsAt)),
    region: alerts[0]?.meaning.region ?? null,
  };
}

function watching(view: View): Reading {
  const mapped = view.settings.alertMeanings.some(({ fact }) => fact === 'watchdog');
  if (!mapped) return plain(null, 'no alert is mapped to watchdog, so silence can’t be told from health');
  const heard = firing(view, 'watchdog').filter(({ ageMs }) => ageMs <= view.settings.watchdogWithinMs);
  if (heard.length > 0) return plain('ok', 'the watchdog is heard');
  return view.upMs < view.settings.watchdogWithinMs
    ? plain(null, 'the watchdog was not heard yet')
    : plain(
        'bad',
        `the watchdog was not heard for ${Math.round(view.settings.watchdogWithinMs / 1000)} s: monitoring is blind`,
      );
}

function reported(report: View['ledger']['reports'][string] | undefined, what: string): Reading {
  if (report === undefined) return plain('ok', `${what} is not reported`);
  return {
    ...plain('bad', `${what} was reported by ${report.by}: ${report.what}`),
    impactAt: report.at,
  };
}
