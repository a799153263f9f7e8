/**
 * Examples of rows: values that make one match, values that tell two apart, and what would change an answer. PURE.
 *
 * A row reads few facts, and each has few values that matter: three verdicts, or a number around its thresholds. So all
 * combinations can be tried, and what is not found does not exist.
 */
import type { Expression, RowAnswer, RowValues } from './expression.ts';
import type { Verdict } from './primitives.ts';
import type { ReadableFact } from './row-facts.ts';

/** More combinations than any sensible row has. Rows beyond it are refused: nobody could follow them either. */
export const MOST_COMBINATIONS = 100_000;

type Value = Verdict | number | null;

/** Values of each fact that may make a difference to any of these expressions; unknown last. */
function choices(expressions: readonly Expression[]): readonly (readonly [ReadableFact, readonly Value[]])[] {
  const facts = [...new Set(expressions.flatMap((expression) => expression.facts))];
  return facts.map((fact) => {
    if (expressions.some(({ typeOf }) => typeOf(fact) === 'verdict')) return [fact, ['bad', 'ok', null]] as const;
    const numbers = expressions.flatMap(({ thresholds }) => thresholds.filter((each) => each.fact === fact));
    const around = numbers.flatMap(({ number }) => [number + 1, number, number - 1]);
    return [fact, [...new Set(around), null]] as const;
  });
}

export const combinationsOf = (expressions: readonly Expression[]): number =>
  choices(expressions).reduce((product, [, values]) => product * values.length, 1);

function* combinations(expressions: readonly Expression[]): Generator<RowValues> {
  const all = choices(expressions);
  const count = combinationsOf(expressions);
  if (count > MOST_COMBINATIONS) throw new RangeError(`${count} combinations are too many to try`);
  for (let index = 0; index < count; index += 1) {
    let rest = index;
    const values: Partial<Record<ReadableFact, Value>> = {};
    // The last fact turns fastest, so that the first ones keep the value that reads best.
    for (const [fact, options] of [...all].reverse()) {
      values[fact] = options[rest % options.length] ?? null;
      rest = Math.floor(rest / options.length);
    }
    yield values;
  }
}

const unknowns = (values: RowValues): number => Object.values(values).filter((value) => value === null).length;

/** Values that make the row match, with as little unknown as can be; null when there are none. Throws a RangeError on too many facts. */
export function exampleOf(expression: Expression): RowValues | null {
  let best: RowValues | null = null;
  for (const values of combinations([expression])) {
    if (expression.answer(values) !== 'yes') continue;
    if (best === null || unknowns(values) < unknowns(best)) best = values;
    if (unknowns(best) === 0) break;
  }
  return best;
}

/** Values that make the row match, of those that `can` be had; null when there are none, and the row never fires. */
export function exampleWithin(
  expression: Expression,
  can: (fact: ReadableFact, value: Value) => boolean,
): RowValues | null {
  for (const values of combinations([expression])) {
    if (expression.answer(values) !== 'yes') continue;
    if (expression.facts.every((fact) => can(fact, values[fact] ?? null))) return values;
  }
  return null;
}

/** Values on which the row matches and `other` does not; null when `other` matches wherever the row does. */
export function apartFrom(expression: Expression, other: Expression): RowValues | null {
  for (const values of combinations([expression, other]))
    if (expression.answer(values) === 'yes' && other.answer(values) !== 'yes') return values;
  return null;
}

/** Whether the row matches only where this fact has this value. */
export function needs(expression: Expression, fact: ReadableFact, value: Value): boolean {
  if (!expression.facts.includes(fact)) return false;
  for (const values of combinations([expression]))
    if (values[fact] !== value && expression.answer(values) === 'yes') return false;
  return true;
}

/** Whether it can match while nothing is known but metrics that the config names. */
export function matchesOnMetricsAlone(expression: Expression): boolean {
  for (const values of combinations([expression])) {
    const alone = Object.entries(values).every(([fact, value]) => value === null || isMetric(fact));
    if (alone && Object.keys(values).some(isMetric) && expression.answer(values) === 'yes') return true;
  }
  return false;
}
const isMetric = (fact: string): boolean => fact.startsWith('metrics.');

/** What one fact alone would have to be for another answer, given the values there are now. */
export function turnsOf(
  expression: Expression,
  now: RowValues,
): readonly { readonly fact: ReadableFact; readonly to: Value }[] {
  const answer = expression.answer(now);
  return choices([expression]).flatMap(([fact, options]) => {
    const gives = (value: Value): RowAnswer => expression.answer({ ...now, [fact]: value });
    const known = options.filter((value) => value !== null);
    // Whoever reads of a row that does not match wants to know what would make it match.
    const to =
      known.find((value) => answer !== 'yes' && gives(value) === 'yes') ??
      known.find((value) => gives(value) !== answer);
    return to === undefined ? [] : [{ fact, to }];
  });
}

/** Sets larger than this help nobody: who has to wait for four things to change waits for another day. */
const MOST_TOGETHER = 3;

/**
 * The smallest sets of facts that, changed together, make the row answer as wanted, given the values there are now: all
 * sets of the least size, each fact with a known value. Empty when no set of up to three does.
 */
export function smallestTurns(
  expression: Expression,
  now: RowValues,
  wanted: RowAnswer,
): readonly (readonly { readonly fact: ReadableFact; readonly to: Value }[])[] {
  const options = choices([expression]).map(([fact, values]) => ({
    fact,
    values: values.filter((value) => value !== null && value !== now[fact]),
  }));
  for (let size = 1; size <= Math.min(MOST_TOGETHER, options.length); size += 1) {
    const found: { fact: ReadableFact; to: Value }[][] = [];
    for (const chosen of subsets(options, size)) {
      const to = firstThat(chosen, now, (values) => expression.answer(values) === wanted);
      if (to !== null) found.push(to);
    }
    if (found.length > 0) return found;
  }
  return [];
}

function* subsets<T>(all: readonly T[], size: number, from = 0): Generator<readonly T[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let index = from; index <= all.length - size; index += 1) {
    const first = all[index] as T;
    for (const rest of subsets(all, size - 1, index + 1)) yield [first, ...rest];
  }
}

/** Values for these facts, tried in their order, with which the row answers as wanted; null when there are none. */
function firstThat(
  chosen: readonly { readonly fact: ReadableFact; readonly values: readonly Value[] }[],
  now: RowValues,
  wanted: (values: RowValues) => boolean,
): { fact: ReadableFact; to: Value }[] | null {
  const [first, ...rest] = chosen;
  if (first === undefined) return wanted(now) ? [] : null;
  for (const to of first.values) {
    const more = firstThat(rest, { ...now, [first.fact]: to }, wanted);
    if (more !== null) return [{ fact: first.fact, to }, ...more];
  }
  return null;
}
