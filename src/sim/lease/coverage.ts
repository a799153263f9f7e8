/**
 * What has to be met by what: each fault, in each part that a guard plays when it strikes. A cell is hit by some history, or
 * impossible for a reason that stands here; no other may be empty. PURE.
 */
import type { Part } from '../../model/guard.ts';
import type { Declaration, Hits } from '../coverage.ts';
import { cellOf as nameOfCell } from '../coverage.ts';

const FAULT_LIST = [
  ['guard-frozen', 'the guard’s process stands still, between two steps or in the middle of one'],
  ['container-frozen', 'guard and PostgreSQL stand still together'],
  ['host-frozen', 'all of the host stands still, but for the kernel’s timer'],
  ['postgres-frozen', 'PostgreSQL stands still'],
  ['guard-killed', 'the guard’s process ends, between two steps or in the middle of one'],
  ['disk-full', 'the guard’s file can’t be written'],
  ['disk-lost', 'the guard’s file is gone'],
  ['power-lost', 'the host loses its power; where fsync lies, what was written lately too'],
  ['postmaster-killed', 'the postmaster is killed, and its backends notice'],
  ['backends-live-on', 'the postmaster is killed, and its backends go on'],
  ['server-crashed', 'PostgreSQL ends, all of it'],
  ['dead-man-gone', 'the dead-man’s process or device is not there for a while'],
  ['dead-man-expired', 'the dead-man ends PostgreSQL, or resets the host'],
  ['stranger-starts', 'systemd, GitOps or a person starts PostgreSQL'],
  ['cut-from-store', 'what the store answers does not arrive'],
  ['cut-to-store', 'what is asked of the store does not arrive'],
  ['cut-peers', 'the way to other guards is cut, in one direction or both'],
  ['cut-all', 'the host is cut off from everything'],
  ['answer-lost', 'a request takes effect and its answer is lost'],
  ['ask-straggles', 'a request reaches the store long after the guard gave up'],
  ['ask-twice', 'a request reaches the store twice'],
  ['stale-read', 'the store answers with what was so a while ago'],
  ['store-restarted', 'the store begins another life'],
  ['wall-clock-jumps', 'the wall clock is set back or forward'],
  ['order-late', 'an order arrives long after it was given'],
  ['order-repeated', 'an order arrives once more'],
  ['withdrawn', 'the run is given up'],
  ['release-ordered', 'the guard is told to stop and to release'],
  ['fence-undone', 'somebody switches on again what was fenced'],
] as const satisfies readonly (readonly [string, string])[];
export type Fault = (typeof FAULT_LIST)[number][0];
export const FAULTS: readonly Fault[] = FAULT_LIST.map(([name]) => name);

/** `down`: no process of the guard runs. A guard that has started plays `unknown` for no time at all. */
const STEP_LIST = [
  ['down', 'no guard runs'],
  ['stopped', 'PostgreSQL is proven stopped'],
  ['standby', 'PostgreSQL follows'],
  ['candidate', 'it stands for a run, and waits'],
  ['holding', 'it has the lease, and was not told to promote'],
  ['promoting', 'PostgreSQL is being promoted'],
  ['starting', 'PostgreSQL starts fenced, and the lease is acquired anew'],
  ['primary', 'PostgreSQL takes writes'],
  ['stopping', 'PostgreSQL is being stopped'],
  ['deposed', 'another has written since'],
] as const satisfies readonly (readonly [string, string])[];
type Step = (typeof STEP_LIST)[number][0];
/** The parts that faults are timed by. */
export const PARTS: readonly Part[] = STEP_LIST.map(([name]) => name).filter((name) => name !== 'down');

const IMPOSSIBLE: readonly (readonly [why: string, faults: readonly Fault[], steps: readonly Step[]])[] = [
  ['only a guard that runs writes its file', ['disk-full'], ['down']],
  [
    'clients are let in neither to what starts fenced nor to what a stranger starts: there are no backends that could live on',
    ['backends-live-on'],
    ['stopped', 'starting', 'deposed'],
  ],
  [
    'the dead-man watches what can write, and is disarmed with the proof of stop',
    ['dead-man-expired'],
    ['stopped', 'standby', 'candidate', 'holding', 'deposed'],
  ],
  [
    'a host that is fenced is off, and no guard runs on it',
    ['fence-undone'],
    ['stopped', 'standby', 'candidate', 'holding', 'promoting', 'starting', 'primary', 'stopping', 'deposed'],
  ],
];

function impossible(fault: string, step: string): string | null {
  const found = IMPOSSIBLE.find(
    ([, faults, steps]) => (faults as readonly string[]).includes(fault) && (steps as readonly string[]).includes(step),
  );
  return found?.[0] ?? null;
}

export const COVERAGE: Declaration = {
  faults: FAULT_LIST.map(([name, says]) => ({ name, says })),
  steps: STEP_LIST.map(([name, says]) => ({ name, says })),
  impossible,
  fullFrom: 20_000,
};

/** Counted by number while a history runs: names are put together once it is over. */
export const CELLS = FAULT_LIST.length * STEP_LIST.length;
const FAULT_NUMBER = new Map<string, number>(FAULT_LIST.map(([name], i) => [name, i]));
const STEP_NUMBER = new Map<string, number>(STEP_LIST.map(([name], i) => [name, i]));
export const cellNumber = (fault: Fault, part: Part | null): number =>
  (FAULT_NUMBER.get(fault) ?? 0) * STEP_LIST.length + (STEP_NUMBER.get(part ?? 'down') ?? 0);

export function hitsOf(cells: Uint8Array): Hits {
  const hits: Record<string, number> = {};
  for (let cell = 0; cell < cells.length; cell += 1) {
    if (cells[cell] === 0) continue;
    const fault = FAULT_LIST[Math.floor(cell / STEP_LIST.length)];
    const step = STEP_LIST[cell % STEP_LIST.length];
    if (fault !== undefined && step !== undefined) hits[nameOfCell(fault[0], step[0])] = 1;
  }
  return hits;
}
