/**
 * The status as it is handed out: what `/status` renders, what `/api/v1/status` answers and what `failoverd status`
 * prints. One document, so that page, API and terminal can't disagree. Instants are milliseconds since the Unix
 * epoch; ages are counted on the monotonic clock and never go wrong with the wall clock.
 */
import Type, { type Static } from 'typebox';
import { Clocks, DecisionRecord, GateReport, PageKind, Report, RunOutcome, Sign } from '../model/events.ts';
import { RunStatus, StepStatus } from '../model/ledger.ts';
import { Operation } from '../model/loop.ts';
import { Ceilings, LossBracket, PhaseName, StepKind } from '../model/plan.ts';
import { Autonomy, Role, Verdict, WallMs } from '../model/primitives.ts';

const Maybe = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Text = Type.String();
const Ms = Type.Number({ description: 'Milliseconds' });

/**
 * How the group stands in one word. `quiet`: nothing is wrong. `blind`: it can't be said. `watching`: something is
 * wrong and a hold runs, or nothing follows from it. `waiting`: people are asked. `acting`: a run is under way.
 * `stuck`: a run needs a person.
 */
export const Mood = Type.Enum(['quiet', 'blind', 'watching', 'waiting', 'acting', 'stuck']);
export type Mood = Static<typeof Mood>;

/** The answers the person on call wants first. */
export const Summary = Type.Object({
  mood: Mood,
  /** What it comes to in a few words, which stay the same while it does: no spans in it. */
  headline: Text,
  /** The first bad sign of what is wrong; null where nothing is. */
  since: Maybe(WallMs),
  wrong: Text,
  /** Who says so: one voice a line, with the age of what it said. */
  saidBy: Type.Array(Text),
  next: Text,
  /** When that is; null where it hangs on something else than time. */
  countdown: Maybe(Type.Object({ to: Text, leftMs: Ms, ofMs: Ms })),
  /** What has to come before it goes on; null where it waits for nothing. */
  waitsFor: Maybe(Text),
  /** Why not sooner, or why nothing: one reason a line. */
  because: Type.Array(Text),
});
export type Summary = Static<typeof Summary>;

/** Whom a row is judged for; null = the group. */
const component = Maybe(Text);

export const HoldStatus = Type.Object({
  row: Type.Integer(),
  component,
  when: Text,
  action: Text,
  vetoes: Type.Array(Type.Object({ veto: Text, verdict: Verdict, why: Text })),
  region: Text,
  impactAt: WallMs,
  heldMs: Ms,
  forMs: Ms,
  remainingMs: Ms,
});
export type HoldStatus = Static<typeof HoldStatus>;

/**
 * One row of the matrix as it answers now: `bad` = it matches, `unknown` = it can't tell. A row whose scope is a kind of
 * components stands here once for each of them.
 */
export const RowStatus = Type.Object({
  row: Type.Integer(),
  component,
  kind: Type.Enum(['veto', 'gate', 'decide']),
  when: Text,
  forMs: Ms,
  action: Text,
  against: Type.Array(Text),
  note: Maybe(Text),
  verdict: Verdict,
  values: DecisionRecord.properties.values,
  turnedBy: DecisionRecord.properties.turnedBy,
});
export type RowStatus = Static<typeof RowStatus>;

/** What was reported of the data; it stands in the way until a person clears it. */
export const ReportStatus = Type.Object({
  report: Report,
  at: WallMs,
  sinceMs: Ms,
  by: Text,
  what: Text,
  /** Actions that rows bar while it stands. */
  bars: Type.Array(Text),
});
export type ReportStatus = Static<typeof ReportStatus>;

export const FindingStatus = Type.Object({
  code: Text,
  says: Text,
  verdict: Verdict,
  region: Text,
  why: Text,
  impactAt: Maybe(WallMs),
  signs: Type.Array(Sign),
  vetoes: Type.Array(Type.Object({ veto: Text, verdict: Verdict, why: Text })),
});
export type FindingStatus = Static<typeof FindingStatus>;

export const PlannedStep = Type.Object({ id: Text, phase: PhaseName, kind: StepKind, budgetMs: Ms });

export const ProposalStatus = Type.Object({
  id: Text,
  from: Text,
  to: Text,
  openedAt: WallMs,
  expiresAt: WallMs,
  expiresInMs: Ms,
  planHash: Text,
  epoch: Type.Integer(),
  fence: Type.Enum(['command', 'guard', 'none']),
  rtoMs: Ms,
  steps: Type.Array(PlannedStep),
  ceilings: Ceilings,
  loss: LossBracket,
  needs: Type.Array(Role),
  approvals: Type.Array(Type.Object({ person: Text, role: Role, at: WallMs })),
  missing: Type.Array(Role),
  decision: DecisionRecord,
});
export type ProposalStatus = Static<typeof ProposalStatus>;

/** A config that asks for more than is agreed: what it would widen, and whose yes it waits for. */
export const RaiseStatus = Type.Object({
  id: Text,
  openedAt: WallMs,
  expiresAt: WallMs,
  expiresInMs: Ms,
  configHash: Text,
  widens: Type.Array(Text),
  needs: Type.Array(Role),
  approvals: Type.Array(Type.Object({ person: Text, role: Role, at: WallMs })),
  missing: Type.Array(Role),
});
export type RaiseStatus = Static<typeof RaiseStatus>;

export const StepReport = Type.Object({
  id: Text,
  status: StepStatus,
  attempt: Type.Integer(),
  startedAt: Maybe(WallMs),
  endedAt: Maybe(WallMs),
  /** So far, while it runs. */
  tookMs: Maybe(Ms),
  overdue: Type.Boolean(),
  code: Maybe(Text),
  message: Maybe(Text),
  /** What is being done for it right now. */
  underWay: Maybe(Type.Object({ operation: Operation, sinceMs: Ms })),
  /** The newest answer to a check or a read-back, which is in no journal. */
  lastAnswer: Maybe(
    Type.Object({ operation: Operation, answer: Type.Enum(['ok', 'no', 'unknown', 'halt']), message: Text, ageMs: Ms }),
  ),
});
export type StepReport = Static<typeof StepReport>;

export const PhaseReport = Type.Object({
  phase: PhaseName,
  budgetMs: Ms,
  startedAt: Maybe(WallMs),
  tookMs: Maybe(Ms),
  status: Type.Enum(['pending', 'running', 'done', 'failed']),
  steps: Type.Array(StepReport),
});
export type PhaseReport = Static<typeof PhaseReport>;

export const RunReport = Type.Object({
  id: Text,
  from: Text,
  to: Text,
  status: RunStatus,
  why: Maybe(Text),
  epoch: Type.Integer(),
  planHash: Text,
  fence: Type.Enum(['command', 'guard', 'none']),
  trigger: Type.Enum(['auto', 'approved']),
  approvals: Type.Array(Type.Object({ person: Text, role: Role, at: WallMs })),
  decision: DecisionRecord,
  rtoMs: Ms,
  sinceDecidedMs: Ms,
  overdue: Type.Boolean(),
  phases: Type.Array(PhaseReport),
  clocks: Clocks,
  loss: LossBracket,
});
export type RunReport = Static<typeof RunReport>;

export const EndedReport = Type.Object({
  id: Text,
  from: Text,
  to: Text,
  outcome: RunOutcome,
  why: Text,
  trigger: Text,
  epoch: Type.Integer(),
  planHash: Text,
  clocks: Clocks,
  endedAt: WallMs,
  /** Decided to verified, as dr-strategy §2 counts it; null where it was never verified. */
  rtoMs: Maybe(Ms),
  loss: LossBracket,
  phases: Type.Array(PhaseReport),
});
export type EndedReport = Static<typeof EndedReport>;

/** One kind of failure, and how often it came; the message and the log are those of its first. */
export const FailureStatus = Type.Object({
  code: Maybe(Text),
  reached: Text,
  verdict: Verdict,
  message: Maybe(Text),
  log: Type.Array(Text),
  firstAt: WallMs,
  lastAt: WallMs,
  lastAgeMs: Ms,
  count: Type.Integer(),
});
export type FailureStatus = Static<typeof FailureStatus>;

export const FactStatus = Type.Object({
  fact: Text,
  subject: Text,
  vantage: Maybe(Text),
  verdict: Verdict,
  value: Text,
  /** Null: never seen. */
  ageMs: Maybe(Ms),
  /** Seen, and too long ago to say anything now. */
  expired: Type.Boolean(),
  /** The probe's own log lines, where it failed. */
  log: Type.Array(Text),
  /** How it failed lately, newest first, also where it is well again. */
  failures: Type.Array(FailureStatus),
});
export type FactStatus = Static<typeof FactStatus>;

/** An alert that fires behind silences: it counts neither as a sign nor as health. */
export const SilencedStatus = Type.Object({
  name: Text,
  summary: Maybe(Text),
  means: Text,
  region: Text,
  component,
  startsAt: WallMs,
  /** Who silenced it, and until when; empty where the silence itself was not told of. */
  by: Type.Array(Type.Object({ who: Text, comment: Text, until: WallMs })),
});
export type SilencedStatus = Static<typeof SilencedStatus>;

/** Planned work that stands now. */
export const MaintenanceStatus = Type.Object({
  source: Type.Enum(['calendar', 'silence', 'alert']),
  title: Text,
  by: Maybe(Text),
  until: Maybe(WallMs),
  region: Maybe(Text),
  component,
  /** What it suppresses; null = what the rows make of it that read `maintenance.over`. */
  causes: Maybe(Type.Array(Text)),
});
export type MaintenanceStatus = Static<typeof MaintenanceStatus>;

/** What one server says of a metric that is named as a fact. */
export const MetricSightStatus = Type.Object({
  server: Text,
  value: Maybe(Type.Number()),
  verdict: Verdict,
  why: Text,
  ageMs: Maybe(Ms),
  log: Type.Array(Text),
  failures: Type.Array(FailureStatus),
});

export const MetricStatus = Type.Object({
  /** As rows read it. */
  fact: Text,
  type: Type.Enum(['number', 'verdict']),
  says: Maybe(Text),
  promql: Text,
  /** Of a number that is known: ok. */
  verdict: Verdict,
  value: Maybe(Type.Number()),
  unit: Maybe(Text),
  /** Which values are bad, such as `> 0`; null for a number. */
  bad: Maybe(Text),
  /** What it stands on, or why it is unknown. */
  why: Text,
  /** Of the oldest sample it was made from; null: never known. */
  ageMs: Maybe(Ms),
  sampleAt: Maybe(WallMs),
  /** How old that may be. */
  freshMs: Ms,
  /** Who said it, and over which path. */
  server: Text,
  path: Text,
  /** Rows that read it. */
  rows: Type.Array(Type.Integer()),
  servers: Type.Array(MetricSightStatus),
});
export type MetricStatus = Static<typeof MetricStatus>;

/** Who may write to one PostgreSQL, as the lease store knows it. */
export const LeaseStatus = Type.Object({
  component: Text,
  state: Type.Enum(['none', 'held', 'released']),
  /** Region of the guard that holds it, or held it last. */
  holder: Maybe(Text),
  epoch: Maybe(Type.Integer()),
  /** Guards that may be promoted after it. */
  peers: Type.Array(Text),
  /** What an isolated primary does. */
  isolation: Maybe(Type.Enum(['stop', 'serve'])),
  /** How it was given back. */
  released: Maybe(Type.Enum(['clean', 'crash', 'unpromoted'])),
  /** When it was last taken, given back, or changed in what others rely on. */
  setAt: Maybe(WallMs),
  /** Null: not since the store has started. */
  renewedAgoMs: Maybe(Ms),
  /** For so long nothing has changed, as far as this life of the store has seen. */
  unchangedMs: Ms,
  /** Until acquisitions are granted; 0 once they are. */
  warmingMs: Ms,
  /** How each guard was last heard; null: not since the store has started. */
  guards: Type.Array(
    Type.Object({
      region: Text,
      heardAgoMs: Maybe(Ms),
      /** Whether it obeys this life of the store. */
      pinned: Type.Boolean(),
      obeyed: Maybe(Type.Integer()),
    }),
  ),
  /** Why nothing is granted until a person clears it. */
  halt: Maybe(Type.Object({ at: WallMs, guard: Text, why: Text })),
});
export type LeaseStatus = Static<typeof LeaseStatus>;

export const GroupStatus = Type.Object({
  group: Text,
  title: Text,
  /** Where the people are; instants are shown in it beside UTC. */
  timeZone: Maybe(Text),
  summary: Summary,
  active: Text,
  standby: Text,
  epoch: Type.Integer(),
  rtoMs: Ms,
  rpoMs: Ms,
  /** How the standby follows; null where the group has no PostgreSQL. */
  replication: Maybe(
    Type.Object({
      streaming: Verdict,
      why: Text,
      receiveGapBytes: Maybe(Type.Number()),
      replayLagBytes: Maybe(Type.Number()),
      /** As rows read it; null = not known. */
      replayLagSeconds: Maybe(Type.Number()),
    }),
  ),
  /** After a run: until when the old side has to stay off, and how it was last read. */
  commitWindow: Maybe(
    Type.Object({
      run: Text,
      region: Text,
      until: WallMs,
      fence: Type.Enum(['held', 'lost', 'unknown']),
      /** Null: not read since failoverd was started. */
      readAgoMs: Maybe(Ms),
      why: Text,
    }),
  ),
  leases: Type.Array(LeaseStatus),
  reports: Type.Array(ReportStatus),
  autonomy: Type.Object({ declared: Autonomy, inForce: Autonomy, why: Type.Array(Text) }),
  gates: Type.Array(GateReport),
  findings: Type.Array(FindingStatus),
  holds: Type.Array(HoldStatus),
  rows: Type.Array(RowStatus),
  decisions: Type.Array(DecisionRecord),
  proposal: Maybe(ProposalStatus),
  raise: Maybe(RaiseStatus),
  run: Maybe(RunReport),
  ended: Type.Array(EndedReport),
  vantages: Type.Array(Type.Object({ id: Text, region: Text, connected: Verdict, why: Text })),
  facts: Type.Array(FactStatus),
  metrics: Type.Array(MetricStatus),
  /** What each vantage says of each component of each region, as far as it is fresh. */
  targets: Type.Array(Type.Object({ vantage: Text, component: Text, region: Text, verdict: Verdict })),
  alerts: Type.Array(
    Type.Object({
      name: Text,
      summary: Maybe(Text),
      means: Text,
      region: Text,
      component,
      startsAt: WallMs,
      ageMs: Ms,
    }),
  ),
  silenced: Type.Array(SilencedStatus),
  maintenance: Type.Array(MaintenanceStatus),
});
export type GroupStatus = Static<typeof GroupStatus>;

export const StatusDocument = Type.Object({
  version: Text,
  at: WallMs,
  engine: Type.Enum(['running', 'failed', 'stopped']),
  incarnation: Text,
  /** The config in force, and why the one on disk was refused when it was last read; null = it was taken. */
  config: Type.Object({
    hash: Maybe(Text),
    since: Maybe(WallMs),
    restartNeeded: Type.Array(Text),
    refused: Maybe(Type.Object({ at: WallMs, by: Text, problems: Type.Array(Text) })),
  }),
  journal: Type.Object({ entries: Type.Integer(), newestAt: Maybe(WallMs) }),
  groups: Type.Array(GroupStatus),
  /** Every Prometheus and Alertmanager that watches for us, what is wrong first. */
  monitors: Type.Array(FactStatus),
  /** Newest first; those not delivered are kept until they are. */
  pages: Type.Array(
    Type.Object({
      id: Text,
      kind: PageKind,
      group: Maybe(Text),
      title: Text,
      queuedAt: WallMs,
      deliveredAt: Maybe(WallMs),
      dueAt: Maybe(WallMs),
      overdue: Type.Boolean(),
    }),
  ),
});
export type StatusDocument = Static<typeof StatusDocument>;
