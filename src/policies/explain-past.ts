/**
 * Why a row answered as it did at an instant of the past, from what the journal kept and nothing else (design §5). PURE.
 *
 * Kept are: when a row's hold began, went on and ended; decisions with the values they saw; proposals and runs. Of a row
 * that did not match, or could not tell, nothing is written down: that is said, and not guessed.
 */
import type { DecisionRecord, EventBody } from '../model/events.ts';
import type { Explanation, KeptEvents, RowExplained } from '../model/explanation.ts';
import type { Raise } from '../model/ledger.ts';
import { rowKey } from '../model/matrix.ts';
import type { ComponentId, GroupId, WallMs } from '../model/primitives.ts';
import { rowFact } from '../model/row-facts.ts';
import type { GroupSettings, Row } from '../model/settings.ts';
import { windowEnd } from './calendar.ts';
import { raiseNote, rowWords, sourceOf, stopsOf } from './explain.ts';
import { componentsOf } from './rows.ts';
import { utcText } from './span.ts';

export type PastQuestion = {
  readonly group: GroupId;
  readonly settings: GroupSettings;
  readonly at: WallMs;
  readonly only: number | null;
  readonly kept: KeptEvents;
};

type Kept = {
  hold: { startedAt: WallMs; impactAt: WallMs; heldMs: number; writtenAt: WallMs } | null;
  decision: { at: WallMs; record: DecisionRecord } | null;
  /** The last word on the row before the instant, once nothing stands any more. */
  before: { at: WallMs; says: string } | null;
  after: { at: WallMs; says: string } | null;
};

export function explainPast(question: PastQuestion): Explanation {
  const { group, settings, at, only } = question;
  const { events } = question.kept;
  const until = events.filter((event) => event.at <= at);
  const later = events.filter((event) => event.at > at);
  const known = settings.rows.flatMap((row) => componentsOf(settings, row).map((component) => ({ row, component })));
  const keys = known.map(({ row, component }) => rowKey(row.id, component));
  // Rows and components that the config has lost since then still have what was kept of them.
  const lost = new Map<string, Judged>();
  for (const event of until) {
    const judged = judgedIn(event);
    if (judged !== null && !keys.includes(keyOf(judged))) lost.set(keyOf(judged), judged);
  }
  const rows = [
    ...known.map(({ row, component }) => pastRow(row, component, keptOf({ row: row.id, component }, until, later))),
    ...[...lost.values()].flatMap((judged) => lostRow(judged, keptOf(judged, until, later))),
  ]
    .filter(({ row }) => only === null || row === only)
    .sort((a, b) => a.row - b.row);
  return {
    group,
    title: settings.title,
    timeZone: settings.businessHours?.timeZone ?? null,
    at,
    basis: 'journal',
    active: activeAt(until),
    standby: null,
    notes: notesOf(question, until),
    rows,
  };
}

/** A row by its number, and whom it was judged for; null = the group, as older versions had it always. */
type Judged = { readonly row: number; readonly component: ComponentId | null };
const keyOf = ({ row, component }: Judged): string => rowKey(row, component);

function judgedIn(event: EventBody): Judged | null {
  switch (event.kind) {
    case 'hold.started':
    case 'hold.advanced':
    case 'hold.ended':
    case 'decision.cleared':
      return { row: event.row, component: event.component ?? null };
    case 'decision.made':
      return { row: event.decision.row, component: event.decision.component ?? null };
    default:
      return null;
  }
}

function keptOf(judged: Judged, until: readonly EventBody[], later: readonly EventBody[]): Kept {
  const isOf = (event: EventBody): boolean => {
    const of = judgedIn(event);
    return of !== null && keyOf(of) === keyOf(judged);
  };
  const kept: Kept = { hold: null, decision: null, before: null, after: null };
  for (const event of until) {
    if (!isOf(event)) continue;
    switch (event.kind) {
      case 'hold.started':
        kept.hold = { startedAt: event.at, impactAt: event.impactAt, heldMs: 0, writtenAt: event.at };
        break;
      case 'hold.advanced':
        if (kept.hold !== null) kept.hold = { ...kept.hold, heldMs: event.heldMs, writtenAt: event.at };
        break;
      case 'hold.ended':
        kept.hold = null;
        break;
      case 'decision.made':
        kept.decision = { at: event.at, record: event.decision };
        break;
      case 'decision.cleared':
        kept.decision = null;
        break;
      default:
        break;
    }
    kept.before = { at: event.at, says: wordOf(event) };
  }
  const next = later.find(isOf);
  if (next !== undefined) kept.after = { at: next.at, says: wordOf(next) };
  return kept;
}

function wordOf(event: EventBody): string {
  switch (event.kind) {
    case 'hold.started':
      return `it began to hold, about ${event.region}`;
    case 'hold.advanced':
      return `it had held for ${Math.round(event.heldMs / 1000)} s`;
    case 'hold.ended':
      return `its hold ended: ${event.why}`;
    case 'decision.made':
      return `it decided ${event.decision.action}: ${event.decision.why}`;
    case 'decision.cleared':
      return `its decision was cleared: ${event.why}`;
    default:
      return event.kind;
  }
}

function pastRow(row: Row, component: ComponentId | null, kept: Kept): RowExplained {
  const { hold, decision } = kept;
  const record = decision?.record ?? null;
  return {
    ...rowWords(row, component),
    ...(record === null ? {} : { when: record.when, forMs: record.forMs }),
    // A hold stands, and a decision is not cleared, only while the condition is not seen to be over.
    answer: hold !== null || decision !== null ? 'matches' : 'not-kept',
    facts: record === null ? [] : factsOf(record),
    hold: hold === null ? null : { ...hold, leftMs: Math.max(0, row.forMs - hold.heldMs) },
    decision:
      record === null || decision === null
        ? null
        : { madeAt: decision.at, action: record.action, autonomy: record.autonomy, why: record.why },
    autonomyWhy: [...(record?.autonomyWhy ?? [])],
    gates: (record?.gates ?? []).map((report) => ({
      ...report,
      stops: stopsOf(report.gate, report.answer),
      opens: null,
    })),
    changes:
      record === null || record.turnedBy.length === 0
        ? []
        : record.turnedBy.map((turn) => ({
            given: [turn],
            forMs: 0,
            follows: 'the row would have answered otherwise',
          })),
    notes: pastNotes(row, kept),
  };
}

/** Facts as the decision wrote them down. Signs are kept beside them, and not to which fact each belongs. */
function factsOf(record: DecisionRecord): RowExplained['facts'] {
  const ages = record.signs.flatMap(({ ageMs }) => (ageMs < 0 ? [] : [ageMs]));
  return record.values.map(({ fact, value, why }, index) => ({
    fact,
    value,
    unit: rowFact(fact)?.unit ?? null,
    why,
    says: rowFact(fact)?.says ?? '',
    from: rowFact(fact)?.from ?? '',
    ageMs: index === 0 && ages.length > 0 ? Math.max(...ages) : null,
    sources: index === 0 ? record.signs.map(sourceOf) : [],
  }));
}

function pastNotes(row: Row, { hold, decision, before, after }: Kept): string[] {
  const notes: string[] = [];
  if (hold === null && decision === null)
    notes.push(
      'nothing was kept of this row at that time: neither a hold nor a decision stood. It did not match, or could not tell, or nobody was looking; which of them was not written down',
    );
  else if (decision === null)
    notes.push('the values its facts had were not kept: they are written down with a decision, and there was none yet');
  else if (decision.record.when !== row.when) notes.push(`the row reads otherwise today: ${row.when}`);
  if (before !== null) notes.push(`the last thing kept of it before: ${utcText(before.at)}, ${before.says}`);
  if (after !== null) notes.push(`the next thing kept of it: ${utcText(after.at)}, ${after.says}`);
  return notes;
}

/** A row that the config names no more: only what a decision wrote of it is known. */
function lostRow({ row: id, component }: Judged, kept: Kept): RowExplained[] {
  if (kept.hold === null && kept.decision === null) return [];
  const record = kept.decision?.record;
  const row: Row = {
    id,
    kind: 'decide',
    scope: 'group',
    when: record?.when ?? 'not kept',
    forMs: record?.forMs ?? 0,
    action: 'none',
    against: [],
    unknown: 'block',
    auto: false,
    note: null,
  };
  const past = pastRow(row, component, kept);
  return [
    {
      ...past,
      action: record?.action ?? 'not kept',
      notes: [
        component === null
          ? 'the config has no such row any more'
          : `the config does not judge this row for ${component} any more`,
        ...past.notes,
      ],
    },
  ];
}

/** The region that the last promotion before the instant moved to; null where none was kept, and where it began is of the config. */
function activeAt(until: readonly EventBody[]): string | null {
  let active: string | null = null;
  const to = new Map<string, string>();
  for (const event of until) {
    if (event.kind === 'run.opened') to.set(event.run, event.plan.to);
    if (event.kind === 'step.done' && event.step.startsWith('promote.')) active = to.get(event.run) ?? active;
  }
  return active;
}

function notesOf(
  { at, settings, kept: { events, lastAt, firstAt } }: PastQuestion,
  until: readonly EventBody[],
): string[] {
  const notes: string[] = [];
  if (firstAt === null) return ['the journal is empty'];
  if (at < firstAt) return [`nothing was kept of that time: the journal begins at ${utcText(firstAt)}`];
  if (lastAt !== null)
    notes.push(
      `the journal’s last entry before is of ${utcText(lastAt)}; it keeps changes, and not that nothing changed`,
    );
  const started = until.findLast((event) => event.kind === 'daemon.started');
  const now = events.findLast((event) => event.kind === 'daemon.started');
  if (started !== undefined && started.configHash !== now?.configHash)
    notes.push('the config was another one follows: rows are shown in the words of today, decisions in their own');
  const proposal = openProposalAt(until);
  if (proposal !== null) notes.push(`${proposal} was open`);
  const run = openRunAt(until);
  if (run !== null) notes.push(`${run} was under way`);
  const raise = openRaiseAt(until);
  if (raise !== null) notes.push(raiseNote(raise, 'was'));
  for (const { title, span } of settings.maintenance) {
    const end = windowEnd(span, at);
    if (end !== null)
      notes.push(`maintenance "${title}" stood until ${utcText(end)}, by the calendar of today’s config`);
  }
  if (settings.silenceMeanings.length > 0) notes.push('which silences stood then is not kept');
  return notes;
}

function openProposalAt(until: readonly EventBody[]): string | null {
  let open: string | null = null;
  for (const event of until) {
    if (event.kind === 'proposal.opened') open = event.proposal;
    if (event.kind === 'proposal.closed') open = null;
  }
  return open;
}

function openRaiseAt(until: readonly EventBody[]): Raise | null {
  let open: Raise | null = null;
  for (const event of until) {
    if (event.kind === 'raise.opened') {
      const { raise: id, at: openedAt, configHash, mandate, widens, needs, expiresAt } = event;
      open = { id, openedAt, configHash, mandate, widens, needs, expiresAt, approvals: [] };
    }
    if (event.kind === 'raise.approved' && open !== null)
      open = { ...open, approvals: [...open.approvals, event.approval] };
    if (event.kind === 'raise.closed') open = null;
  }
  return open;
}

function openRunAt(until: readonly EventBody[]): string | null {
  let open: string | null = null;
  for (const event of until) {
    if (event.kind === 'run.opened') open = event.run;
    if (event.kind === 'run.ended') open = null;
  }
  return open;
}
