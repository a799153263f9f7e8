/** A review in words for a terminal: first how often failoverd would have acted, then each time with its reasons. */
import { counted, lossText, spanText, utcText } from '../daemon/text.ts';
import { rowName } from '../model/matrix.ts';
import type {
  Review,
  ReviewedDecision,
  ReviewedHold,
  ReviewedNotice,
  ReviewedProposal,
  ReviewedRun,
  Reviews,
} from '../model/review.ts';
import { type Paint, printable, wrap } from './terminal.ts';

export function reviewLines({ from, to, groups }: Reviews, paint: Paint): string[] {
  return [
    paint('bold', `${utcText(from)} to ${utcText(to)}`),
    ...(groups.length === 0 ? ['', 'The journal names no group yet: nothing was held, decided or run.'] : []),
    ...groups.flatMap((group) => ['', ...groupLines(group, paint)]),
  ];
}

/** A label that is longer than its column stands before its text. */
const entry = (label: string, text: string, width = Math.max(10, label.length + 2)): string[] =>
  wrap(printable(text), `  ${label.padEnd(width)}`);
const detail = (label: string, text: string): string[] => wrap(printable(text), `            ${label.padEnd(9)}`);

function groupLines(review: Review, paint: Paint): string[] {
  const { decisions, holds, proposals, runs, reports, rows, starts, journalFrom, leftOut, notices, blindMs } = review;
  const would = decisions.filter(({ wouldHaveActed }) => wouldHaveActed).length;
  const back = decisions.filter(({ action }) => action === 'hold').length;
  return [
    `${paint('bold', review.group)}  ${counted(runs.length, 'run')}, ${counted(proposals.length, 'proposal')}; would have acted ${counted(would, 'time')}, held back ${counted(back, 'time')}`,
    ...(journalFrom !== null && journalFrom > review.from
      ? entry('journal', `begins ${utcText(journalFrom)}; before that nothing is known`)
      : []),
    ...entry(
      'watched',
      starts.length === 0
        ? 'without a restart'
        : `with ${counted(starts.length, 'start')}, the last ${utcText(starts.at(-1)?.at ?? 0)}; before a start nobody looked`,
    ),
    ...(blindMs === 0
      ? []
      : entry('blind', `for ${spanText(blindMs)}: monitoring of a region was silent, and silent alerts meant nothing`)),
    ...rows.flatMap((row) =>
      entry(
        rowName(row.row, row.component),
        `${counted(row.holds, 'hold')} (${spanText(row.heldMs)} in all), ${counted(row.decisions, 'decision')}, would have acted ${row.wouldHaveActed}, held back ${row.heldBack}`,
      ),
    ),
    ...(rows.length === 0 ? entry('rows', 'no condition of any row was seen') : []),
    ...section('Holds', holds.flatMap(holdLines), paint),
    ...section('Decisions', decisions.flatMap(decisionLines), paint),
    ...section('Proposals', proposals.flatMap(proposalLines), paint),
    ...section('Runs', runs.flatMap(runLines), paint),
    ...section('Blind, or in doubt', notices.flatMap(noticeLines), paint),
    ...section(
      'Reports',
      reports.flatMap(({ report, at, by, what, clearedAt }) =>
        entry(
          report,
          `${utcText(at)} by ${by}: ${what}; ${clearedAt === null ? 'it stands' : `cleared ${utcText(clearedAt)}`}`,
        ),
      ),
      paint,
    ),
    ...(leftOut === 0 ? [] : entry('left out', `${leftOut} older ones; ask for a shorter time, or --json`)),
  ];
}

const section = (title: string, lines: readonly string[], paint: Paint): string[] =>
  lines.length === 0 ? [] : ['', `  ${paint('bold', title)}`, ...lines];

const holdLines = ({ row, component, region, startedAt, heldMs, endedAt, why }: ReviewedHold): string[] => [
  ...entry(
    rowName(row, component),
    `${utcText(startedAt)}, ${region}, held ${spanText(heldMs)}${endedAt === null ? ', goes on' : ''}`,
  ),
  ...(why === null ? [] : detail('ended', why)),
];

function decisionLines(decision: ReviewedDecision): string[] {
  const { at, row, component, action, why, inTheWay, expectedLoss, endedAt, endedWhy } = decision;
  return [
    ...entry(rowName(row, component), `${utcText(at)}, ${ACTIONS[action] ?? action}: ${why}`),
    ...inTheWay.flatMap(({ gate, answer, why: because }) =>
      detail(answer === 'block' ? 'blocked' : 'unsure', `${gate}: ${because}`),
    ),
    ...(expectedLoss === null ? [] : detail('loss', expectedLoss)),
    ...(endedAt === null ? detail('ended', 'not yet') : detail('ended', `${utcText(endedAt)}: ${endedWhy ?? ''}`)),
  ];
}

const NOTICES = {
  'watchdog-silent': 'monitoring was silent',
  'foreign-database': 'it answered as another cluster',
} as const satisfies Record<ReviewedNotice['notice'], string>;

const noticeLines = ({ notice, subject, openedAt, why, closedAt, closedWhy }: ReviewedNotice): string[] => [
  ...entry(
    subject,
    `${utcText(openedAt)}, ${closedAt === null ? 'goes on' : `for ${spanText(closedAt - openedAt)}`}: ${NOTICES[notice]}: ${why}`,
  ),
  ...(closedWhy === null ? [] : detail('ended', closedWhy)),
];

const ACTIONS: Readonly<Record<string, string>> = {
  observe: 'would have failed over',
  hold: 'held back',
  propose: 'proposed a failover',
  failover: 'failed over',
};

function proposalLines({ id, openedAt, loss, approvals, closedAt, reason, why }: ReviewedProposal): string[] {
  return [
    ...entry(
      id,
      `${utcText(openedAt)}, ${closedAt === null ? 'open' : `${reason} after ${spanText(closedAt - openedAt)}`}`,
      id.length + 2,
    ),
    ...detail('loss', lossText(loss)),
    ...(approvals.length === 0
      ? []
      : detail('approved', approvals.map(({ person, role }) => `${person} as ${role}`).join(', '))),
    ...(why === null ? [] : detail('why', why)),
  ];
}

function runLines({ id, from, to, trigger, outcome, why, clocks, loss, tookMs, rtoMs }: ReviewedRun): string[] {
  const at = (instant: number | null): string => (instant === null ? 'not yet' : utcText(instant));
  return [
    ...entry(id, `${from} to ${to}, ${trigger}, ${outcome ?? 'goes on'}`, id.length + 2),
    ...(why === null ? [] : detail('why', why)),
    ...detail('impact', at(clocks.impactAt)),
    ...detail('detected', at(clocks.detectedAt)),
    ...detail('decided', at(clocks.decidedAt)),
    ...detail('executed', at(clocks.executedAt)),
    ...detail('verified', at(clocks.verifiedAt)),
    ...detail('RTO', tookMs === null ? 'not known' : `${spanText(tookMs)} of ${spanText(rtoMs)}`),
    ...detail('loss', lossText(loss)),
  ];
}
