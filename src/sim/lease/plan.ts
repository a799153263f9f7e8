/** What happens in one history: drawn from the seed before it begins. */
import type { Claim, Part } from '../../model/guard.ts';
import type { DeadManKind, LeaseTimings } from '../../model/lease.ts';
import type { Random } from '../random.ts';
import { type Region, RHO } from './context.ts';
import { FAULTS, type Fault, PARTS } from './coverage.ts';
import type { NetworkFaults } from './network.ts';
import type { WorldRules } from './rules.ts';
import type { Manners } from './site.ts';
import type { StoreManners } from './store.ts';

/**
 * - `quiet`: nothing happens. `dies`: the active region is lost, and nothing else. `lonely`: the standby's region, the controller
 *   or the store is lost, the primary is not to stop for it.
 * - `round`: there and back again by two switchovers, and nothing else happens.
 * - `storm`: anything. `switchover`: the old side releases first. `confirmed`: a fence, which may fail later. `person`: people
 *   take the lease knowing that there is no proof.
 * - `aimed`: an adversary that knows where the margins are.
 */
export const KINDS = [
  'quiet',
  'dies',
  'lonely',
  'round',
  'storm',
  'switchover',
  'confirmed',
  'person',
  'aimed',
] as const;
export type Kind = (typeof KINDS)[number];
export const AIMS = ['pet', 'promise', 'stop', 'fallback', 'restart', 'freeze'] as const;
export type Aim = (typeof AIMS)[number];
export const LOSSES = [
  'standby-dies',
  'standby-cut',
  'store-ends',
  'store-cut',
  'store-restarts',
  'controller-silent',
] as const;
export type Loss = (typeof LOSSES)[number];
export const DISASTERS = [
  'power',
  'cut',
  'frozen',
  'server-crashed',
  'backends-live-on',
  'guard-killed',
  'none',
] as const;
export type Disaster = (typeof DISASTERS)[number];

export type Profile = {
  readonly name: string;
  readonly deadMan: DeadManKind;
  readonly timings: LeaseTimings;
};

const timings = (
  r: number,
  q: number,
  E: number,
  G: number,
  K: number,
  H: number,
  L: number,
  W: number,
): LeaseTimings => ({
  renewMs: r * 1000,
  attemptMs: q * 1000,
  electionGapMs: E * 1000,
  demoteAfterMs: G * 1000,
  stopWithinMs: K * 1000,
  deadManAfterMs: H * 1000,
  leaseMs: L * 1000,
  waitMs: W * 1000,
});
/** `strict` of safety.md, and the shortest that keep all the rules: a history takes less of them, and hits the same. */
export const PROFILES: readonly Profile[] = [
  { name: 'strict', deadMan: 'relative', timings: timings(3, 2, 10, 19, 6, 25, 50, 58) },
  { name: 'short', deadMan: 'relative', timings: timings(1, 0.7, 1, 4.1, 1.5, 5.6, 11.2, 14.4) },
  { name: 'short-absolute', deadMan: 'absolute', timings: timings(1, 0.7, 1, 4.1, 1.5, 5.6, 5.6, 8.2) },
];

export type Strike = { readonly fault: Fault; readonly region: Region; readonly forMs: number } & (
  | { readonly atMs: number }
  /** As soon as that guard plays this part, and a little later. */
  | { readonly part: Part; readonly afterMs: number }
);

export const WHIMS = ['release', 'withdraw', 'resume', 'rejoin', 'freeze', 'thaw', 'promote', 'run'] as const;
export type Whim = { readonly what: (typeof WHIMS)[number]; readonly region: Region; readonly atMs: number };

export type Plan = {
  readonly kind: Kind;
  readonly profile: Profile;
  readonly sites: 2 | 3;
  readonly aim: Aim | null;
  readonly loss: Loss | null;
  readonly disaster: Disaster;
  readonly disasterAtMs: number;
  readonly disasterForMs: number;
  readonly claim: Claim;
  /** The controller sees the disaster so much later; null = it never orders anything. */
  readonly orderAfterMs: number | null;
  readonly withdrawAtMs: number | null;
  readonly fenceLies: boolean;
  /** The controller takes the end of a lease for a proof, where a fence that was read back is none any more (`expiredIsNoProof`). */
  readonly endProves: boolean;
  readonly back: boolean;
  readonly isolation: 'stop' | 'serve';
  readonly onCrash: 'restart' | 'release';
  readonly crashRestarts: number;
  readonly rates: readonly number[];
  readonly kernelRates: readonly number[];
  readonly storeRate: number;
  readonly network: NetworkFaults;
  readonly store: StoreManners;
  readonly manners: readonly Manners[];
  readonly strikes: readonly Strike[];
  /** What somebody orders out of the blue, of whom, and when. */
  readonly whims: readonly Whim[];
  /** There is no lease yet: the guards begin the record, with their PostgreSQL stopped. */
  readonly genesis: boolean;
  /** The standby's guard has been up for long, and has promised nothing. */
  readonly settled: boolean;
  readonly writeMs: number;
  readonly endMs: number;
};

const CALM: NetworkFaults = { lost: 0, twice: 0, straggles: 0, latencyMs: 20 };

export function planOf(random: Random, rules: WorldRules, forced: { kind?: Kind; profile?: Profile; aim?: Aim }): Plan {
  const kind =
    forced.kind ??
    random.pick([
      'quiet',
      'dies',
      'dies',
      'lonely',
      'round',
      'storm',
      'storm',
      'storm',
      'storm',
      'switchover',
      'confirmed',
      'person',
      'aimed',
      'aimed',
    ]);
  const profile = forced.profile ?? random.pick(PROFILES);
  const t = profile.timings;
  const sites = kind === 'aimed' || random.chance(0.7) ? 2 : 3;
  const calm = kind === 'quiet' || kind === 'dies' || kind === 'lonely' || kind === 'round' || kind === 'aimed';
  const stormy = kind === 'storm';
  const error = RHO * rules.clockError;
  const rate = (): number =>
    random.chance(0.5) ? 1 + error * random.pick([-1, 1]) : 1 + (error * random.int(-100, 100)) / 100;
  const disasterAtMs = random.int(500, 4 * t.renewMs);
  const waitMs = t.waitMs * (1 + 2 * error);
  const endMs = disasterAtMs + 2 * t.demoteAfterMs + waitMs + (kind === 'round' ? 60_000 : 20_000);
  const manners = (): Manners => ({
    durableLies: !calm && random.chance(0.1),
    stopShare: random.chance(0.4) ? 1 : random.int(2, 100) / 100,
    promotionDelayMs: !calm && random.chance(0.3) ? random.int(5000, 20_000) : random.int(0, 500),
    promotionAnswerLies: !calm && random.chance(0.2),
    lookTakesMs: stormy && random.chance(0.3) ? random.int(1, 900) : 0,
    looksFail: stormy ? random.pick([0, 0, 0.1, 0.5]) : 0,
    cleanStops: random.chance(0.6),
    startMs: random.int(20, 1500),
    lateEffects: random.pick([0, 0.5, 1]),
    timersFirst: random.chance(0.5),
    lookMs: 1000,
    bootMs: random.int(2000, 20_000),
    restartGuardMs: random.int(50, 8000),
  });
  const aim = kind === 'aimed' ? (forced.aim ?? random.pick(AIMS)) : null;
  return {
    kind,
    profile,
    sites,
    aim,
    loss: kind === 'lonely' ? random.pick(LOSSES) : null,
    disaster:
      kind === 'dies' ? 'power' : stormy || kind === 'confirmed' || kind === 'person' ? random.pick(DISASTERS) : 'none',
    disasterAtMs,
    disasterForMs: kind === 'dies' ? Number.POSITIVE_INFINITY : random.int(500, 2 * t.waitMs),
    claim: kind === 'confirmed' ? 'confirmed' : kind === 'person' ? 'person' : 'expired',
    orderAfterMs:
      kind === 'quiet' || kind === 'lonely' || (stormy && random.chance(0.15))
        ? null
        : random.int(0, 2 * t.demoteAfterMs),
    withdrawAtMs:
      (stormy || kind === 'switchover') && random.chance(0.3) ? disasterAtMs + random.int(0, t.waitMs) : null,
    fenceLies: random.chance(0.3),
    endProves: true,
    back: kind === 'round' || (!calm && random.chance(0.3)),
    isolation: stormy && random.chance(0.1) ? 'serve' : 'stop',
    onCrash: random.pick(['restart', 'release']),
    crashRestarts: random.int(0, 2),
    rates: [rate(), rate(), rate()],
    kernelRates: [rate(), rate(), rate()],
    storeRate: rate(),
    network: calm
      ? CALM
      : {
          lost: random.pick([0, 0, 0.02, 0.1]),
          twice: random.pick([0, 0.02, 0.1]),
          straggles: random.pick([0, 0.01, 0.05]),
          latencyMs: random.pick([5, 40, 300]),
        },
    store: { journalLies: stormy && random.chance(0.1), stale: stormy ? random.pick([0, 0, 0.2]) : 0 },
    manners: [manners(), manners(), manners()],
    strikes: calm ? [] : strikesOf(random, sites, endMs, profile),
    whims: stormy
      ? Array.from({ length: random.pick([0, 0, 1, 3]) }, () => ({
          what: random.pick(WHIMS),
          region: random.int(0, sites - 1),
          atMs: random.int(0, endMs),
        }))
      : [],
    genesis: stormy && random.chance(0.08),
    settled: kind === 'dies' || kind === 'aimed' || random.chance(0.7),
    writeMs: random.int(400, 2500),
    endMs,
  };
}

function strikesOf(random: Random, sites: number, endMs: number, profile: Profile): readonly Strike[] {
  const t = profile.timings;
  const faults = FAULTS.filter((fault) => allowed(fault, profile));
  return Array.from({ length: random.int(0, 5) }, (): Strike => {
    const fault = random.pick(faults);
    const region = random.int(0, sites - 1);
    const forMs = random.pick([
      random.int(10, 2000),
      random.int(1000, t.demoteAfterMs + t.stopWithinMs),
      random.int(t.demoteAfterMs, 2 * t.waitMs),
    ]);
    return random.chance(0.5)
      ? { fault, region, forMs, atMs: random.int(0, endMs) }
      : { fault, region, forMs, part: random.pick(PARTS), afterMs: random.pick([0, 0, random.int(0, 3000)]) };
  });
}
/**
 * A dead-man of its own process is outside every freeze set of guard and PostgreSQL, which the host is not: with it, nobody may
 * count a frozen host as expired (safety.md, "The dead-man").
 */
const allowed = (fault: Fault, { deadMan }: Profile): boolean => fault !== 'host-frozen' || deadMan === 'relative';
