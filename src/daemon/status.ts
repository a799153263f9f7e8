/**
 * Builds the status from the core's state. PURE, and it judges nothing itself: diagnoses, gates and autonomy come from
 * the policies, evaluated at the instant of the question, so that evidence that expired since reads as unknown even
 * when the engine stands still.
 */
import type { FailureKind } from '../engine/engine.ts';
import type { Report } from '../model/events.ts';
import { expressionOf } from '../model/expression.ts';
import type { KeptPage } from '../model/ledger.ts';
import type { State } from '../model/loop.ts';
import { rowKey } from '../model/matrix.ts';
import type { ComponentId, GroupId, MonoMs, WallMs } from '../model/primitives.ts';
import { missing } from '../model/run.ts';
import { declaredAutonomy, type Row } from '../model/settings.ts';
import { commitWindowOf, lastFenceRead } from '../policies/commit-window.ts';
import { DIAGNOSES } from '../policies/diagnoses.ts';
import { type Judgement, judge } from '../policies/gates/index.ts';
import { replicationLoss, sampleOf } from '../policies/loss.ts';
import { maintenanceOf } from '../policies/maintenance.ts';
import { componentsOf, judgeRow, readFact } from '../policies/rows.ts';
import { type View, viewOf } from '../policies/view.ts';
import type {
  FindingStatus,
  GroupStatus,
  HoldStatus,
  ProposalStatus,
  RaiseStatus,
  ReportStatus,
  RowStatus,
  StatusDocument,
} from './status-document.ts';
import { factsOf, monitorsOf, targetsOf } from './status-facts.ts';
import { leasesOf } from './status-leases.ts';
import { metricsOf } from './status-metrics.ts';
import { endedReport, runReport } from './status-run.ts';
import { summaryOf } from './status-summary.ts';

export type StatusQuestion = {
  readonly state: State;
  readonly engine: StatusDocument['engine'];
  /** What of the engine failed, where it did. */
  readonly failure?: FailureKind | null;
  readonly version: string;
  readonly at: WallMs;
  readonly mono: MonoMs;
};

/** Of one group, or of all where `only` is null; a group that isn't there gives an empty list. */
export function statusOf(
  { state: last, engine, failure = null, version, at, mono }: StatusQuestion,
  only: GroupId | null = null,
): StatusDocument {
  const state: State = { ...last, at, mono };
  const { ledger } = state;
  return {
    version,
    at,
    engine,
    incarnation: state.incarnation,
    config: ledger.config,
    journal: { entries: ledger.seq, newestAt: ledger.lastAt },
    groups: Object.keys(state.settings.groups)
      .filter((group) => only === null || group === only)
      .map((group) => groupStatus(state, group, { engine, failure })),
    monitors: monitorsOf(state),
    pages: Object.values(ledger.pages).map(pageStatus).sort(byUrgency),
  };
}

const pageStatus = ({ page, queuedAt, deliveredAt, overdue }: KeptPage): StatusDocument['pages'][number] => ({
  id: page.id,
  kind: page.kind,
  group: page.group,
  title: page.title,
  queuedAt,
  deliveredAt,
  dueAt: page.dueAt,
  overdue,
});

type PageStatus = StatusDocument['pages'][number];
const byUrgency = (a: PageStatus, b: PageStatus): number =>
  Number(b.deliveredAt === null) - Number(a.deliveredAt === null) || b.queuedAt - a.queuedAt;

type Health = { readonly engine: StatusDocument['engine']; readonly failure: FailureKind | null };

function groupStatus(state: State, id: GroupId, health: Health): GroupStatus {
  const view = viewOf(state, id);
  const { settings, ledger } = view;
  const holds = holdsOf(state, view);
  const judged = judgementOf(state, view);
  const proposal = proposalOf(view);
  const run = ledger.run === null ? null : runReport(ledger.run, state);
  const findings = Object.values(DIAGNOSES).map((diagnosis): FindingStatus => {
    const finding = diagnosis.judge(view);
    return { ...finding, says: diagnosis.says, signs: [...finding.signs], vetoes: [...finding.vetoes] };
  });
  const autonomy = {
    declared: settings.autonomy,
    inForce: judged?.autonomy ?? declaredAutonomy(settings),
    why: [...(judged?.autonomyWhy ?? settings.caps.map((cap) => `at most ${cap.autonomy}: ${cap.why}`))],
  };
  const gates = [...(judged?.reports ?? [])];
  const reports = reportsOf(view);
  const leases = leasesOf(state, view);
  const decisions = Object.values(ledger.decisions);
  return {
    group: id,
    title: settings.title,
    timeZone: settings.businessHours?.timeZone ?? null,
    summary: summaryOf({
      view,
      ...health,
      findings,
      holds,
      reports,
      leases,
      autonomy,
      gates,
      decisions,
      proposal,
      run,
    }),
    active: view.active,
    standby: view.standby,
    epoch: ledger.epoch,
    rtoMs: settings.rtoMs,
    rpoMs: settings.rpoMs,
    replication: replicationOf(view),
    commitWindow: commitWindowStatus(state, id),
    leases,
    reports,
    autonomy,
    gates,
    findings,
    holds,
    rows: rowsOf(view),
    decisions,
    proposal,
    raise: raiseOf(view),
    run,
    ended: ledger.ended.map((ended) => endedReport(ended, settings)).reverse(),
    vantages: view.vantages.map(({ id, region, connected, why }) => ({ id, region, connected, why })),
    facts: factsOf(state, view),
    metrics: metricsOf(state, view),
    targets: targetsOf(state, view),
    alerts: view.alerts.map(({ alert, meaning, ageMs }) => ({
      name: alert.labels['alertname'] ?? alert.fingerprint,
      summary: alert.summary,
      means: meaning.fact,
      region: meaning.region,
      component: meaning.component,
      startsAt: alert.startsAt,
      ageMs,
    })),
    silenced: view.silenced.map(({ alert, meaning, by }) => ({
      name: alert.labels['alertname'] ?? alert.fingerprint,
      summary: alert.summary,
      means: meaning.fact,
      region: meaning.region,
      component: meaning.component,
      startsAt: alert.startsAt,
      by: by.map(({ by: who, comment, endsAt }) => ({ who, comment, until: endsAt })),
    })),
    maintenance: maintenanceOf(view).map(({ causes, ...one }) => ({
      ...one,
      causes: causes === null ? null : [...causes],
    })),
  };
}

function raiseOf({ ledger: { raise }, at }: View): RaiseStatus | null {
  if (raise === null) return null;
  const { id, openedAt, expiresAt, configHash, widens, needs } = raise;
  return {
    id,
    openedAt,
    expiresAt,
    expiresInMs: Math.max(0, expiresAt - at),
    configHash,
    widens,
    needs,
    approvals: raise.approvals.map(({ person, role, at: given }) => ({ person, role, at: given })),
    missing: missing(raise),
  };
}

function replicationOf(view: View): GroupStatus['replication'] {
  const first = view.postgres[0];
  if (first === undefined) return null;
  const { streaming, streamingWhy: why, receiveGapBytes, replayLagBytes } = first;
  const seconds = readFact(view, 'replication.replay_lag_seconds').value;
  const replayLagSeconds = typeof seconds === 'number' ? seconds : null;
  return { streaming, why, receiveGapBytes, replayLagBytes, replayLagSeconds };
}

function holdsOf(state: State, view: View): HoldStatus[] {
  return Object.values(view.ledger.holds).flatMap((hold) => {
    const row = view.settings.rows.find((r) => r.id === hold.row);
    // The config may have lost a row or its component since the hold began; what is no rule any more leads to nothing.
    if (row === undefined || !componentsOf(view.settings, row).includes(hold.component)) return [];
    const key = `${view.group}/${rowKey(hold.row, hold.component)}`;
    const heldMs = hold.heldMs + (state.volatile.holdPendingMs[key] ?? 0);
    return [
      {
        row: row.id,
        component: hold.component,
        when: row.when,
        vetoes: [...judgeRow(view, row, hold.component).vetoes],
        action: row.action,
        region: hold.region,
        impactAt: hold.impactAt,
        heldMs,
        forMs: row.forMs,
        remainingMs: Math.max(0, row.forMs - heldMs),
      },
    ];
  });
}

const rowsOf = (view: View): RowStatus[] =>
  view.settings.rows.flatMap((row) =>
    componentsOf(view.settings, row).map((component) => rowStatus(view, row, component)),
  );

function rowStatus(view: View, row: Row, component: ComponentId | null): RowStatus {
  const { verdict, values, turnedBy } = judgeRow(view, row, component);
  const { id, kind, when, forMs, action, against, note } = row;
  return {
    row: id,
    component,
    kind,
    when,
    forMs,
    action,
    against: [...against],
    note,
    verdict,
    values: [...values],
    turnedBy: [...turnedBy],
  };
}

const REPORTS: readonly Report[] = ['corruption', 'deletion'];

function reportsOf({ ledger, settings, at: now }: View): ReportStatus[] {
  return REPORTS.flatMap((report) => {
    const made = ledger.reports[report];
    if (made === undefined) return [];
    const { at, by, what } = made;
    const reading = settings.rows.filter((row) =>
      expressionOf(row.when, settings.metrics).facts.includes(`reports.${report}`),
    );
    return [
      {
        report,
        at,
        sinceMs: Math.max(0, now - at),
        by,
        what,
        bars: [...new Set(reading.flatMap((row) => row.against))],
      },
    ];
  });
}

/** How the gates of the group's failover row answer now, whether or not anything is wrong. */
function judgementOf(state: State, view: View): Judgement | null {
  const row: Row | undefined = view.settings.rows.find((r) => r.kind === 'decide' && r.action === 'failover');
  if (row === undefined) return null;
  const finding = judgeRow(view, row);
  const hold = view.ledger.holds[row.id];
  const loss = replicationLoss(
    hold?.sample ?? sampleOf(state, view),
    hold?.impactAt ?? finding.impactAt ?? state.at,
    view,
  );
  return judge({ view, row, component: null, finding, loss });
}

function proposalOf({ ledger, at }: View): ProposalStatus | null {
  const open = ledger.proposal;
  if (open === null) return null;
  const { id, openedAt, expiresAt, plan, planHash, epoch, ceilings, loss, needs, decision } = open;
  const approvals = open.approvals.map(({ person, role, at: givenAt }) => ({ person, role, at: givenAt }));
  return {
    id,
    from: plan.from,
    to: plan.to,
    openedAt,
    expiresAt,
    expiresInMs: Math.max(0, expiresAt - at),
    planHash,
    epoch,
    fence: plan.fence,
    rtoMs: plan.rtoMs,
    steps: plan.steps.map((step) => ({ id: step.id, phase: step.phase, kind: step.kind, budgetMs: step.budgetMs })),
    ceilings,
    loss,
    needs,
    approvals,
    missing: missing(open),
    decision,
  };
}

function commitWindowStatus(state: State, group: GroupId): GroupStatus['commitWindow'] {
  const window = commitWindowOf(state, group);
  if (window === null) return null;
  const read = lastFenceRead(state, window);
  const fence = window.lost !== null ? 'lost' : read?.result.kind === 'ok' ? 'held' : 'unknown';
  return {
    run: window.run,
    region: window.from,
    until: window.since + (state.settings.groups[group]?.commitWindowMs ?? 0),
    fence,
    readAgoMs: read === null ? null : Math.max(0, state.mono - read.mono),
    why: window.lost?.why ?? read?.result.message ?? 'not read yet',
  };
}
