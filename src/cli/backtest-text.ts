/** What a backtest found, for a terminal: a line for each decision, and below it what stood in the way. */
import type { Assumption } from '../backtest/assumed.ts';
import type { BacktestDecision, Findings, Outcome } from '../backtest/report.ts';
import { counted, lossText, spanText, utcText } from '../daemon/text.ts';
import { rowName } from '../model/matrix.ts';
import { type Paint, printable, wrap } from './terminal.ts';

export type BacktestResult = Findings & {
  readonly from: number;
  readonly to: number;
  readonly stepMs: number;
  readonly steps: number;
  /** How often the core was called. */
  readonly looks: number;
  readonly groups: readonly {
    readonly group: string;
    readonly title: string;
    readonly autonomy: string;
    readonly timeZone: string | null;
  }[];
  /** What was taken for given, since no history holds it. */
  readonly assumptions: readonly Assumption[];
  /** What the history does not hold. */
  readonly missing: readonly string[];
  /** Stretches of which nothing is known. */
  readonly gaps: readonly { readonly from: number; readonly to: number }[];
};

const WORDS = {
  'would-act': ['would act', 'red'],
  proposed: ['proposed', 'yellow'],
  'would-say': ['would say', 'yellow'],
  'held-back': ['held back', 'blue'],
  'by-hand': ['by hand', 'yellow'],
  told: ['tells', 'dim'],
  barred: ['bars', 'dim'],
} as const satisfies Record<Outcome, readonly [string, Parameters<Paint>[0]]>;

const MOST_GAPS = 5;

export function backtestLines(result: BacktestResult, paint: Paint): string[] {
  const { from, to, stepMs, steps, assumptions, missing, gaps, decisions, passed } = result;
  return [
    `${utcText(from)} to ${utcText(to)}, ${counted(steps, 'step')} of ${spanText(stepMs)}`,
    ...(assumptions.length === 0
      ? []
      : [
          '',
          paint('yellow', 'Assumed, since no history holds it (--assume nothing refuses it):'),
          ...assumptions.flatMap(({ group, says }) => wrap(group === null ? says : `${group}: ${says}`, '  - ')),
        ]),
    ...(missing.length === 0
      ? []
      : [
          '',
          paint('yellow', 'Not in the history, so unknown, and nothing found there means nothing:'),
          ...missing.flatMap((one) => wrap(one, '  - ')),
        ]),
    ...gapLines(gaps, paint),
    '',
    ...(decisions.length === 0 ? [paint('green', 'Nothing would have been decided.')] : table(result, paint)),
    ...(passed.length === 0
      ? []
      : [
          '',
          `${counted(passed.length, 'time')} a row began to match and stopped before its time was up:`,
          ...Object.entries(
            Object.groupBy(passed, ({ group, row, component }) => `${group} ${rowName(row, component)}`),
          ).flatMap(([name, holds = []]) => {
            const longest = Math.max(...holds.map((hold) => hold.to - hold.from));
            return wrap(`${name}: ${counted(holds.length, 'time')}, for ${spanText(longest)} at most`, '  - ');
          }),
        ]),
  ];
}

function gapLines(gaps: BacktestResult['gaps'], paint: Paint): string[] {
  if (gaps.length === 0) return [];
  const totalMs = gaps.reduce((sum, gap) => sum + gap.to - gap.from, 0);
  const shown = [...gaps].sort((a, b) => b.to - b.from - (a.to - a.from)).slice(0, MOST_GAPS);
  return [
    '',
    paint('yellow', `Nothing is known of ${spanText(totalMs)} in ${counted(gaps.length, 'gap')}:`),
    ...shown.flatMap((gap) => wrap(`${utcText(gap.from)}, for ${spanText(gap.to - gap.from)}`, '  - ')),
    ...(gaps.length > shown.length ? [`  - and ${counted(gaps.length - shown.length, 'shorter one')}`] : []),
  ];
}

const HEADS = ['UTC', 'local', 'group', 'row', 'decision', 'autonomy', 'lasted'] as const;

function table({ groups, decisions }: BacktestResult, paint: Paint): string[] {
  const zones = new Map(groups.map(({ group, timeZone }) => [group, timeZone]));
  const rows = decisions.map((decision) => ({
    decision,
    cells: [
      utcText(decision.at).slice(0, 19),
      localText(decision.at, zones.get(decision.group) ?? null),
      decision.group,
      decision.component === null ? String(decision.row) : `${decision.row} ${decision.component}`,
      WORDS[decision.outcome][0],
      decision.outcome === 'told' || decision.outcome === 'barred' ? '' : decision.autonomy,
      lasted(decision),
    ],
  }));
  const widths = HEADS.map((head, column) =>
    Math.max(head.length, ...rows.map(({ cells }) => cells[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [
    paint('dim', line(HEADS)),
    ...rows.flatMap(({ decision, cells }) => [paint(WORDS[decision.outcome][1], line(cells)), ...below(decision)]),
  ];
}

function lasted({ durationMs, overAt }: BacktestDecision): string {
  if (durationMs === null) return '';
  return overAt === null ? `${spanText(durationMs)}+` : spanText(durationMs);
}

/** Month, day and time where the people are. */
function localText(at: number, timeZone: string | null): string {
  if (timeZone === null) return '-';
  const parts = Object.fromEntries(
    new Intl.DateTimeFormat('en-GB', {
      timeZone,
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    })
      .formatToParts(at)
      .map((part) => [part.type, part.value]),
  );
  return `${parts['month']}-${parts['day']} ${parts['hour']}:${parts['minute']}`;
}

function below({ why, inTheWay, loss, proposedAgain }: BacktestDecision): string[] {
  return [
    ...wrap(printable(why), '    '),
    ...inTheWay.flatMap((gate) => wrap(printable(`${gate.gate}: ${gate.why}`), '    in the way  ')),
    ...(loss === null ? [] : wrap(`${lossText(loss)}`, '    would lose  ')),
    ...(proposedAgain === 0
      ? []
      : wrap(`${counted(proposedAgain, 'time')} more, since nobody answers here`, '    proposed    ')),
  ];
}
