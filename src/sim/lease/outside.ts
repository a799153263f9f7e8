/**
 * Worlds and timings outside of what safety.md assumes. Each must be seen to fail, or to be caught: a simulator that finds nothing
 * there would find nothing inside either.
 */

import { PROFILES } from './plan.ts';
import type { LeaseOptions, LeaseReport } from './world.ts';

export type Outside = {
  readonly name: string;
  readonly says: string;
  readonly options: Omit<LeaseOptions, 'seed' | 'trace'>;
  /** What shows it: two that can commit, an invariant, or a store that halts. */
  readonly shows: (report: LeaseReport) => boolean;
};

const broken =
  (invariant: number) =>
  ({ violations }: LeaseReport): boolean =>
    violations.some((each) => each.invariant === invariant);
const strict = PROFILES.filter(({ name }) => name === 'strict')[0];
const aimedAtStrict = strict === undefined ? {} : ({ kind: 'aimed', profile: strict } as const);

export const OUTSIDE: readonly Outside[] = [
  {
    name: 'wait-50',
    says: 'W = 50 s, without the margin for drift (strict, relative dead-man)',
    options: { ...aimedAtStrict, timings: { waitMs: 50_000 } },
    shows: broken(1),
  },
  {
    name: 'dead-man-at-l-5',
    says: 'H = L - 5 s, and a relative dead-man (strict)',
    options: { ...aimedAtStrict, timings: { deadManAfterMs: 45_000 } },
    shows: broken(1),
  },
  {
    name: 'group-kill-only',
    says: 'a stop that kills the process group alone: backends are sessions of their own, and live on',
    options: { rules: { groupKillOnly: true } },
    shows: broken(1),
  },
  {
    name: 'stop-overrun',
    says: 'a stop that takes eight times K: the dead-man still ends it in time, and the guard does not',
    options: { rules: { stopOverrun: 8 } },
    shows: broken(30),
  },
  {
    name: 'dead-man-in-the-container',
    says: 'a dead-man that freezes with its guard and with PostgreSQL',
    options: { kind: 'aimed', aim: 'freeze', rules: { deadManFrozenWithGuard: true } },
    shows: broken(1),
  },
  {
    name: 'clocks-stop',
    says: 'a virtual machine that is paused, and its clocks with it',
    options: { kind: 'aimed', aim: 'freeze', rules: { clocksStop: true } },
    shows: broken(1),
  },
  {
    name: 'clocks-err',
    says: 'clocks that err by three times what the timings allow for',
    options: { rules: { clockError: 3 } },
    shows: broken(1),
  },
  {
    name: 'store-copied',
    says: 'two live copies of the store, each in reach of one side only',
    options: { rules: { storeCopied: true } },
    shows: broken(1),
  },
  {
    name: 'store-restored',
    says: 'a store that comes up from a backup: it halts, and nothing is granted',
    options: { rules: { storeRestored: true } },
    shows: ({ halted }) => halted,
  },
];
