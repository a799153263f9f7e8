/**
 * The decision matrix: rows over facts, each with a `for` that is gathered while its condition is seen, and a
 * decision that says why (design §5). PURE.
 *
 * Held time is time in which the condition was *observed*: a gap (a restart, a stalled process, evidence that expired)
 * adds nothing, and one longer than `holdGap` starts the hold anew. It is written down as it grows, so a restart costs a
 * checkpoint and not the hold.
 */
import type { DecisionRecord, GateReport } from '../model/events.ts';
import type { Hold } from '../model/ledger.ts';
import { rowKey, rowName } from '../model/matrix.ts';
import type { Autonomy, ComponentId, GroupId } from '../model/primitives.ts';
import type { Row } from '../model/settings.ts';
import { type Judgement, judge } from './gates/index.ts';
import { replicationLoss, sampleOf } from './loss.ts';
import { maintenanceText, suppressing } from './maintenance.ts';
import { tellNotices } from './notices.ts';
import { openProposal, openRun, reviewProposal } from './proposals.ts';
import { componentsOf, judgeRow, type RowFinding } from './rows.ts';
import { page, put, say, type Turn, wakeAt } from './turn.ts';
import { type View, viewOf } from './view.ts';

/** Two looks further apart than this have not seen what was between them. */
const LOOKS_APART_MS = 2500;
const CHECKPOINT_MS = { least: 250, most: 5000 } as const;

/** Judges every row of a group at this instant; stops after the first that has something to write down. */
export function judgeRows(turn: Turn, group: GroupId): void {
  const view = viewOf(turn.state, group);
  pinIdentities(turn, view);
  if (turn.events.length === 0) tellNotices(turn, view);
  if (turn.events.length > 0 || view.ledger.run !== null) return;
  const won = new Set<ComponentId | null>();
  for (const row of view.settings.rows) {
    for (const component of componentsOf(view.settings, row)) {
      // What is said of one component changes nothing for the next: a region that is lost with hundreds of them is one pass.
      const own: Turn = { ...turn, events: [] };
      // The first row that matches decides, also while it still holds; words to people are never in each other's way.
      if (judgeOne(own, view, { row, component }, won.has(component) || won.has(null))) won.add(component);
      turn.state = own.state;
      turn.pages = own.pages;
      say(turn, ...own.events);
    }
    if (turn.events.length > 0) return;
  }
}

/** A row, and whom it is scoped for; null = the group. */
type Scoped = { readonly row: Row; readonly component: ComponentId | null };

/** True where it is a deciding row that matches and acts, so that those behind it in its scope don't get their turn. */
function judgeOne(turn: Turn, view: View, scoped: Scoped, taken: boolean): boolean {
  const { row, component } = scoped;
  if (row.kind !== 'decide') {
    standInTheWay(turn, view, scoped);
    return false;
  }
  const finding = judgeRow(view, row, component);
  const hold = view.ledger.holds[rowKey(row.id, component)] ?? null;
  const ready = hold === null ? startHold(turn, view, scoped, finding) : followHold(turn, view, scoped, finding, hold);
  if (turn.events.length > 0) return false;
  if (hold !== null && ready && (!taken || !acts(row))) decide(turn, view, scoped, finding, hold);
  return acts(row) && finding.verdict === 'bad';
}

const acts = (row: Row): boolean => row.action !== 'speak-up' && row.action !== 'none';

/** How events name a row: that of the group as they always did, without a component. */
const namedIn = (view: View, { row, component }: Scoped) => ({
  group: view.group,
  row: row.id,
  ...(component === null ? {} : { component }),
});
const nameOf = ({ row, component }: Scoped): string => rowName(row.id, component);
const decisionOf = (view: View, { row, component }: Scoped): DecisionRecord | undefined =>
  view.ledger.decisions[rowKey(row.id, component)];

/** A veto or gate row is a decision too: that it stands in the way is written down when it begins and when it ends. */
function standInTheWay(turn: Turn, view: View, scoped: Scoped): void {
  const { row, component } = scoped;
  const finding = judgeRow(view, row, component);
  const before = decisionOf(view, scoped);
  if (finding.verdict !== 'bad') {
    if (before !== undefined && finding.verdict === 'ok')
      say(turn, { kind: 'decision.cleared', at: view.at, ...namedIn(view, scoped), why: finding.why });
    return;
  }
  if (before !== undefined) return;
  const why = `${nameOf(scoped)} (${row.kind}) stands against ${row.against.join(', ')}: ${finding.why}${row.note === null ? '' : `. ${row.note}`}`;
  say(turn, {
    kind: 'decision.made',
    at: view.at,
    group: view.group,
    decision: recordOf(scoped, finding, { heldMs: 0 }, row.action, 'observe', why),
  });
}

/**
 * The first system identifier that both sides agree on is the cluster's from then on (a database of another cluster is
 * refused). It is pinned for good, so all who see either side must agree, and not one witness alone, which may be
 * pointed at another cluster.
 */
function pinIdentities(turn: Turn, view: View): void {
  for (const postgres of view.postgres) {
    if (postgres.systemIdentifier !== null) continue;
    const seen = postgres.identitiesSeen;
    const [first] = seen;
    if (first === undefined || seen.some(({ systemIdentifier }) => systemIdentifier !== first.systemIdentifier))
      continue;
    const sees = (vantage: string): boolean =>
      [view.active, view.standby].every((region) => seen.some((s) => s.vantage === vantage && s.region === region));
    const whole = [...new Set(seen.map(({ vantage }) => vantage))].filter(sees);
    if (!whole.includes(OWN_VANTAGE) && whole.length < 2) continue;
    say(turn, {
      kind: 'identity.pinned',
      at: view.at,
      group: view.group,
      component: postgres.component,
      systemIdentifier: first.systemIdentifier,
    });
  }
}
/** The daemon's own, whose configuration it has read itself. */
const OWN_VANTAGE = 'daemon';

const keyOf = (view: View, { row, component }: Scoped): string => `${view.group}/${rowKey(row.id, component)}`;

function startHold(turn: Turn, view: View, scoped: Scoped, finding: RowFinding): false {
  const { row, component } = scoped;
  askOnDisagreement(turn, view, finding);
  if (finding.verdict !== 'bad') {
    const why = finding.why;
    if (decisionOf(view, scoped) !== undefined)
      say(turn, { kind: 'decision.cleared', at: view.at, ...namedIn(view, scoped), why });
    if (component === null && view.ledger.proposal?.decision.row === row.id) closeRecovered(turn, view, why);
    return false;
  }
  say(turn, {
    kind: 'hold.started',
    at: view.at,
    ...namedIn(view, scoped),
    region: finding.region,
    impactAt: finding.impactAt ?? view.at,
    sample: row.action === 'failover' ? sampleOf(turn.state, view) : null,
  });
  put(turn, 'holdSeenMono', keyOf(view, scoped), turn.state.mono);
  put(turn, 'holdPendingMs', keyOf(view, scoped), undefined);
  return false;
}

function closeRecovered(turn: Turn, view: View, why: string): void {
  const proposal = view.ledger.proposal;
  if (proposal === null) return;
  say(turn, {
    kind: 'proposal.closed',
    at: view.at,
    group: view.group,
    proposal: proposal.id,
    reason: 'recovered',
    why,
  });
  page(turn, 'proposal', view.group, `${proposal.id} is void: ${view.settings.title} recovered`, why);
}

function endHold(turn: Turn, view: View, scoped: Scoped, why: string): void {
  say(turn, { kind: 'hold.ended', at: view.at, ...namedIn(view, scoped), why });
  put(turn, 'holdSeenMono', keyOf(view, scoped), undefined);
  put(turn, 'holdPendingMs', keyOf(view, scoped), undefined);
}

/** Goes on with a hold; true once it has lasted for the row's `for`. */
function followHold(turn: Turn, view: View, scoped: Scoped, finding: RowFinding, hold: Hold): boolean {
  const { row } = scoped;
  const key = keyOf(view, scoped);
  const { mono, at } = turn.state;
  const { holdSeenMono, holdPendingMs } = turn.state.volatile;
  if (hold.region !== finding.region) {
    endHold(turn, view, scoped, `it held for ${hold.region}; now it is about ${finding.region}`);
    return false;
  }
  if (finding.verdict === 'ok') {
    endHold(turn, view, scoped, finding.why);
    return false;
  }
  const seenMono = holdSeenMono[key];
  // After a start only the wall clock knows how long nobody looked; one that went back knows nothing.
  const gapMs = seenMono === undefined ? at - hold.checkpointAt : mono - seenMono;
  if (gapMs > view.settings.holdGapMs || gapMs < 0) {
    endHold(turn, view, scoped, `the condition was not seen for ${Math.round(gapMs / 1000)} s: ${finding.why}`);
    return false;
  }
  if (finding.verdict === 'unknown') {
    askOnDisagreement(turn, view, finding);
    return false;
  }
  const addedMs = seenMono === undefined || gapMs > LOOKS_APART_MS ? 0 : gapMs;
  const pendingMs = (holdPendingMs[key] ?? 0) + addedMs;
  put(turn, 'holdSeenMono', key, mono);
  put(turn, 'holdPendingMs', key, pendingMs);
  const heldMs = hold.heldMs + pendingMs;
  // Once it has lasted long enough, only a restart needs to know that it still does.
  const checkpointMs =
    hold.heldMs >= row.forMs
      ? Math.max(CHECKPOINT_MS.most, view.settings.holdGapMs / 3)
      : Math.max(CHECKPOINT_MS.least, Math.min(CHECKPOINT_MS.most, row.forMs / 4));
  if (pendingMs > 0 && (pendingMs >= checkpointMs || (heldMs >= row.forMs && hold.heldMs < row.forMs))) {
    say(turn, { kind: 'hold.advanced', at, ...namedIn(view, scoped), heldMs });
    put(turn, 'holdPendingMs', key, undefined);
    return false;
  }
  if (hold.heldMs >= row.forMs) return true;
  wakeAt(turn, mono + Math.min(row.forMs - heldMs, checkpointMs));
  return false;
}

/** Vantages that differ, or a first sign, are looked at again at once over fresh connections (design §4). */
function askOnDisagreement(turn: Turn, view: View, finding: RowFinding): void {
  // A metric that is bad while clients are served is no disagreement.
  const signs = finding.signs.filter((sign) => sign.verdict !== 'unknown' && sign.class !== 'metric');
  const verdicts = new Set(signs.map((sign) => sign.verdict));
  const lastMono = turn.state.volatile.probeAskedMono[view.group];
  if (verdicts.size < 2 || (lastMono !== undefined && turn.state.mono - lastMono < 1000)) return;
  turn.effects.push({ kind: 'probe', group: view.group });
  put(turn, 'probeAskedMono', view.group, turn.state.mono);
}

function decide(turn: Turn, view: View, scoped: Scoped, finding: RowFinding, hold: Hold): void {
  const { action } = scoped.row;
  switch (action) {
    case 'speak-up':
      return speakUp(turn, view, scoped, finding, hold);
    case 'failover':
      return decideFailover(turn, view, scoped, finding, hold);
    case 'restart':
    case 'partial':
    case 'switchover':
      return proposeByHand(turn, view, scoped, finding, hold);
    case 'none':
    case 'hold':
    case 'wait':
    case 'freeze':
      // A row that says `none` only shows its hold; the others are of veto and gate rows, which decide nothing.
      return;
    default:
      action satisfies never;
  }
}

function recordOf(
  { row, component }: Scoped,
  finding: RowFinding,
  hold: Pick<Hold, 'heldMs'>,
  action: string,
  autonomy: Autonomy,
  why: string,
  judgement?: Judgement,
): DecisionRecord {
  return {
    row: row.id,
    ...(component === null ? {} : { component }),
    when: row.when,
    values: [...finding.values],
    turnedBy: [...finding.turnedBy],
    region: finding.region,
    action,
    heldMs: hold.heldMs,
    forMs: row.forMs,
    signs: [...finding.signs],
    vetoes: [...finding.vetoes],
    gates: [...(judgement?.reports ?? [])],
    autonomy,
    autonomyWhy: [...(judgement?.autonomyWhy ?? [])],
    why,
  };
}

function speakUp(turn: Turn, view: View, scoped: Scoped, finding: RowFinding, hold: Hold): void {
  const { row, component } = scoped;
  const planned = suppressing(view, { row, component, region: finding.region });
  const action = planned === null ? 'speak-up' : 'hold';
  const before = decisionOf(view, scoped);
  // Who was told once is not told again because work was planned in between.
  if (before?.action === action || before?.action === 'speak-up') return;
  const note = row.note === null ? '' : `. ${row.note}`;
  const held = `${nameOf(scoped)}: ${finding.why} for ${Math.round(hold.heldMs / 1000)} s${note}`;
  const why = planned === null ? held : `${held}; nobody is told because of ${maintenanceText(planned)}`;
  say(turn, {
    kind: 'decision.made',
    at: view.at,
    group: view.group,
    decision: recordOf(scoped, finding, hold, action, 'observe', why),
  });
  if (planned !== null) return;
  const of = component === null ? '' : `: ${component}`;
  if (view.settings.autonomy !== 'observe')
    page(turn, 'speak-up', view.group, `${view.settings.title}${of}: a person should look`, why);
}

/** An action that failoverd can't carry out yet is decided all the same, and left to people. */
function proposeByHand(turn: Turn, view: View, scoped: Scoped, finding: RowFinding, hold: Hold): void {
  const { row, component } = scoped;
  const loss = replicationLoss(hold.sample, hold.impactAt, view);
  const judged = judge({ view, row, component, finding, loss });
  // A row that can't tell stands in the way of auto; this is proposed to people.
  const stands = judged.reports.find(({ gate, answer }) => /^(?:row-\d|maintenance$)/.test(gate) && answer === 'block');
  const held = `${nameOf(scoped)}: ${finding.why} for ${Math.round(hold.heldMs / 1000)} s`;
  const why =
    stands === undefined
      ? `${held}; proposes ${actionText(scoped)}, which failoverd can’t carry out yet: it is for people to do`
      : `${held}; ${actionText(scoped)} is held back by ${stands.gate}: ${stands.why}`;
  const record = recordOf(scoped, finding, hold, stands === undefined ? row.action : 'hold', 'observe', why, judged);
  const before = decisionOf(view, scoped);
  if (before !== undefined && before.action === record.action) return;
  say(turn, { kind: 'decision.made', at: view.at, group: view.group, decision: record });
  if (view.settings.autonomy !== 'observe')
    page(turn, 'attention', view.group, `${view.settings.title}: ${actionText(scoped)} is due`, why);
}

/** `restart of orders-db`, where it is about one component. */
const actionText = ({ row, component }: Scoped): string =>
  component === null ? row.action : `${row.action} of ${component}`;

/** What would make it another decision; ages and counters alone do not. */
const gist = (decision: DecisionRecord): string =>
  [
    decision.action,
    decision.autonomy,
    decision.region,
    ...decision.gates.map((gate: GateReport) => `${gate.gate}=${gate.answer}`),
  ].join(' ');

function decideFailover(turn: Turn, view: View, scoped: Scoped, finding: RowFinding, hold: Hold): void {
  const loss = replicationLoss(hold.sample, hold.impactAt, view);
  const { row, component } = scoped;
  const judged = judge({ view, row, component, finding, loss });
  const held = `${nameOf(scoped)}: ${finding.why} for ${Math.round(hold.heldMs / 1000)} s`;
  const action =
    judged.stopped !== null
      ? 'hold'
      : judged.autonomy === 'observe'
        ? 'observe'
        : judged.autonomy === 'gated'
          ? 'propose'
          : 'failover';
  const why = {
    hold: `${held}; held back by ${judged.stopped?.gate}: ${judged.stopped?.why}`,
    observe: `${held}; would fail over to ${view.standby}, but only observes (${judged.because})`,
    propose: `${held}; proposes to fail over to ${view.standby} (${judged.because})`,
    failover: `${held}; fails over to ${view.standby}`,
  }[action];
  const record = recordOf(scoped, finding, hold, action, judged.autonomy, why, judged);
  const before = decisionOf(view, scoped);
  if (before === undefined || gist(before) !== gist(record)) {
    say(turn, { kind: 'decision.made', at: view.at, group: view.group, decision: record });
    // Somebody has to know that a failover is due and can't be had; once, not at every change of what is in the way.
    if (action === 'hold' && before?.action !== 'hold' && judged.autonomy !== 'observe') {
      page(turn, 'attention', view.group, `${view.settings.title}: a failover is due and held back`, why);
    }
    return;
  }
  if (view.ledger.proposal !== null) reviewProposal(turn, { view, hold, loss, judged, record });
  else if (action === 'failover') openRun(turn, { view, hold, loss, judged, record }, 'auto', []);
  else if (action === 'propose') openProposal(turn, { view, hold, loss, judged, record });
}
