/**
 * What a group's lease comes to, as data: `failoverd check` and `failoverd doctor` print it alike. Spans are milliseconds;
 * null stands for "without bound", which JSON has no number for.
 */
import {
  earliestTakenMs,
  guardedExposureMs,
  isolationLoss,
  longestWithin,
  partitionExposureMs,
  survivedMs,
  worstToWritable,
} from '../guard/timings.ts';
import type { LeaseTimings } from '../model/lease.ts';
import { type LeaseTerms, timingsHash } from '../model/lease-config.ts';
import { declaredAutonomy, type GroupSettings } from '../model/settings.ts';
import { type JudgedRule, judgeTimings } from '../model/timings.ts';

/** From a blip over the outages that are told of to an outage that is one. */
export const ISOLATIONS_MS = [10_000, 43_000, 120_000, 300_000, 600_000] as const;

export type TermsReport = LeaseTerms & {
  /** SHA-256 of the terms: the same in the file of the group and of each guard. */
  readonly timingsHash: string;
  readonly rules: readonly JudgedRule[];
  /** No isolation up to this demotes anybody. */
  readonly survivedMs: number;
  readonly isolated: readonly {
    readonly forMs: number;
    /** No writes for so long, at the kindest and at the worst moment, and what PostgreSQL takes to start. */
    readonly leastMs: number;
    readonly mostMs: number;
    /** Whether failoverd may have moved the group by itself by then, which ends the outage and makes the move stand. */
    readonly mayMove: boolean;
  }[];
  /** Most seconds of writes that an unfenced primary takes alone; while its guard is alive, and at all. */
  readonly guardedExposureMs: number | null;
  readonly exposureMs: number | null;
};

export type WritableReport = {
  readonly row: number;
  readonly forMs: number;
  /** Whether failoverd acts on the row by itself; else the time of people comes on top. */
  readonly auto: boolean;
  /** By the end of the lease; null where that is no proof. */
  readonly expiredMs: number | null;
  /** By a fence that is read back; null where there is none. */
  readonly confirmedMs: number | null;
  /** How much of `expiredMs` is waiting for the lease alone. */
  readonly waitedOverMs: number;
  /** The longest timings that cost this row no time; null where they are no other ones, or there are none. */
  readonly longest: LeaseTimings | null;
};

export type LeaseReport = TermsReport & {
  readonly profile: NonNullable<GroupSettings['lease']>['profile'];
  readonly storeRegion: string | null;
  readonly guards: readonly string[];
  readonly partitionExposureMs: number | null;
  readonly expiredIsNoProof: readonly string[];
  readonly writable: readonly WritableReport[];
};

const bounded = (ms: number): number | null => (Number.isFinite(ms) ? ms : null);

/** What the terms say by themselves; `moves`: the hold after which the group may be moved without anybody. */
export function termsReport(
  { timings, deadMan, isolation, onCrash, crashRestarts }: LeaseTerms,
  moves: number | null,
): TermsReport {
  // Of settings, which are more than terms, only the terms are hashed.
  const terms: LeaseTerms = { timings, deadMan, isolation, onCrash, crashRestarts };
  return {
    ...{ timings, deadMan, isolation, onCrash, crashRestarts },
    timingsHash: timingsHash(terms),
    rules: judgeTimings(timings, deadMan),
    survivedMs: survivedMs(timings),
    isolated: ISOLATIONS_MS.map((forMs) => ({
      forMs,
      ...isolationLoss(terms, forMs),
      mayMove: moves !== null && forMs >= earliestTakenMs(timings, moves),
    })),
    guardedExposureMs: bounded(guardedExposureMs(terms)),
    exposureMs: bounded(partitionExposureMs(terms)),
  };
}

export function leaseReport(group: GroupSettings): LeaseReport | null {
  const { lease } = group;
  if (lease === null) return null;
  const { profile, storeRegion, guards, partitionExposureMs: consent, expiredIsNoProof } = lease;
  const rows = writableReports(group, lease);
  const alone = rows.filter(({ auto, expiredMs }) => auto && expiredMs !== null).map(({ forMs }) => forMs);
  return {
    ...termsReport(lease, alone.length === 0 ? null : Math.min(...alone)),
    ...{ profile, storeRegion, guards, expiredIsNoProof, partitionExposureMs: consent },
    writable: rows,
  };
}

function writableReports(group: GroupSettings, lease: NonNullable<GroupSettings['lease']>): WritableReport[] {
  const { timings, deadMan, expiredIsNoProof } = lease;
  const alone = declaredAutonomy(group) === 'auto';
  const guarded = group.components.filter(({ control }) => control === 'guard');
  const detectionMs = Math.max(0, ...guarded.map(({ freshMs }) => freshMs));
  const { assessment: assessmentMs, database: databaseMs } = group.phaseBudgetMs;
  return group.rows
    .filter(({ kind, action }) => kind === 'decide' && action === 'failover')
    .map(({ id: row, forMs, auto }) => {
      const times = { detectionMs, forMs, assessmentMs, databaseMs };
      const expired = worstToWritable(timings, times, true);
      const longest = longestWithin(forMs, deadMan, timings);
      return {
        ...{ row, forMs, auto: auto && alone },
        expiredMs: expiredIsNoProof.length === 0 ? expired.worstMs : null,
        confirmedMs: group.fence === 'command' ? worstToWritable(timings, times, false).worstMs : null,
        waitedOverMs: Math.max(0, expired.waitedMs - expired.decidedMs),
        longest: longest !== null && longest.demoteAfterMs !== timings.demoteAfterMs ? longest : null,
      };
    });
}
