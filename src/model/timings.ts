/**
 * How long things of a lease last, and the rules they must keep (safety.md, "The lease"). PURE.
 *
 * A guard counts from the **send** of its last good renewal on its own clock, a candidate from when it saw the revision
 * first on its own: the rules are what makes the one be over before the other is, whatever the two clocks do within
 * {@link CLOCK_RATE_ERROR}.
 */
import type { DeadManKind, LeaseTimings } from './lease.ts';

/** rho: the most by which the rate of any clock may be off, either way: one second in 21, so that W is 1.1 L + 2 s. */
export const CLOCK_RATE_ERROR = 1 / 21;
/** What W has over the drift of the clocks: taking the record, and reading a clock, is not without time. */
const WAIT_OVER_MS = 2000;

/** `strict` narrows the writes at risk in a partition; `patient` demotes least within a hold of 5 minutes. */
export const PROFILES = {
  strict: {
    renewMs: 3000,
    attemptMs: 2000,
    electionGapMs: 10_000,
    demoteAfterMs: 19_000,
    stopWithinMs: 6000,
    deadManAfterMs: 25_000,
    leaseMs: 50_000,
    waitMs: 58_000,
  },
  patient: {
    renewMs: 3000,
    attemptMs: 2000,
    electionGapMs: 10_000,
    demoteAfterMs: 128_000,
    stopWithinMs: 7000,
    deadManAfterMs: 135_000,
    leaseMs: 270_000,
    waitMs: 300_000,
  },
} as const satisfies Record<string, LeaseTimings>;
export type ProfileName = keyof typeof PROFILES;

/** Whether W without a change proves that the old side has stopped (safety.md, "The dead-man"). */
export const deadManCounts = (kind: DeadManKind): boolean => kind !== 'none';

/**
 * When an isolated PostgreSQL is ended at the latest after the send of its guard's last good renewal, milliseconds on its
 * own clock. A freeze between a reply and its pet has a relative one start as much as H late. Infinity: never for sure.
 */
export function endedWithinMs({ deadManAfterMs }: LeaseTimings, kind: DeadManKind): number {
  switch (kind) {
    case 'relative':
      return 2 * deadManAfterMs;
    case 'absolute':
      return deadManAfterMs;
    case 'none':
      return Number.POSITIVE_INFINITY;
    default:
      return kind satisfies never;
  }
}

/** The least W, in whole milliseconds: L on the slowest clock, counted by the fastest, and what comes on top. */
export const leastWaitMs = (leaseMs: number, clockRateError = CLOCK_RATE_ERROR): number =>
  // What binary fractions add to a whole number is no millisecond.
  Math.ceil((leaseMs * (1 + clockRateError)) / (1 - clockRateError) - 1e-6) + WAIT_OVER_MS;

/** The longest L whose W is within this, in whole milliseconds; negative where there is none. */
export const longestLeaseMs = (waitMs: number, clockRateError = CLOCK_RATE_ERROR): number =>
  Math.floor(((waitMs - WAIT_OVER_MS) * (1 - clockRateError)) / (1 + clockRateError) + 1e-6);

export type TimingRuleId = 'timing-attempt' | 'timing-demote' | 'timing-dead-man' | 'timing-lease' | 'timing-wait';

export type TimingRule = {
  readonly id: TimingRuleId;
  /** The timing to change first where it is broken. */
  readonly of: keyof LeaseTimings;
  /** As safety.md writes it. */
  readonly formula: (kind: DeadManKind) => string;
  /** Why. */
  readonly says: string;
  /** `left` must be less than `right` where the formula says `<`, else at most that. */
  readonly sides: (timings: LeaseTimings, kind: DeadManKind) => { readonly left: number; readonly right: number };
  readonly strictly: boolean;
};

export const TIMING_RULES: readonly TimingRule[] = [
  {
    id: 'timing-attempt',
    of: 'attemptMs',
    formula: () => 'q < r',
    says: 'an attempt is given up before the next one is due, so that there is one at a time',
    sides: ({ attemptMs, renewMs }) => ({ left: attemptMs, right: renewMs }),
    strictly: true,
  },
  {
    id: 'timing-demote',
    of: 'demoteAfterMs',
    formula: () => 'E + 3q + r <= G',
    says: 'a healthy primary outlives an election of the store: a renewal just before it, one that hangs, one read, one retry',
    sides: ({ electionGapMs, attemptMs, renewMs, demoteAfterMs }) => ({
      left: electionGapMs + 3 * attemptMs + renewMs,
      right: demoteAfterMs,
    }),
    strictly: false,
  },
  {
    id: 'timing-dead-man',
    of: 'deadManAfterMs',
    formula: () => 'G + K <= H',
    says: 'the dead-man leaves the guard the time to stop PostgreSQL itself',
    sides: ({ demoteAfterMs, stopWithinMs, deadManAfterMs }) => ({
      left: demoteAfterMs + stopWithinMs,
      right: deadManAfterMs,
    }),
    strictly: false,
  },
  {
    id: 'timing-lease',
    of: 'leaseMs',
    formula: (kind) => (kind === 'relative' ? '2H <= L' : 'H <= L'),
    says: 'the dead-man has ended PostgreSQL before the lease is over; a relative one may begin to count as much as H late',
    sides: ({ deadManAfterMs, leaseMs }, kind) => ({
      left: kind === 'relative' ? 2 * deadManAfterMs : deadManAfterMs,
      right: leaseMs,
    }),
    strictly: false,
  },
  {
    id: 'timing-wait',
    of: 'waitMs',
    formula: () => 'L(1 + rho)/(1 - rho) + 2 s <= W',
    says: 'a candidate with the fastest clock waits out a lease that is counted by the slowest',
    sides: ({ leaseMs, waitMs }) => ({ left: leastWaitMs(leaseMs), right: waitMs }),
    strictly: false,
  },
];

export type JudgedRule = {
  readonly id: TimingRuleId;
  readonly of: keyof LeaseTimings;
  readonly formula: string;
  readonly says: string;
  readonly strictly: boolean;
  readonly leftMs: number;
  readonly rightMs: number;
  readonly holds: boolean;
};

/** Every rule with its numbers. */
export function judgeTimings(timings: LeaseTimings, kind: DeadManKind): JudgedRule[] {
  return TIMING_RULES.map(({ id, of, formula, says, sides, strictly }) => {
    const { left: leftMs, right: rightMs } = sides(timings, kind);
    const holds = strictly ? leftMs < rightMs : leftMs <= rightMs;
    return { id, of, formula: formula(kind), says, strictly, leftMs, rightMs, holds };
  });
}
