/**
 * Evidence: what was seen, by whom, over which path, and when it stops counting (design §2, §4).
 *
 * An observation is the answer of one probe. It says what the protocol got to (`reached`), never what that means:
 * meaning is made in `policies/`, where unknown stays unknown.
 */
import Type, { type Static } from 'typebox';
import { FactName } from './forms.ts';
import { Lsn, Name, Verdict, WallMs } from './primitives.ts';
import { Readiness } from './readiness.ts';

export const ProbeKind = Type.Enum([
  'postgres',
  'http',
  'tcp',
  'dns',
  'control',
  'metric',
  'prometheus',
  'alertmanager',
  'readiness',
]);
export type ProbeKind = Static<typeof ProbeKind>;

/** Why a probe did not come back well. A closed set: code decides by these, people read `message`. */
export const ProbeErrorCode = Type.Enum([
  'refused', // the host answered that nothing listens
  'unreachable', // no route, network or host unreachable, name does not resolve
  'timeout', // the deadline passed; for a half-open peer this is all there ever is
  'reset', // the connection ended in the middle
  'tls', // the peer's certificate or our trust in it
  'auth', // the peer is alive and does not accept our credentials
  'protocol', // the peer is alive and does not speak what we expected
  'status', // HTTP answered with a status that was not expected
  'starting', // PostgreSQL is starting up or shutting down
  'foreign', // a database of another cluster answered (system identifier)
  'read-only', // a write was refused because the server is read-only
  'missing', // DNS: no such name, or no record of the type asked for
  'denied', // a permission is missing for one part of the probe
  'failed', // the peer is alive and could not do what it was asked: no connection or disk left, an error of its own
  'query', // Prometheus refuses the expression, or could not evaluate it
  'several', // several series where one value was meant
  'empty', // no series: nothing is known, neither well nor bad
  'no-number', // a value that is no number, or no finite one
  'stale', // the newest sample, or the answer itself, is too old
  'internal', // our own side could not run the probe: tells nothing of the target
]);
export type ProbeErrorCode =
  | 'refused'
  | 'unreachable'
  | 'timeout'
  | 'reset'
  | 'tls'
  | 'auth'
  | 'protocol'
  | 'status'
  | 'starting'
  | 'foreign'
  | 'read-only'
  | 'missing'
  | 'denied'
  | 'failed'
  | 'query'
  | 'several'
  | 'empty'
  | 'no-number'
  | 'stale'
  | 'internal';

const Maybe = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** What PostgreSQL said of itself. `null` = the server did not tell (a missing grant, a stage not reached). */
export const PostgresFacts = Type.Object(
  {
    systemIdentifier: Maybe(Type.String()),
    timeline: Maybe(Type.Integer()),
    inRecovery: Maybe(Type.Boolean()),
    /** Primary only: where WAL is inserted and flushed, sampled for the loss account (safety.md). */
    insertLsn: Maybe(Lsn),
    flushLsn: Maybe(Lsn),
    /** Standby only. */
    receiveLsn: Maybe(Lsn),
    replayLsn: Maybe(Lsn),
    walReceiver: Maybe(Type.Enum(['streaming', 'other', 'none'])),
    /** Age on the standby's own clock of the last message its WAL receiver got, milliseconds. */
    lastMessageAgeMs: Maybe(Type.Number()),
    /** Commit time, on the primary's clock, of the last transaction replayed. */
    lastReplayedCommitAt: Maybe(WallMs),
    replayPaused: Maybe(Type.Boolean()),
    /**
     * Replay waits for more to come: whatever was received whole is replayed. What stands behind it can't be, such as the
     * first part of a record whose rest was lost with the primary. A witness of an older version does not tell.
     */
    replayWaits: Type.Optional(Maybe(Type.Boolean())),
    /** Whether a standby has a `restore_command`, by which it may get log that its stream did not bring. */
    fromArchive: Type.Optional(Maybe(Type.Boolean())),
    /** The server's own clock when it answered. */
    clockAt: Maybe(WallMs),
    canary: Type.Enum(['written', 'refused', 'skipped']),
  },
  { additionalProperties: false },
);
export type PostgresFacts = Static<typeof PostgresFacts>;

export const HttpFacts = Type.Object({ status: Maybe(Type.Integer()) }, { additionalProperties: false });
export type HttpFacts = Static<typeof HttpFacts>;

export const DnsFacts = Type.Object(
  { resolver: Type.String(), answers: Type.Array(Type.String(), { maxItems: 64 }), ttlSeconds: Maybe(Type.Number()) },
  { additionalProperties: false },
);
export type DnsFacts = Static<typeof DnsFacts>;

const observed = {
  vantage: Name,
  /** The wall clock of the vantage when the probe ended; for people and for refusing what is far off. */
  at: WallMs,
  durationMs: Type.Number({ minimum: 0 }),
  /** ok: the target did what a client needs. bad: it did not, and the failure is the target's or the path's. unknown: it can't be said. */
  verdict: Verdict,
  /** How far the protocol got, e.g. `connect`, `authenticate`, `read`, `write`. */
  reached: Type.String({ maxLength: 40 }),
  code: Maybe(ProbeErrorCode),
  message: Maybe(Type.String({ maxLength: 500 })),
  /** The probe's own log lines, kept with failures so that the page can answer "why did it fail". */
  log: Type.Optional(Type.Array(Type.String({ maxLength: 300 }), { maxItems: 40 })),
};
const subject = { group: Name, component: Name, region: Name };

export const PostgresObservation = Type.Object(
  { kind: Type.Literal('postgres'), ...subject, ...observed, facts: Maybe(PostgresFacts) },
  { additionalProperties: false },
);
export const HttpObservation = Type.Object(
  { kind: Type.Literal('http'), ...subject, ...observed, facts: HttpFacts },
  { additionalProperties: false },
);
export const TcpObservation = Type.Object(
  { kind: Type.Literal('tcp'), ...subject, ...observed, facts: Type.Null() },
  { additionalProperties: false },
);
/** A DNS answer belongs to a resolver, not to a region: `region` is where the vantage asked from. */
export const DnsObservation = Type.Object(
  { kind: Type.Literal('dns'), ...subject, ...observed, facts: DnsFacts },
  { additionalProperties: false },
);
/** A control target answers or not: when none does, the vantage is the isolated one (design §2). */
export const ControlObservation = Type.Object(
  { kind: Type.Literal('control'), target: Type.String({ maxLength: 200 }), ...observed },
  { additionalProperties: false },
);
/**
 * What one Prometheus said of one fact. The sample's own time decides how long it counts, not when we asked: `ageMs` is
 * how old it was when the answer came, by the server's clock or ours, whichever makes it older.
 */
export const MetricObservation = Type.Object(
  {
    kind: Type.Literal('metric'),
    group: Name,
    /** Its name in the config. */
    fact: FactName,
    server: Name,
    /** 0 = the server itself, more = its replicas in their order. */
    replica: Type.Integer({ minimum: 0, maximum: 15 }),
    /** Where the server stands. */
    region: Name,
    ...observed,
    facts: Maybe(
      Type.Object(
        { value: Type.Number(), sampleAt: WallMs, ageMs: Type.Number({ minimum: 0 }) },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
/** How a PostgreSQL server is made; asked seldom, by the daemon alone. */
export const ReadinessObservation = Type.Object(
  { kind: Type.Literal('readiness'), ...subject, ...observed, facts: Maybe(Readiness) },
  { additionalProperties: false },
);
const monitor = <K extends string, F extends Type.TProperties>(kind: K, facts: F) =>
  Type.Object(
    {
      kind: Type.Literal(kind),
      /** Its name in the config; an Alertmanager has none of its own. */
      server: Name,
      /** 0 = the server itself, more = its replicas in their order. */
      replica: Type.Integer({ minimum: 0, maximum: 15 }),
      /** Where it stands. */
      region: Name,
      ...observed,
      facts: Maybe(Type.Object(facts, { additionalProperties: false })),
    },
    { additionalProperties: false },
  );
/** How a Prometheus is: what it watches. It belongs to no group. */
export const PrometheusObservation = monitor('prometheus', { targets: Type.Number() });
/** How an Alertmanager is: whether it stands with others. */
export const AlertmanagerObservation = monitor('alertmanager', { cluster: Type.String(), peers: Type.Integer() });

export const Observation = Type.Union([
  ReadinessObservation,
  PostgresObservation,
  HttpObservation,
  TcpObservation,
  DnsObservation,
  ControlObservation,
  MetricObservation,
  PrometheusObservation,
  AlertmanagerObservation,
]);
export type PostgresObservation = Static<typeof PostgresObservation>;
export type HttpObservation = Static<typeof HttpObservation>;
export type TcpObservation = Static<typeof TcpObservation>;
export type DnsObservation = Static<typeof DnsObservation>;
export type ControlObservation = Static<typeof ControlObservation>;
export type ReadinessObservation = Static<typeof ReadinessObservation>;
export type MetricObservation = Static<typeof MetricObservation>;
export type MonitorObservation = Static<typeof PrometheusObservation> | Static<typeof AlertmanagerObservation>;
export type Observation = Static<typeof Observation>;

/** What a witness may tell of: Prometheus and Alertmanager are asked by the daemon alone. */
const WitnessObservation = Type.Unsafe<Observation>(
  Type.Union([PostgresObservation, HttpObservation, TcpObservation, DnsObservation, ControlObservation]),
);

/**
 * What a witness posts: observations under one signature. `session` is the daemon's, new at each of its starts, and
 * `sequence` grows within it, so that nothing recorded earlier can be played back, whatever the clocks say.
 */
export const WitnessReport = Type.Object(
  {
    vantage: Name,
    session: Type.String({ minLength: 16, maxLength: 64 }),
    sequence: Type.Integer({ minimum: 1 }),
    sentAt: WallMs,
    observations: Type.Array(WitnessObservation, { maxItems: 500 }),
  },
  { additionalProperties: false },
);
export type WitnessReport = Static<typeof WitnessReport>;

const Labels = Type.Record(Type.String(), Type.String());
/** One alert as Alertmanager's webhook payload version 4 carries it. Unknown keys are ignored by design (design §4). */
export const WebhookAlert = Type.Object({
  status: Type.Enum(['firing', 'resolved']),
  labels: Labels,
  annotations: Type.Optional(Labels),
  startsAt: Type.String({ maxLength: 64 }),
  endsAt: Type.Optional(Type.String({ maxLength: 64 })),
  generatorURL: Type.Optional(Type.String()),
  fingerprint: Type.String({ pattern: '^[0-9a-f]{16}$' }),
});
export const WebhookPayload = Type.Object({
  version: Type.Literal('4'),
  status: Type.Enum(['firing', 'resolved']),
  receiver: Type.Optional(Type.String()),
  groupKey: Type.Optional(Type.String()),
  truncatedAlerts: Type.Optional(Type.Integer({ minimum: 0 })),
  alerts: Type.Array(WebhookAlert, { maxItems: 20_000 }),
});
export type WebhookPayload = Static<typeof WebhookPayload>;

const Reasons = Type.Optional(Maybe(Type.Array(Type.Unknown())));
/** One alert as Alertmanager's API (v2) lists it: those that fire, told to receivers or held back. */
export const ApiAlert = Type.Object({
  labels: Labels,
  annotations: Type.Optional(Labels),
  startsAt: Type.String({ maxLength: 64 }),
  fingerprint: Type.String({ pattern: '^[0-9a-f]{16}$' }),
  status: Type.Object({
    state: Type.Enum(['active', 'suppressed', 'unprocessed']),
    silencedBy: Reasons,
    inhibitedBy: Reasons,
    mutedBy: Reasons,
  }),
});
export type ApiAlert = Static<typeof ApiAlert>;
/** One silence as Alertmanager's API (v2) lists it. Those of before 0.22 know no `isEqual`, and mean equality. */
export const ApiSilence = Type.Object({
  id: Type.String({ maxLength: 100 }),
  status: Type.Object({ state: Type.Enum(['active', 'pending', 'expired']) }),
  startsAt: Type.String({ maxLength: 64 }),
  endsAt: Type.String({ maxLength: 64 }),
  createdBy: Type.String(),
  comment: Type.String(),
  matchers: Type.Array(
    Type.Object({
      name: Type.String(),
      value: Type.String(),
      isRegex: Type.Boolean(),
      isEqual: Type.Optional(Type.Boolean()),
    }),
  ),
});
export type ApiSilence = Static<typeof ApiSilence>;

/** A silence as we keep it, while it stands. */
export const Silence = Type.Object(
  {
    id: Type.String(),
    /** Who made it, and why, in their words. */
    by: Type.String({ maxLength: 200 }),
    comment: Type.String({ maxLength: 500 }),
    startsAt: WallMs,
    endsAt: WallMs,
    /** Its matchers by equality; those by regular expression name nothing in particular. */
    matchers: Type.Array(
      Type.Object(
        { label: Type.String(), equal: Type.Boolean(), value: Type.String() },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
export type Silence = Static<typeof Silence>;

/** What we read of Alertmanager's own status: despite its name, `uptime` is the instant of its start. */
export const ApiStatus = Type.Object({ uptime: Type.String({ maxLength: 64 }) });
export type ApiStatus = Static<typeof ApiStatus>;

/** An alert as we keep it. Identity is fingerprint + startsAt: the same alert firing again later is another one. */
export const Alert = Type.Object(
  {
    fingerprint: Type.String(),
    startsAt: WallMs,
    status: Type.Enum(['firing', 'resolved']),
    labels: Labels,
    summary: Maybe(Type.String()),
  },
  { additionalProperties: false },
);
export type Alert = Static<typeof Alert>;
/** An alert that fires and that silences hold back: no webhook tells of it. */
export const SilencedAlert = Type.Object(
  { alert: Alert, silencedBy: Type.Array(Type.String()) },
  { additionalProperties: false },
);
export type SilencedAlert = Static<typeof SilencedAlert>;
export type AlertKey = `${string}@${number}`;
export const alertKey = (alert: Pick<Alert, 'fingerprint' | 'startsAt'>): AlertKey =>
  `${alert.fingerprint}@${alert.startsAt}`;
