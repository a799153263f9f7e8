/**
 * What the timings of a lease cost: how long an isolated primary is down, what an unfenced one may still write, when the
 * other side is writable. PURE. The rules themselves are in `model/timings.ts`.
 *
 * Every figure counts from the start of the isolation and is a bound: `least` is what happens at the kindest moment,
 * `most` at the worst. How long PostgreSQL takes to start is in none of them: no timing of the lease bounds it.
 */

import type { DeadManKind, LeaseTimings } from '../model/lease.ts';
import type { LeaseTerms } from '../model/lease-config.ts';
import { CLOCK_RATE_ERROR, endedWithinMs, judgeTimings, longestLeaseMs } from '../model/timings.ts';

export {
  CLOCK_RATE_ERROR,
  deadManCounts,
  endedWithinMs,
  judgeTimings,
  leastWaitMs,
  longestLeaseMs,
  PROFILES,
  TIMING_RULES,
} from '../model/timings.ts';

export type Span = { readonly leastMs: number; readonly mostMs: number };

/**
 * How old the send of the last good renewal may be when an isolation begins: the next one was sent r after it, and its answer
 * was about to arrive, which may take q.
 */
const oldestRenewalMs = ({ renewMs, attemptMs }: LeaseTimings): number => renewMs + attemptMs;
/** From the end of an isolation to a good renewal of who may write: the attempt that hangs is given up, the next is sent at once. */
const renewedWithinMs = ({ attemptMs }: LeaseTimings): number => 2 * attemptMs;
/** Taking the lease: a set, and another one where the first found a revision that had moved on. */
const takenWithinMs = ({ attemptMs }: LeaseTimings): number => 2 * attemptMs;

/** The longest isolation from the store and all peers that demotes no primary, however unlucky its start: G - r - 3q. */
export const survivedMs = (timings: LeaseTimings): number =>
  Math.max(0, timings.demoteAfterMs - oldestRenewalMs(timings) - renewedWithinMs(timings));

/** From the start of an isolation to the start of the demotion. */
export const demotedAfterMs = (timings: LeaseTimings): Span => ({
  leastMs: timings.demoteAfterMs - oldestRenewalMs(timings),
  mostMs: timings.demoteAfterMs,
});

/**
 * How long a primary takes no writes for being isolated from the store and from every peer for so long, when nobody else
 * takes the lease meanwhile. To the most comes what PostgreSQL takes to start.
 */
export function isolationLoss(
  { timings, isolation }: Pick<LeaseTerms, 'timings' | 'isolation'>,
  isolatedMs: number,
): Span {
  if (isolation === 'serve') return { leastMs: 0, mostMs: 0 };
  const { leastMs: demotedMs } = demotedAfterMs(timings);
  const leastMs = Math.max(0, isolatedMs - timings.demoteAfterMs);
  if (isolatedMs <= survivedMs(timings)) return { leastMs, mostMs: 0 };
  // What is down asks once in r. What is stopping is stopped to its end, and nothing is open before a lease acquired after the start (invariant 5); one
  // question may be under way by then.
  const stoppedMs = demotedMs + timings.stopWithinMs + timings.attemptMs;
  const reachesMs = isolatedMs + timings.renewMs + timings.attemptMs;
  return { leastMs, mostMs: Math.max(stoppedMs, reachesMs) + takenWithinMs(timings) - demotedMs };
}

/**
 * For how long a primary that nobody has fenced may go on taking writes after it was cut off, milliseconds on its own clock
 * (safety.md, "What was lost"): up to the dead-man's. Infinity where it serves on, or where nothing ends it for sure.
 */
export const partitionExposureMs = ({
  timings,
  deadMan,
  isolation,
}: Pick<LeaseTerms, 'timings' | 'deadMan' | 'isolation'>): number =>
  isolation === 'serve' ? Number.POSITIVE_INFINITY : endedWithinMs(timings, deadMan);

/** The same while its guard is scheduled (invariant 30). */
export const guardedExposureMs = ({ timings, isolation }: Pick<LeaseTerms, 'timings' | 'isolation'>): number =>
  isolation === 'serve' ? Number.POSITIVE_INFINITY : timings.demoteAfterMs + timings.stopWithinMs;

/** What else a failover takes, milliseconds. */
export type FailoverTimes = {
  /** Until the loss of the region shows in a fact: the oldest observation of it still counts for so long. */
  readonly detectionMs: number;
  /** `for` of the row. */
  readonly forMs: number;
  /** Budget of what is looked at between decision and fence. */
  readonly assessmentMs: number;
  /** Budget of fence and promotion. */
  readonly databaseMs: number;
};

/** From the loss of the active region to writes on the other side, and what of it W is. */
export type Writable = {
  readonly decidedMs: number;
  /** When the candidate has waited on the lease long enough; 0 where it need not. */
  readonly waitedMs: number;
  readonly worstMs: number;
};

/**
 * The worst time from the loss of the active region to writes on the other side, all else being well (invariant 27). Every
 * guard has been watching the revision all along, so W runs beside detection and hold; the last set is seen r and q late.
 * `expired`: the proof is the end of the lease. A candidate that is restarted, or a store, waits W anew.
 */
export function worstToWritable(timings: LeaseTimings, times: FailoverTimes, expired: boolean): Writable {
  const decidedMs = times.detectionMs + times.forMs + times.assessmentMs;
  const waitedMs = expired ? oldestRenewalMs(timings) + timings.waitMs : 0;
  return { decidedMs, waitedMs, worstMs: Math.max(decidedMs, waitedMs) + takenWithinMs(timings) + times.databaseMs };
}

/** From the start of an isolation: sooner nobody else can have taken the lease, and what is isolated is sure to be still the primary. */
export const earliestTakenMs = (timings: LeaseTimings, forMs: number): number =>
  Math.max(forMs, timings.waitMs / (1 + CLOCK_RATE_ERROR) - oldestRenewalMs(timings));

/** What a machine or a store decides, and no choice does. */
export type Given = Pick<LeaseTimings, 'renewMs' | 'attemptMs' | 'electionGapMs' | 'stopWithinMs'>;

const SECOND_MS = 1000;
const wholeSeconds = (ms: number): number => Math.floor(ms / SECOND_MS) * SECOND_MS;

/**
 * The longest timings, in whole seconds, whose W is over when a hold as long as this is: they cost no time in a failover, and
 * demote least. Null where no timings within it keep the rules.
 */
export function longestWithin(forMs: number, kind: DeadManKind, given: Given): LeaseTimings | null {
  const waitMs = wholeSeconds(forMs);
  const leaseMs = wholeSeconds(longestLeaseMs(waitMs, CLOCK_RATE_ERROR));
  const deadManAfterMs = wholeSeconds(kind === 'relative' ? leaseMs / 2 : leaseMs);
  const demoteAfterMs = wholeSeconds(deadManAfterMs - given.stopWithinMs);
  const timings = { ...given, demoteAfterMs, deadManAfterMs, leaseMs, waitMs };
  return judgeTimings(timings, kind).every(({ holds }) => holds) ? timings : null;
}
