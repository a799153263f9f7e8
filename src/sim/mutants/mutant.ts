/**
 * A mutant: failoverd with one known bug put into it, as text that is found and replaced when the file is loaded. The
 * simulator must catch every one, or it proves nothing by finding no violation in the real code (decision 0018).
 */

/** `find` stands exactly once in `file`, a path from the root of the repository. */
export type Edit = { readonly file: string; readonly find: string; readonly replace: string };

/** Where a mutant has to be caught (`worlds.ts`): the whole system over its platform, or guards and their lease. */
export type WorldName = 'whole' | 'lease';

export type Mutant = Edit & {
  /** What the bug is, in the words of whoever might make it. */
  readonly says: string;
  /** Invariants of design §11 that it breaks; one of them must be what it is caught by. */
  readonly caughtBy: readonly number[];
  /** The same rule where it is kept a second time: what is kept twice has to be broken twice. Counts into the lines. */
  readonly also?: readonly Edit[];
  /** Default: the whole. */
  readonly world?: WorldName;
  /** Histories that must suffice. Default {@link WITHIN}. */
  readonly within?: number;
  /** It shows in every failover, also in one without any fault: so it is clean only where nothing happens. */
  readonly obvious?: true;
  /** A test file that must fail, for what the simulator can't see: adapters, and what is kept in files. */
  readonly unit?: string;
};
export type NamedMutant = Mutant & { /** Two digits. */ readonly number: string; readonly name: string };

export const MOST_LINES = 5;
export const WITHIN = 1500;

export const editsOf = (mutant: Mutant): readonly Edit[] => [
  { file: mutant.file, find: mutant.find, replace: mutant.replace },
  ...(mutant.also ?? []),
];

/** Source with the edit in it. Throws a RangeError where `find` does not stand there exactly once, or changes nothing. */
export function edited(source: string, { file, find, replace }: Edit): string {
  const first = source.indexOf(find);
  if (find === '' || first < 0) throw new RangeError(`${file}: what is to be replaced is not there: ${find}`);
  if (source.includes(find, first + 1)) throw new RangeError(`${file}: what is to be replaced is there twice: ${find}`);
  if (find === replace) throw new RangeError(`${file}: nothing is replaced: ${find}`);
  return source.slice(0, first) + replace + source.slice(first + find.length);
}

export type Diff = { readonly removed: readonly string[]; readonly added: readonly string[] };

/** Whole lines that an edit takes out and puts in, without those it leaves as they were at both ends. */
export function diffOf(source: string, edit: Edit): Diff {
  const [before, after] = [source.split('\n'), edited(source, edit).split('\n')];
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  return { removed: before.slice(head, before.length - tail), added: after.slice(head, after.length - tail) };
}

export const changedLines = ({ removed, added }: Diff): number => Math.max(removed.length, added.length);
