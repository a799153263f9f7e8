/**
 * What a kind of world is to the simulator: it runs one history for each seed, and says which faults it puts on which
 * steps. Everything a history gives back is plain data that adds up over seeds and threads.
 */
import type { Config } from '../model/config.ts';
import type { Declaration, Hits } from './coverage.ts';

export type Violation = {
  /** A number of design §11; 0 = the program itself broke. */
  readonly invariant: number;
  readonly what: string;
  /** Simulated milliseconds since the history began. */
  readonly atMs: number;
};

/** The user's own group, whose settings take the place of the world's where they fit. */
export type Chosen = { readonly config: Config; readonly group: string };

export type RunOptions = {
  /** Told of everything that happens, a line each; without it nothing is told. */
  readonly trace?: (line: string) => void;
  /** Draws the same world without its faults. */
  readonly faultFree?: boolean;
  /** Runs the history's inputs through the core again and compares: dear, so not for every seed. */
  readonly replay?: boolean;
  readonly chosen?: Chosen | null;
};

/**
 * - `verifiedMs`: from the decision to the verified end of a run. `writableMs`: from the loss of the active region to writes on the
 *   other side, and of it `decisionMs` (detection and hold), `peopleMs`, `waitMs` (for the lease alone), `promotionMs` (the rest).
 * - `lostWrites`, `lostMs`: acknowledged by the old side and not on the new one; from the first to the last of them.
 * - `people`, `unneeded`: somebody had to say or do something; the old side served clients when it was fenced.
 */
export type Measure =
  | 'verifiedMs'
  | 'writableMs'
  | 'decisionMs'
  | 'waitMs'
  | 'promotionMs'
  | 'peopleMs'
  | 'lostWrites'
  | 'lostMs'
  | 'people'
  | 'unneeded';

export type HistoryReport = {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly simulatedMs: number;
  readonly events: number;
  readonly entries: number;
  /** What came of it, in a few words out of a small set. */
  readonly outcome: string;
  /** A failover came to its end in it. */
  readonly completed: boolean;
  readonly hits: Hits;
  /** The least that was seen of each thing that has a bound, by name; the least over all histories is told. */
  readonly least: Readonly<Record<string, number>>;
  /** What of it is told as a distribution, by name: milliseconds, counts, and 1 or 0 for yes or no. */
  readonly measured?: Readonly<Partial<Record<Measure, number>>>;
};

export type World = {
  readonly name: string;
  readonly coverage: Declaration;
  /** The same seed and options give the same history. */
  readonly run: (seed: number, options: RunOptions) => Promise<HistoryReport>;
  /** Why a user's group can't be taken for this world, a line for each reason; empty = it can. */
  readonly refuses: (chosen: Chosen) => readonly string[];
  /** What follows from the least values over `histories`: lines to print, and those that are failures. */
  readonly judge?: (
    least: Readonly<Record<string, number>>,
    histories: number,
  ) => { readonly lines: readonly string[]; readonly failures: readonly string[] };
};
