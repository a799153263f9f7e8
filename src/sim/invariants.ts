/**
 * Where each invariant of design §11 is checked: by a world of the simulator, by a test, by a scenario of the lab; and what
 * it still waits for. `test/sim/invariants.test.ts` keeps it true. PURE.
 */
export type Check =
  /** `file` is where that world's oracle says so by its number. */
  | { readonly by: 'simulator'; readonly world: 'whole' | 'lease'; readonly file: string }
  | { readonly by: 'test'; readonly file: string; readonly title: string }
  | { readonly by: 'lab'; readonly scenario: string };

export type Invariant = {
  readonly number: number;
  readonly says: string;
  readonly checks: readonly Check[];
  /** What of it nothing checks yet; null = nothing is known to be missing. */
  readonly waitsFor: string | null;
};

const ORACLE = 'src/sim/oracle.ts';
const AUDITOR = 'src/sim/auditor.ts';
const GROUNDS = 'src/sim/grounds.ts';
const PROGRESS = 'src/sim/progress.ts';
const WORLD = 'src/sim/world.ts';
const LEASE = 'src/sim/lease/oracle.ts';

const whole = (file: string): Check => ({ by: 'simulator', world: 'whole', file });
const lease = (): Check => ({ by: 'simulator', world: 'lease', file: LEASE });
const test = (file: string, title: string): Check => ({ by: 'test', file, title });
const lab = (scenario: string): Check => ({ by: 'lab', scenario });

const GUARD = 'test/guard/machine.test.ts';
const FAILOVER = 'test/policies/failover.test.ts';
const FOLD = 'test/journal/fold.test.ts';
const ENGINE = 'test/engine/engine.test.ts';
const RETURNING = 'test/policies/returning.test.ts';
const REJOIN = 'test/guard/wal/rejoin.test.ts';

export const INVARIANTS: readonly Invariant[] = [
  {
    number: 1,
    says: 'at most one PostgreSQL of a group can commit at any instant',
    checks: [whole(ORACLE), lease(), lab('partition-primary')],
    waitsFor: null,
  },
  {
    number: 2,
    says: 'epochs only grow, and each has one holder',
    checks: [whole(ORACLE), lease(), test(FOLD, 'invariant 2: an epoch again')],
    waitsFor: null,
  },
  {
    number: 3,
    says: 'no effect below the durable epoch',
    checks: [whole(ORACLE), lease(), test(FOLD, 'invariant 3: a step at another epoch')],
    waitsFor: null,
  },
  {
    number: 4,
    says: 'every promotion has a release, a fence read back, or a wait and the set',
    checks: [
      whole(ORACLE),
      lease(),
      test('test/actions/promote.test.ts', 'a fence that is lost, or can’t be read back, forbids the promotion'),
      lab('region-down-auto'),
    ],
    waitsFor: null,
  },
  {
    number: 5,
    says: 'not writable after a start before a lease acquired after it',
    checks: [
      lease(),
      test(GUARD, 'a first primary starts fenced, acquires, and only then lets clients in (invariant 5)'),
    ],
    waitsFor: null,
  },
  {
    number: 6,
    says: 'no promotion while an own promise not to is unexpired',
    checks: [lease()],
    waitsFor: 'a scenario of the lab in which the store is down and peers promise',
  },
  {
    number: 7,
    says: 'every effect has an earlier durable intent',
    checks: [whole(ORACLE), lease(), test(FOLD, 'invariant 7: an outcome that was not intended')],
    waitsFor: null,
  },
  {
    number: 8,
    says: 'after a crash the first act on an unfinished step is a read',
    checks: [whole(ORACLE)],
    waitsFor: null,
  },
  {
    number: 9,
    says: 'an effect that is not idempotent happens once, unless a read proved it had not',
    checks: [whole(ORACLE), test('test/actions/promote.test.ts', 'asking again does no harm, and is found done')],
    waitsFor: null,
  },
  {
    number: 10,
    says: 'any crashes end where a run without them could, or with a person',
    checks: [whole(PROGRESS), whole(ORACLE)],
    waitsFor: 'a comparison with the end states of crash-free runs of the same inputs',
  },
  {
    number: 11,
    says: 'nothing cancels after the promotion’s intent',
    checks: [
      whole(ORACLE),
      whole(AUDITOR),
      lease(),
      test(FAILOVER, 'a promotion that does not come stays unresolved: no traffic, a page, no cancelling'),
    ],
    waitsFor: null,
  },
  {
    number: 12,
    says: 'one run per group; cooldown and attempts hold over restarts',
    checks: [whole(ORACLE), test(FOLD, 'invariant 12: a second run of the group')],
    waitsFor: 'replicas of the daemon (scaled out)',
  },
  {
    number: 13,
    says: 'traffic never precedes a verified writable database at the current epoch',
    checks: [
      whole(ORACLE),
      test('test/actions/cutover-dns.test.ts', 'before our epoch is on the new primary, no traffic is moved'),
    ],
    waitsFor: null,
  },
  {
    number: 14,
    says: 'journal failed, no effect follows',
    checks: [whole(ORACLE), test(ENGINE, 'invariant 14: once the journal failed, nothing follows')],
    waitsFor: null,
  },
  {
    number: 15,
    says: 'no data with healthy targets, no promotion',
    checks: [whole(GROUNDS), test(FAILOVER, 'invariant 15: without any data nothing is promoted')],
    waitsFor: null,
  },
  {
    number: 16,
    says: 'repeated, reordered or lost alerts change no decision',
    checks: [
      whole(WORLD),
      test('test/policies/alerts.test.ts', 'a webhook that comes after a resolved is old news, however often it comes'),
      lab('lost-resolved'),
      lab('alert-storm'),
    ],
    waitsFor: null,
  },
  {
    number: 17,
    says: 'a decision’s record holds enough fresh evidence over two paths; replayed, it is the same',
    checks: [
      whole(GROUNDS),
      whole(WORLD),
      test('test/policies/metrics.test.ts', 'invariant 17: a metric vouches for no region, over whatever path it came'),
    ],
    waitsFor: null,
  },
  {
    number: 18,
    says: 'a vantage that fails its control targets counts for nothing',
    checks: [
      whole(ORACLE),
      test(FAILOVER, 'invariant 18: a vantage that is isolated itself counts for nothing'),
      test(RETURNING, 'what a vantage saw while it was cut off does not count once it is back'),
      test(RETURNING, 'a report that tells both of the cut and of the return is a return'),
      lab('isolated-vantage'),
    ],
    waitsFor: null,
  },
  {
    number: 19,
    says: 'the true loss lies within the bracket; 0 only with proof',
    checks: [
      whole(AUDITOR),
      test(
        'test/policies/loss.test.ts',
        'a wall clock that was set before the outage was seen makes the loss neither nothing nor unknown',
      ),
      lab('loss-within-bracket'),
    ],
    waitsFor: null,
  },
  {
    number: 20,
    says: 'no automatic promotion over either loss budget',
    checks: [
      whole(GROUNDS),
      test('test/policies/gates.test.ts', 'the two budgets, each at its very edge'),
      lab('receive-gap'),
    ],
    waitsFor: null,
  },
  {
    number: 21,
    says: 'the old primary is not started, rewound or rebuilt before its divergent WAL is archived',
    checks: [lease(), test(REJOIN, 'nothing goes on without the archive')],
    waitsFor: null,
  },
  {
    number: 22,
    says: 'an approval binds, is used once, and two are two people',
    checks: [
      whole(AUDITOR),
      test(FAILOVER, 'gated: two people in business hours, and not one person twice'),
      lab('region-down-gated'),
    ],
    waitsFor: null,
  },
  {
    number: 23,
    says: 'a cut, edited or reordered chain is detected',
    checks: [
      whole(ORACLE),
      test(
        'test/journal/chain.test.ts',
        'invariant 23: an entry that was changed, cut out or moved breaks the chain where it stands',
      ),
    ],
    waitsFor: 'checkpoints outside, for a chain that was cut at its end',
  },
  {
    number: 24,
    says: 'no secret appears in a log, journal, metric, error or bundle',
    checks: [
      test('test/runtime/log.test.ts', 'no protected value comes through, in whatever field, text or key it stands'),
      test('test/actions/actor.test.ts', 'a failure inside is unknown, and takes no secret with it'),
    ],
    waitsFor: 'evidence bundles',
  },
  {
    number: 25,
    says: 'a config that breaks safety.md never reaches auto',
    checks: [
      test('test/policies/gates.test.ts', 'what the topology caps is capped, each with its reason'),
      test('test/guard/timings.test.ts', 'each rule is broken by one step over its edge, and by nothing before it'),
    ],
    waitsFor: null,
  },
  {
    number: 26,
    says: 'every acknowledged write is on the new primary, inside the bracket, or archived',
    checks: [
      lease(),
      test('test/guard/wal/archive.test.ts', 'what the old primary took alone'),
      lab('loss-within-bracket'),
    ],
    waitsFor: null,
  },
  {
    number: 27,
    says: 'the active region dead, the others well: writable there in time',
    checks: [whole(PROGRESS), lease(), lab('region-down-auto')],
    waitsFor: null,
  },
  {
    number: 28,
    says: 'a healthy active region is never demoted',
    checks: [whole(ORACLE), whole(PROGRESS), lease(), lab('region-blip')],
    waitsFor: null,
  },
  {
    number: 29,
    says: 'no run stays unfinished past its deadline without paging',
    checks: [
      whole(PROGRESS),
      test(ENGINE, 'inputs that never cease don’t put the look at the clock off (invariants 27, 29)'),
    ],
    waitsFor: null,
  },
  {
    number: 30,
    says: 'not writable later than G + K after the send of the last good renewal',
    checks: [lease(), test(GUARD, 'an isolated primary stops G after the send of its last renewal (invariant 30)')],
    waitsFor: null,
  },
];
