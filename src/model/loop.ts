/**
 * What goes into the core and what comes out of it: `step(state, input) -> { state, effects }` (design §3). Clock and
 * randomness are inputs; nothing else is known of the world.
 */
import Type, { type Static } from 'typebox';
import { FoundDivergence } from './divergence.ts';
import { EventBody, Page, Report } from './events.ts';
import { Alert, Observation, Silence, SilencedAlert } from './evidence.ts';
import { FailureEpisode } from './failures.ts';
import { LeaseRequest, SeenLease } from './lease.ts';
import { Ledger } from './ledger.ts';
import { Idempotency } from './orders.ts';
import { StepId, StepKind } from './plan.ts';
import { type GroupId, MonoMs, Name, PageId, Role, RunId, WallMs } from './primitives.ts';
import { Readiness } from './readiness.ts';
import type { Settings } from './settings.ts';

const Facts = Type.Record(Type.String(), Type.Unknown());

/** Every order of a person may carry a key, under which it is carried out once. */
const order = { request: Type.String(), idempotency: Type.Optional(Idempotency) };

/** Every input carries both clocks of the process that took it in. */
const clock = { at: WallMs, mono: MonoMs };
const input = <K extends string, P extends Type.TProperties>(kind: K, properties: P) =>
  Type.Object({ kind: Type.Literal(kind), ...clock, ...properties }, { additionalProperties: false });

export const Operation = Type.Enum(['check', 'do', 'verify', 'undo']);
export type Operation = 'check' | 'do' | 'verify' | 'undo';

/**
 * What came of one operation. For `check`: may it run (facts = the pre-state). For `do`: ok = done as far as the actor
 * can tell; no = it certainly had no effect; unknown = it may have had one, or may have one later. For `verify`: ok =
 * a read proves the effect; no = a read proves its absence; unknown = the read failed. `halt` = going on would be
 * wrong whatever happens next (a higher epoch was seen): the run stops and a person is paged.
 */
export const OperationResult = Type.Object(
  {
    kind: Type.Enum(['ok', 'no', 'unknown', 'halt']),
    code: Type.Union([Type.String({ maxLength: 60 }), Type.Null()]),
    message: Type.String({ maxLength: 1000 }),
    facts: Facts,
  },
  { additionalProperties: false },
);
export type OperationResult = Static<typeof OperationResult>;

export const Person = Type.Object({ id: Name, roles: Type.Array(Role) }, { additionalProperties: false });
export type Person = Static<typeof Person>;

export const Input = Type.Union([
  input('started', { incarnation: Type.String(), version: Type.String(), configHash: Type.String() }),
  /** A config was read and found valid while running; `settings` are those it gives. */
  input('reloaded', {
    request: Type.String(),
    by: Type.String({ maxLength: 120 }),
    configHash: Type.String(),
    settings: Type.Unsafe<Settings>(Type.Unknown()),
    restartNeeded: Type.Array(Type.String({ maxLength: 300 })),
  }),
  /** One was read and can't be taken. */
  input('reload-refused', {
    by: Type.String({ maxLength: 120 }),
    configHash: Type.Union([Type.String(), Type.Null()]),
    problems: Type.Array(Type.String({ maxLength: 1000 })),
  }),
  /** With `groups`, only they are looked at: those who may have more to say at the instant of the input before it. */
  input('tick', { groups: Type.Optional(Type.Array(Name)) }),
  /**
   * Alerts, from a webhook or from asking. `askedMono`: what fires by the answer to a question that was asked then, so that
   * it is newer than whatever was taken in before.
   */
  input('webhook', { request: Type.String(), alerts: Type.Array(Alert), askedMono: Type.Optional(MonoMs) }),
  /** Webhooks that came while the journal was being written: taken in together, and answered one by one. */
  input('webhooks', {
    posts: Type.Array(
      Type.Object({ request: Type.String(), alerts: Type.Array(Alert), askedMono: Type.Optional(MonoMs) }),
    ),
  }),
  /** All silences that stand, and all alerts they hold back, as those Alertmanagers that answered list them. */
  input('silences', { silences: Type.Array(Silence), silenced: Type.Array(SilencedAlert) }),
  input('observed', { observations: Type.Array(Observation) }),
  input('performed', { operation: Type.String(), result: OperationResult }),
  input('approve', {
    ...order,
    person: Person,
    target: Type.String(),
    planHash: Type.Union([Type.String(), Type.Null()]),
    nonce: Type.String(),
    /** The reason, where one SRE says yes for all who are needed. */
    breakGlass: Type.Union([Type.String({ minLength: 3, maxLength: 500 }), Type.Null()]),
  }),
  input('abort', {
    ...order,
    person: Person,
    target: Type.String(),
    why: Type.String({ maxLength: 500 }),
  }),
  input('report', {
    ...order,
    person: Person,
    group: Name,
    report: Report,
    what: Type.String({ minLength: 1, maxLength: 500 }),
  }),
  input('clear-report', {
    ...order,
    person: Person,
    group: Name,
    report: Report,
    why: Type.String({ minLength: 1, maxLength: 500 }),
  }),
  /** Asked by a guard; answered by a `reply` once what it says is durable. A renewal leaves nothing to write. */
  input('lease', { request: Type.String(), ask: LeaseRequest }),
  input('clear-lease', {
    ...order,
    person: Person,
    group: Name,
    component: Name,
    why: Type.String({ minLength: 1, maxLength: 500 }),
  }),
  /** What a guard counted in the log of the old side, once that was back and archived; answered once it is durable. */
  input('divergence', { request: Type.String(), group: Name, run: RunId, divergence: FoundDivergence }),
  input('paged', { page: PageId, delivered: Type.Boolean(), message: Type.String({ maxLength: 500 }) }),
]);
export type Input = Static<typeof Input>;
export type InputOf<K extends Input['kind']> = Extract<Input, { kind: K }>;

/** An operation asked of an actor. `key` names it for good: its answer comes back as `performed` with that key. */
export const Perform = Type.Object(
  {
    kind: Type.Literal('perform'),
    key: Type.String(),
    operation: Operation,
    stepKind: StepKind,
    step: StepId,
    run: RunId,
    group: Name,
    component: Type.Union([Name, Type.Null()]),
    from: Type.String(),
    to: Type.String(),
    epoch: Type.Integer(),
    attempt: Type.Integer(),
    timeoutMs: Type.Number(),
    preState: Type.Union([Facts, Type.Null()]),
    /** Promotion and everything after it re-reads this right before it acts. */
    fence: Type.Enum(['command', 'guard', 'none']),
  },
  { additionalProperties: false },
);
export type Perform = Static<typeof Perform>;

/** A reply to a person or a sender, released only once everything said before it is durable. */
export const Reply = Type.Object(
  { kind: Type.Literal('reply'), request: Type.String(), status: Type.Integer(), body: Facts },
  { additionalProperties: false },
);
export type Reply = Static<typeof Reply>;

export const Effect = Type.Union([
  Type.Object({ kind: Type.Literal('append'), events: Type.Array(EventBody) }, { additionalProperties: false }),
  Perform,
  /** Ask every vantage of this daemon for fresh probes of a group, on new connections. */
  Type.Object({ kind: Type.Literal('probe'), group: Name }, { additionalProperties: false }),
  Type.Object({ kind: Type.Literal('page'), page: Page }, { additionalProperties: false }),
  Reply,
  /** Come back with a tick at this instant of the monotonic clock, if none came before. */
  Type.Object({ kind: Type.Literal('wake'), mono: MonoMs }, { additionalProperties: false }),
]);
export type Effect = Static<typeof Effect>;
export type EffectOf<K extends Effect['kind']> = Extract<Effect, { kind: K }>;

/** One observation as it was taken in; `receivedMono` is what its expiry is counted from. */
export const KeptObservation = Type.Object({
  observation: Observation,
  receivedAt: WallMs,
  receivedMono: MonoMs,
  /** When this subject was last seen ok, and when the present run of bad answers began; wall time, for people and for *impact*. */
  badSince: Type.Union([WallMs, Type.Null()]),
  /** The same instant on the monotonic clock: what came in before it can't vouch for the bad answers (invariant 18). */
  badSinceMono: Type.Union([MonoMs, Type.Null()]),
  /** Bad, and the first look that came in since its vantage is connected again: it may have begun while that was cut off. */
  doubtful: Type.Boolean(),
  /** How it failed lately, with the words of each first failure; kept while it is well again. */
  failures: Type.Readonly(Type.Array(FailureEpisode)),
});
export type KeptObservation = Static<typeof KeptObservation>;

/** A sample of the primary's log, newest last; the write rate is judged from them. */
export const Sample = Type.Object({
  region: Type.String(),
  receivedMono: MonoMs,
  at: WallMs,
  timeline: Type.Union([Type.Integer(), Type.Null()]),
  insertLsn: Type.String(),
  flushLsn: Type.String(),
  clockAt: WallMs,
});
export type Sample = Static<typeof Sample>;

/** What is known only to this incarnation, and may be lost with it without harm. */
export const Volatile = Type.Object({
  /** What was seen of each group, by `vantage/component/place`: a group's judgement costs what that group has. */
  sights: Type.Record(Type.String(), Type.Record(Type.String(), KeptObservation)),
  /** What each vantage's control targets answered, by target. */
  controls: Type.Record(Type.String(), Type.Record(Type.String(), KeptObservation)),
  /** When each vantage was last found connected again after it had not been; absent = not in this life. */
  connectedSince: Type.Record(Type.String(), MonoMs),
  /** How the servers that watch for us are, by `kind/server/replica`. */
  monitors: Type.Record(Type.String(), KeptObservation),
  /** Groups with something that turned bad at a vantage since a control target of it last answered, by vantage. */
  unvouched: Type.Record(Type.String(), Type.Record(Type.String(), Type.Literal(true))),
  /** By `group/component`. */
  samples: Type.Record(Type.String(), Type.Array(Sample)),
  /** Monotonic instant at which a row's condition was last seen true, by `group/row`; absent = not since the start. */
  holdSeenMono: Type.Record(Type.String(), MonoMs),
  /** Held time gathered since the last checkpoint, milliseconds, by `group/row`. */
  holdPendingMs: Type.Record(Type.String(), Type.Number()),
  /** Operations under way, by key. */
  operations: Type.Record(
    Type.String(),
    Type.Object({ group: Name, step: StepId, operation: Operation, startedMono: MonoMs, deadlineMono: MonoMs }),
  ),
  /** Not before this instant is a step's next operation asked for, by `run/step`. */
  notBeforeMono: Type.Record(Type.String(), MonoMs),
  /** Last answer to a check or verify, for the page, by `run/step`. */
  lastAnswer: Type.Record(Type.String(), Type.Object({ operation: Operation, result: OperationResult, mono: MonoMs })),
  operationCount: Type.Integer(),
  /** Attempt whose `do` this incarnation has asked for, by `run/step`: an intent without it was written and not acted on. */
  doAsked: Type.Record(Type.String(), Type.Integer()),
  /** When that was, so that an effect that never shows is asked for again. */
  doAskedMono: Type.Record(Type.String(), MonoMs),
  /** Alerts heard of again without anything new to write down: when last, by alert key. */
  alertHeardMono: Type.Record(Type.String(), MonoMs),
  /** When an alert was last taken in as resolved, by alert key; absent = not in this life. */
  alertEndedMono: Type.Record(Type.String(), MonoMs),
  /** When alerts were last looked through for those that count no more. */
  alertsSweptMono: MonoMs,
  /** What silences were heard of last; null = not since the start. */
  silences: Type.Union([
    Type.Object({
      heardMono: MonoMs,
      silences: Type.Array(Silence),
      alerts: Type.Record(Type.String(), SilencedAlert),
    }),
    Type.Null(),
  ]),
  pagesUnderWay: Type.Record(Type.String(), MonoMs),
  pageFailures: Type.Record(Type.String(), Type.Integer()),
  probeAskedMono: Type.Record(Type.String(), MonoMs),
  /** When a quorum last failed to reach a region, by `group/region`. */
  regionBadMono: Type.Record(Type.String(), MonoMs),
  /** How each PostgreSQL was last seen to be made, by `group/component/region`; kept while it can't be asked. */
  readiness: Type.Record(Type.String(), Type.Object({ facts: Readiness, mono: MonoMs })),
  /** Leases in this life, by `leaseKey`. */
  leases: Type.Record(Type.String(), SeenLease),
  /** When this life of the lease store began: every acquisition waits from here (safety.md, "Embedded store"). */
  storeStartMono: MonoMs,
});
export type Volatile = Static<typeof Volatile>;

export const State = Type.Object({
  incarnation: Type.String(),
  at: WallMs,
  mono: MonoMs,
  /** In force: as configured, held to what is agreed for each group. */
  settings: Type.Unsafe<Settings>(Type.Unknown()),
  /** As the config says them. */
  configured: Type.Unsafe<Settings>(Type.Unknown()),
  ledger: Ledger,
  volatile: Volatile,
});
export type State = Static<typeof State>;

export type StepOutput = {
  readonly state: State;
  readonly effects: readonly Effect[];
  /** Groups that may have more to say once the events are in the ledger; the others were asked, and had nothing. */
  readonly unfinished: readonly GroupId[];
};

export const EMPTY_VOLATILE: Volatile = {
  sights: {},
  controls: {},
  connectedSince: {},
  monitors: {},
  unvouched: {},
  samples: {},
  holdSeenMono: {},
  holdPendingMs: {},
  operations: {},
  notBeforeMono: {},
  lastAnswer: {},
  operationCount: 0,
  doAsked: {},
  doAskedMono: {},
  alertHeardMono: {},
  alertEndedMono: {},
  alertsSweptMono: 0,
  silences: null,
  pagesUnderWay: {},
  pageFailures: {},
  probeAskedMono: {},
  regionBadMono: {},
  readiness: {},
  leases: {},
  storeStartMono: 0,
};
