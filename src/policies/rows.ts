/**
 * One row of the matrix, judged on a view: does it match, what did it see, and what would change it (design §5). PURE.
 */
import type { DecisionRecord } from '../model/events.ts';
import { expressionOf, type RowValues } from '../model/expression.ts';
import type { RegionId, Verdict } from '../model/primitives.ts';
import { turnsOf } from '../model/row-examples.ts';
import { metricIn, type ReadableFact, type RowFactName } from '../model/row-facts.ts';
import type { Row } from '../model/settings.ts';
import type { Finding } from './diagnoses.ts';
import { READERS, type Reading, readMetric } from './facts.ts';
import type { View } from './view.ts';

/** `bad` = the row matches, `ok` = it does not, `unknown` = it can't tell. */
export type RowFinding = Omit<Finding, 'code'> & {
  readonly values: DecisionRecord['values'];
  readonly turnedBy: readonly string[];
};

/** Readings of one view, made once however many rows ask. */
const readings = new WeakMap<View, Map<ReadableFact, Reading>>();

export function readFact(view: View, fact: ReadableFact): Reading {
  const known = readings.get(view) ?? new Map<ReadableFact, Reading>();
  readings.set(view, known);
  const metric = metricIn(fact);
  const reading = known.get(fact) ?? (metric === null ? READERS[fact as RowFactName](view) : readMetric(view, metric));
  known.set(fact, reading);
  return reading;
}

const VERDICT = { yes: 'bad', no: 'ok', unknown: 'unknown' } as const satisfies Record<string, Verdict>;

export function judgeRow(view: View, row: Pick<Row, 'when'>): RowFinding {
  const expression = expressionOf(row.when, view.settings.metrics);
  const read = expression.facts.map((fact) => ({ fact, ...readFact(view, fact) }));
  const now: RowValues = Object.fromEntries(read.map(({ fact, value }) => [fact, value]));
  const impacts = read.flatMap(({ impactAt }) => (impactAt === null ? [] : [impactAt]));
  const regions = read.flatMap(({ region }) => (region === null ? [] : [region]));
  return {
    verdict: VERDICT[expression.answer(now)],
    region: regions[0] ?? (view.active satisfies RegionId),
    why: read.map(({ why }) => why).join('; '),
    signs: read.flatMap(({ signs }) => signs),
    vetoes: read.flatMap(({ vetoes }) => vetoes),
    impactAt: impacts.length === 0 ? null : Math.min(...impacts),
    values: read.map(({ fact, value, why }) => ({ fact, value: value ?? 'unknown', why })),
    // Asked for by whoever writes a decision down or shows it; a look at a quiet row does without.
    get turnedBy() {
      return turnsOf(expression, now).map(({ fact, to }) => `${fact} = ${to}`);
    },
  };
}
