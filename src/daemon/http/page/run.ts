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
import { type Part, pairs, table, tag } from './parts.ts';

const FENCED = 'The old side is stopped first, and read back as stopped, before anything is promoted.';
export const UNFENCED = 'There is NO fence: the old primary may still take writes while the new one does.';

const fenceNotice = (fence: 'command' | 'none'): VNode =>
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
    ${pairs([
      ['Still to approve', proposal.missing.length === 0 ? 'nobody' : proposal.missing.join(' and ')],
      ['Approved by', given === '' ? 'nobody yet' : given],
      [
        'Expires',
        html`in ${spanText(proposal.expiresInMs)} <span class="soft">${instantText(proposal.expiresAt, timeZone)}</span>`,
      ],
      ['May be lost', lossText(proposal.loss)],
      ['Most loss a yes covers', ceiling],
      ['Epoch', String(proposal.epoch)],
      ['RTO', spanText(proposal.rtoMs)],
      ['Plan hash', html`<span class="mono">${proposal.planHash}</span>`, 'wide'],
    ])}
    <pre>failoverd approve ${id}</pre>
    <pre>failoverd abort ${id} --reason "…"</pre>
    <details>
      <summary>The plan: ${counted(proposal.steps.length, 'step')}</summary>
      ${table(
        [{ label: 'Step' }, { label: 'Phase' }, { label: 'Budget', kind: 'num' }],
        proposal.steps.map((step) => ({ cells: [step.id, step.phase, spanText(step.budgetMs)] })),
      )}
    </details>
  </div>` as VNode;
}

const PHASE = { pending: '', running: 'act', done: 'ok', failed: 'bad' } as const;
const STEP = { pending: '', intended: 'act', settling: 'act', done: 'ok', failed: 'bad' } as const;

function stepTag({ status, overdue, attempt, message }: StepReport): VNode {
  const again = attempt > 1 ? `, attempt ${attempt}` : '';
  const late = overdue ? ', overdue' : '';
  const troubled = status !== 'done' && status !== 'failed' && message !== null;
  return tag(overdue ? 'bad' : troubled ? 'warn' : STEP[status], `${status}${again}${late}`);
}

function phaseTable(phases: readonly PhaseReport[]): Part {
  const rows = phases.flatMap((phase) => [
    {
      kind: 'main',
      cells: [
        phase.phase,
        tag(PHASE[phase.status], phase.status),
        phase.tookMs === null ? '' : spanText(phase.tookMs),
        spanText(phase.budgetMs),
        phase.tookMs === null ? '' : budgetMeter(phase.tookMs, phase.budgetMs),
      ],
    },
    ...phase.steps.map((step) => ({
      kind: 'sub',
      cells: [step.id, stepTag(step), step.tookMs === null ? '' : spanText(step.tookMs), '', stepText(step)],
    })),
  ]);
  return table(
    [
      { label: 'Phase and step' },
      { label: 'State' },
      { label: 'Took', kind: 'num' },
      { label: 'Budget', kind: 'num' },
      { label: '' },
    ],
    rows,
  );
}

const budgetMeter = (tookMs: number, budgetMs: number): VNode =>
  html`<meter min="0" max=${budgetMs} high=${budgetMs * 0.8} optimum="0" value=${Math.min(tookMs, budgetMs)}
    title=${`${Math.round((100 * tookMs) / budgetMs)} % of the budget`}></meter>` as VNode;

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
    ${pairs([
      ['Since decided', html`${spanText(run.sinceDecidedMs)} <span class="soft">of ${spanText(run.rtoMs)}</span>`],
      ['Decided', who],
      ['Epoch', String(run.epoch)],
      ['May be lost', lossText(run.loss)],
      ['Why', run.decision.why, 'wide'],
      ['Plan hash', html`<span class="mono">${run.planHash}</span>`, 'wide'],
    ])}
    ${phaseTable(run.phases)} ${clockTable(run.clocks, timeZone)}
    ${waits ? html`<pre>failoverd approve ${run.id}</pre>` : null}
    <pre>failoverd abort ${run.id} --reason "…"</pre>
  </div>` as VNode;
}

const OUTCOME = { verified: 'ok', unverified: 'warn', undone: 'warn', abandoned: 'bad' } as const;

const endedText = ({ from, to, endedAt, rtoMs }: EndedReport, timeZone: string | null, targetMs: number): string =>
  `${from} → ${to}, ${instantText(endedAt, timeZone)}${rtoMs === null ? '' : `, RTO ${spanText(rtoMs)} of ${spanText(targetMs)}`}`;

export function endedRuns({ ended, timeZone, rtoMs }: GroupStatus): Part {
  if (ended.length === 0) return null;
  return html`<div>${ended.map(
    (run, index) => html`<details class="fold" open=${index === 0}>
      <summary>
        ${run.id} ${tag(OUTCOME[run.outcome], run.outcome)} ${endedText(run, timeZone, rtoMs)}
      </summary>
      <p>${run.why}</p>
      ${pairs([
        ['Lost', lossText(run.loss)],
        ['Decided', run.trigger === 'auto' ? 'by itself' : 'by people'],
        ['Epoch', String(run.epoch)],
        ['Basis of the loss', run.loss.basis, 'wide'],
        ['Plan hash', html`<span class="mono">${run.planHash}</span>`, 'wide'],
      ])}
      ${clockTable(run.clocks, timeZone)} ${phaseTable(run.phases)}
    </details>`,
  )}</div>` as VNode;
}
