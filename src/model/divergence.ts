/** What the old side has that the new one has not: counted from its log once it is back (safety.md, "What was lost"). */
import Type, { type Static } from 'typebox';
import { Lsn, Name, WallMs } from './primitives.ts';

export const DivergentRelation = Type.Object(
  {
    /** As the files are called: tablespace/database/relation. */
    file: Type.String({ pattern: '^\\d+/\\d+/\\d+$' }),
    /** `database: schema.relation`; null where no catalog could be asked, or has no such file any more. */
    name: Type.Union([Type.String({ maxLength: 300 }), Type.Null()]),
    /** Rows inserted, updated or deleted by transactions that committed after the fork. */
    changes: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
);
export type DivergentRelation = Static<typeof DivergentRelation>;

const counted = {
  /** Both sides have the log up to `forkLsn`; it is on this timeline. */
  timeline: Type.Integer({ minimum: 1 }),
  forkLsn: Lsn,
  endLsn: Lsn,
  /** Transactions that committed on the old side after the fork, prepared ones that were committed among them. */
  commits: Type.Integer({ minimum: 0 }),
  /** Prepared after the fork and neither committed nor rolled back: nobody was told that they are durable work. */
  prepared: Type.Integer({ minimum: 0 }),
  /** Of the commits, on the old primary's clock. */
  firstCommitAt: Type.Union([WallMs, Type.Null()]),
  lastCommitAt: Type.Union([WallMs, Type.Null()]),
  /** False: segments were recycled before they could be archived, and the counts are of the rest alone. */
  complete: Type.Boolean(),
};

/** Most changed first. Catalogs and toast are among them. */
export const Divergence = Type.Object(
  { ...counted, relations: Type.Array(DivergentRelation) },
  { additionalProperties: false },
);
export type Divergence = Static<typeof Divergence>;

/** The relations that a journal keeps of one divergence; the archive has them all. */
export const RELATIONS_KEPT = 50;

/** As it stands in the journal, of one component of a run. */
export const FoundDivergence = Type.Object(
  {
    component: Name,
    ...counted,
    relations: Type.Array(DivergentRelation, { maxItems: RELATIONS_KEPT }),
    /** How many relations there are besides. */
    moreRelations: Type.Integer({ minimum: 0 }),
    /** The archive's folder, as the guard of the old side names it. */
    archive: Type.String({ maxLength: 500 }),
  },
  { additionalProperties: false },
);
export type FoundDivergence = Static<typeof FoundDivergence>;
