// The arithmetic of the lease against models that know nothing of it: a guard that is walked through an isolation attempt by
// attempt, an adversary that sets clocks and freezes, and a search over every whole second.
import fc from 'fast-check';
import t from 'tap';
import {
  CLOCK_RATE_ERROR,
  deadManCounts,
  demotedAfterMs,
  endedWithinMs,
  guardedExposureMs,
  isolationLoss,
  judgeTimings,
  longestWithin,
  PROFILES,
  partitionExposureMs,
  survivedMs,
  TIMING_RULES,
  worstToWritable,
} from '../../src/guard/timings.ts';
import type { DeadManKind, LeaseTimings } from '../../src/model/lease.ts';

const KINDS: readonly DeadManKind[] = ['relative', 'absolute', 'none'];
const { strict, patient } = PROFILES;
const broken = (timings: LeaseTimings, kind: DeadManKind): string[] =>
  judgeTimings(timings, kind)
    .filter(({ holds }) => !holds)
    .map(({ id }) => id);

t.test('both profiles keep every rule under each kind of dead-man', async (t) => {
  for (const kind of KINDS) for (const timings of [strict, patient]) t.same(broken(timings, kind), []);
});

t.test('each rule is broken by one step over its edge, and by nothing before it', async (t) => {
  const edges: readonly [string, Partial<LeaseTimings>, Partial<LeaseTimings>][] = [
    [
      'timing-attempt',
      { attemptMs: 2999, demoteAfterMs: 22_000, deadManAfterMs: 28_000, leaseMs: 56_000, waitMs: 64_000 },
      { attemptMs: 3000 },
    ],
    ['timing-demote', { demoteAfterMs: 19_000 }, { demoteAfterMs: 18_999 }],
    ['timing-dead-man', { deadManAfterMs: 25_000 }, { deadManAfterMs: 24_999 }],
    ['timing-lease', { leaseMs: 50_000 }, { leaseMs: 49_999 }],
    ['timing-wait', { waitMs: 57_000 }, { waitMs: 56_999 }],
  ];
  t.same(
    edges.map(([id]) => id),
    TIMING_RULES.map(({ id }) => id),
    'there is an edge for every rule',
  );
  for (const [id, inside, outside] of edges) {
    t.same(broken({ ...strict, ...inside }, 'relative'), [], `${id} at its edge`);
    t.same(broken({ ...strict, ...inside, ...outside }, 'relative'), [id]);
  }
  t.same(
    broken({ ...strict, deadManAfterMs: 50_000 }, 'absolute'),
    [],
    'an absolute dead-man may take all of the lease',
  );
  t.same(broken({ ...strict, deadManAfterMs: 50_001 }, 'absolute'), ['timing-lease']);
});

/** What whoever wants two writers may choose; all in real time, the last good renewal sent at 0. */
function overlaps({ deadManAfterMs: h, waitMs: w }: LeaseTimings, kind: 'relative' | 'absolute'): boolean {
  const rates = [1 - CLOCK_RATE_ERROR, 1, 1 + CLOCK_RATE_ERROR];
  // Frozen between the reply and its pet, for as long as the pet of the renewal before allows.
  const pets = kind === 'relative' ? [0, h / 2, h - 1] : [0];
  for (const old of rates)
    for (const candidate of rates)
      for (const pet of pets) {
        const endsAt = (pet + h) / old;
        // The set took effect at once, and the answer that tells of it was there at once.
        if (w / candidate < endsAt) return true;
      }
  return false;
}

const seconds = (least: number, most: number) => fc.integer({ min: least, max: most }).map((s) => s * 1000);
const anyTimings = fc.record({
  renewMs: seconds(1, 10),
  attemptMs: seconds(1, 10),
  electionGapMs: seconds(1, 30),
  demoteAfterMs: seconds(1, 300),
  stopWithinMs: seconds(1, 60),
  deadManAfterMs: seconds(1, 400),
  leaseMs: seconds(1, 800),
  waitMs: seconds(1, 1000),
});
/** Built outwards from what is given, so that the rules hold more often than by chance. */
const goodTimings = (kind: DeadManKind) =>
  fc
    .tuple(
      seconds(2, 10),
      seconds(1, 30),
      seconds(1, 30),
      fc.array(seconds(0, 60), { minLength: 4, maxLength: 4 }),
      fc.integer({ min: 1, max: 99 }),
    )
    .map(([renewMs, electionGapMs, stopWithinMs, slack, share]): LeaseTimings => {
      const attemptMs = Math.max(1, Math.floor((renewMs * share) / 100) - 1);
      const demoteAfterMs = electionGapMs + 3 * attemptMs + renewMs + (slack[0] ?? 0);
      const deadManAfterMs = demoteAfterMs + stopWithinMs + (slack[1] ?? 0);
      const leaseMs = (kind === 'relative' ? 2 : 1) * deadManAfterMs + (slack[2] ?? 0);
      const waitMs = Math.ceil((leaseMs * 22) / 20) + 2000 + (slack[3] ?? 0);
      return { renewMs, attemptMs, electionGapMs, demoteAfterMs, stopWithinMs, deadManAfterMs, leaseMs, waitMs };
    });

t.test('no clocks and no freeze make two writers of timings that keep the rules', async (t) => {
  for (const kind of ['relative', 'absolute'] as const)
    fc.assert(
      fc.property(goodTimings(kind), (timings) => {
        if (broken(timings, kind).length > 0) throw new Error(`made to keep them: ${broken(timings, kind)}`);
        return !overlaps(timings, kind);
      }),
      { numRuns: 3000 },
    );
  fc.assert(
    fc.property(anyTimings, fc.constantFrom('relative', 'absolute'), (timings, kind) => {
      return broken(timings, kind).length > 0 || !overlaps(timings, kind);
    }),
    { numRuns: 3000 },
  );
  t.pass('nothing was found');
});

t.test('the adversary is strong enough to find what the rules are there for', async (t) => {
  t.ok(overlaps({ ...strict, waitMs: 50_000 }, 'relative'), 'W without the drift of the clocks');
  t.ok(overlaps({ ...strict, deadManAfterMs: 45_000 }, 'relative'), 'H = L - 5 s');
  t.ok(overlaps({ ...strict, waitMs: 54_000 }, 'relative'), 'W a little short');
  t.notOk(overlaps({ ...strict, waitMs: 56_000 }, 'relative'), 'what is over the drift is for what has no clock');
  t.notOk(overlaps({ ...strict, deadManAfterMs: 45_000 }, 'absolute'), 'which is right for an absolute one');
});

type Luck = {
  readonly ageMs: number;
  readonly latencies: readonly number[];
  readonly stopMs: number;
  readonly conflict: boolean;
};

/**
 * A guard through an isolation from 0 to `untilMs`, attempt by attempt: one at a time, the next r after the send of one that
 * was answered, and at once after one that was not, while it may write. How long nothing could be written; PostgreSQL starts in no time.
 */
function walk(timings: LeaseTimings, untilMs: number, { ageMs, latencies, stopMs, conflict }: Luck): number {
  let turn = 0;
  const latency = (): number => latencies[turn++ % latencies.length] ?? 0;
  const answeredAt = (sentMs: number): number | null => {
    const at = sentMs + latency();
    return at < 0 || sentMs >= untilMs ? at : null;
  };
  let renewedMs = -ageMs;
  let sendMs = renewedMs + timings.renewMs;
  const endMs = (): number => renewedMs + timings.demoteAfterMs;
  while (sendMs < endMs()) {
    const at = answeredAt(sendMs);
    if (at === null) sendMs += timings.attemptMs;
    else if (at >= endMs()) break;
    else {
      renewedMs = sendMs;
      if (renewedMs >= untilMs) return 0;
      sendMs += timings.renewMs;
    }
  }
  const demotedMs = endMs();
  const stoppedMs = demotedMs + stopMs;
  // A read that says the lease is still its own, once PostgreSQL is stopped; then the set, and perhaps another one.
  for (;;) {
    const at = answeredAt(sendMs);
    if (at !== null && at >= stoppedMs) return at + latency() + (conflict ? latency() : 0) - demotedMs;
    if (at !== null) sendMs = Math.max(sendMs, stoppedMs);
    else sendMs += timings.renewMs;
  }
}

t.test('an isolated primary is down for what was said, at every moment it may begin', async (t) => {
  const whenever = fc.constantFrom<LeaseTimings>(strict, patient).chain((timings) =>
    fc.record({
      timings: fc.constant(timings),
      untilMs: fc.integer({ min: 1, max: 2 * timings.demoteAfterMs + 60_000 }),
      luck: fc.record({
        ageMs: fc.integer({ min: 1, max: timings.renewMs + timings.attemptMs - 1 }),
        latencies: fc.array(fc.integer({ min: 0, max: timings.attemptMs - 1 }), { minLength: 1, maxLength: 7 }),
        stopMs: fc.integer({ min: 0, max: timings.stopWithinMs }),
        conflict: fc.boolean(),
      }),
    }),
  );
  fc.assert(
    fc.property(whenever, ({ timings, untilMs, luck }) => {
      const downMs = walk(timings, untilMs, luck);
      const { leastMs, mostMs } = isolationLoss({ timings, isolation: 'stop' }, untilMs);
      return downMs >= leastMs && downMs <= mostMs;
    }),
    { numRuns: 20_000 },
  );
  for (const timings of [strict, patient]) {
    t.same(
      isolationLoss({ timings, isolation: 'serve' }, 600_000),
      { leastMs: 0, mostMs: 0 },
      'one that serves goes on',
    );
    t.equal(isolationLoss({ timings, isolation: 'stop' }, survivedMs(timings)).mostMs, 0);
  }
});

t.test('no bound is wider than what can happen', async (t) => {
  for (const timings of [strict, patient]) {
    const { renewMs, attemptMs, stopWithinMs } = timings;
    // Cut off right before an answer, and every answer as late as it may be.
    const worst = { ageMs: renewMs + attemptMs - 1, latencies: [attemptMs - 1], stopMs: stopWithinMs, conflict: true };
    const best = { ageMs: 1, latencies: [0], stopMs: 0, conflict: false };
    const edge = survivedMs(timings);
    const over = [...Array(2 * attemptMs).keys()].map((ms) => edge + 1 + ms);
    t.ok(
      over.some((ms) => walk(timings, ms, worst) > 0),
      'a little more than what is survived is not',
    );
    for (const around of [edge, 2 * timings.demoteAfterMs]) {
      const gaps = [...Array(renewMs + attemptMs).keys()].map((ms) => {
        const untilMs = around + 1 + ms;
        return isolationLoss({ timings, isolation: 'stop' }, untilMs).mostMs - walk(timings, untilMs, worst);
      });
      t.ok(Math.min(...gaps) <= 5, `most: ${Math.min(...gaps)} ms over what happened`);
    }
    const late = 2 * timings.demoteAfterMs;
    const gaps = [...Array(attemptMs).keys()].map(
      (ms) => walk(timings, late + ms, best) - isolationLoss({ timings, isolation: 'stop' }, late + ms).leastMs,
    );
    t.ok(Math.min(...gaps) <= 5, `least: ${Math.min(...gaps)} ms under what happened`);
  }
});

t.test('an unfenced primary writes for as long as its dead-man lets it', async (t) => {
  const exposure = (deadMan: DeadManKind, isolation: 'stop' | 'serve' = 'stop'): number =>
    partitionExposureMs({ timings: strict, deadMan, isolation });
  t.equal(exposure('absolute'), 25_000);
  t.equal(exposure('relative'), 50_000, 'frozen between the reply and its pet');
  t.equal(exposure('none'), Number.POSITIVE_INFINITY);
  for (const kind of KINDS) t.equal(exposure(kind, 'serve'), Number.POSITIVE_INFINITY);
  t.same(KINDS.map(deadManCounts), [true, true, false], 'without one the end of a lease proves nothing');
  t.equal(guardedExposureMs({ timings: strict, isolation: 'stop' }), 25_000);
  for (const timings of [strict, patient])
    t.ok(demotedAfterMs(timings).mostMs + timings.stopWithinMs <= endedWithinMs(timings, 'absolute'));
});

t.test('the other side is writable by the time that was said, and it may take that long', async (t) => {
  const times = { detectionMs: 5000, assessmentMs: 60_000, databaseMs: 60_000 };
  /** The region dies at 0, right after a set; a standby reads every r, and takes the lease once W and the decision are over. */
  const happens = (
    timings: LeaseTimings,
    forMs: number,
    phaseMs: number,
    latencyMs: number,
    retry: boolean,
  ): number => {
    const seenMs = phaseMs + latencyMs;
    const readyMs = Math.max(seenMs + timings.waitMs, times.detectionMs + forMs + times.assessmentMs);
    return readyMs + (retry ? 2 : 1) * latencyMs + times.databaseMs;
  };
  const cases = fc
    .constantFrom<LeaseTimings>(strict, patient)
    .chain((timings) =>
      fc.tuple(
        fc.constant(timings),
        fc.integer({ min: 0, max: 600_000 }),
        fc.integer({ min: 0, max: timings.renewMs - 1 }),
        fc.integer({ min: 0, max: timings.attemptMs - 1 }),
        fc.boolean(),
      ),
    );
  fc.assert(
    fc.property(cases, ([timings, forMs, phase, latency, retry]) => {
      const { worstMs } = worstToWritable(timings, { ...times, forMs }, true);
      return happens(timings, forMs, phase, latency, retry) <= worstMs;
    }),
    { numRuns: 5000 },
  );
  for (const timings of [strict, patient])
    for (const forMs of [0, 60_000, 300_000]) {
      const { worstMs } = worstToWritable(timings, { ...times, forMs }, true);
      t.ok(worstMs - happens(timings, forMs, timings.renewMs - 1, timings.attemptMs - 1, true) < 10);
    }
  t.equal(
    worstToWritable(patient, { ...times, forMs: 0 }, false).waitedMs,
    0,
    'a fence that was read back waits for no lease',
  );
});

t.test('the longest timings within a hold are what a search over every second finds', async (t) => {
  const given = { renewMs: 3000, attemptMs: 2000, electionGapMs: 10_000 };
  t.same(longestWithin(300_000, 'relative', { ...given, stopWithinMs: 7000 }), patient);
  t.same(longestWithin(58_000, 'relative', { ...given, stopWithinMs: 6000 }), strict);
  for (const kind of KINDS)
    for (let forS = 1; forS <= 120; forS += 1) {
      const found = longestWithin(forS * 1000, kind, { ...given, stopWithinMs: 6000 });
      t.same(
        found && [found.waitMs, found.leaseMs, found.deadManAfterMs, found.demoteAfterMs].map((ms) => ms / 1000),
        search(forS, kind),
        `${kind} ${forS}s`,
      );
    }
});

/** Of all whole seconds that keep the rules as safety.md writes them, with K = 6, E = 10, q = 2, r = 3, those that demote last. */
function search(forS: number, kind: DeadManKind): number[] | null {
  for (let lease = forS; lease > 0; lease -= 1) {
    if (forS < (lease * (1 + 1 / 21)) / (1 - 1 / 21) + 2 - 1e-9) continue;
    for (let deadMan = lease; deadMan > 0; deadMan -= 1) {
      if (kind === 'relative' ? 2 * deadMan > lease : deadMan > lease) continue;
      for (let demote = deadMan; demote > 0; demote -= 1)
        if (deadMan >= demote + 6 && demote >= 10 + 3 * 2 + 3) return [forS, lease, deadMan, demote];
    }
  }
  return null;
}
