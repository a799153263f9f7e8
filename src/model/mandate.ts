/**
 * The mandate of a group: what failoverd may do by itself there, and whose yes it needs otherwise. It is what the config
 * says of it, as far as two people have agreed to it or it was lowered since; kept in the journal, so that neither a reload
 * nor a restart raises it alone (design §6).
 */
import Type, { type Static } from 'typebox';
import { Autonomy } from './primitives.ts';

const Ms = Type.Number();
const Roles = Type.Array(Type.Enum(['sre', 'vp']));

export const MandateRow = Type.Object(
  {
    id: Type.Integer(),
    kind: Type.Enum(['veto', 'gate', 'decide']),
    /** Absent in older entries: the group. */
    scope: Type.Optional(Type.String()),
    when: Type.String(),
    forMs: Ms,
    action: Type.String(),
    against: Type.Array(Type.String()),
    unknown: Type.Enum(['block', 'pass']),
    auto: Type.Boolean(),
  },
  { additionalProperties: false },
);
export type MandateRow = Static<typeof MandateRow>;

export const Mandate = Type.Object(
  {
    /** What config and topology allow together. */
    autonomy: Autonomy,
    approvals: Type.Object({ businessHours: Roles, otherwise: Roles }, { additionalProperties: false }),
    /** The calendar that says which of the two counts, as one text; null = always the first. */
    calendar: Type.Union([
      Type.Null(),
      Type.Object(
        {
          timeZone: Type.String(),
          days: Type.Array(Type.String()),
          from: Type.String(),
          to: Type.String(),
          holidays: Type.Array(Type.String()),
        },
        { additionalProperties: false },
      ),
    ]),
    approvalExpiryMs: Ms,
    rows: Type.Array(MandateRow),
    quorum: Type.Integer(),
    /** Who may testify, where from, and by what it is known and knows itself: `name in region, by HASH`. */
    vantages: Type.Array(Type.String()),
    /** The driver, and a hash of its programs. */
    fence: Type.String(),
    /** The lease whose end may be the proof, and where its store stands. Absent in older entries: there was none. */
    lease: Type.Optional(Type.String()),
    /** Consent: seconds of writes that an unfenced primary may take; null = none. Absent in older entries, as above. */
    partitionExposureMs: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
    /** Alerts that may speak for a failover, and those that may stand in its way. */
    alertsFor: Type.Array(Type.String()),
    alertsAgainst: Type.Array(Type.String()),
    /** Where alerts come from and how long they count. Absent in older entries: nothing was agreed of it. */
    alertmanager: Type.Optional(Type.String()),
    /** A hash of what is probed and how. Absent in older entries, as above. */
    probed: Type.Optional(Type.String()),
    /** Metrics that rows may read, with what is asked. */
    metrics: Type.Array(Type.String()),
    rpoMs: Ms,
    replicationLossBytes: Type.Union([Type.Number(), Type.Null()]),
    cooldownMs: Ms,
    attemptsMost: Type.Integer(),
    attemptsWithinMs: Ms,
    holdGapMs: Ms,
    standbyStreamedWithinMs: Ms,
  },
  { additionalProperties: false },
);
export type Mandate = Static<typeof Mandate>;
