/** What ends PostgreSQL when the guard doesn't (safety.md, "The dead-man"), as the guard sees it. */
import type { DeadManKind } from '../../model/lease.ts';
import type { MonoMs } from '../../model/primitives.ts';

/** Whether the end of a lease proves that PostgreSQL has ended, with this dead-man where it stands now. */
export type Counts = { readonly expired: boolean; readonly why: string };

export type DeadMan = {
  readonly kind: DeadManKind;
  /** Calls with true when it watches again, false when it is gone. The first call may come before `start` resolves. */
  start(tell: (armed: boolean) => void): Promise<{
    /** Send time of the renewal it goes by, where one outlived our predecessor and is armed. */
    readonly renewedMono: MonoMs | null;
  }>;
  /** Its deadline is that time plus H. */
  pet(sentMono: MonoMs): void;
  /** PostgreSQL is proven to be stopped: nothing has to be ended. */
  disarm(): void;
  counts(postmaster: number | null): Counts;
  /** Lines for people: what it has done since it was started; empty = nothing. */
  readonly deeds: () => readonly string[];
  /** Of its process; null = it has none, or is not there. */
  readonly pid: () => number | null;
  /** Lets go of it and leaves it watching. */
  leave(): Promise<void>;
};

/** Nothing ends PostgreSQL when the guard is frozen. */
export const NO_DEAD_MAN: DeadMan = {
  kind: 'none',
  start: async () => ({ renewedMono: null }),
  pet: () => undefined,
  disarm: () => undefined,
  counts: () => ({ expired: false, why: 'no dead-man is declared: nothing ends PostgreSQL when its guard is frozen' }),
  deeds: () => [],
  pid: () => null,
  leave: async () => undefined,
};
