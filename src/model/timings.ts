/**
 * How long things of a lease last, and the rules they must keep (safety.md, "The lease"). PURE.
 *
 * A guard counts from the **send** of its last good renewal on its own clock, a candidate from when it saw the revision
 * first on its own: the rules are what makes the one be over before the other is, whatever the two clocks do within
 * {@link CLOCK_RATE_ERROR}.
 */

/** All in milliseconds on the clock of whoever counts them; the letter is the one of safety.md. */
export type Timings = {
  /** r: between the sends of two renewals. */
  readonly renewMs: number;
  /** q: after this an attempt without an answer is one that failed. */
  readonly attemptTimeoutMs: number;
  /** E: how long a store may be away while it chooses another leader. */
  readonly electionGapMs: number;
  /** G: demotion starts this long after the send of the last good renewal. */
  readonly demoteAfterMs: number;
  /** K: from then until no backend can commit, proven. Measured: it is what the stop sequence may take. */
  readonly stopWithinMs: number;
  /** H: the dead-man's. */
  readonly deadManAfterMs: number;
  /** L: what a renewal is good for. */
  readonly leaseMs: number;
  /** W: what a candidate waits on an unchanged revision. */
  readonly waitMs: number;
};

/** rho: the most by which a clock's rate may be off, of any two of them in opposite directions. */
export const CLOCK_RATE_ERROR = 1 / 21;
/** What W has over the drift of the clocks: taking the record, and reading a clock, is not without time. */
const WAIT_OVER_MS = 2000;

/** `strict` narrows the writes at risk in a partition; `patient` demotes least within a hold of 5 minutes. */
export const PROFILES = {
  strict: {
    renewMs: 3000,
    attemptTimeoutMs: 2000,
    electionGapMs: 10_000,
    demoteAfterMs: 19_000,
    stopWithinMs: 6000,
    deadManAfterMs: 25_000,
    leaseMs: 50_000,
    waitMs: 58_000,
  },
  patient: {
    renewMs: 3000,
    attemptTimeoutMs: 2000,
    electionGapMs: 10_000,
    demoteAfterMs: 128_000,
    stopWithinMs: 7000,
    deadManAfterMs: 135_000,
    leaseMs: 270_000,
    waitMs: 300_000,
  },
} as const satisfies Record<string, Timings>;
export type ProfileName = keyof typeof PROFILES;

/**
 * What ends PostgreSQL when its guard doesn't. `relative`: a kernel timer that each good renewal pets; `absolute`: a process
 * apart that is told the send time, its deadline being send + H; `none`: nothing does.
 */
export const DEAD_MAN_KINDS = ['relative', 'absolute', 'none'] as const;
export type DeadManKind = (typeof DEAD_MAN_KINDS)[number];

/** Whether W without a change proves that the old side has stopped (safety.md, "The dead-man"). */
export const deadManCounts = (kind: DeadManKind): boolean => kind !== 'none';

/**
 * When an isolated PostgreSQL is ended at the latest after the send of its guard's last good renewal, milliseconds on its
 * own clock. A freeze between a reply and its pet has a relative one start as much as H late. Infinity: never for sure.
 */
export function endedWithinMs({ deadManAfterMs }: Timings, kind: DeadManKind): number {
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
  readonly of: keyof Timings;
  /** As safety.md writes it. */
  readonly formula: (kind: DeadManKind) => string;
  /** Why. */
  readonly says: string;
  /** `left` must be less than `right` where the formula says `<`, else at most that. */
  readonly sides: (timings: Timings, kind: DeadManKind) => { readonly left: number; readonly right: number };
  readonly strictly: boolean;
};

export const TIMING_RULES: readonly TimingRule[] = [
  {
    id: 'timing-attempt',
    of: 'attemptTimeoutMs',
    formula: () => 'q < r',
    says: 'an attempt is given up before the next one is due, so that there is one at a time',
    sides: ({ attemptTimeoutMs, renewMs }) => ({ left: attemptTimeoutMs, right: renewMs }),
    strictly: true,
  },
  {
    id: 'timing-demote',
    of: 'demoteAfterMs',
    formula: () => 'E + 3q + r <= G',
    says: 'a healthy primary outlives an election of the store: a renewal just before it, one that hangs, one read, one retry',
    sides: ({ electionGapMs, attemptTimeoutMs, renewMs, demoteAfterMs }) => ({
      left: electionGapMs + 3 * attemptTimeoutMs + renewMs,
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
  readonly of: keyof Timings;
  readonly formula: string;
  readonly says: string;
  readonly strictly: boolean;
  readonly leftMs: number;
  readonly rightMs: number;
  readonly holds: boolean;
};

/** Every rule with its numbers. */
export function judgeTimings(timings: Timings, kind: DeadManKind): JudgedRule[] {
  return TIMING_RULES.map(({ id, of, formula, says, sides, strictly }) => {
    const { left: leftMs, right: rightMs } = sides(timings, kind);
    const holds = strictly ? leftMs < rightMs : leftMs <= rightMs;
    return { id, of, formula: formula(kind), says, strictly, leftMs, rightMs, holds };
  });
}
