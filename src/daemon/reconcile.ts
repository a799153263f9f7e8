/**
 * What Alertmanagers list against what we know: alerts whose webhook never came, and alerts whose *resolved* was lost
 * (design §4). PURE.
 *
 * 1. That an alert fires, any one Alertmanager may say. That it ended, only the silence of all who answered.
 * 2. Only what was known before the question was asked can be missing from the answer.
 * 3. Right after its start an Alertmanager lists nothing, since it keeps no alerts over a restart and Prometheus sends
 *    them again only by and by. Until then its silence says nothing: *resolved* is the last word on a firing, and one
 *    said in error would never be taken back.
 * 4. A silenced or inhibited alert has not ended. It is not put in either: no webhook would have carried it. Those that are
 *    silenced are told of as such, unless another of them says that it fires: it may not know of the silence yet.
 */
import {
  type Alert,
  type ApiAlert,
  type ApiSilence,
  alertKey,
  type Silence,
  type SilencedAlert,
} from '../model/evidence.ts';
import type { WallMs } from '../model/primitives.ts';
import { alertsOf, type Refusal, rfc3339Ms } from './intake.ts';

/** Prometheus sends a firing alert again once a minute unless told otherwise; three times that has it heard by all. */
export const SETTLED_MS = 3 * 60_000;

/** One whole answer. */
export type Listing = {
  readonly alerts: readonly ApiAlert[];
  readonly silences: readonly ApiSilence[];
  readonly startedAt: string;
};

export type Reconciled = {
  /** To be put in: every alert that fires, and those that ended unheard, as resolved. */
  readonly alerts: readonly Alert[];
  /** How many of them ended unheard. */
  readonly lostResolved: number;
  /** Alerts whose start is far off our clock. */
  readonly refused: readonly Refusal[];
  /** Silences that any of them lists as standing. */
  readonly silences: readonly Silence[];
  /** Alerts that fire behind silences, by all who list them. */
  readonly silenced: readonly SilencedAlert[];
};

export function reconcile(input: {
  /** Alerts that fired, as far as we knew, before anybody was asked. */
  readonly known: readonly Alert[];
  /** Of those that answered well; who did not answer is left out. */
  readonly listings: readonly Listing[];
  readonly now: WallMs;
  readonly settledMs?: number;
}): Reconciled {
  const { known, listings, now, settledMs = SETTLED_MS } = input;
  const firing = new Map<string, Alert>();
  const listed = new Set<string>();
  const silenced = new Map<string, SilencedAlert>();
  const refused: Refusal[] = [];
  for (const { alerts } of listings) {
    const read = (some: readonly ApiAlert[]) =>
      alertsOf({ alerts: some.map((alert) => ({ ...alert, status: 'firing' })) }, now);
    const active = read(alerts.filter(isActive));
    for (const alert of active.alerts) firing.set(alertKey(alert), alert);
    refused.push(...active.refused);
    for (const alert of [...active.alerts, ...read(alerts.filter((one) => !isActive(one))).alerts])
      listed.add(alertKey(alert));
    for (const one of alerts.filter(isSilenced))
      for (const alert of read([one]).alerts)
        silenced.set(alertKey(alert), { alert, silencedBy: (one.status.silencedBy ?? []).map(String) });
  }
  const settled = listings.some(({ startedAt }) => {
    const at = rfc3339Ms(startedAt);
    return at !== null && now - at >= settledMs;
  });
  const ended = settled ? known.filter((alert) => alert.status === 'firing' && !listed.has(alertKey(alert))) : [];
  return {
    alerts: [...firing.values(), ...ended.map((alert): Alert => ({ ...alert, status: 'resolved' }))],
    lostResolved: ended.length,
    refused,
    silences: silencesOf(listings),
    silenced: [...silenced].flatMap(([key, one]) => (firing.has(key) ? [] : [one])),
  };
}

/** Whether Alertmanager would tell its receivers. One that it has not judged yet is not active either. */
const isActive = ({ status }: ApiAlert): boolean =>
  status.state === 'active' &&
  [status.silencedBy, status.inhibitedBy, status.mutedBy].every((by) => (by ?? []).length === 0);

const isSilenced = ({ status }: ApiAlert): boolean => (status.silencedBy ?? []).length > 0;

const MOST_TEXT = { by: 200, comment: 500 } as const;

/** A pair tells each other of silences: what one of them lists, stands. */
function silencesOf(listings: readonly Listing[]): Silence[] {
  const silences = new Map<string, Silence>();
  for (const { id, status, startsAt, endsAt, createdBy, comment, matchers } of listings.flatMap(
    (one) => one.silences,
  )) {
    const [begins, ends] = [rfc3339Ms(startsAt), rfc3339Ms(endsAt)];
    if (status.state !== 'active' || begins === null || ends === null) continue;
    silences.set(id, {
      id,
      by: createdBy.slice(0, MOST_TEXT.by),
      comment: comment.slice(0, MOST_TEXT.comment),
      startsAt: begins,
      endsAt: ends,
      matchers: matchers
        .filter(({ isRegex }) => !isRegex)
        .map(({ name, value, isEqual }) => ({ label: name, equal: isEqual ?? true, value })),
    });
  }
  return [...silences.values()];
}
