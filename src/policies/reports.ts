/**
 * Reports of corruption and accidental deletion: sticky, since what was copied can't be seen to heal by itself (design §5,
 * dr-strategy §3.2, §3.3). They stand in the way until a person clears them, and people are reminded while they do. PURE.
 */
import type { Report } from '../model/events.ts';
import type { Alert } from '../model/evidence.ts';
import type { GroupLedger } from '../model/ledger.ts';
import type { InputOf } from '../model/loop.ts';
import type { GroupId } from '../model/primitives.ts';
import { utcText } from './span.ts';
import { page, say, type Turn } from './turn.ts';
import { groupLedger, meaningsOf } from './view.ts';

const MAY_REPORT = ['sre', 'dba', 'vp', 'executive'] as const;
const MAY_CLEAR = ['sre', 'dba'] as const;
/** While a report disarms a group, people are told again this often. */
const REMIND_EVERY_MS = 4 * 3_600_000;

const WORDS: Readonly<Record<Report, { readonly what: string; readonly todo: string }>> = {
  corruption: {
    what: 'corruption is reported',
    todo: 'Nothing is failed over: the corruption may have replicated. Find the last good backup, restore it to a server of its own, and verify it',
  },
  deletion: {
    what: 'an accidental deletion is reported',
    todo: 'Nothing is failed over. Pause replay on the standby now (pg_wal_replay_pause), and read back there what was deleted',
  },
};

type Said = InputOf<'report'> | InputOf<'clear-report'>;

const reply = (turn: Turn, input: Said, status: number, body: Record<string, unknown>): void => {
  turn.effects.push({ kind: 'reply', request: input.request, status, body });
};

/** Null when the person may and the group is there; otherwise the refusal was sent. */
function refused(turn: Turn, input: Said, roles: readonly string[]): boolean {
  const { group, person } = input;
  const refusal = !Object.hasOwn(turn.state.settings.groups, group)
    ? { status: 404, code: 'not-found', detail: `no group is called ${group}` }
    : roles.some((role) => (person.roles as readonly string[]).includes(role))
      ? null
      : { status: 403, code: 'role', detail: `one of ${roles.join(', ')} may do that` };
  if (refusal === null) return false;
  reply(turn, input, refusal.status, { code: refusal.code, detail: refusal.detail });
  return true;
}

export function report(turn: Turn, input: InputOf<'report'>): void {
  if (refused(turn, input, MAY_REPORT)) return;
  const known = groupLedger(turn.state, input.group).reports[input.report];
  if (known === undefined) make(turn, input.group, input.report, input.person.id, input.what);
  // Said twice is said: whoever reports must not be told that it went wrong.
  reply(turn, input, 200, {
    group: input.group,
    report: input.report,
    status: known ? 'already-reported' : 'reported',
  });
}

export function clearReport(turn: Turn, input: InputOf<'clear-report'>): void {
  if (refused(turn, input, MAY_CLEAR)) return;
  const { group, report, person, why } = input;
  if (groupLedger(turn.state, group).reports[report] === undefined)
    return reply(turn, input, 409, { code: 'not-waiting', detail: `${group}: no ${report} is reported` });
  say(turn, { kind: 'report.cleared', at: turn.state.at, group, report, person: person.id, why });
  page(turn, 'attention', group, `${title(turn, group)}: ${report} cleared by ${person.id}`, why);
  reply(turn, input, 200, { group, report, status: 'cleared' });
}

/** What is reported of a group's data and not cleared, in words; null when nothing is. */
export function standingReport({ reports }: Pick<GroupLedger, 'reports'>): string | null {
  const [first] = Object.entries(reports);
  if (first === undefined) return null;
  const [report, { by, what }] = first;
  return `${report} was reported by ${by}: ${what}`;
}

/** What newly firing alerts report. One that was cleared does not come back by being sent again: only new alerts are passed in. */
export function reportsFromAlerts(turn: Turn, alerts: readonly Alert[]): void {
  const made = new Set<string>();
  for (const alert of alerts) {
    if (alert.status !== 'firing') continue;
    for (const { group, meaning } of meaningsOf(turn.state, alert)) {
      const report = REPORTS_OF[meaning.fact];
      if (report === undefined || made.has(`${group}/${report}`)) continue;
      made.add(`${group}/${report}`);
      if (groupLedger(turn.state, group).reports[report] !== undefined) continue;
      const name = alert.labels['alertname'] ?? alert.fingerprint;
      make(turn, group, report, `alert ${name}`.slice(0, 200), alert.summary?.slice(0, 500) ?? name);
    }
  }
}
const REPORTS_OF: Readonly<Record<string, Report | undefined>> = {
  'corruption-reported': 'corruption',
  'deletion-reported': 'deletion',
};

/** Tells people again of what still stands in the way; true when something was said. */
export function remind(turn: Turn, group: GroupId): void {
  const { at } = turn.state;
  for (const [kind, made] of Object.entries(groupLedger(turn.state, group).reports)) {
    if (at - made.remindedAt < REMIND_EVERY_MS) continue;
    const report = kind as Report;
    say(turn, { kind: 'report.reminded', at, group, report });
    page(
      turn,
      'attention',
      group,
      `${title(turn, group)}: ${WORDS[report].what}, since ${utcText(made.at)}`,
      `Reported by ${made.by}: ${made.what}. It keeps the group from failing over until somebody clears it.`,
    );
  }
}

function make(turn: Turn, group: GroupId, report: Report, by: string, what: string): void {
  say(turn, { kind: 'report.made', at: turn.state.at, group, report, by, what });
  page(
    turn,
    'attention',
    group,
    `${title(turn, group)}: ${WORDS[report].what}`,
    `Reported by ${by}: ${what}. ${WORDS[report].todo}. It stands in the way until somebody clears it.`,
  );
}

const title = (turn: Turn, group: GroupId): string => turn.state.settings.groups[group]?.title ?? group;
