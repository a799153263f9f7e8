/**
 * An explanation as data: for one group and instant, what each row of the matrix says, what it read, what stands in the
 * way, and what would change it (design §5: a decision names its row, the values it saw, and what would change it).
 */
import Type, { type Static } from 'typebox';
import type { EventBody } from './events.ts';
import { GateAnswer, Name, Verdict, WallMs } from './primitives.ts';

const Maybe = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const closed = { additionalProperties: false } as const;
const Value = Type.Union([Verdict, Type.Number()]);

/** One place a fact was taken from. */
export const FactSource = Type.Object(
  { who: Type.String(), verdict: Verdict, ageMs: Maybe(Type.Number()), says: Type.String() },
  closed,
);
export type FactSource = Static<typeof FactSource>;

export const FactExplained = Type.Object(
  {
    fact: Type.String(),
    value: Value,
    unit: Maybe(Type.String()),
    /** Why it has this value; where it is unknown, why it can't be told. */
    why: Type.String(),
    /** What the fact means, and where it comes from at all. */
    says: Type.String(),
    from: Type.String(),
    /** Age of the oldest answer it rests on, milliseconds; null where there is none, or none was kept. */
    ageMs: Maybe(Type.Number()),
    sources: Type.Array(FactSource),
  },
  closed,
);
export type FactExplained = Static<typeof FactExplained>;

export const GateExplained = Type.Object(
  {
    gate: Type.String(),
    answer: GateAnswer,
    why: Type.String(),
    /** Whom it stops while it does not pass: everyone, or only `auto`; people = it waits for approvals. */
    stops: Type.Enum(['everyone', 'auto', 'people']),
    /** What would open it; null where it passes, or where it is of the past. */
    opens: Maybe(Type.String()),
  },
  closed,
);
export type GateExplained = Static<typeof GateExplained>;

/** One way to another answer: all of `given` together, for so long, and what would follow. */
export const Change = Type.Object(
  { given: Type.Array(Type.String(), { minItems: 1 }), forMs: Type.Number(), follows: Type.String() },
  closed,
);
export type Change = Static<typeof Change>;

export const RowExplained = Type.Object(
  {
    row: Type.Integer(),
    /** Whom it is judged for; null = the group. */
    component: Maybe(Name),
    kind: Type.Enum(['veto', 'gate', 'decide']),
    when: Type.String(),
    forMs: Type.Number(),
    action: Type.String(),
    against: Type.Array(Type.String()),
    auto: Type.Boolean(),
    note: Maybe(Type.String()),
    /** not-kept = of this instant nothing was written down. */
    answer: Type.Enum(['matches', 'does-not-match', 'cannot-tell', 'not-kept']),
    facts: Type.Array(FactExplained),
    hold: Maybe(
      Type.Object(
        {
          startedAt: WallMs,
          impactAt: WallMs,
          heldMs: Type.Number(),
          leftMs: Type.Number(),
          /** When it was last written down, where it is of the past. */
          writtenAt: Maybe(WallMs),
        },
        closed,
      ),
    ),
    decision: Maybe(
      Type.Object(
        { madeAt: Maybe(WallMs), action: Type.String(), autonomy: Type.String(), why: Type.String() },
        closed,
      ),
    ),
    /** What lowers the autonomy, in order; empty for rows that move nothing. */
    autonomyWhy: Type.Array(Type.String()),
    gates: Type.Array(GateExplained),
    changes: Type.Array(Change),
    /** What there is to know beside it: what was kept before and after, what is not known. */
    notes: Type.Array(Type.String()),
  },
  closed,
);
export type RowExplained = Static<typeof RowExplained>;

export const Explanation = Type.Object(
  {
    group: Name,
    title: Type.String(),
    timeZone: Maybe(Type.String()),
    at: WallMs,
    /** now = judged at this instant; journal = what was written down then. */
    basis: Type.Enum(['now', 'journal']),
    active: Maybe(Type.String()),
    standby: Maybe(Type.String()),
    notes: Type.Array(Type.String()),
    rows: Type.Array(RowExplained),
  },
  closed,
);
export type Explanation = Static<typeof Explanation>;

/** What a journal kept of one group, for whoever asks about the past. */
export type KeptEvents = {
  /** The group's own, and every start of the daemon; oldest first. Of a long hold only the last checkpoint is told. */
  readonly events: readonly EventBody[];
  /** When the first entry, and the newest one at or before the instant asked about, were written, of any group. */
  readonly firstAt: number | null;
  readonly lastAt: number | null;
};

/** As it is told: each row with its sentences, the same in the API, on the page and in the terminal. */
export const Paragraph = Type.Object({ label: Type.String(), lines: Type.Array(Type.String()) }, closed);
export type Paragraph = Static<typeof Paragraph>;
export const ToldExplanation = Type.Object(
  {
    ...Explanation.properties,
    says: Type.String(),
    rows: Type.Array(
      Type.Object({ ...RowExplained.properties, says: Type.String(), paragraphs: Type.Array(Paragraph) }, closed),
    ),
  },
  closed,
);
export type ToldExplanation = Static<typeof ToldExplanation>;
