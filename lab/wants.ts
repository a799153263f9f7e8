import type { PageKind } from '../src/model/events.ts';
import type { DecisionFact } from './journal.ts';
import type { ScenarioFacts } from './report.ts';
import type { Check } from './verdict.ts';

/** A decision by what is asked of it; what isn't named may be anything. */
export type DecisionWant = Partial<Omit<DecisionFact, 'inTheWay'>> & {
  /** A gate that must be among those in the way; null: nothing is. */
  readonly inTheWay?: string | null;
};

/** What a scenario asks for beside its expectation: plain data, so that the line of a report can be judged by itself. */
export type Want =
  | { readonly kind: 'decided'; readonly decision: DecisionWant }
  | { readonly kind: 'never-decided'; readonly decision: DecisionWant }
  /** The first decision of a row, and the last: it changed on the way. */
  | { readonly kind: 'changed'; readonly row: number; readonly from: DecisionWant; readonly to: DecisionWant }
  | { readonly kind: 'holds'; readonly row: number; readonly least: number; readonly most?: number }
  | { readonly kind: 'paged'; readonly page: PageKind; readonly atOnce?: true }
  | { readonly kind: 'never-paged'; readonly page: PageKind }
  | { readonly kind: 'trigger'; readonly trigger: 'auto' | 'approved'; readonly brokeGlass?: boolean }
  | { readonly kind: 'loss'; readonly inBracket: 'some' | 'any' }
  | { readonly kind: 'reports'; readonly reports: readonly ('made' | 'cleared')[] }
  | { readonly kind: 'alerts-kept'; readonly name: string; readonly least: number; readonly most?: number }
  | { readonly kind: 'old-side-alive' }
  | { readonly kind: 'measured'; readonly name: string; readonly least?: number; readonly most?: number };

export const checksOf = (facts: ScenarioFacts): Check[] => facts.wants.map((want) => checkOf(want, facts));

function checkOf(want: Want, facts: ScenarioFacts): Check {
  switch (want.kind) {
    case 'decided':
      return {
        check: `it was decided: ${textOf(want.decision)}`,
        ok: facts.decisions.some((made) => fits(made, want.decision)),
      };
    case 'never-decided':
      return {
        check: `it was never decided: ${textOf(want.decision)}`,
        ok: facts.journal !== null && !facts.decisions.some((made) => fits(made, want.decision)),
      };
    case 'changed': {
      const made = facts.decisions.filter(({ row }) => row === want.row);
      const [first, last] = [made[0], made.at(-1)];
      return {
        check: `row ${want.row} first: ${textOf(want.from)}; in the end: ${textOf(want.to)}`,
        ok: first !== undefined && last !== undefined && fits(first, want.from) && fits(last, want.to),
      };
    }
    case 'holds':
      return {
        check: boundsText(`holds of row ${want.row}`, want),
        ok: facts.journal !== null && within(facts.holds[want.row] ?? 0, want),
      };
    case 'paged':
      return {
        check: `people got a page: ${want.page}${want.atOnce === true ? ', due at once' : ''}`,
        ok:
          (facts.pagesByKind[want.page] ?? 0) > 0 &&
          facts.pages.some(({ kind, atOnce }) => kind === want.page && (want.atOnce !== true || atOnce)),
      };
    case 'never-paged':
      return {
        check: `nobody got a page: ${want.page}`,
        ok: facts.journal !== null && !facts.pages.some(({ kind }) => kind === want.page),
      };
    case 'trigger':
      return {
        check: `the run was opened ${want.trigger === 'auto' ? 'by itself' : 'by approval'}${want.brokeGlass === true ? ' of one person who broke the glass' : ''}`,
        ok: facts.trigger === want.trigger && facts.brokeGlass === (want.brokeGlass ?? false),
      };
    case 'loss':
      return {
        check:
          want.inBracket === 'some'
            ? 'acknowledged writes are missing, and all of them lie within the bracket that was told'
            : 'a bracket of the loss was told',
        ok: facts.bracket !== null && (want.inBracket === 'any' || facts.account.missingInBracket.length > 0),
      };
    case 'reports':
      return {
        check: `reports of the data: ${want.reports.join(', ') || 'none'}`,
        ok: facts.journal !== null && facts.reports.join() === want.reports.join(),
      };
    case 'alerts-kept':
      return {
        check: boundsText(`alerts ${want.name} in the journal`, want),
        ok: within(facts.alerts.kept[want.name] ?? 0, want),
      };
    case 'old-side-alive':
      return { check: 'the old side was left alone', ok: facts.oldSideProcesses > 0 };
    case 'measured':
      return { check: boundsText(want.name, want), ok: within(facts.measured[want.name], want) };
    default:
      return want satisfies never;
  }
}

function fits(made: DecisionFact, want: DecisionWant): boolean {
  return (
    (want.row === undefined || made.row === want.row) &&
    (want.action === undefined || made.action === want.action) &&
    (want.autonomy === undefined || made.autonomy === want.autonomy) &&
    (want.inTheWay === undefined ||
      (want.inTheWay === null ? made.inTheWay.length === 0 : made.inTheWay.includes(want.inTheWay)))
  );
}

function textOf({ row, action, autonomy, inTheWay }: DecisionWant): string {
  const parts = [
    row === undefined ? '' : `row ${row}`,
    action ?? '',
    autonomy === undefined ? '' : `in ${autonomy}`,
    inTheWay === undefined ? '' : inTheWay === null ? 'with nothing in the way' : `held or capped by ${inTheWay}`,
  ];
  return parts.filter((part) => part !== '').join(' ');
}

interface Bounds {
  readonly least?: number;
  readonly most?: number;
}

/** What was never measured lies within nothing. */
const within = (value: number | undefined, { least, most }: Bounds): boolean =>
  value !== undefined && value >= (least ?? Number.NEGATIVE_INFINITY) && value <= (most ?? Number.POSITIVE_INFINITY);

function boundsText(name: string, { least, most }: Bounds): string {
  if (least !== undefined && least === most) return `${name}: ${least}`;
  const bounds = [least === undefined ? '' : `at least ${least}`, most === undefined ? '' : `at most ${most}`];
  return `${name}: ${bounds.filter((bound) => bound !== '').join(', ')}`;
}
