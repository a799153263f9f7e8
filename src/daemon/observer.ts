/** Tells logs and metrics what became durable. Nothing it does comes back into the loop, and it never throws. */
import type { Observer } from '../engine/ports.ts';
import type { EventBody, EventKind, JournalEntry } from '../model/events.ts';
import type { Log } from '../runtime/log.ts';
import type { Metrics } from './metrics.ts';

type Level = Exclude<keyof Log, 'child'>;

/** What needs a person is an error, what changes the course of things is a warning; the rest is told at its place. */
const LEVELS: Readonly<Record<EventKind, Level>> = {
  'daemon.started': 'info',
  'config.loaded': 'warn',
  'config.refused': 'error',
  'mandate.set': 'warn',
  'raise.opened': 'warn',
  'raise.approved': 'warn',
  'raise.closed': 'warn',
  'alerts.received': 'info',
  'alerts.reopened': 'warn',
  'alerts.expired': 'info',
  'identity.pinned': 'info',
  'readiness.seen': 'info',
  'readiness.forgotten': 'info',
  'hold.started': 'warn',
  'hold.advanced': 'debug',
  'hold.ended': 'warn',
  'notice.opened': 'warn',
  'notice.closed': 'info',
  'decision.made': 'warn',
  'decision.cleared': 'info',
  'report.made': 'error',
  'report.reminded': 'warn',
  'report.cleared': 'warn',
  'proposal.opened': 'warn',
  'proposal.closed': 'warn',
  'approval.given': 'warn',
  'run.opened': 'warn',
  'epoch.taken': 'warn',
  'epoch.released': 'warn',
  'step.intended': 'info',
  'step.attempted': 'info',
  'step.done': 'info',
  'step.failed': 'error',
  'step.undone': 'warn',
  'step.overdue': 'error',
  'loss.estimated': 'warn',
  'divergence.found': 'warn',
  'run.aborting': 'warn',
  'run.paused': 'error',
  'run.resumed': 'warn',
  'run.halted': 'error',
  'run.overdue': 'error',
  'run.ended': 'warn',
  'fence.lost': 'error',
  'fence.held': 'warn',
  'lease.set': 'warn',
  'lease.halted': 'error',
  'lease.cleared': 'warn',
  'order.answered': 'debug',
  'page.queued': 'info',
  'page.delivered': 'info',
  'page.overdue': 'error',
};

/** Keys that are worth a line in the log; plans, evidence and ceilings stay in the journal. */
const SHOWN = [
  'group',
  'row',
  'component',
  'region',
  'proposal',
  'raise',
  'configHash',
  'by',
  'run',
  'step',
  'attempt',
  'epoch',
  'outcome',
  'code',
  'reason',
  'why',
  'message',
  'person',
  'planHash',
] as const;

export function createObserver({ log, metrics }: { readonly log: Log; readonly metrics: Metrics }): Observer {
  return {
    appended(entries) {
      metrics.appended(entries);
      for (const entry of entries) log[LEVELS[entry.body.kind]](contextOf(entry), entry.body.kind);
    },
    clockSet(byMs) {
      metrics.clockSet();
      log.warn(
        { byMs: Math.round(byMs) },
        byMs < 0
          ? 'the wall clock was set back: what is under way goes on counting as if it had not been'
          : 'the wall clock was set forward, or this machine stood still: the time counts as passed',
      );
    },
    failed(error) {
      log.error({ err: error }, 'the engine failed: nothing is done any more; restart the daemon');
    },
  };
}

function contextOf({ seq, body }: JournalEntry): object {
  const values: Readonly<Record<string, unknown>> = body;
  const shown = SHOWN.filter((key) => values[key] !== undefined && values[key] !== null);
  return { seq, event: body.kind, ...Object.fromEntries(shown.map((key) => [key, values[key]])), ...extra(body) };
}

function extra(body: EventBody): object {
  switch (body.kind) {
    case 'alerts.received':
      return { alerts: body.alerts.length, firing: body.alerts.filter((alert) => alert.status === 'firing').length };
    case 'decision.made':
      return { row: body.decision.row, action: body.decision.action, why: body.decision.why };
    case 'config.refused':
      return { problems: body.problems.slice(0, 5) };
    case 'mandate.set':
      return { autonomy: body.mandate.autonomy };
    case 'raise.opened':
      return { widens: body.widens };
    case 'raise.approved':
    case 'approval.given':
      return { person: body.approval.person, role: body.approval.role };
    case 'page.queued':
      return { page: body.page.id, about: body.page.kind, group: body.page.group, title: body.page.title };
    case 'page.delivered':
    case 'page.overdue':
      return { page: body.page };
    default:
      return {};
  }
}
