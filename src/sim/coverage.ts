/**
 * Coverage: which faults were active while which steps were under way. A declared list of faults times steps; each cell
 * is hit, or is declared impossible with its reason. PURE.
 */

/** How many histories hit a cell, by `fault/step`. */
export type Hits = Readonly<Record<string, number>>;

export type Named = { readonly name: string; readonly says: string };

export type Declaration = {
  readonly faults: readonly Named[];
  readonly steps: readonly Named[];
  /** Why this fault can't meet this step; null = it can, and must. */
  readonly impossible: (fault: string, step: string) => string | null;
  /** From so many histories on every possible cell must have been hit. */
  readonly fullFrom: number;
};

export const cellOf = (fault: string, step: string): string => `${fault}/${step}`;

export type Cell = {
  readonly fault: string;
  readonly step: string;
  readonly hits: number;
  readonly why: string | null;
};

export const cellsOf = ({ faults, steps, impossible }: Declaration, hits: Hits): readonly Cell[] =>
  faults.flatMap(({ name: fault }) =>
    steps.map(({ name: step }) => ({
      fault,
      step,
      hits: hits[cellOf(fault, step)] ?? 0,
      why: impossible(fault, step),
    })),
  );

export type Judged = {
  /** Possible, and never hit. */
  readonly empty: readonly Cell[];
  /** Declared impossible, and hit all the same: the declaration is wrong. */
  readonly contradicted: readonly Cell[];
  /** Hits of cells that the declaration does not have. */
  readonly undeclared: readonly string[];
  readonly possible: number;
  readonly hit: number;
};

export function judgeCoverage(declaration: Declaration, hits: Hits): Judged {
  const cells = cellsOf(declaration, hits);
  const known = new Set(cells.map(({ fault, step }) => cellOf(fault, step)));
  const possible = cells.filter(({ why }) => why === null);
  return {
    empty: possible.filter((cell) => cell.hits === 0),
    contradicted: cells.filter((cell) => cell.why !== null && cell.hits > 0),
    undeclared: Object.keys(hits).filter((cell) => !known.has(cell)),
    possible: possible.length,
    hit: possible.filter((cell) => cell.hits > 0).length,
  };
}

/** What of the coverage makes a run fail, a line each; too few histories fail for nothing but a wrong declaration. */
export function coverageFailures(declaration: Declaration, hits: Hits, histories: number): readonly string[] {
  const { empty, contradicted, undeclared } = judgeCoverage(declaration, hits);
  return [
    ...(histories < declaration.fullFrom
      ? []
      : empty.map(({ fault, step }) => `never happened: ${fault} during ${step}`)),
    ...contradicted.map(
      ({ fault, step, hits: times, why }) =>
        `${fault} during ${step} happened ${times} times and is declared impossible: ${why}`,
    ),
    ...undeclared.map((cell) => `${cell} happened and is not declared`),
  ];
}

/** The table, a row for each fault: hits, `-` for impossible, `0` for a hole. Reasons follow, each once. */
export function coverageTable(declaration: Declaration, hits: Hits): readonly string[] {
  const cells = cellsOf(declaration, hits);
  const steps = declaration.steps.map(({ name }) => name);
  const nameWidth = Math.max(...declaration.faults.map(({ name }) => name.length)) + 2;
  const widths = steps.map((step) => Math.max(step.length, 6) + 1);
  const row = (name: string, values: readonly string[]): string =>
    `${name.padEnd(nameWidth)}${values.map((value, index) => value.padStart(widths[index] ?? 0)).join('')}`;
  const { possible, hit } = judgeCoverage(declaration, hits);
  const reasons = new Map<string, string[]>();
  for (const { fault, step, why } of cells)
    if (why !== null) reasons.set(why, [...(reasons.get(why) ?? []), cellOf(fault, step)]);
  return [
    `coverage: ${hit} of ${possible} cells hit, ${cells.length - possible} declared impossible (histories in which the fault was there while the step was under way)`,
    row('', steps),
    ...declaration.faults.map(({ name }) =>
      row(
        name,
        cells.filter(({ fault }) => fault === name).map((cell) => (cell.why === null ? String(cell.hits) : '-')),
      ),
    ),
    ...[...reasons].map(([why, where]) => `  - ${why} (${where.length} cells, such as ${where[0]})`),
  ];
}

/** Collects the cells one history hits, each once. */
export class CoverageRecorder {
  readonly #hits: Record<string, number> = {};
  hit(fault: string, step: string): void {
    this.#hits[cellOf(fault, step)] = 1;
  }
  hits(): Hits {
    return this.#hits;
  }
}
