/**
 * The fold: journal entries to the ledger. PURE. It is the judge of what may happen at all: an event that the ledger
 * does not allow is refused, whoever wrote it, so that neither a bug nor an edited journal can make, say, a second run
 * of a group or an effect below the durable epoch (invariants 2, 3, 7, 12).
 */
import type { EventBody, EventOf, JournalEntry } from '../model/events.ts';
import { type AlertKey, alertKey } from '../model/evidence.ts';
import { byPart, type Keyed, sizeOf, withKey, withKeys, withoutKey } from '../model/keyed.ts';
import {
  EMPTY_GROUP,
  type GroupLedger,
  type KeptAlert,
  type KeptPage,
  type Ledger,
  type Proposal,
} from '../model/ledger.ts';
import { rowKey, rowName } from '../model/matrix.ts';
import { noticeKey } from '../model/notices.ts';
import { answerKey, isKept, withAnswer } from '../model/orders.ts';
import type { GroupId } from '../model/primitives.ts';
import { isBroken } from '../model/run.ts';
import { foldLease } from './fold-lease.ts';
import { foldMandate } from './fold-mandate.ts';
import { foldRun } from './fold-run.ts';
import { refuse } from './illegal.ts';

/** Alerts kept that fire no more: a late *firing* of one is known to be old, and makes no new report. */
const PAST_ALERTS_KEPT = 2000;
/** They are counted out so many at a time. */
const PAST_ALERTS_OVER = 200;
const DELIVERED_PAGES_KEPT = 50;

type RunEvent = Parameters<typeof foldRun>[1];
type GroupEvent = Extract<EventBody, { group: GroupId }>;
type OwnGroupEvent = Exclude<GroupEvent, RunEvent | EventOf<'lease.cleared'>>;

/** The ledger after one more entry. Throws {@link IllegalEvent} and leaves the old one as it was. */
export function fold(ledger: Ledger, entry: JournalEntry): Ledger {
  if (entry.seq !== ledger.seq + 1) refuse(entry.body, `entry ${entry.seq} can't follow entry ${ledger.seq}`);
  if (entry.previous !== ledger.hash) refuse(entry.body, `entry ${entry.seq} does not follow the hash before it`);
  const next = foldBody(ledger, entry.body);
  return { ...next, seq: entry.seq, hash: entry.hash, lastAt: entry.body.at };
}

export const foldAll = (ledger: Ledger, entries: readonly JournalEntry[]): Ledger => entries.reduce(fold, ledger);

function foldBody(ledger: Ledger, event: EventBody): Ledger {
  switch (event.kind) {
    case 'daemon.started': {
      const config = { hash: event.configHash, since: event.at, restartNeeded: [], refused: null };
      return { ...ledger, incarnation: event.incarnation, starts: ledger.starts + 1, config };
    }
    case 'config.loaded': {
      const { configHash: hash, at: since, restartNeeded } = event;
      return { ...ledger, config: { hash, since, restartNeeded, refused: null } };
    }
    case 'config.refused': {
      const { at, by, problems } = event;
      return { ...ledger, config: { ...ledger.config, refused: { at, by, problems } } };
    }
    case 'alerts.received':
    case 'alerts.reopened':
    case 'alerts.expired':
      return { ...ledger, alerts: foldAlerts(ledger, event) };
    case 'order.answered': {
      const { answer } = event;
      const earlier = ledger.answers[answerKey(answer.person, answer.key)];
      if (earlier !== undefined && isKept(earlier, answer.at))
        refuse(event, `the key of ${answer.person} was used already`);
      return { ...ledger, answers: withAnswer(ledger.answers, answer) };
    }
    case 'page.queued':
    case 'page.delivered':
    case 'page.overdue':
      return foldPage(ledger, event);
    case 'lease.cleared': {
      // A later life: whoever is pinned to the one that was too old is pinned anew (safety.md, "Embedded store").
      if (event.start <= ledger.starts) refuse(event, `life ${event.start} can't follow ${ledger.starts}`);
      const group = foldLease(ledger.groups[event.group] ?? EMPTY_GROUP, event);
      return { ...ledger, starts: event.start, groups: withKey(ledger.groups, event.group, group) };
    }
    default: {
      const before = ledger.groups[event.group] ?? EMPTY_GROUP;
      const after = isRunEvent(event) ? foldRun(before, event) : foldGroup(before, event);
      return { ...ledger, groups: withKey(ledger.groups, event.group, after) };
    }
  }
}

const isRunEvent = (event: GroupEvent): event is RunEvent => 'run' in event;

const isPast = ({ alert, expiredAt }: KeptAlert): boolean => alert.status === 'resolved' || expiredAt !== null;
const pastCountIn = byPart<KeptAlert, number>((part) => {
  let count = 0;
  for (const kept of part.values()) if (isPast(kept)) count += 1;
  return count;
});
/** Alerts that fire no more: resolved, or not heard of for too long. */
const pastIn = byPart<KeptAlert, readonly (readonly [key: string, receivedAt: number])[]>((part) =>
  [...part].flatMap(([key, kept]) => (isPast(kept) ? [[key, kept.receivedAt] as const] : [])),
);
const deliveredIn = byPart<KeptPage, readonly (readonly [id: string, deliveredAt: number])[]>((part) =>
  [...part].flatMap(([id, { deliveredAt }]) => (deliveredAt === null ? [] : [[id, deliveredAt] as const])),
);

/** Without the oldest of those in `parts`, once there are more than `kept` and `over` of them. */
function trimmed<T>(
  record: Keyed<T>,
  parts: readonly (readonly (readonly [key: string, at: number])[])[],
  kept: number,
  over: number,
): Keyed<T> {
  const count = parts.reduce((sum, part) => sum + part.length, 0);
  if (count <= kept + over) return record;
  const oldest = parts.flat().sort(([, a], [, b]) => a - b);
  return withKeys(record, new Map(oldest.slice(0, count - kept).map(([key]) => [key, null])));
}

type AlertEvent = EventOf<'alerts.received' | 'alerts.reopened' | 'alerts.expired'>;

function foldAlerts(ledger: Ledger, event: AlertEvent): Keyed<KeptAlert> {
  const alerts = withKeys(
    ledger.alerts,
    event.kind === 'alerts.expired' ? expired(ledger, event) : told(ledger, event),
  );
  if (sizeOf(alerts) <= PAST_ALERTS_KEPT) return alerts;
  const count = pastCountIn(alerts).reduce((sum, part) => sum + part, 0);
  return count <= PAST_ALERTS_KEPT + PAST_ALERTS_OVER
    ? alerts
    : trimmed(alerts, pastIn(alerts), PAST_ALERTS_KEPT, PAST_ALERTS_OVER);
}

function told(ledger: Ledger, event: Exclude<AlertEvent, { kind: 'alerts.expired' }>): Map<AlertKey, KeptAlert> {
  const changed = new Map<AlertKey, KeptAlert>();
  for (const alert of event.alerts) {
    const key = alertKey(alert);
    const before = changed.get(key) ?? ledger.alerts[key];
    const ended = before?.alert.status === 'resolved';
    // Resolved is the last word on one firing of an alert: a firing that arrives later was sent earlier.
    if (event.kind === 'alerts.received' && ended) refuse(event, `alert ${key} was resolved already`);
    if (event.kind === 'alerts.reopened' && (!ended || alert.status !== 'firing'))
      refuse(event, `alert ${key} was not resolved`);
    changed.set(key, { alert, receivedAt: event.at, expiredAt: null });
  }
  return changed;
}

function expired(ledger: Ledger, event: EventOf<'alerts.expired'>): Map<string, KeptAlert> {
  const changed = new Map<string, KeptAlert>();
  for (const key of event.keys) {
    const kept = ledger.alerts[key] ?? refuse(event, `no alert ${key}`);
    if (kept.alert.status !== 'firing' || kept.expiredAt !== null) refuse(event, `alert ${key} does not fire`);
    changed.set(key, { ...kept, expiredAt: event.at });
  }
  return changed;
}

function foldPage(ledger: Ledger, event: EventOf<'page.queued' | 'page.delivered' | 'page.overdue'>): Ledger {
  if (event.kind === 'page.queued') {
    if (ledger.pages[event.page.id] !== undefined) refuse(event, `page ${event.page.id} was queued already`);
    const kept: KeptPage = { page: event.page, queuedAt: event.at, deliveredAt: null, overdue: false };
    return { ...ledger, pageCount: ledger.pageCount + 1, pages: withKey(ledger.pages, event.page.id, kept) };
  }
  const kept = ledger.pages[event.page] ?? refuse(event, `no page ${event.page}`);
  if (kept.deliveredAt !== null) refuse(event, `page ${event.page} was delivered already`);
  if (event.kind === 'page.overdue') {
    if (kept.overdue) refuse(event, `page ${event.page} is overdue already`);
    return { ...ledger, pages: withKey(ledger.pages, event.page, { ...kept, overdue: true }) };
  }
  const pages = withKey(ledger.pages, event.page, { ...kept, deliveredAt: event.at });
  return { ...ledger, pages: trimmed(pages, deliveredIn(pages), DELIVERED_PAGES_KEPT, 0) };
}

/** Entries of rows of the group name no component, as those of older versions don't. */
const judgedIn = ({ row, component }: { readonly row: number; readonly component?: string }) => ({
  key: rowKey(row, component ?? null),
  name: rowName(row, component ?? null),
});

function foldGroup(group: GroupLedger, event: OwnGroupEvent): GroupLedger {
  switch (event.kind) {
    case 'identity.pinned': {
      if (group.identities[event.component] !== undefined) refuse(event, `${event.component} is pinned already`);
      return { ...group, identities: { ...group.identities, [event.component]: event.systemIdentifier } };
    }
    case 'readiness.seen': {
      const { component, region, readiness, at } = event;
      return { ...group, readiness: { ...group.readiness, [`${component}/${region}`]: { at, readiness } } };
    }
    case 'readiness.forgotten':
      return { ...group, readiness: {} };
    case 'hold.started': {
      const { row, component = null, region, impactAt, sample, at } = event;
      const { key, name } = judgedIn(event);
      if (group.holds[key] !== undefined) refuse(event, `${name} holds already`);
      const hold = { row, component, region, startedAt: at, impactAt, heldMs: 0, checkpointAt: at, sample };
      return { ...group, holds: { ...group.holds, [key]: hold } };
    }
    case 'hold.advanced': {
      const { key, name } = judgedIn(event);
      const hold = group.holds[key] ?? refuse(event, `${name} does not hold`);
      if (event.heldMs < hold.heldMs) refuse(event, `a hold does not go back: ${event.heldMs} < ${hold.heldMs}`);
      return {
        ...group,
        holds: { ...group.holds, [key]: { ...hold, heldMs: event.heldMs, checkpointAt: event.at } },
      };
    }
    case 'hold.ended': {
      const { key, name } = judgedIn(event);
      if (group.holds[key] === undefined) refuse(event, `${name} does not hold`);
      return { ...group, holds: withoutKey(group.holds, key) };
    }
    case 'report.made': {
      if (group.reports[event.report] !== undefined) refuse(event, `${event.report} is reported already`);
      const { at, by, what } = event;
      return { ...group, reports: { ...group.reports, [event.report]: { at, by, what, remindedAt: at } } };
    }
    case 'report.reminded': {
      const open = group.reports[event.report] ?? refuse(event, `${event.report} is not reported`);
      return { ...group, reports: { ...group.reports, [event.report]: { ...open, remindedAt: event.at } } };
    }
    case 'report.cleared': {
      if (group.reports[event.report] === undefined) refuse(event, `${event.report} is not reported`);
      return { ...group, reports: withoutKey(group.reports, event.report) };
    }
    case 'notice.opened': {
      const { notice, subject, at, why } = event;
      const key = noticeKey(notice, subject);
      if (group.notices[key] !== undefined) refuse(event, `${key} is told already`);
      return { ...group, notices: { ...group.notices, [key]: { notice, subject, at, why } } };
    }
    case 'notice.closed': {
      const key = noticeKey(event.notice, event.subject);
      if (group.notices[key] === undefined) refuse(event, `${key} was not told`);
      return { ...group, notices: withoutKey(group.notices, key) };
    }
    case 'decision.made':
      return { ...group, decisions: { ...group.decisions, [judgedIn(event.decision).key]: event.decision } };
    case 'decision.cleared': {
      const { key, name } = judgedIn(event);
      if (group.decisions[key] === undefined) refuse(event, `${name} has no decision`);
      return { ...group, decisions: withoutKey(group.decisions, key) };
    }
    case 'mandate.set':
    case 'raise.opened':
    case 'raise.approved':
    case 'raise.closed':
      return foldMandate(group, event);
    case 'lease.set':
    case 'lease.halted':
      return foldLease(group, event);
    case 'proposal.opened':
    case 'proposal.closed':
    case 'approval.given':
      return foldProposal(group, event);
    default:
      return exhausted(event);
  }
}

function foldProposal(
  group: GroupLedger,
  event: EventOf<'proposal.opened' | 'proposal.closed' | 'approval.given'>,
): GroupLedger {
  if (event.kind === 'proposal.opened') {
    if (group.proposal !== null) refuse(event, `proposal ${group.proposal.id} is open`);
    if (group.run !== null) refuse(event, `run ${group.run.id} is open`);
    const { proposal: id, plan, planHash, epoch, ceilings, loss, needs, expiresAt, decision, at } = event;
    const proposal: Proposal = {
      id,
      openedAt: at,
      plan,
      planHash,
      epoch,
      ceilings,
      loss,
      needs,
      expiresAt,
      decision,
      approvals: [],
    };
    return { ...group, proposal, proposals: group.proposals + 1 };
  }
  const open = group.proposal ?? refuse(event, 'no proposal is open');
  if (open.id !== event.proposal) refuse(event, `${event.proposal} is not the open proposal`);
  if (event.kind === 'proposal.closed') return { ...group, proposal: null };
  // Invariant 22: bound to one plan and epoch, one person a role, within its time.
  const { approval } = event;
  if (event.planHash !== open.planHash || event.epoch !== open.epoch) refuse(event, 'the approval is for another plan');
  if (approval.at >= open.expiresAt) refuse(event, 'the proposal has expired');
  if (approval.breakGlass !== null) {
    if (approval.role !== 'sre') refuse(event, 'only an SRE may break the glass');
    if (isBroken(open)) refuse(event, 'the glass was broken already');
    return { ...group, proposal: { ...open, approvals: [...open.approvals, approval] } };
  }
  if (open.approvals.some((a) => a.person === approval.person))
    refuse(event, `${approval.person} approved already; two approvals are two people`);
  if (!open.needs.includes(approval.role) || open.approvals.some((a) => a.role === approval.role)) {
    refuse(event, `no approval by a ${approval.role} is waited for`);
  }
  return { ...group, proposal: { ...open, approvals: [...open.approvals, approval] } };
}

/** A newer version may have written it: what it meant is not ours to guess. */
function exhausted(event: never): never {
  return refuse(event, 'this version does not know such an event');
}
