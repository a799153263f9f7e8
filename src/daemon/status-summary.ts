/**
 * The three answers for the person on call: what is wrong, what failoverd will do and when, and why not sooner
 * (design §1). PURE: words for what was decided elsewhere.
 */

import type { FailureKind } from '../engine/engine.ts';
import type { DecisionRecord, GateReport } from '../model/events.ts';
import { rowName } from '../model/matrix.ts';
import type { DiagnosisCode } from '../policies/diagnoses.ts';
import type { View } from '../policies/view.ts';
import type {
  FindingStatus,
  GroupStatus,
  HoldStatus,
  LeaseStatus,
  Mood,
  ProposalStatus,
  ReportStatus,
  RunReport,
  StatusDocument,
  Summary,
} from './status-document.ts';
import { type Glance, glanceOf, nextHold, sentence, wordsOf } from './status-glance.ts';
import { instantText, reportText, spanText, stepText } from './text.ts';

export type SummaryFacts = {
  readonly view: View;
  readonly engine: StatusDocument['engine'];
  readonly failure: FailureKind | null;
  readonly findings: readonly FindingStatus[];
  readonly holds: readonly HoldStatus[];
  readonly reports: readonly ReportStatus[];
  readonly leases: readonly LeaseStatus[];
  readonly autonomy: GroupStatus['autonomy'];
  readonly gates: readonly GateReport[];
  readonly decisions: readonly DecisionRecord[];
  readonly proposal: ProposalStatus | null;
  readonly run: RunReport | null;
};

type Next = Omit<Summary, 'wrong' | keyof Glance>;

export function summaryOf(facts: SummaryFacts): Summary {
  return { wrong: wrongOf(facts), ...nextOf(facts), ...glanceOf(facts) };
}

function wrongOf(facts: SummaryFacts): string {
  return facts.engine === 'running'
    ? worldOf(facts)
    : `failoverd itself: its engine has ${facts.engine}. ${worldOf(facts)}`;
}

function worldOf({ findings, reports, leases, run, view }: SummaryFacts): string {
  const bad = findings.filter((finding) => finding.verdict === 'bad');
  const told = [
    ...reports.map(
      ({ report, by, what, sinceMs }) => `${reportText(report)}, by ${by} ${spanText(sinceMs)} ago: ${what}`,
    ),
    ...leases.flatMap(({ component, halt }) =>
      halt === null ? [] : [`the lease store of ${component} is halted: ${halt.why}`],
    ),
    ...bad.map(({ code, region, why, impactAt }) => {
      const since = impactAt === null ? '' : ` for ${spanText(view.at - impactAt)}`;
      return `${wordsOf({ code, region })} (${code})${since}: ${why}`;
    }),
  ];
  if (told.length > 0) return sentence(told.join('; '));
  // Once the database has moved the new side answers; what the run is there for is not over before its end.
  if (run !== null) return `${run.from} was lost: ${run.decision.why}`;
  const region = findings.find((finding) => finding.code === 'RegionUnreachable');
  if (region?.verdict === 'ok') return `Nothing. Clients reach ${view.active}, which is active${lately(view)}.`;
  return `It can’t be said whether clients reach ${view.active}, which is active: ${region?.why ?? 'nothing is judged'}.`;
}

const LATELY_MS = 24 * 3_600_000;

/** Whoever looks the morning after must not have to search for it. */
function lately({ ledger, at }: View): string {
  const last = ledger.ended.at(-1);
  if (last === undefined || at - last.endedAt > LATELY_MS) return '';
  return `; ${last.id}, from ${last.from} to ${last.to}, ended ${last.outcome} ${spanText(at - last.endedAt)} ago`;
}

function nextOf(facts: SummaryFacts): Next {
  const { engine, failure, run, proposal, holds, decisions, reports } = facts;
  if (engine !== 'running')
    return {
      mood: 'stuck',
      next: 'Nothing: the engine stands still. Restart the daemon; it goes on where the journal ends.',
      because: [
        engine === 'stopped'
          ? 'the engine was stopped'
          : failure === 'core'
            ? 'its own judgement failed, which is a defect of failoverd: see its log. The journal is in order'
            : 'the journal takes no entries',
      ],
    };
  if (run !== null) return running(run);
  if (proposal !== null) return waiting(facts, proposal);
  if (reports.some((report) => report.bars.length > 0)) return barred(facts);
  const hold = nextHold(holds);
  if (hold !== undefined) return holding(facts, hold);
  // Of a deciding row before that of a row which only stands in its way.
  const decision = decisions.find((one) => deciding(facts.view, one.row)) ?? decisions[0];
  if (decision !== undefined) return decided(decision);
  return idle(facts);
}

const deciding = (view: View, row: number): boolean =>
  view.settings.rows.some((one) => one.id === row && one.kind === 'decide');

function running(run: RunReport): Next {
  const phase = run.phases.find((one) => one.status !== 'done');
  const step = phase?.steps.find((one) => one.status !== 'done');
  const place =
    phase === undefined || step === undefined
      ? 'every step is done'
      : `${phase.phase}, ${step.id}: ${spanText(phase.tookMs ?? 0)} of ${spanText(phase.budgetMs)}`;
  const base = `${run.id} moves ${run.from} to ${run.to}: ${place}; ${spanText(run.sinceDecidedMs)} since it was decided, the RTO is ${spanText(run.rtoMs)}.`;
  const because = [
    ...(run.why === null ? [] : [run.why]),
    ...(run.overdue ? ['the run is past its RTO'] : []),
    ...(step === undefined || stepText(step) === '' ? [] : [`${step.id}: ${stepText(step)}`]),
  ];
  switch (run.status) {
    case 'running':
    case 'ended':
      return { mood: 'acting', next: base, because };
    case 'aborting':
      return { mood: 'acting', next: `Undoing ${run.id}.`, because };
    case 'paused':
    case 'halted':
      return {
        mood: 'stuck',
        next: `Nothing before a person says so: ${run.id} is ${run.status} at ${step?.id ?? 'its end'}. \`failoverd approve ${run.id}\` goes on.`,
        because,
      };
    default:
      return exhausted(run.status);
  }
}

function waiting({ view, gates }: SummaryFacts, proposal: ProposalStatus): Next {
  const until = instantText(proposal.expiresAt, view.settings.businessHours?.timeZone ?? null);
  const given = proposal.approvals.map(({ person, role }) => `${person} (${role})`).join(', ');
  return {
    mood: 'waiting',
    next:
      `It fails over ${proposal.from} to ${proposal.to} once ${proposal.id} is approved by ` +
      `${proposal.missing.join(' and ') || 'everybody'}; it expires in ${spanText(proposal.expiresInMs)}, ${until}.`,
    because: [...(given === '' ? [] : [`approved so far by ${given}`]), ...inTheWay(gates)],
  };
}

/** What is reported stands in the way whatever else is wrong, so that is what is told first. */
function barred({ reports, decisions, holds }: SummaryFacts): Next {
  const bars = [...new Set(reports.flatMap((report) => report.bars))];
  const hold = nextHold(holds);
  return {
    mood: 'watching',
    next: `Nothing. While the report stands it bars ${bars.join(', ')}.`,
    because: [
      ...decisions.map((decision) => decision.why),
      ...(hold === undefined
        ? []
        : [
            `${rowName(hold.row, hold.component)} matches and would be due in ${spanText(hold.remainingMs)} if nothing stood in the way`,
          ]),
    ],
  };
}

const inTheWay = (gates: readonly GateReport[]): string[] =>
  gates
    .filter((gate) => gate.answer !== 'pass')
    .map((gate) => `${gate.gate}${gate.answer === 'cannot-tell' ? ' can’t tell' : ''}: ${gate.why}`);

function holding({ view, autonomy, gates }: SummaryFacts, hold: HoldStatus): Next {
  const way = `${view.active} to ${view.standby}`;
  const what = hold.action === 'failover' ? `failover ${way}` : hold.action;
  const left = spanText(hold.remainingMs);
  const mode = autonomy.inForce;
  const next =
    hold.action !== 'failover'
      ? `In ${left}, if it lasts: ${what} (${rowName(hold.row, hold.component)}).`
      : mode === 'auto'
        ? `In ${left}, if it lasts: ${what}, by itself (${rowName(hold.row, hold.component)}).`
        : mode === 'gated'
          ? `In ${left}, if it lasts: propose to fail over ${way} and wait for people (${rowName(hold.row, hold.component)}).`
          : `In ${left}, if it lasts: say that it would fail over ${way}, and touch nothing (${rowName(hold.row, hold.component)}).`;
  const vetoes = hold.vetoes.filter((veto) => veto.verdict !== 'ok').map((veto) => `${veto.veto}: ${veto.why}`);
  return {
    mood: 'watching',
    next,
    because: [
      `${rowName(hold.row, hold.component)} wants ${hold.when} for ${spanText(hold.forMs)}; ${spanText(hold.heldMs)} so far`,
      ...vetoes,
      ...(hold.action === 'failover' ? inTheWay(gates) : []),
    ],
  };
}

/** The hold is over and neither proposal nor run followed: the decision says why. */
function decided(decision: DecisionRecord): Next {
  const lowered = decision.action === 'observe' ? decision.autonomyWhy : [];
  return {
    mood: 'watching',
    next: `${decision.action === 'speak-up' ? 'Nothing; people were told.' : 'Nothing yet.'} ${decision.why}.`,
    because: [...inTheWay(decision.gates), ...lowered],
  };
}

/** What is found that no row acts on, and what failoverd makes of it. */
const UNHANDLED: readonly (readonly [DiagnosisCode, string])[] = [
  [
    'GrayFailure',
    'Nothing by itself: the old primary still takes writes, so a promotion would make two. People may decide to move.',
  ],
  ['ForeignDatabase', 'Nothing: it does not fail over to a database that is not ours.'],
  ['MonitoringBlind', 'It watches by its probes alone, and does nothing by itself until monitoring is heard again.'],
  ['VantageIsolated', 'Nothing: what the others see counts alone until that vantage is connected again.'],
];

function idle({ findings }: SummaryFacts): Next {
  const found = UNHANDLED.find(([code]) => findings.some((one) => one.code === code && one.verdict === 'bad'));
  if (found !== undefined) return { mood: 'watching', next: found[1], because: [] };
  const region = findings.find((finding) => finding.code === 'RegionUnreachable');
  const bad = findings.some((finding) => finding.verdict === 'bad');
  const mood: Mood = bad ? 'watching' : region?.verdict === 'ok' ? 'quiet' : 'blind';
  if (mood === 'quiet') return { mood, next: 'Nothing. It goes on watching.', because: [] };
  if (mood === 'blind')
    return { mood, next: 'Nothing: what is unknown is no ground to act on.', because: region ? [region.why] : [] };
  return { mood, next: 'Nothing: no row of the matrix asks for an action.', because: [] };
}

function exhausted(value: never): never {
  throw new TypeError(`unknown: ${JSON.stringify(value)}`);
}
