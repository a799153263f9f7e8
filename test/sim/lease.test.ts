// The lease under attack: the real guard machine and the real rules of the store in virtual time (src/sim/lease).
import t from 'tap';
import { initialGuard, step } from '../../src/guard/machine.ts';
import { coverageFailures } from '../../src/sim/coverage.ts';
import { COVERAGE, FAULTS } from '../../src/sim/lease/coverage.ts';
import { LEASE } from '../../src/sim/lease/lease.ts';
import { OUTSIDE } from '../../src/sim/lease/outside.ts';
import { PROFILES } from '../../src/sim/lease/plan.ts';
import type { LeaseOptions } from '../../src/sim/lease/world.ts';
import { runLeaseHistory } from '../../src/sim/lease/world.ts';
import { addHistory, emptySummary } from '../../src/sim/summary.ts';

const SEEDS = 600;

t.test('hundreds of histories break no invariant, move the writer, and meet every fault', async (t) => {
  const total = emptySummary('lease');
  for (let seed = 1; seed <= SEEDS; seed += 1) addHistory(total, runLeaseHistory({ seed }));
  t.strictSame(total.violations, []);
  t.ok(total.completed > SEEDS / 3, 'the writer moves in many');
  const met = new Set(Object.keys(total.hits).map((cell) => cell.split('/')[0]));
  t.strictSame(
    FAULTS.filter((fault) => !met.has(fault)),
    [],
    'each fault has struck',
  );
  t.strictSame(coverageFailures(COVERAGE, total.hits, SEEDS), [], 'nothing was hit that is declared impossible');
});

t.test('the adversary comes near to the bound that arithmetic gives', async (t) => {
  const least: Record<string, number> = {};
  for (const profile of PROFILES)
    for (let seed = 1; seed <= 60; seed += 1) {
      const { leastMarginMs } = runLeaseHistory({ seed, kind: 'aimed', profile });
      least[profile.name] = Math.min(least[profile.name] ?? leastMarginMs, leastMarginMs);
    }
  t.strictSame(LEASE.judge?.(least, 1_000_000).failures, []);
  t.equal(LEASE.judge?.({}, 1_000_000).failures.length, PROFILES.length, 'one that never comes near is a failure');
  const far = Object.fromEntries(PROFILES.map(({ name, timings }) => [name, timings.waitMs]));
  t.equal(LEASE.judge?.(far, 1_000_000).failures.length, PROFILES.length);
});

t.test('what is outside of the assumptions is seen to fail, or is caught', async (t) => {
  for (const { name, says, options, shows } of OUTSIDE) {
    let seed = 1;
    while (seed <= 400 && !shows(runLeaseHistory({ seed, ...options }))) seed += 1;
    t.ok(seed <= 400, `${name}: ${says}`);
  }
});

t.test('the two overlaps of the draft come out as often as an aimed adversary can make them', async (t) => {
  const [strict] = PROFILES;
  if (strict === undefined) throw new Error('no profile');
  const overlaps = (options: Partial<LeaseOptions>): number => {
    let count = 0;
    for (let seed = 1; seed <= 100; seed += 1)
      if (runLeaseHistory({ seed, kind: 'aimed', profile: strict, ...options }).overlapMs > 0) count += 1;
    return count;
  };
  t.equal(overlaps({}), 0, 'the timings of strict');
  t.ok(overlaps({ timings: { waitMs: 50_000 } }) > 5, 'W = 50 s');
  t.ok(overlaps({ timings: { deadManAfterMs: 45_000 } }) > 5, 'H = L - 5 s');
});

t.test('a guard that is wrong is found out', async (t) => {
  const breaks = (invariant: number, options: Omit<LeaseOptions, 'seed'>): boolean => {
    for (let seed = 1; seed <= 1500; seed += 1)
      if (runLeaseHistory({ seed, ...options }).violations.some((each) => each.invariant === invariant)) return true;
    return false;
  };
  // It promises, and forgets that it did.
  const forgetful: LeaseOptions['machine'] = {
    initial: initialGuard,
    step: (before, input) => {
      const { state, effects } = step(before, input);
      return { state: { ...state, promisedUntilMono: 0 }, effects };
    },
  };
  t.ok(breaks(6, { machine: forgetful }), 'forgetful');
  // It waits for nothing: whatever it sees has been unchanged for ever.
  const hasty: LeaseOptions['machine'] = {
    initial: initialGuard,
    step: (before, input) => {
      const { state, effects } = step(before, input);
      return {
        state: { ...state, view: state.view === null ? null : { ...state.view, unchangedMono: -1e9 } },
        effects,
      };
    },
  };
  t.ok(breaks(1, { machine: hasty }), 'hasty');
  // It believes to have renewed a moment ago, always.
  const tireless: LeaseOptions['machine'] = {
    initial: initialGuard,
    step: (before, input) => {
      const { state, effects } = step(before, input);
      return { state: { ...state, renewedMono: state.renewedMono === null ? null : state.mono }, effects };
    },
  };
  t.ok(breaks(30, { machine: tireless }), 'tireless');
  // It says yes to whatever it is asked to write down, and writes nothing.
  const unwritten: LeaseOptions['machine'] = {
    initial: initialGuard,
    step: (before, input) => {
      const { state, effects } = step(before, input);
      return { state, effects: effects.filter(({ kind }) => kind !== 'persist') };
    },
  };
  t.ok(breaks(3, { machine: unwritten }), 'unwritten');
  // It does not mind that no dead-man watches.
  const careless: LeaseOptions['machine'] = {
    initial: initialGuard,
    step: (before, input) => {
      const { state, effects } = step(before, input);
      return { state: { ...state, unwatchedMono: null }, effects };
    },
  };
  t.ok(breaks(30, { kind: 'storm', machine: careless }), 'careless');
});

t.test('one seed gives one history, and tells it', async (t) => {
  const told: string[][] = [[], []];
  for (const lines of told) runLeaseHistory({ seed: 1345, trace: (line) => lines.push(line) });
  t.ok((told[0]?.length ?? 0) > 20);
  t.strictSame(told[0], told[1]);
  t.equal(
    runLeaseHistory({ seed: 1345 }).events,
    runLeaseHistory({ seed: 1345, trace: () => undefined }).events,
    'told or not',
  );
});

t.test('histories that once broke an invariant break none any more', async (t) => {
  // 200255: resumed after another had acquired (21). 205308: froze in the middle of a promise, and told of it long after.
  for (const seed of [200_255, 205_308]) t.strictSame(runLeaseHistory({ seed }).violations, [], `seed ${seed}`);
});
