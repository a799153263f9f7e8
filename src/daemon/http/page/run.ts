/** Proposals and runs on the page: what would be done, what is being done, what was done. */
import { html } from 'htm/preact';
import type { VNode } from 'preact';
import type {
  EndedReport,
  GroupStatus,
  PhaseReport,
  ProposalStatus,
  RunReport,
  StepReport,
} from '../../status-document.ts';
import { bytesText, counted, instantText, lossText, spanText, stepText } from '../../text.ts';
import { lanes } from './bars.ts';
import { decisionPart } from './matrix.ts';
import { command, folded, type Part, pairs, table, tag } from './parts.ts';

const FENCED = 'The old side is stopped first, and read back as stopped, before anything is promoted.';
export const UNFENCED = 'There is NO fence: the old primary may still take writes while the new one does.';

const fenceNotice = (fence: 'command' | 'guard' | 'none'): VNode =>
  (fence === 'none' ? html`<p class="notice bad">${UNFENCED}</p>` : html`<p>${FENCED}</p>`) as VNode;

export function proposalPanel(proposal: ProposalStatus, timeZone: string | null): VNode {
  const { id, ceilings } = proposal;
  const given = proposal.approvals.map(({ person, role }) => `${person} as ${role}`).join(', ');
  const ceiling =
    ceilings.lossSeconds === null && ceilings.lossBytes === null
      ? 'unknown: a yes accepts that it is not known'
      : `${ceilings.lossSeconds === null ? 'any time' : `${Number(ceilings.lossSeconds.toFixed(1))} s`}, ${ceilings.lossBytes === null ? 'any size' : bytesText(ceilings.lossBytes)}`;
  return html`<div class="panel">
    <h4>${id}: fail over ${proposal.from} → ${proposal.to}?</h4>
    <p>${proposal.decision.why}</p>
    ${fenceNotice(proposal.fence)}
    <div class="commands">
      ${command(`failoverd approve ${id}`, 'Yes')}
      ${command(`failoverd abort ${id} --reason "…"`, 'No')}
    </div>
    ${pairs([
      ['Still to approve', proposal.missing.length === 0 ? 'nobody' : proposal.missing.join(' and ')],
      ['Approved by', given === '' ? 'nobody yet' : given],
      [
        'Expires',
        html`in ${spanText(proposal.expiresInMs)} <span class="soft">${instantText(proposal.expiresAt, timeZone)}</span>`,
      ],
      ['May be lost', lossText(proposal.loss)],
      ['Most loss a yes covers', ceiling],
      ['RTO', spanText(proposal.rtoMs)],
      ['Epoch', String(proposal.epoch)],
      ['Plan hash', html`<span class="mono">${proposal.planHash}</span>`, 'wide'],
    ])}
    ${folded(
      `The plan: ${counted(proposal.steps.length, 'step')}`,
      table(
        'Steps of the plan, in order',
        [{ label: 'Step' }, { label: 'Phase' }, { label: 'Budget', kind: 'num' }],
        proposal.steps.map((step) => ({ cells: [step.id, step.phase, spanText(step.budgetMs)] })),
      ),
    )}
    ${folded('What it was decided from', decisionPart(proposal.decision))}
  </div>` as VNode;
}

const PHASE = { pending: '', running: 'act', done: 'ok', failed: 'bad' } as const;
const STEP = { pending: '', intended: 'act', settling: 'act', done: 'ok', failed: 'bad', undone: '' } as const;

function stepTag({ status, overdue, attempt, message }: StepReport): VNode {
  const again = attempt > 1 ? `, attempt ${attempt}` : '';
  const late = overdue ? ', overdue' : '';
  const troubled = status !== 'done' && status !== 'failed' && message !== null;
  return tag(overdue ? 'bad' : troubled ? 'warn' : STEP[status], `${status}${again}${late}`);
}

type Axis = { readonly decidedAt: number; readonly rtoMs: number; readonly nowMs: number };

const tookText = ({ tookMs, budgetMs }: PhaseReport): string =>
  tookMs === null ? `budget ${spanText(budgetMs)}` : `${spanText(tookMs)} of ${spanText(budgetMs)}`;

function phaseTable(phases: readonly PhaseReport[], axis: Axis): Part {
  const rows = lanes(phases, axis).flatMap(({ phase, bar }) => [
    { kind: 'main', cells: [phase.phase, tag(PHASE[phase.status], phase.status), tookText(phase), bar] },
    ...phase.steps.map((step) => ({
      kind: 'sub',
      cells: [step.id, stepTag(step), step.tookMs === null ? '' : spanText(step.tookMs), stepText(step)],
    })),
  ]);
  return table(
    `Phases against their budgets; the bars begin with the decision, the line is the RTO of ${spanText(axis.rtoMs)}`,
    [
      { label: 'Phase and step' },
      { label: 'State', kind: 'tight' },
      { label: 'Took', kind: 'num' },
      { label: `From the decision to the RTO, ${spanText(axis.rtoMs)}`, kind: 'wide' },
    ],
    rows,
  );
}

const CLOCKS = [
  ['impact', 'impactAt'],
  ['detected', 'detectedAt'],
  ['decided', 'decidedAt'],
  ['executed', 'executedAt'],
  ['verified', 'verifiedAt'],
] as const;

/** The five clocks (design §2), each with its distance from the impact. */
function clockTable(clocks: EndedReport['clocks'], timeZone: string | null): Part {
  return table(
    'The five clocks',
    [{ label: 'Clock' }, { label: 'At' }, { label: 'After impact', kind: 'num' }],
    CLOCKS.map(([name, key]) => {
      const at = clocks[key];
      return {
        cells:
          at === null
            ? [name, 'not yet', '']
            : [name, instantText(at, timeZone), key === 'impactAt' ? '' : `+${spanText(at - clocks.impactAt)}`],
      };
    }),
  );
}

export function runPanel(run: RunReport, timeZone: string | null): VNode {
  const waits = run.status === 'paused' || run.status === 'halted';
  const who = run.trigger === 'auto' ? 'by itself' : run.approvals.map((a) => `${a.person} (${a.role})`).join(', ');
  return html`<div class=${waits ? 'panel stuck' : 'panel'}>
    <h4>${run.id}: ${run.from} → ${run.to} ${tag(waits ? 'bad' : 'act', run.status)} ${run.overdue ? tag('bad', 'past its RTO') : null}</h4>
    ${run.why === null ? null : html`<p class="notice bad">${run.why}</p>`}
    ${run.fence === 'none' ? html`<p class="notice bad">${UNFENCED}</p>` : null}
    <div class="commands">
      ${waits ? command(`failoverd approve ${run.id}`, 'Go on') : null}
      ${command(`failoverd abort ${run.id} --reason "…"`, 'Stop it')}
    </div>
    ${phaseTable(run.phases, { decidedAt: run.clocks.decidedAt, rtoMs: run.rtoMs, nowMs: run.sinceDecidedMs })}
    ${pairs([
      ['Since decided', html`${spanText(run.sinceDecidedMs)} <span class="soft">of ${spanText(run.rtoMs)}</span>`],
      ['Decided', who],
      ['Epoch', String(run.epoch)],
      ['May be lost', lossText(run.loss)],
      ['Why', run.decision.why, 'wide'],
      ['Plan hash', html`<span class="mono">${run.planHash}</span>`, 'wide'],
    ])}
    ${clockTable(run.clocks, timeZone)} ${folded('What it was decided from', decisionPart(run.decision))}
  </div>` as VNode;
}

const OUTCOME = { verified: 'ok', unverified: 'warn', undone: 'warn', abandoned: 'bad' } as const;

const rtoTag = (rtoMs: number | null, targetMs: number): VNode =>
  rtoMs === null
    ? tag('warn', 'never verified')
    : tag(rtoMs <= targetMs ? 'ok' : 'bad', `${spanText(rtoMs)} of ${spanText(targetMs)}`);

/** Within only where the most that may be lost is, missed only where the least is not; between them it can't be said. */
function rpoTag({ lowSeconds, highSeconds }: EndedReport['loss'], targetMs: number): VNode {
  const target = spanText(targetMs);
  if (lowSeconds !== null && lowSeconds * 1000 > targetMs)
    return tag('bad', `at least ${spanText(lowSeconds * 1000)} of ${target}`);
  if (highSeconds === null) return tag('warn', `not known, of ${target}`);
  return tag(highSeconds * 1000 <= targetMs ? 'ok' : 'warn', `at most ${spanText(highSeconds * 1000)} of ${target}`);
}

/** The last runs with their five clocks; each is the distance from the impact, which is an instant. */
export function endedRuns({ ended, timeZone, rtoMs, rpoMs }: GroupStatus): Part {
  const runs = table(
    'Clocks are counted from the impact; RTO from decided to verified; RPO is the most that may have been lost',
    [
      { label: 'Run' },
      { label: 'Ended', kind: 'tight' },
      ...CLOCKS.map(([name]) => ({ label: name === 'impact' ? 'Impact' : name, kind: 'num' as const })),
      { label: 'RTO', kind: 'num' },
      { label: 'RPO', kind: 'num' },
    ],
    ended.map((run) => ({
      cells: [
        html`${run.id} <span class="soft">${run.from} → ${run.to}</span>`,
        tag(OUTCOME[run.outcome], run.outcome),
        ...CLOCKS.map(([name, key]) => {
          const at = run.clocks[key];
          if (at === null) return 'never';
          return name === 'impact' ? instantText(at, null) : `+${spanText(at - run.clocks.impactAt)}`;
        }),
        rtoTag(run.rtoMs, rtoMs),
        rpoTag(run.loss, rpoMs),
      ],
    })),
  );
  return runs === null
    ? null
    : (html`<div>${runs}${ended.map((run) => endedPart(run, timeZone, rtoMs))}</div>` as VNode);
}

const endedPart = (run: EndedReport, timeZone: string | null, rtoMs: number): VNode =>
  html`<details class="fold" id=${`ended-${run.id}`}>
    <summary>${run.id}, ended ${instantText(run.endedAt, timeZone)}</summary>
    <p>${run.why}</p>
    ${pairs([
      ['Lost', lossText(run.loss)],
      ['Decided', run.trigger === 'auto' ? 'by itself' : 'by people'],
      ['Epoch', String(run.epoch)],
      ['Basis of the loss', run.loss.basis, 'wide'],
      ['Plan hash', html`<span class="mono">${run.planHash}</span>`, 'wide'],
    ])}
    ${phaseTable(run.phases, { decidedAt: run.clocks.decidedAt, rtoMs, nowMs: run.rtoMs ?? 0 })}
    ${clockTable(run.clocks, timeZone)}
  </details>` as VNode;
