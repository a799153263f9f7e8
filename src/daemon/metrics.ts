/**
 * What failoverd tells Prometheus of itself: base units, and labels whose values are bounded by the config or by a
 * closed set; never by what a sender wrote (design §10). Counters are told as things happen; gauges are read off the
 * status when somebody asks, so that a scrape never shows a state that was true once.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { JournalStore } from '../journal/store.ts';
import { type JournalEntry, PageKind } from '../model/events.ts';
import type { Observation, ProbeErrorCode } from '../model/evidence.ts';
import { Autonomy } from '../model/primitives.ts';
import type { GroupStatus, StatusDocument } from './status-document.ts';

const PROBE_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5];
const APPEND_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
/** dr-strategy: 99.95 % availability, which leaves 21.6 minutes in 30 days. */
const SLA_RATIO = 0.9995;
const SLA_WINDOW_MS = 30 * 86_400_000;

export type Metrics = {
  readonly registry: Registry;
  /** One webhook and its ending: `accepted`, or the code it was refused with. */
  webhook(outcome: string): void;
  alert(outcome: 'accepted' | 'clock-ahead' | 'clock-behind' | 'clock-unreadable'): void;
  /** What one Alertmanager answered when it was asked what fires: `ok`, or why it can't be told. */
  reconciliation(outcome: 'ok' | ProbeErrorCode): void;
  /** From now on it is shown how long ago what fires was last known from an Alertmanager; `ageMs` is asked at each scrape. Null: none is asked. */
  reconciliationAge(ageMs: (() => number) | null): void;
  /** One witness report and its ending: `accepted`, or the code it was refused with. */
  witnessReport(code: string): void;
  /** One order of a person and its ending. */
  order(order: 'approve' | 'abort' | 'report' | 'clear-report' | 'clear-lease' | 'reload', outcome: string): void;
  /** One request of a guard, by what the store answered, the code it refused with, or the problem there was. */
  lease(answer: string): void;
  /** How many listen to server-sent events now. */
  eventStreams(open: number): void;
  observed(observations: readonly Observation[]): void;
  appended(entries: readonly JournalEntry[]): void;
  journalAppend(durationMs: number, outcome: 'ok' | 'failed'): void;
  /** The wall clock was set under us. */
  clockSet(): void;
  /** All metrics in Prometheus' text format, gauges as of this status. */
  exposition(status: StatusDocument): Promise<string>;
};

export function createMetrics({ version }: { readonly version: string }): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counters = createCounters(registry);
  const gauges = createGauges(registry);
  gauges.buildInfo.set({ version }, 1);
  return {
    registry,
    webhook: (outcome) => counters.webhooks.inc({ outcome }),
    alert: (outcome) => counters.alerts.inc({ outcome }),
    reconciliation: (outcome) => counters.reconciliations.inc({ outcome }),
    reconciliationAge: (ageMs) => showReconciliationAge(registry, ageMs),
    witnessReport: (code) => counters.witnessReports.inc({ code }),
    order: (order, outcome) => counters.orders.inc({ order, outcome }),
    lease: (answer) => counters.leases.inc({ answer }),
    eventStreams: (open) => gauges.eventStreams.set(open),
    observed(observations) {
      for (const { kind, vantage, verdict, durationMs } of observations) {
        counters.observations.inc({ kind, vantage, verdict });
        counters.probeSeconds.observe({ kind, vantage }, durationMs / 1000);
      }
    },
    appended(entries) {
      counters.entries.inc(entries.length);
      for (const { body } of entries) {
        counters.events.inc({ kind: body.kind });
        if (body.kind === 'run.ended') counters.runs.inc({ group: body.group, outcome: body.outcome });
      }
    },
    journalAppend: (durationMs, outcome) => counters.appendSeconds.observe({ outcome }, durationMs / 1000),
    clockSet: () => counters.clockSets.inc(),
    async exposition(status) {
      gauges.show(status);
      return await registry.metrics();
    },
  };
}

function createCounters(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: L[]): Counter<L> =>
    new Counter({ name: `failoverd_${name}`, help, labelNames, registers });
  return {
    webhooks: counter('webhooks_total', 'Webhooks taken or refused', ['outcome']),
    alerts: counter('webhook_alerts_total', 'Alerts within webhooks, taken or refused', ['outcome']),
    reconciliations: counter(
      'alertmanager_reconciliations_total',
      'Times that an Alertmanager was asked what fires, by what came of it',
      ['outcome'],
    ),
    witnessReports: counter('witness_reports_total', 'Reports of witnesses, taken or refused', ['code']),
    orders: counter(
      'orders_total',
      'Orders of people (approve, abort, report, clear-report, clear-lease, reload), taken or refused',
      ['order', 'outcome'],
    ),
    leases: counter('lease_answers_total', 'Requests of guards, by what the lease store answered', ['answer']),
    observations: counter('observations_total', 'Answers of probes', ['kind', 'vantage', 'verdict']),
    events: counter('events_total', 'Events written to the journal', ['kind']),
    entries: counter('journal_entries_total', 'Entries written to the journal by this process', []),
    runs: counter('runs_total', 'Runs that ended', ['group', 'outcome']),
    clockSets: counter('clock_sets_total', 'Times the wall clock was set by half a second or more', []),
    probeSeconds: new Histogram({
      name: 'failoverd_probe_duration_seconds',
      help: 'How long probes took',
      labelNames: ['kind', 'vantage'] as const,
      buckets: PROBE_SECONDS,
      registers,
    }),
    appendSeconds: new Histogram({
      name: 'failoverd_journal_append_duration_seconds',
      help: 'How long it took until entries were on disk',
      labelNames: ['outcome'] as const,
      buckets: APPEND_SECONDS,
      registers,
    }),
  };
}

/** Only where an API is named: a number that nobody keeps would read as an outage. */
function showReconciliationAge(registry: Registry, ageMs: (() => number) | null): void {
  const name = 'failoverd_alertmanager_reconciliation_age_seconds';
  registry.removeSingleMetric(name);
  if (ageMs === null) return;
  new Gauge({
    name,
    help: 'Since an Alertmanager last answered what fires and the answer was taken in; since the start if none has',
    registers: [registry],
    collect() {
      this.set(ageMs() / 1000);
    },
  });
}

function createGauges(registry: Registry) {
  const registers = [registry];
  const gauge = <L extends string>(name: string, help: string, labelNames: L[]): Gauge<L> =>
    new Gauge({ name: `failoverd_${name}`, help, labelNames, registers });
  const buildInfo = gauge('build_info', 'Constant 1 with the version', ['version']);
  const reloadOk = gauge('config_last_reload_successful', '1 unless the config on disk was refused when last read', []);
  const reloadAt = gauge('config_last_reload_success_timestamp_seconds', 'When the config in force was taken', []);
  const engineUp = gauge('engine_up', '1 while the engine runs and its journal takes entries', []);
  const eventStreams = gauge('event_streams_open', 'Clients that listen to server-sent events', []);
  const pages = gauge('pages_undelivered', 'Pages that nobody has taken yet', []);
  const pagesOverdue = gauge('pages_overdue', 'Pages that nobody has taken and that were due', ['kind']);
  const slaTarget = gauge('sla_availability_target_ratio', 'Availability promised', []);
  const slaBudget = gauge('sla_error_budget_seconds', 'Unavailability that 30 days may hold', []);
  const monitor = gauge('monitor_up', 'A Prometheus or Alertmanager that watches for us: 1 well, 0 bad, -1 unknown', [
    'monitor',
    'server',
  ]);
  const perGroup = createGroupGauges(gauge);
  slaTarget.set(SLA_RATIO);
  slaBudget.set((SLA_WINDOW_MS / 1000) * (1 - SLA_RATIO));
  return {
    buildInfo,
    eventStreams,
    show(status: StatusDocument): void {
      reloadOk.set(status.config.refused === null ? 1 : 0);
      if (status.config.since !== null) reloadAt.set(status.config.since / 1000);
      engineUp.set(status.engine === 'running' ? 1 : 0);
      pages.set(status.pages.filter((page) => page.deliveredAt === null).length);
      for (const kind of PageKind.enum)
        pagesOverdue.set({ kind }, status.pages.filter((page) => page.kind === kind && isOverdue(page)).length);
      // Reset: a phase or hold that is over must not go on being shown.
      for (const one of Object.values(perGroup)) one.reset();
      monitor.reset();
      for (const { fact, subject, verdict } of status.monitors)
        monitor.set({ monitor: fact.split('.')[0] ?? '', server: subject }, signed[verdict]);
      for (const group of status.groups) showGroup(perGroup, group, status.at);
    },
  };
}

const isOverdue = (page: StatusDocument['pages'][number]): boolean => page.overdue && page.deliveredAt === null;

type MakeGauge = <L extends string>(name: string, help: string, labelNames: L[]) => Gauge<L>;

function createGroupGauges(gauge: MakeGauge) {
  return {
    active: gauge('group_active_info', 'Constant 1 with the active region', ['group', 'region']),
    epoch: gauge('group_epoch', 'Highest epoch taken', ['group']),
    autonomy: gauge('group_autonomy', '1 for the autonomy in force', ['group', 'autonomy']),
    declared: gauge('group_autonomy_declared', '1 for the autonomy that the config asks for', ['group', 'autonomy']),
    finding: gauge('diagnosis_verdict', '1 bad, 0 ok, -1 unknown', ['group', 'diagnosis']),
    connected: gauge('vantage_connected', '1 connected, 0 isolated, -1 unknown', ['group', 'vantage']),
    probe: gauge('probe_verdict', '1 ok, 0 bad, -1 unknown, of each target by each vantage', [
      'group',
      'vantage',
      'component',
      'region',
    ]),
    hold: gauge('hold_seconds', 'How long a row’s condition has held', ['group', 'row', 'component']),
    holdFor: gauge('hold_required_seconds', 'How long the condition has to hold', ['group', 'row', 'component']),
    alerts: gauge('alerts_firing', 'Mapped alerts that count now', ['group']),
    proposal: gauge('proposal_open', '1 while a proposal waits for people', ['group']),
    raise: gauge('raise_open', '1 while a config asks for more autonomy than is agreed', ['group']),
    proposalLeft: gauge('proposal_expires_seconds', 'Until the open proposal expires', ['group']),
    run: gauge('run_active', '1 while a run is open', ['group']),
    runStuck: gauge('run_needs_person', '1 while the open run is paused or halted', ['group']),
    runSeconds: gauge('run_seconds', 'Since the open run was decided', ['group']),
    phase: gauge('run_phase_seconds', 'Time of each phase of the open or last run', ['group', 'phase']),
    step: gauge('run_step_seconds', 'Time of each step of the open or last run', ['group', 'step']),
    rto: gauge('last_run_rto_seconds', 'Decided to verified of the last run', ['group']),
    gate: gauge('gate_answer', '1 pass, 0 block, -1 can’t tell; for a failover, now', ['group', 'gate']),
    rtoTarget: gauge('rto_target_seconds', 'Decided to verified as promised', ['group']),
    loss: gauge('last_run_loss_high_seconds', 'Upper end of the last run’s loss', ['group']),
    receiveGap: gauge('postgres_receive_gap_bytes', 'Flushed by the primary, not received by the standby', ['group']),
    replayLag: gauge('postgres_replay_lag_bytes', 'Received by the standby, not replayed', ['group']),
    replayLagSeconds: gauge('postgres_replay_lag_seconds', 'Age of the last commit replayed while more was received', [
      'group',
    ]),
    rpoTarget: gauge('rpo_target_seconds', 'Loss of data promised at most', ['group']),
    metric: gauge('metric_fact', 'Value of a metric that is named as a fact; missing while it is unknown', [
      'group',
      'fact',
    ]),
    metricKnown: gauge('metric_fact_known', '1 while the metric that is named as a fact is known', ['group', 'fact']),
    metricAge: gauge('metric_fact_age_seconds', 'Age of the oldest sample that the fact was last made from', [
      'group',
      'fact',
    ]),
    streaming: gauge('postgres_streaming', '1 streaming, 0 not, -1 unknown', ['group']),
    leaseHolder: gauge('lease_holder_info', 'Constant 1 with the region whose guard holds the lease', [
      'group',
      'component',
      'region',
    ]),
    leaseEpoch: gauge('lease_epoch', 'Epoch at which the lease was last taken', ['group', 'component']),
    leaseUnchanged: gauge(
      'lease_unchanged_seconds',
      'Since a lease that is held was last set, as far as the store has seen since it started',
      ['group', 'component'],
    ),
    leaseWarming: gauge('lease_warming_seconds', 'Until a store that has started grants acquisitions', [
      'group',
      'component',
    ]),
    leaseHalted: gauge('lease_halted', '1 while the lease store grants nothing until a person clears it', [
      'group',
      'component',
    ]),
    guardHeard: gauge(
      'lease_guard_heard_seconds',
      'Since a guard was heard; missing where it was not since the start',
      ['group', 'component', 'region'],
    ),
    guardPinned: gauge('lease_guard_pinned', '1 while a guard obeys this life of the lease store', [
      'group',
      'component',
      'region',
    ]),
    downtime: gauge('sla_downtime_seconds', 'Impact to verified of the last 30 days’ runs, and now', ['group']),
  };
}

const answers = { pass: 1, block: 0, 'cannot-tell': -1 } as const;
const signed = { ok: 1, bad: 0, unknown: -1 } as const;

function showGroup(g: ReturnType<typeof createGroupGauges>, status: GroupStatus, at: number): void {
  const { group } = status;
  g.active.set({ group, region: status.active }, 1);
  g.epoch.set({ group }, status.epoch);
  for (const autonomy of Autonomy.enum) {
    g.autonomy.set({ group, autonomy }, status.autonomy.inForce === autonomy ? 1 : 0);
    g.declared.set({ group, autonomy }, status.autonomy.declared === autonomy ? 1 : 0);
  }
  for (const { code, verdict } of status.findings)
    g.finding.set({ group, diagnosis: code }, verdict === 'bad' ? 1 : verdict === 'ok' ? 0 : -1);
  for (const { id, connected } of status.vantages) g.connected.set({ group, vantage: id }, signed[connected]);
  for (const { verdict, ...target } of status.targets) g.probe.set({ group, ...target }, signed[verdict]);
  for (const { row, component, heldMs, forMs } of status.holds) {
    // An empty label is none: a row of the group looks as it always did.
    const labels = { group, row, component: component ?? '' };
    g.hold.set(labels, heldMs / 1000);
    g.holdFor.set(labels, forMs / 1000);
  }
  g.alerts.set({ group }, status.alerts.length);
  g.proposal.set({ group }, status.proposal === null ? 0 : 1);
  g.raise.set({ group }, status.raise === null ? 0 : 1);
  if (status.proposal !== null) g.proposalLeft.set({ group }, status.proposal.expiresInMs / 1000);
  g.run.set({ group }, status.run === null ? 0 : 1);
  g.runStuck.set({ group }, status.run?.status === 'paused' || status.run?.status === 'halted' ? 1 : 0);
  if (status.run !== null) g.runSeconds.set({ group }, status.run.sinceDecidedMs / 1000);
  g.rtoTarget.set({ group }, status.rtoMs / 1000);
  g.rpoTarget.set({ group }, status.rpoMs / 1000);
  for (const { gate, answer } of status.gates) g.gate.set({ group, gate }, answers[answer]);
  showMetrics(g, status);
  showRuns(g, status);
  showPostgres(g, status);
  showLeases(g, status);
  g.downtime.set({ group }, downtimeMs(status, at) / 1000);
}

/** Names of facts are the config's own, so they are bounded. */
function showMetrics(g: ReturnType<typeof createGroupGauges>, { group, metrics }: GroupStatus): void {
  for (const { fact: name, verdict, value, ageMs } of metrics) {
    const fact = name.replace(/^metrics\./, '');
    const known = verdict !== 'unknown' && value !== null;
    g.metricKnown.set({ group, fact }, known ? 1 : 0);
    if (known) g.metric.set({ group, fact }, value);
    if (ageMs !== null) g.metricAge.set({ group, fact }, ageMs / 1000);
  }
}

function showRuns(g: ReturnType<typeof createGroupGauges>, { group, run, ended }: GroupStatus): void {
  const last = ended[0];
  for (const { phase, tookMs, steps } of (run ?? last)?.phases ?? []) {
    if (tookMs !== null) g.phase.set({ group, phase }, tookMs / 1000);
    for (const step of steps) if (step.tookMs !== null) g.step.set({ group, step: step.id }, step.tookMs / 1000);
  }
  if (last === undefined) return;
  if (last.rtoMs !== null) g.rto.set({ group }, last.rtoMs / 1000);
  // Unknown is left out: as a number it would read as no loss.
  if (last.loss.highSeconds !== null) g.loss.set({ group }, last.loss.highSeconds);
}

function showPostgres(g: ReturnType<typeof createGroupGauges>, { group, replication }: GroupStatus): void {
  if (replication === null) return;
  g.streaming.set({ group }, signed[replication.streaming]);
  if (replication.receiveGapBytes !== null) g.receiveGap.set({ group }, replication.receiveGapBytes);
  if (replication.replayLagBytes !== null) g.replayLag.set({ group }, replication.replayLagBytes);
  if (replication.replayLagSeconds !== null) g.replayLagSeconds.set({ group }, replication.replayLagSeconds);
}

function showLeases(g: ReturnType<typeof createGroupGauges>, { group, leases }: GroupStatus): void {
  for (const { component, state, holder, epoch, unchangedMs, warmingMs, guards, halt } of leases) {
    const labels = { group, component };
    if (state === 'held' && holder !== null) {
      g.leaseHolder.set({ ...labels, region: holder }, 1);
      g.leaseUnchanged.set(labels, unchangedMs / 1000);
    }
    if (epoch !== null) g.leaseEpoch.set(labels, epoch);
    g.leaseWarming.set(labels, warmingMs / 1000);
    g.leaseHalted.set(labels, halt === null ? 0 : 1);
    for (const { region, heardAgoMs, pinned } of guards) {
      if (heardAgoMs !== null) g.guardHeard.set({ ...labels, region }, heardAgoMs / 1000);
      g.guardPinned.set({ ...labels, region }, pinned ? 1 : 0);
    }
  }
}

/** What is known of the time clients were not served: runs from impact to verified, and what is wrong right now. */
function downtimeMs({ ended, run, holds }: GroupStatus, at: number): number {
  const from = at - SLA_WINDOW_MS;
  const spans = ended.map(({ clocks, endedAt }) => [clocks.impactAt, clocks.verifiedAt ?? endedAt] as const);
  const unreachable = holds.find((hold) => hold.action === 'failover');
  const now = run?.clocks.impactAt ?? unreachable?.impactAt;
  if (now !== undefined) spans.push([now, at]);
  return spans.reduce((sum, [start, end]) => sum + Math.max(0, end - Math.max(start, from)), 0);
}

/** A store that tells how long its appends took. */
export const meteredStore = (store: JournalStore, metrics: Metrics, mono: () => number): JournalStore => ({
  load: () => store.load(),
  close: () => store.close(),
  async append(entries) {
    const begun = mono();
    try {
      await store.append(entries);
      metrics.journalAppend(mono() - begun, 'ok');
    } catch (error) {
      metrics.journalAppend(mono() - begun, 'failed');
      throw error;
    }
  },
});
