/**
 * One row of the matrix, judged on a view: does it match, what did it see, and what would change it (design §5). PURE.
 */
import type { DecisionRecord } from '../model/events.ts';
import { expressionOf } from '../model/expression.ts';
import type { ComponentId, RegionId, Verdict } from '../model/primitives.ts';
import { turnsOf } from '../model/row-examples.ts';
import { type GroupFactName, isComponentFact, metricIn, type ReadableFact } from '../model/row-facts.ts';
import type { GroupSettings, Row } from '../model/settings.ts';
import { COMPONENT_READERS } from './component-facts.ts';
import type { Finding } from './diagnoses.ts';
import { READERS, readMetric } from './facts.ts';
import type { Reading } from './reading.ts';
import type { View } from './view.ts';

/** `bad` = the row matches, `ok` = it does not, `unknown` = it can't tell. */
export type RowFinding = Omit<Finding, 'code'> & {
  readonly values: DecisionRecord['values'];
  readonly turnedBy: readonly string[];
};

/** A fact of the group; `component.*` of the component that is named. Throws a RangeError where none is, or none such. */
export function readFact(view: View, fact: ReadableFact, component: ComponentId | null = null): Reading {
  const key = isComponentFact(fact) ? `${fact} ${component}` : fact;
  const reading = (view.readings.get(key) as Reading | undefined) ?? read(view, fact, component);
  view.readings.set(key, reading);
  return reading;
}

function read(view: View, fact: ReadableFact, id: ComponentId | null): Reading {
  const metric = metricIn(fact);
  if (metric !== null) return readMetric(view, metric);
  if (!isComponentFact(fact)) return READERS[fact as GroupFactName](view);
  const component = view.settings.components.find((one) => one.id === id);
  if (component === undefined) throw new RangeError(`${fact} of no component: ${id}`);
  return COMPONENT_READERS[fact](view, component);
}

/** Whom a row is judged for: the group (null), or each component of its kind in the order of the config. */
export function componentsOf(
  { components }: Pick<GroupSettings, 'components'>,
  { scope }: Pick<Row, 'scope'>,
): readonly (ComponentId | null)[] {
  return scope === 'group' ? [null] : components.filter(({ kind }) => kind === scope).map(({ id }) => id);
}

const VERDICT = { yes: 'bad', no: 'ok', unknown: 'unknown' } as const satisfies Record<string, Verdict>;

/** `instead`: readings that take the place of those of the view. */
export function judgeRow(
  view: View,
  row: Pick<Row, 'when'>,
  component: ComponentId | null = null,
  instead: { readonly [fact in ReadableFact]?: Reading } = {},
): RowFinding {
  const expression = expressionOf(row.when, view.settings.metrics);
  const read = expression.facts.map((fact) => instead[fact] ?? readFact(view, fact, component));
  const now: Record<string, Reading['value']> = {};
  for (const [index, fact] of expression.facts.entries()) now[fact] = read[index]?.value ?? null;
  const [only] = read;
  // Nearly every row reads one fact, and what that says is then all there is to say.
  const parts =
    only !== undefined && read.length === 1
      ? { why: only.why, signs: only.signs, vetoes: only.vetoes, impactAt: only.impactAt, region: only.region }
      : togetherOf(read);
  return new Judged(
    {
      verdict: VERDICT[expression.answer(now)],
      why: parts.why,
      signs: parts.signs,
      vetoes: parts.vetoes,
      impactAt: parts.impactAt,
      region: parts.region ?? (view.active satisfies RegionId),
    },
    () =>
      expression.facts.map((fact, index) => ({
        fact,
        value: read[index]?.value ?? 'unknown',
        why: read[index]?.why ?? '',
      })),
    () => turnsOf(expression, now).map(({ fact, to }) => `${fact} = ${to}`),
  );
}

function togetherOf(read: readonly Reading[]): Omit<Reading, 'value'> {
  const impacts = read.flatMap(({ impactAt }) => (impactAt === null ? [] : [impactAt]));
  return {
    why: read.map(({ why }) => why).join('; '),
    signs: read.flatMap(({ signs }) => signs),
    vetoes: read.flatMap(({ vetoes }) => vetoes),
    impactAt: impacts.length === 0 ? null : Math.min(...impacts),
    region: read.find(({ region }) => region !== null)?.region ?? null,
  };
}

/** A class, since an object with a getter of its own is dear to make, and a row is judged at every look. */
class Judged implements RowFinding {
  readonly verdict: RowFinding['verdict'];
  readonly region: RowFinding['region'];
  readonly why: RowFinding['why'];
  readonly signs: RowFinding['signs'];
  readonly vetoes: RowFinding['vetoes'];
  readonly impactAt: RowFinding['impactAt'];
  readonly #values: () => RowFinding['values'];
  readonly #turns: () => readonly string[];
  constructor(
    found: Omit<RowFinding, 'turnedBy' | 'values'>,
    values: () => RowFinding['values'],
    turns: () => readonly string[],
  ) {
    this.verdict = found.verdict;
    this.region = found.region;
    this.why = found.why;
    this.signs = found.signs;
    this.vetoes = found.vetoes;
    this.impactAt = found.impactAt;
    this.#values = values;
    this.#turns = turns;
  }
  /** Asked for by whoever writes a decision down or shows it; a look at a quiet row does without. */
  get values(): RowFinding['values'] {
    return this.#values();
  }
  get turnedBy(): readonly string[] {
    return this.#turns();
  }
}
