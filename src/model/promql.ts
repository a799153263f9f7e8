/**
 * PromQL as Prometheus' own grammar reads it: does it parse, may it give one value, and which series does it look at now.
 * PURE. Whether it means what it should, only a server can tell.
 */
import { parser } from '@prometheus-io/lezer-promql';

export type Promql =
  | {
      readonly kind: 'read';
      /** Selectors whose newest sample is looked at, as they are written, each once. Not those that ask for another time (`offset`, `@`). */
      readonly selectors: readonly string[];
    }
  | { readonly kind: 'refused'; readonly message: string };

const ANOTHER_TIME = new Set(['OffsetExpr', 'StepInvariantExpr']);
/** What stands around an expression without changing what it gives. */
const WRAPPERS = new Set(['PromQL', 'ParenExpr', ...ANOTHER_TIME]);
const NO_VALUE: Readonly<Record<string, string>> = {
  MatrixSelector: 'a range',
  SubqueryExpr: 'a range',
  StringLiteral: 'a text',
};

/** Never throws. */
export function readPromql(text: string): Promql {
  const tree = parser.parse(text);
  const selectors = new Set<string>();
  let wrong: number | null = null;
  let top: string | null = null;
  let elsewhere = 0;
  tree.iterate({
    enter({ type, from, to }) {
      if (type.isError) wrong ??= from;
      if (top === null && !WRAPPERS.has(type.name) && type.name !== 'LineComment') top = type.name;
      if (ANOTHER_TIME.has(type.name)) elsewhere += 1;
      if (type.name === 'VectorSelector' && elsewhere === 0) selectors.add(text.slice(from, to));
    },
    leave({ type }) {
      if (ANOTHER_TIME.has(type.name)) elsewhere -= 1;
    },
  });
  if (wrong !== null) return { kind: 'refused', message: `this is no PromQL, ${placeText(text, wrong)}` };
  const gives = top === null ? undefined : NO_VALUE[top];
  if (gives !== undefined) return { kind: 'refused', message: `this gives ${gives}, where one value is meant` };
  return { kind: 'read', selectors: [...selectors] };
}

const placeText = (text: string, at: number): string => {
  const rest = text.slice(at).trim();
  return rest === '' ? 'it ends too early' : `from here on: ${rest.length > 40 ? `${rest.slice(0, 40)}…` : rest}`;
};

/**
 * PromQL for the time of the oldest of the newest samples that an expression looks at, in seconds; null where it looks at
 * none. An instant query answers with the instant it was evaluated at, whatever the age of what it found.
 */
export function oldestSample(selectors: readonly string[]): string | null {
  const each = selectors.map((selector) => `min(timestamp(${selector}))`);
  const [only, more] = each;
  if (only === undefined) return null;
  if (more === undefined) return only;
  // `or` takes series of the same labels for one, so each is given a label of its own.
  const told = each.map((one, index) => `label_replace(${one}, "selector", "${index}", "", "")`);
  return `min(${told.join(' or ')})`;
}
