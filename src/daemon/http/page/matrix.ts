/** Rows, gates and decisions on the page: what was asked, what the answer was made from, and what would turn it. */
import { html } from 'htm/preact';
import type { VNode } from 'preact';
import type { DecisionRecord } from '../../../model/events.ts';
import { rowName } from '../../../model/matrix.ts';
import type { GroupStatus, RowStatus } from '../../status-document.ts';
import { counted, spanText } from '../../text.ts';
import { explainLink } from './explain.ts';
import { age, folded, foldedAs, idOf, list, type Part, table, tagOf, verdictTag } from './parts.ts';

const GATE = { pass: ['ok', '✓ pass'], block: ['bad', '✕ block'], 'cannot-tell': ['warn', '? can’t tell'] } as const;

/** Gates in their order. Those that pass are folded away where others don't; colour is for when something hangs on them. */
export function gatePart({ gates, holds, proposal, run, group }: GroupStatus): Part {
  const live = run === null && (proposal !== null || holds.some((hold) => hold.action === 'failover'));
  const of = (caption: string, some: typeof gates): Part =>
    table(
      caption,
      [{ label: 'Gate' }, { label: 'Answer', kind: 'tight' }, { label: 'Why' }],
      some.map((gate) => ({
        cells: [gate.gate, tagOf([live ? GATE[gate.answer][0] : '', GATE[gate.answer][1]]), gate.why],
      })),
    );
  const passing = gates.filter((gate) => gate.answer === 'pass');
  const blocking = gates.filter((gate) => gate.answer !== 'pass');
  if (gates.length === 0) return null;
  // A run has passed them; how they would answer the next is not what anybody looks for now.
  if (run !== null)
    return html`<div>
      ${foldedAs(`gates-passing-${group}`, `${counted(gates.length, 'gate')}, as they would answer another failover`, of('All gates', gates))}
    </div>` as VNode;
  return html`<div>
    ${of('Gates that stand in the way of a failover', blocking)}
    ${foldedAs(`gates-passing-${group}`, `${counted(passing.length, 'gate')} would let a failover pass`, of('Gates that pass', passing))}
  </div>` as VNode;
}

/** A veto or gate that matches bars something; a deciding row that matches asks for something. */
const MATCHES = { bad: '! matches', ok: 'does not match', unknown: '? can’t tell' } as const;
const rowTone = ({ kind, verdict }: RowStatus): string =>
  verdict === 'ok' ? '' : verdict === 'unknown' ? 'warn' : kind === 'decide' ? 'act' : 'bad';

const askText = ({ kind, action, against, forMs }: RowStatus): string =>
  kind === 'decide'
    ? `${action}${forMs > 0 ? ` after ${spanText(forMs)}` : ' at once'}`
    : `bars ${against.join(', ')}${action === 'hold' ? '' : `; ${action}`}`;

/** Rows that match or can't tell; the others are folded away, so that what matters is not searched for among them. */
export function rowPart({ rows, group }: GroupStatus): Part {
  const quiet = rows.filter(({ verdict }) => verdict === 'ok');
  const loud = rows.filter(({ verdict }) => verdict !== 'ok');
  if (rows.length === 0) return null;
  return html`<div>
    ${rowTable('Rows that match, or can’t tell', loud, group)}
    ${foldedAs(`rows-quiet-${group}`, `${counted(quiet.length, 'row')} ${quiet.length === 1 ? 'does' : 'do'} not match`, rowTable('Rows that do not match', quiet, group))}
  </div>` as VNode;
}

const rowTable = (caption: string, rows: readonly RowStatus[], group: string): Part =>
  table(
    caption,
    [{ label: 'Row', kind: 'name' }, { label: 'Answer', kind: 'tight' }, { label: 'Asks for' }, { label: 'Sees' }],
    rows.map((row) => ({
      id: idOf('row', group, row.row, row.component),
      cells: [
        html`${row.row} <span class="soft">${row.kind}</span>${row.component === null ? null : html` ${row.component}`} <code>${row.when}</code> <a href=${explainLink(group, { row: String(row.row), at: null })} aria-label=${`Why ${rowName(row.row, row.component)} answers so`}>why</a>`,
        tagOf([rowTone(row), MATCHES[row.verdict]]),
        html`${askText(row)}${row.note === null ? null : html` <span class="soft">${row.note}</span>`}`,
        html`${row.values.map((one) => html`<div><code>${one.fact}</code> = ${String(one.value)} <span class="soft">${one.why}</span></div>`)}${turns(row.turnedBy)}`,
      ],
    })),
  );

const turns = (turnedBy: readonly string[]): Part =>
  turnedBy.length === 0
    ? null
    : (html`<div class="soft">Another answer with <code>${turnedBy.join(' or ')}</code></div>` as VNode);

const titleOf = ({ row, component }: DecisionRecord): string => rowName(row, component ?? null).replace('row', 'Row');

/** One decision whole: the expression, the values put in, what would turn it, and what it stood on. */
export const decisionPart = (decision: DecisionRecord): VNode =>
  html`<div class="decision">
    <p>${titleOf(decision)} asks for <code>${decision.when}</code>${decision.forMs > 0 ? ` for ${spanText(decision.forMs)}; it was so for ${spanText(decision.heldMs)}` : ''}.</p>
    ${table(
      'The values put in',
      [{ label: 'Fact' }, { label: 'Value', kind: 'tight' }, { label: 'Why' }],
      decision.values.map(({ fact, value, why }) => ({
        cells: [html`<code>${fact}</code>`, typeof value === 'number' ? String(value) : verdictTag(value), why],
      })),
    )}
    ${turns(decision.turnedBy)}
    ${folded(
      counted(decision.signs.length, 'sign'),
      list(
        decision.signs.map(
          (sign) =>
            `${sign.verdict}, ${sign.class}, ${sign.vantage || 'nobody'}, ${sign.path}${sign.ageMs < 0 ? '' : `, ${age(sign.ageMs)}`}: ${sign.says}`,
        ),
      ),
    )}
    ${folded(
      counted(decision.gates.length, 'gate'),
      list(decision.gates.map((gate) => `${gate.gate}: ${gate.answer}, ${gate.why}`)),
    )}
    ${folded(`Autonomy ${decision.autonomy}`, list(decision.autonomyWhy))}
  </div>` as VNode;

/** Decisions that stand; one that a proposal or a run came from is told there. */
export function decisionsPart({ decisions, group, proposal, run }: GroupStatus): Part {
  const told = [proposal, run].flatMap((one) => (one === null ? [] : [one.decision]));
  const shown = decisions.filter(
    (one) => !told.some(({ row, component }) => row === one.row && component === one.component),
  );
  return shown.length === 0
    ? null
    : (html`<div>
        ${shown.map(
          (
            decision,
          ) => html`<div class="panel calm" id=${`decision-${group}-${decision.row}${decision.component === undefined ? '' : `-${decision.component}`}`}>
            <h4>${titleOf(decision)}: ${decision.action}</h4>
            <p>${decision.why}</p>
            ${decisionPart(decision)}
          </div>`,
        )}
      </div>` as VNode);
}
