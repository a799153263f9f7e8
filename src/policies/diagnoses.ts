/**
 * Diagnoses: named situations, each a small predicate over the view with what it saw (design §2, §4). PURE.
 * bad = the situation is there. ok = it certainly is not. unknown = it can't be said, and nothing follows from it.
 */
import type { Sign } from '../model/events.ts';
import type { RegionId, Verdict } from '../model/primitives.ts';
import { pathOf } from '../model/primitives.ts';
import type { Reach, View } from './view.ts';

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
  | 'ForeignDatabase';

export type Diagnosis = {
  readonly code: DiagnosisCode;
  readonly says: string;
  readonly judge: (view: View) => Finding;
};

const count = (reach: readonly Reach[], verdict: Verdict): number => reach.filter((r) => r.verdict === verdict).length;

/** Probes of the active region from k of n vantages; unknown vantages stay in n (design §4). */
export function quorumOf(
  view: View,
  region: RegionId,
  reach: readonly Reach[] = view.reach[region] ?? [],
): { readonly verdict: Verdict; readonly why: string } {
  const bad = count(reach, 'bad');
  const ok = count(reach, 'ok');
  const n = reach.length;
  const k = view.settings.quorum;
  const tally = `${bad} of ${n} vantages can't reach ${region}, ${ok} can, ${n - bad - ok} can't tell; ${k} are needed`;
  if (bad >= k) return { verdict: 'bad', why: tally };
  // So many see it well that k can't be reached whatever the rest would say.
  if (ok > n - k) return { verdict: 'ok', why: tally };
  return { verdict: 'unknown', why: tally };
}

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
  return view.alerts
    .filter(
      (alert) =>
        alert.meaning.fact === 'region-unreachable' && alert.meaning.region === view.active && alert.path !== null,
    )
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
  const alerts = view.alerts.filter((alert) => alert.meaning.fact === 'workload-degraded');
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

function grayFailure(view: View): Finding {
  const quorum = quorumOf(view, view.active);
  const streaming = view.postgres.some((postgres) => postgres.streaming === 'ok');
  const base = {
    code: 'GrayFailure',
    region: view.active,
    signs: probeSigns(view, view.active),
    vetoes: [],
    impactAt: null,
  } as const;
  if (quorum.verdict === 'bad' && streaming)
    return {
      ...base,
      verdict: 'bad',
      why: `${quorum.why}, and replication flows: proposed to people, never promoted silently`,
    };
  return { ...base, verdict: quorum.verdict === 'unknown' ? 'unknown' : 'ok', why: quorum.why };
}

function foreignDatabase(view: View): Finding {
  const foreign = view.postgres.filter((postgres) => postgres.identity === 'bad');
  const base = { code: 'ForeignDatabase', region: view.standby, signs: [], vetoes: [], impactAt: null } as const;
  if (foreign.length > 0)
    return {
      ...base,
      verdict: 'bad',
      why: foreign
        .map((p) => `${p.component} in ${view.standby} belongs to another cluster than ${p.systemIdentifier}`)
        .join('; '),
    };
  return {
    ...base,
    verdict: view.postgres.every((p) => p.identity === 'ok') ? 'ok' : 'unknown',
    why: 'system identifiers',
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
  ForeignDatabase: { code: 'ForeignDatabase', says: 'a database of another cluster answers', judge: foreignDatabase },
} as const satisfies Partial<Record<DiagnosisCode, Diagnosis>>;
export type KnownDiagnosis = keyof typeof DIAGNOSES;

export const isKnownDiagnosis = (code: string): code is KnownDiagnosis => Object.hasOwn(DIAGNOSES, code);
