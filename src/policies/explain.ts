/**
 * Why each row of the matrix answers as it does at this instant, and what would change it, as data (design §5). PURE: the
 * same readers, gates and rows that decide are asked here, so an explanation can't say anything else than the decision.
 */
import type { Sign } from '../model/events.ts';
import type {
  Change,
  Explanation,
  FactExplained,
  FactSource,
  GateExplained,
  RowExplained,
} from '../model/explanation.ts';
import { expressionOf, type RowAnswer, type RowValues } from '../model/expression.ts';
import type { Hold, Raise } from '../model/ledger.ts';
import type { State } from '../model/loop.ts';
import { rowKey, rowName } from '../model/matrix.ts';
import type { ComponentId, GroupId, Verdict } from '../model/primitives.ts';
import { smallestTurns } from '../model/row-examples.ts';
import { metricIn, type ReadableFact, rowFact } from '../model/row-facts.ts';
import { missing } from '../model/run.ts';
import { declaredAutonomy, type Row } from '../model/settings.ts';
import { conditionFor } from './conditions.ts';
import { GATES, judge } from './gates/index.ts';
import { opensBy } from './gates/opens.ts';
import { replicationLoss, sampleOf } from './loss.ts';
import { componentsOf, judgeRow, type RowFinding, readFact } from './rows.ts';
import { type View, viewOf } from './view.ts';

/** More ways than this are not read by anybody. */
const MOST_WAYS = 3;

/** Of every row, or of the one that is asked for. The group must be in the settings. */
export function explain(state: State, group: GroupId, only: number | null = null): Explanation {
  const view = viewOf(state, group);
  return {
    group,
    title: view.settings.title,
    timeZone: view.settings.businessHours?.timeZone ?? null,
    at: view.at,
    basis: 'now',
    active: view.active,
    standby: view.standby,
    notes: [
      ...(view.ledger.run === null
        ? []
        : [`${view.ledger.run.id} is open: while it is, rows decide nothing more of this group`]),
      ...(view.ledger.raise === null ? [] : [raiseNote(view.ledger.raise)]),
    ],
    rows: view.settings.rows
      .filter((row) => only === null || row.id === only)
      .flatMap((row) =>
        componentsOf(view.settings, row).map((component) => explainRow(state, view, { row, component })),
      ),
  };
}

/** Rows and gates read as agreed until then, and not as the config says. */
export function raiseNote({ id, widens, needs, approvals, expiresAt }: Raise, is: 'is' | 'was' = 'is'): string {
  const open = missing({ needs, approvals });
  const until = new Date(expiresAt).toISOString();
  return `${id} ${is} open until ${until}: the config asks for more than is agreed (${widens.join('; ')}), which counts once approved by ${open.join(' and ')}`;
}

const ANSWERS = { bad: 'matches', ok: 'does-not-match', unknown: 'cannot-tell' } as const;

export const rowWords = (
  { id, kind, when, forMs, action, against, auto, note }: Row,
  component: ComponentId | null,
) => ({
  row: id,
  component,
  kind,
  when,
  forMs,
  action,
  against: [...against],
  auto,
  note,
});

/** A row, and whom it is judged for; null = the group. */
type Scoped = { readonly row: Row; readonly component: ComponentId | null };

function explainRow(state: State, view: View, scoped: Scoped): RowExplained {
  const { row, component } = scoped;
  const finding = judgeRow(view, row, component);
  const key = rowKey(row.id, component);
  const kept = view.ledger.holds[key] ?? null;
  const pendingMs = state.volatile.holdPendingMs[`${view.group}/${key}`] ?? 0;
  const heldMs = kept === null ? 0 : kept.heldMs + pendingMs;
  const decision = view.ledger.decisions[key];
  const gates = gatesOf(state, view, scoped, finding, kept);
  return {
    ...rowWords(row, component),
    answer: ANSWERS[finding.verdict],
    facts: expressionOf(row.when, view.settings.metrics).facts.map((fact) => factOf(view, fact, component)),
    hold:
      kept === null
        ? null
        : {
            startedAt: kept.startedAt,
            impactAt: kept.impactAt,
            heldMs,
            leftMs: Math.max(0, row.forMs - heldMs),
            writtenAt: null,
          },
    decision:
      decision === undefined
        ? null
        : { madeAt: null, action: decision.action, autonomy: decision.autonomy, why: decision.why },
    autonomyWhy: [...gates.autonomyWhy],
    gates: [...gates.reports],
    changes: changesOf(view, scoped, finding, heldMs),
    notes: notesOf(view, scoped, finding),
  };
}

function factOf(view: View, fact: ReadableFact, component: ComponentId | null): FactExplained {
  const { value, why, signs } = readFact(view, fact, component);
  const metric = view.settings.metrics.find(({ id }) => id === metricIn(fact));
  const spec =
    metric === undefined ? rowFact(fact) : { unit: metric.unit, says: metric.says ?? metric.promql, from: 'metrics' };
  const sources = signs.length > 0 ? signs.map(sourceOf) : sourcesOf(view, fact);
  const ages = sources.flatMap(({ ageMs }) => (ageMs === null ? [] : [ageMs]));
  return {
    fact,
    value: value ?? 'unknown',
    unit: spec?.unit ?? null,
    why,
    says: spec?.says ?? '',
    from: spec?.from ?? '',
    ageMs: ages.length === 0 ? null : Math.max(...ages),
    sources,
  };
}

export const sourceOf = ({ class: kind, vantage, path, verdict, ageMs, says }: Sign): FactSource => ({
  who: `${kind}${vantage === '' ? '' : ` by ${vantage}`}${path === '' ? '' : `, ${path}`}`,
  verdict,
  ageMs: ageMs < 0 ? null : ageMs,
  says,
});

/** Of facts whose reading names no signs: whoever saw what they are made from. */
function sourcesOf(view: View, fact: ReadableFact): FactSource[] {
  if (fact === 'standby.reachable')
    return (view.reach[view.standby] ?? []).map(({ vantage, path, verdict, ageMs, why }) => ({
      who: `client-probe by ${vantage}, ${path}`,
      verdict,
      ageMs,
      says: why,
    }));
  if (fact.startsWith('replication.'))
    return view.postgres.flatMap(({ component, active, standby, streaming, streamingWhy }) => [
      ...(fact === 'replication.receive_gap_bytes'
        ? [sight(component, view.active, active?.vantage ?? null, active?.ageMs ?? null)]
        : []),
      fact === 'replication.streaming'
        ? {
            who: `replication${standby === null ? '' : ` by ${standby.vantage}`}`,
            verdict: streaming,
            ageMs: standby?.ageMs ?? null,
            says: `${component}: ${streamingWhy}`,
          }
        : sight(component, view.standby, standby?.vantage ?? null, standby?.ageMs ?? null),
    ]);
  return [];
}

const sight = (component: string, region: string, vantage: string | null, ageMs: number | null): FactSource => ({
  who: vantage === null ? 'nobody' : `client-probe by ${vantage}`,
  verdict: vantage === null ? 'unknown' : 'ok',
  ageMs,
  says: vantage === null ? `${component} in ${region} was not seen lately` : `${component} in ${region} answers`,
});

type Gates = { readonly reports: readonly GateExplained[]; readonly autonomyWhy: readonly string[] };

/**
 * Gates in the way of what a row proposes: all for a failover, rows and planned work for what people do by hand, and planned
 * work alone for words to people.
 */
function gatesOf(state: State, view: View, { row, component }: Scoped, finding: RowFinding, hold: Hold | null): Gates {
  if (row.kind !== 'decide' || row.action === 'none') return { reports: [], autonomyWhy: [] };
  const loss = replicationLoss(
    hold?.sample ?? sampleOf(state, view),
    hold?.impactAt ?? finding.impactAt ?? view.at,
    view,
  );
  const judged = judge({ view, row, component, finding, loss });
  const failover = row.action === 'failover';
  return {
    autonomyWhy: failover ? judged.autonomyWhy : [],
    reports: judged.reports
      .filter(({ gate }) => failover || gate === 'maintenance' || (row.action !== 'speak-up' && /^row-\d/.test(gate)))
      .map((report) => ({
        ...report,
        stops: stopsOf(report.gate, report.answer),
        opens: report.answer === 'pass' ? null : opensBy({ view, row, report }),
      })),
  };
}

export function stopsOf(gate: string, answer: GateExplained['answer']): GateExplained['stops'] {
  if (gate === 'authority') return 'people';
  // A row that matches stops everyone; one that can't tell stops `auto` alone.
  if (/^row-\d/.test(gate)) return answer === 'cannot-tell' ? 'auto' : 'everyone';
  return GATES.find((one) => one.gate === gate)?.stops ?? 'everyone';
}

/** What would follow if the row matched for long enough, gates aside. */
function thenOf(view: View, row: Row): string {
  if (row.kind !== 'decide') return `it would stand in the way of ${row.against.join(', ')}`;
  switch (row.action) {
    case 'failover': {
      const declared = declaredAutonomy(view.settings);
      if (declared === 'observe') return `it would only say that it would fail over to ${view.standby}`;
      return declared === 'auto' && row.auto
        ? `it would fail over to ${view.standby} by itself`
        : `it would propose a failover to ${view.standby}`;
    }
    case 'speak-up':
      return 'it would tell people';
    case 'none':
      return 'it would only show that it holds';
    default:
      return `it would propose ${row.action}, for people to do`;
  }
}

const notAnyMore = (row: Row): string =>
  row.kind === 'decide'
    ? 'the row would not match any more'
    : `it would no longer stand in the way of ${row.against.join(', ')}`;

function changesOf(view: View, { row, component }: Scoped, finding: RowFinding, heldMs: number): Change[] {
  const expression = expressionOf(row.when, view.settings.metrics);
  const now: RowValues = Object.fromEntries(
    expression.facts.map((fact) => [fact, readFact(view, fact, component).value]),
  );
  const ways = (wanted: RowAnswer, forMs: number, follows: string): Change[] =>
    smallestTurns(expression, now, wanted)
      .slice(0, MOST_WAYS)
      .map((set) => ({
        given: set.map(({ fact, to }) =>
          conditionFor(
            view,
            fact,
            to,
            expression.thresholds.filter((one) => one.fact === fact).map((one) => one.number),
            component,
          ),
        ),
        forMs,
        follows,
      }));
  const forMs = row.kind === 'decide' ? row.forMs : 0;
  if (finding.verdict !== 'bad')
    return ways('yes', Math.max(0, forMs - (finding.verdict === 'unknown' ? heldMs : 0)), thenOf(view, row));
  const leftMs = Math.max(0, forMs - heldMs);
  const goesOn: Change[] =
    row.kind === 'decide' && leftMs > 0
      ? [{ given: ['it goes on like this'], forMs: leftMs, follows: thenOf(view, row) }]
      : [];
  return [...goesOn, ...ways('no', 0, notAnyMore(row))];
}

/** The first row that matches decides; whoever reads of a later one has to know. */
function notesOf(view: View, { row, component }: Scoped, finding: RowFinding): string[] {
  if (row.kind !== 'decide' || row.action === 'speak-up' || row.action === 'none') return [];
  const above = view.settings.rows.slice(0, view.settings.rows.indexOf(row));
  const first = above
    .filter((other) => other.kind === 'decide' && other.action !== 'speak-up' && other.action !== 'none')
    .flatMap((other) => componentsOf(view.settings, other).map((of) => ({ other, of })))
    .find(
      ({ other, of }) =>
        (of === null || of === component) && (judgeRow(view, other, of).verdict satisfies Verdict) === 'bad',
    );
  return first === undefined
    ? []
    : [
        `${rowName(first.other.id, first.of)} matches and stands above it: ${finding.verdict === 'bad' ? 'that one decides, not this one' : 'that one would decide'}`,
      ];
}
