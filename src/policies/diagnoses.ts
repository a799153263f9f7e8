/**
 * Diagnoses: named situations, each a small predicate over the view with what it saw (design §2, §4). PURE.
 * bad = the situation is there. ok = it certainly is not. unknown = it can't be said, and nothing follows from it.
 */
import type { Sign } from '../model/events.ts';
import { noticeKey } from '../model/notices.ts';
import type { RegionId, Verdict } from '../model/primitives.ts';
import { pathOf } from '../model/primitives.ts';
import { identityOf } from './identity.ts';
import { quorumOf } from './quorum.ts';
import type { View } from './view.ts';
import { watches } from './watchdog.ts';

export type Veto = { readonly veto: string; readonly verdict: Verdict; readonly why: string };

export type Finding = {
  readonly code: DiagnosisCode;
  readonly verdict: Verdict;
  readonly region: RegionId;
  readonly why: string;
  readonly signs: readonly Sign[];
  /** What stands against it: bad = vetoed, unknown = can't be said (which costs `auto`), ok = nothing. */
  readonly vetoes: readonly Veto[];
  /** Wall time of the first bad sign. */
  readonly impactAt: number | null;
};

export type DiagnosisCode =
  | 'RegionUnreachable'
  | 'WorkloadDegraded'
  | 'VantageIsolated'
  | 'GrayFailure'
  | 'MonitoringBlind'
  | 'ForeignDatabase';

export type Diagnosis = {
  readonly code: DiagnosisCode;
  readonly says: string;
  readonly judge: (view: View) => Finding;
};

function probeSigns(view: View, region: RegionId): Sign[] {
  return (view.reach[region] ?? []).map((reach) => ({
    class: 'client-probe',
    vantage: reach.vantage,
    path: reach.path,
    verdict: reach.verdict,
    ageMs: reach.ageMs ?? -1,
    says: reach.why,
  }));
}

function replicationSigns(view: View): Sign[] {
  return view.postgres.map((postgres) => ({
    class: 'replication',
    vantage: postgres.standby?.vantage ?? '',
    path: pathOf(view.standby, view.active),
    verdict: postgres.streaming,
    ageMs: postgres.standby?.ageMs ?? -1,
    says: `${postgres.component}: ${postgres.streamingWhy}`,
  }));
}

function alertSigns(view: View): Sign[] {
  return view.firing
    .all(({ fact, region }) => fact === 'region-unreachable' && region === view.active)
    .filter(({ path }) => path !== null)
    .map((alert) => ({
      class: 'alert',
      vantage: 'alertmanager',
      path: alert.path ?? '',
      verdict: 'bad',
      ageMs: alert.ageMs,
      says: `${alert.alert.labels['alertname'] ?? alert.alert.fingerprint} fires`,
    }));
}

/**
 * Two classes of evidence over two paths (design §4, invariant 17): alerts never decide alone, nor does one path. A metric
 * that the config names says whatever its PromQL says, and nothing of whether a region is reached: it vouches for none.
 */
export function independent(signs: readonly Sign[]): boolean {
  const bad = signs.filter((sign) => sign.verdict === 'bad' && sign.class !== 'metric');
  const probes = bad.filter((sign) => sign.class === 'client-probe');
  return probes.some((probe) => bad.some((other) => other.class !== 'client-probe' && other.path !== probe.path));
}

function regionUnreachable(view: View): Finding {
  const region = view.active;
  const quorum = quorumOf(view, region);
  const signs = [...probeSigns(view, region), ...replicationSigns(view), ...alertSigns(view)];
  const vetoes: Veto[] = view.postgres.map((postgres) => ({
    veto: 'standby-streamed-lately',
    verdict: postgres.streaming === 'ok' ? 'bad' : postgres.streaming === 'bad' ? 'ok' : 'unknown',
    why: `${postgres.component}: ${postgres.streamingWhy}`,
  }));
  const since = (view.reach[region] ?? []).filter((r) => r.verdict === 'bad').map((r) => r.badSince ?? view.at);
  const base = {
    code: 'RegionUnreachable',
    region,
    signs,
    vetoes,
    impactAt: since.length === 0 ? null : Math.min(...since),
  } as const;
  if (quorum.verdict !== 'bad') return { ...base, verdict: quorum.verdict, why: quorum.why };
  const vetoed = vetoes.find((veto) => veto.verdict === 'bad');
  if (vetoed !== undefined)
    return { ...base, verdict: 'unknown', why: `${quorum.why}; but ${vetoed.why}: a gray failure, not a dead region` };
  if (!independent(signs))
    return {
      ...base,
      verdict: 'unknown',
      why: `${quorum.why}; no other class of evidence over another path agrees yet`,
    };
  return { ...base, verdict: 'bad', why: quorum.why };
}

function workloadDegraded(view: View): Finding {
  const alerts = view.firing.all(({ fact }) => fact === 'workload-degraded');
  const signs: Sign[] = alerts.map((alert) => ({
    class: 'alert',
    vantage: 'alertmanager',
    path: alert.path ?? '',
    verdict: 'bad',
    ageMs: alert.ageMs,
    says: `${alert.alert.labels['alertname'] ?? alert.alert.fingerprint} fires${alert.alert.summary === null ? '' : `: ${alert.alert.summary}`}`,
  }));
  const base = {
    code: 'WorkloadDegraded',
    region: alerts[0]?.meaning.region ?? view.active,
    signs,
    vetoes: [],
    impactAt: null,
  } as const;
  // No alert is no sign of health (design §4), but it ends what only an alert began.
  if (alerts.length === 0) return { ...base, verdict: 'ok', why: 'no such alert fires' };
  return {
    ...base,
    verdict: 'bad',
    why: signs.map((sign) => sign.says).join('; '),
    impactAt: Math.min(...alerts.map((a) => a.alert.startsAt)),
  };
}

function vantageIsolated(view: View): Finding {
  const isolated = view.vantages.filter((vantage) => vantage.connected === 'bad');
  const base = {
    code: 'VantageIsolated',
    region: isolated[0]?.region ?? view.standby,
    signs: [],
    vetoes: [],
    impactAt: null,
  } as const;
  if (isolated.length === 0)
    return {
      ...base,
      verdict: view.vantages.every((v) => v.connected === 'ok') ? 'ok' : 'unknown',
      why: 'no vantage is known to be isolated',
    };
  return { ...base, verdict: 'bad', why: isolated.map((vantage) => `${vantage.id}: ${vantage.why}`).join('; ') };
}

/** Clients are failed and the database is alive: a promotion would make a second primary, so it is for people (design §4). */
function grayFailure(view: View): Finding {
  const reach = view.reach[view.active] ?? [];
  const quorum = quorumOf(view, view.active, reach);
  const streaming = view.postgres.find((postgres) => postgres.streaming === 'ok');
  const since = reach.filter(({ verdict }) => verdict === 'bad').map(({ badSince }) => badSince ?? view.at);
  const base = {
    code: 'GrayFailure',
    region: view.active,
    signs: [...probeSigns(view, view.active), ...replicationSigns(view)],
    vetoes: [],
    impactAt: null,
  } as const;
  if (quorum.verdict === 'bad' && streaming !== undefined)
    return {
      ...base,
      verdict: 'bad',
      impactAt: since.length === 0 ? null : Math.min(...since),
      why: `${quorum.why}, and ${streaming.component}: ${streaming.streamingWhy}`,
    };
  const why = quorum.verdict === 'bad' ? `${quorum.why}, and nothing is known to stream from it` : quorum.why;
  // Where nobody knows whether replication flows, it can't be told from a region that is lost.
  const known = quorum.verdict === 'ok' || view.postgres.every(({ streaming: flows }) => flows === 'bad');
  return { ...base, verdict: known ? 'ok' : 'unknown', why };
}

/** Silence of a watchdog while its region is well: no alert of it would be heard of (design §4). */
function monitoringBlind(view: View): Finding {
  const all = watches(view);
  const blind = all.filter(({ verdict, explained }) => verdict === 'bad' && !explained);
  const opened = blind.flatMap(({ region }) => view.ledger.notices[noticeKey('watchdog-silent', region)]?.at ?? []);
  const base = {
    code: 'MonitoringBlind',
    region: blind[0]?.region ?? view.active,
    signs: [],
    vetoes: [],
    impactAt: opened.length === 0 ? null : Math.min(...opened),
  } as const;
  if (blind.length > 0) return { ...base, verdict: 'bad', why: blind.map(({ why }) => why).join('; ') };
  if (all.length === 0)
    return { ...base, verdict: 'unknown', why: 'no alert is mapped to watchdog, so silence can’t be told from health' };
  const open = all.filter(({ verdict }) => verdict !== 'ok');
  return open.length === 0
    ? { ...base, verdict: 'ok', why: all.map(({ why }) => why).join('; ') }
    : { ...base, verdict: 'unknown', why: open.map(({ why }) => why).join('; ') };
}

function foreignDatabase(view: View): Finding {
  const judged = view.postgres.map((postgres) => identityOf(view, postgres));
  const foreign = judged.filter(({ verdict }) => verdict === 'bad');
  const base = {
    code: 'ForeignDatabase',
    region: foreign[0]?.region ?? view.standby,
    signs: [],
    vetoes: [],
    impactAt: null,
  } as const;
  if (foreign.length > 0) return { ...base, verdict: 'bad', why: foreign.map(({ why }) => why).join('; ') };
  return {
    ...base,
    verdict: judged.every(({ verdict }) => verdict === 'ok') ? 'ok' : 'unknown',
    why: judged.map(({ why }) => why).join('; ') || 'there is no PostgreSQL',
  };
}

export const DIAGNOSES = {
  RegionUnreachable: {
    code: 'RegionUnreachable',
    says: 'the active region can’t be reached by clients, seen by two classes of evidence over two paths',
    judge: regionUnreachable,
  },
  WorkloadDegraded: {
    code: 'WorkloadDegraded',
    says: 'a pod or node fails; Kubernetes heals it',
    judge: workloadDegraded,
  },
  VantageIsolated: {
    code: 'VantageIsolated',
    says: 'a vantage can’t reach its own control targets',
    judge: vantageIsolated,
  },
  GrayFailure: { code: 'GrayFailure', says: 'probes fail while replication flows', judge: grayFailure },
  MonitoringBlind: {
    code: 'MonitoringBlind',
    says: 'the watchdog of a region is silent while the region is well: no alert of it would be heard of',
    judge: monitoringBlind,
  },
  ForeignDatabase: { code: 'ForeignDatabase', says: 'a database of another cluster answers', judge: foreignDatabase },
} as const satisfies Partial<Record<DiagnosisCode, Diagnosis>>;
export type KnownDiagnosis = keyof typeof DIAGNOSES;

export const isKnownDiagnosis = (code: string): code is KnownDiagnosis => Object.hasOwn(DIAGNOSES, code);
