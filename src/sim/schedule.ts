/** What happens to the world in one history: drawn from the seed before it begins. */
import { COVERAGE, FAULTS, type Fault, isRequestFault, PHASES, type Phase } from './faults.ts';
import type { Random } from './random.ts';
import type { Setup } from './settings.ts';

/** What becomes of region A; the rest of the faults come on top. */
export const DISASTERS = [
  'none',
  'dies',
  'dies-and-returns',
  'blips',
  'cut-off',
  'one-way',
  'database-dies',
  'gray',
  'vantage-alone',
] as const;
export type Disaster = (typeof DISASTERS)[number];

export type Happening = { readonly fault: Fault; readonly atMs: number; readonly forMs: number };

/** A fault that waits for its step: what is aimed meets what chance hardly ever does. */
export type Aim = { readonly fault: Fault; readonly phase: Phase; readonly afterMs: number; readonly forMs: number };

export type Schedule = {
  readonly autonomy: 'auto' | 'gated';
  /** The `for` of row 40; also shorter than evidence lives, so that no safety rests on it being long. */
  readonly holdMs: number;
  readonly probeTimeoutMs: number;
  readonly disaster: Disaster;
  readonly happenings: readonly Happening[];
  readonly aim: Aim | null;
  /** Probability that any operation meets a fault of its own. */
  readonly operationFaults: number;
  /** When all faults end, unless a run has come to its end long before. */
  readonly healMs: number;
  readonly endMs: number;
};

/** Faults that come by chance, and how often. The disasters are drawn apart from them, once for each history. */
const CHANCES: Readonly<Partial<Record<Fault, { readonly chance: number; readonly most: number }>>> = {
  'link-cut': { chance: 0.4, most: 3 },
  'daemon-isolated': { chance: 0.15, most: 2 },
  'witness-isolated': { chance: 0.2, most: 2 },
  'witness-blind': { chance: 0.1, most: 1 },
  'daemon-killed': { chance: 0.2, most: 2 },
  'killed-before-append': { chance: 0.15, most: 2 },
  'killed-after-append': { chance: 0.25, most: 2 },
  'append-failed': { chance: 0.15, most: 1 },
  'append-failed-late': { chance: 0.15, most: 1 },
  'daemon-frozen': { chance: 0.2, most: 2 },
  'clock-back': { chance: 0.1, most: 1 },
  'clock-forward': { chance: 0.1, most: 1 },
  'pager-down': { chance: 0.3, most: 1 },
  'fence-api-down': { chance: 0.15, most: 1 },
  'dns-api-down': { chance: 0.15, most: 1 },
  'standby-stuck': { chance: 0.15, most: 1 },
  'standby-restarts': { chance: 0.1, most: 1 },
  'stranger-in-dns': { chance: 0.02, most: 1 },
  aborted: { chance: 0.1, most: 1 },
  'people-away': { chance: 0.1, most: 1 },
  'corruption-reported': { chance: 0.12, most: 1 },
  'alerts-unreliable': { chance: 0.3, most: 2 },
  'monitoring-dead': { chance: 0.1, most: 1 },
  silenced: { chance: 0.1, most: 1 },
  reloaded: { chance: 0.1, most: 2 },
  'reload-refused': { chance: 0.05, most: 1 },
};

/** Of every two histories one has a fault aimed at a step, each pair in its turn. */
const AIMED_EVERY = 2;
const CELLS = FAULTS.flatMap((fault) =>
  PHASES.filter((phase) => COVERAGE.impossible(fault, phase) === null).map((phase) => ({ fault, phase })),
);

export function scheduleOf(seed: number, random: Random, setup: Setup, faultFree: boolean): Schedule {
  const aimed =
    seed % AIMED_EVERY === 0 && !faultFree ? CELLS[Math.floor(seed / AIMED_EVERY) % CELLS.length] : undefined;
  const holdMs = random.pick(setup.holdsMs);
  // Everything waits for the hold: with a long one the history is that much longer.
  const extraMs = Math.max(0, holdMs - 5000);
  const healMs = random.pick([12_000, 15_000, 20_000, 30_000, 60_000]) + extraMs;
  const disasterAtMs = random.int(3000, 3000 + healMs / 5);
  const disaster = disasterOf(random, aimed?.phase ?? null);
  const lasting = (): number => random.int(500, (healMs * 2) / 3);
  const window = (fault: Fault): Happening => ({
    fault,
    atMs: random.int(1000, healMs * 0.85),
    forMs: random.int(200, healMs / 2),
  });
  const happenings = disasterHappenings(random, disaster, disasterAtMs, lasting());
  // Where a fault is aimed, the rest of the world is quieter: it shall meet its step.
  const quieter = aimed === undefined ? 1 : 0.35;
  for (const [fault, { chance, most }] of Object.entries(CHANCES) as [Fault, { chance: number; most: number }][]) {
    if (faultFree || !random.chance(chance * quieter)) continue;
    for (let left = random.int(1, most); left > 0; left -= 1) happenings.push(window(fault));
  }
  const autonomy = random.chance(setup.autoShare) ? 'auto' : 'gated';
  return {
    autonomy: aimed?.phase === 'proposal' ? 'gated' : autonomy,
    holdMs,
    probeTimeoutMs: random.pick(setup.probeTimeoutsMs),
    disaster,
    happenings: happenings.sort((a, b) => a.atMs - b.atMs),
    aim:
      aimed === undefined
        ? null
        : {
            ...aimed,
            afterMs: isRequestFault(aimed.fault) ? 0 : afterOf(random, aimed.phase),
            forMs: random.int(200, 12_000),
          },
    operationFaults: faultFree ? 0 : random.pick(aimed === undefined ? [0, 0, 0.05, 0.3] : [0, 0, 0.05]),
    healMs,
    endMs: healMs + extraMs + setup.rtoMs + setup.cooldownMs + 120_000,
  };
}

/** Long phases are met anywhere, short ones at once. */
function afterOf(random: Random, phase: Phase): number {
  if (phase === 'quiet') return random.int(2000, 8000);
  if (phase === 'hold') return random.int(0, 900);
  if (phase === 'proposal' || phase === 'ended') return random.int(0, 1500);
  return random.int(0, 8);
}

const FATAL = ['dies', 'cut-off', 'database-dies', 'dies-and-returns'] as const;

/** A history that shall come to a run needs something that makes one. */
function disasterOf(random: Random, phase: Phase | null): Disaster {
  if (phase === null || phase === 'quiet') return random.pick(DISASTERS);
  return random.chance(0.9) ? random.pick(FATAL) : random.pick(DISASTERS);
}

function disasterHappenings(random: Random, disaster: Disaster, atMs: number, forMs: number): Happening[] {
  const one = (fault: Fault, lastsMs = forMs): Happening => ({ fault, atMs, forMs: lastsMs });
  switch (disaster) {
    case 'none':
      return [];
    case 'dies':
      return [one('region-dies')];
    case 'dies-and-returns':
      return [one('region-dies'), { fault: 'power-returns', atMs: atMs + forMs, forMs: 0 }];
    case 'blips':
      return [one('region-cut-off', Math.min(forMs, 4000))];
    case 'cut-off':
      return [one('region-cut-off', Math.max(forMs, random.int(5000, 15_000)))];
    case 'one-way':
      return [one('one-way-cut')];
    case 'database-dies':
      return [one('database-dies', Math.max(forMs, random.int(5000, 15_000)))];
    case 'gray':
      return [one('gray')];
    case 'vantage-alone':
      // The witness loses all but the daemon in the instant in which the daemon loses A: no quorum of two.
      return [one('region-cut-off'), one('witness-blind')];
    default:
      return exhausted(disaster);
  }
}

function exhausted(disaster: never): never {
  throw new TypeError(`unknown disaster: ${JSON.stringify(disaster)}`);
}
