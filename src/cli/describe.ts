/** The status in words for a terminal: what a page shows at its top, in 80 columns. */
import type {
  GroupStatus,
  Mood,
  ProposalStatus,
  RaiseStatus,
  RunReport,
  StatusDocument,
} from '../daemon/status-document.ts';
import { bytesText, counted, instantText, lossText, spanText, stepText, utcText } from '../daemon/text.ts';
import { numberText } from '../policies/metrics.ts';
import { COLUMNS, labelled, type Paint, printable, wrap } from './terminal.ts';

const MOOD = {
  quiet: ['green', 'quiet'],
  blind: ['yellow', "can't tell"],
  watching: ['yellow', 'watching'],
  waiting: ['blue', 'waits for people'],
  acting: ['blue', 'acting'],
  stuck: ['red', 'needs a person'],
} as const satisfies Record<Mood, readonly [Parameters<Paint>[0], string]>;

export const UNFENCED = 'There is NO fence: the old primary may still take writes while the new one does.';

export function statusLines(status: StatusDocument, url: string, paint: Paint): string[] {
  const undelivered = status.pages.filter((page) => page.deliveredAt === null);
  return [
    ...wrap(
      `${utcText(status.at)}, ${status.journal.entries} entries in the journal, ${url}`,
      `failoverd ${status.version}  `,
    ),
    ...(status.engine === 'running'
      ? []
      : [paint('red', `The engine has ${status.engine}: failoverd acts on nothing. Restart the daemon.`)]),
    ...configLines(status, paint),
    ...(undelivered.length === 0
      ? []
      : [
          paint('red', `${counted(undelivered.length, 'page')} nobody has taken yet:`),
          ...undelivered.flatMap((page) => wrap(printable(page.title), `  ${page.kind}: `)),
        ]),
    ...status.groups.flatMap((group) => ['', ...groupLines(group, paint)]),
  ];
}

/** That the file on disk is not what is in force. */
function configLines({ config: { refused, restartNeeded } }: StatusDocument, paint: Paint): string[] {
  if (refused !== null)
    return [
      ...wrap(`The config on disk was refused at ${utcText(refused.at)}; the one in force stays:`).map((line) =>
        paint('red', line),
      ),
      ...refused.problems.flatMap((problem) => wrap(printable(problem), '  - ')),
    ];
  return restartNeeded.flatMap((text) => wrap(printable(text), 'restart   '));
}

function groupLines(group: GroupStatus, paint: Paint): string[] {
  const { summary, autonomy, timeZone } = group;
  const [style, mood] = MOOD[summary.mood];
  const name = group.title === group.group ? group.group : `${printable(group.title)} (${group.group})`;
  const room = Math.max(2, COLUMNS - name.length - mood.length);
  const lowered = autonomy.declared === autonomy.inForce ? '' : ` (config: ${autonomy.declared})`;
  const last = group.ended[0];
  return [
    `${paint('bold', name)}${' '.repeat(room)}${paint(style, mood)}`,
    ...labelled('wrong', printable(summary.wrong)),
    ...labelled('next', printable(summary.next)),
    ...summary.because.flatMap((why, index) =>
      wrap(printable(why), `  ${(index === 0 ? 'because' : '').padEnd(10)}- `),
    ),
    ...labelled('active', `${group.active}, standby ${group.standby}, epoch ${group.epoch}`),
    ...labelled('autonomy', `${autonomy.inForce}${lowered}`),
    ...replicationLines(group),
    ...labelled('facts', tally(group)),
    ...metricLines(group),
    ...(group.proposal === null ? [] : proposalBrief(group.proposal, timeZone)),
    ...(group.raise === null ? [] : raiseBrief(group.raise, timeZone)),
    ...(group.run === null ? [] : runLines(group.run)),
    ...(last === undefined
      ? []
      : labelled(
          'last run',
          `${last.id} ${last.outcome}, ${last.from} to ${last.to}, ${utcText(last.endedAt)}` +
            `${last.rtoMs === null ? '' : `, RTO ${spanText(last.rtoMs)} of ${spanText(group.rtoMs)}`}, lost ${lossText(last.loss)}`,
        )),
  ];
}

function replicationLines({ replication }: GroupStatus): string[] {
  if (replication === null) return [];
  const says = { ok: 'streaming', bad: 'not streaming', unknown: 'not known' }[replication.streaming];
  const gap = `not received ${bytesText(replication.receiveGapBytes)}, not replayed ${bytesText(replication.replayLagBytes)}`;
  return labelled('replica', `${says}; ${gap}`);
}

/** How the facts stand, and those that are bad by name. */
function tally({ facts }: GroupStatus): string {
  const count = (verdict: string): number => facts.filter((fact) => fact.verdict === verdict).length;
  const bad = facts
    .filter((fact) => fact.verdict === 'bad')
    .map(({ fact, subject, vantage }) => `${fact} of ${subject}${vantage === null ? '' : ` from ${vantage}`}`);
  const named = bad.length === 0 ? '' : `: ${printable(bad.slice(0, 6).join(', '))}${bad.length > 6 ? ', ...' : ''}`;
  return `${count('ok')} ok, ${count('unknown')} unknown, ${count('bad')} bad${named}`;
}

/** Every metric that is named as a fact, with its value or why there is none. */
const metricLines = ({ metrics }: GroupStatus): string[] =>
  metrics.flatMap(({ fact, value, unit, bad, verdict, why, ageMs }, index) => {
    const said =
      value === null
        ? `unknown: ${why}`
        : `${bad === null ? '' : `${verdict}, `}${numberText(value, unit)}, ${spanText(ageMs ?? 0)} old`;
    return labelled(index === 0 ? 'metrics' : '', printable(`${fact.replace(/^metrics\./, '')} ${said}`));
  });

const proposalBrief = (proposal: ProposalStatus, timeZone: string | null): string[] => [
  ...labelled('proposal', `${proposal.id}, expires ${instantText(proposal.expiresAt, timeZone)}`),
  ...labelled('approve', `failoverd approve ${proposal.id}`),
];

const raiseBrief = (raise: RaiseStatus, timeZone: string | null): string[] => [
  ...labelled('raise', `${raise.id}, expires ${instantText(raise.expiresAt, timeZone)}`),
  ...labelled('approve', `failoverd approve ${raise.id}`),
];

/** Everything that a yes to this raise covers (design §6). */
export function raiseLines(raise: RaiseStatus, timeZone: string | null, paint: Paint): string[] {
  const line = (label: string, text: string): string[] => labelled(label, text, 14);
  const given = raise.approvals.map(({ person, role }) => `${person} as ${role}`).join(', ');
  return [
    paint('bold', `${raise.id}: the config asks for more than is agreed`),
    ...raise.widens.flatMap((what, index) => line(index === 0 ? 'it would be' : '', printable(what))),
    ...line('config', raise.configHash),
    ...line('approved', given === '' ? 'by nobody yet' : `by ${given}`),
    ...line('missing', raise.missing.join(' and ') || 'nobody'),
    ...line('expires', `in ${spanText(raise.expiresInMs)}, ${instantText(raise.expiresAt, timeZone)}`),
  ];
}

/** Everything that a yes to this proposal covers (design §6). */
export function proposalLines(proposal: ProposalStatus, timeZone: string | null, paint: Paint): string[] {
  const line = (label: string, text: string): string[] => labelled(label, text, 14);
  const { ceilings, loss } = proposal;
  const phases = [...new Set(proposal.steps.map((step) => step.phase))];
  const given = proposal.approvals.map(({ person, role }) => `${person} as ${role}`).join(', ');
  return [
    paint('bold', `${proposal.id}: fail over ${proposal.from} to ${proposal.to}`),
    ...line('why', printable(proposal.decision.why)),
    ...phases.flatMap((phase) => {
      const steps = proposal.steps.filter((step) => step.phase === phase);
      const budgetMs = Math.max(...steps.map((step) => step.budgetMs));
      return line(phase, `${steps.map((step) => step.id).join(', ')} (${spanText(budgetMs)})`);
    }),
    ...line('RTO', spanText(proposal.rtoMs)),
    ...line('may lose', `${lossText(loss)}; ${printable(loss.basis)}`),
    ...line(
      'at most',
      ceilings.lossSeconds === null && ceilings.lossBytes === null
        ? 'not known: a yes accepts that it is not known'
        : `${ceilings.lossSeconds === null ? 'any time' : `${Number(ceilings.lossSeconds.toFixed(1))} s`}, ` +
            `${ceilings.lossBytes === null ? 'any size' : bytesText(ceilings.lossBytes)}; beyond it the yes is void`,
    ),
    ...(proposal.fence === 'none'
      ? line('fence', UNFENCED).map((text) => paint('red', text))
      : line('fence', 'the old side is stopped and read back as stopped before anything is promoted')),
    ...proposal.decision.gates
      .filter(({ gate }) => gate === 'target-matches')
      .flatMap(({ answer, why }) =>
        line('the target', printable(why)).map((text) => (answer === 'pass' ? text : paint('red', text))),
      ),
    ...line('epoch', String(proposal.epoch)),
    ...line('plan', proposal.planHash),
    ...line('approved', given === '' ? 'by nobody yet' : `by ${given}`),
    ...line('missing', proposal.missing.join(' and ') || 'nobody'),
    ...line('expires', `in ${spanText(proposal.expiresInMs)}, ${instantText(proposal.expiresAt, timeZone)}`),
  ];
}

export function runLines(run: RunReport): string[] {
  return [
    ...labelled(
      'run',
      `${run.id} ${run.status}, ${run.from} to ${run.to}, ${spanText(run.sinceDecidedMs)} of ${spanText(run.rtoMs)}`,
    ),
    ...run.phases.flatMap((phase) => {
      const took = phase.tookMs === null ? '' : `, ${spanText(phase.tookMs)} of ${spanText(phase.budgetMs)}`;
      const open = phase.steps.filter((step) => step.status !== 'done' && stepText(step) !== '');
      const steps = open.map((step) => `${step.id} ${step.status} (${stepText(step)})`);
      return labelled(
        '',
        printable(`${phase.phase} ${phase.status}${took}${steps.length === 0 ? '' : `: ${steps.join(', ')}`}`),
      );
    }),
    ...(run.fence === 'none' ? labelled('fence', UNFENCED) : []),
  ];
}
