/**
 * From Alertmanager's payload to the alerts we keep. PURE. An alert whose clock is far off is refused by itself: its
 * time is part of its identity, and the others of the payload are not to be lost with it (design §4).
 */
import type { Alert, WebhookPayload } from '../model/evidence.ts';
import type { WallMs } from '../model/primitives.ts';

/** How far ahead of our clock an alert may claim to have started. */
export const MOST_AHEAD_MS = 10 * 60_000;
/** Prometheus is younger than this; an earlier start is a clock that was never set. */
export const EARLIEST_START: WallMs = 946_684_800_000;
const SUMMARY_LIMIT = 500;

export type RefusalCode = 'clock-ahead' | 'clock-behind' | 'clock-unreadable';
export type Refusal = {
  readonly code: RefusalCode;
  readonly fingerprint: string;
  /** JSON pointer into the payload. */
  readonly field: string;
  readonly value: string;
  readonly why: string;
};
export type Intake = { readonly alerts: readonly Alert[]; readonly refused: readonly Refusal[] };

const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;

/** Milliseconds of an RFC 3339 time, finer digits cut off, or null where the text is none. */
export function rfc3339Ms(text: string): WallMs | null {
  const parts = RFC3339.exec(text);
  if (parts === null) return null;
  const [, year, month, day] = parts.map(Number);
  // Date.parse lets 31 February pass as 3 March.
  if (day === undefined || day > new Date(Date.UTC(year ?? 0, month ?? 0, 0)).getUTCDate()) return null;
  const ms = Date.parse(text.toUpperCase().replace(' ', 'T'));
  return Number.isNaN(ms) ? null : Math.floor(ms);
}

/** The alerts of a valid payload, or of a list that reads like one, and those refused with the field that is wrong. */
export function alertsOf(payload: Pick<WebhookPayload, 'alerts'>, now: WallMs): Intake {
  const alerts: Alert[] = [];
  const refused: Refusal[] = [];
  // One evaluation of a rule begins many alerts.
  let [text, lastMs]: [string, WallMs | null] = ['', null];
  for (const [index, alert] of payload.alerts.entries()) {
    const startsAt: WallMs | null = alert.startsAt === text ? lastMs : rfc3339Ms(alert.startsAt);
    [text, lastMs] = [alert.startsAt, startsAt];
    const fault = startFault(startsAt, now);
    if (startsAt === null || fault !== null) {
      const { code, why } = fault ?? UNREADABLE;
      const field = `/alerts/${index}/startsAt`;
      refused.push({ code, fingerprint: alert.fingerprint, field, value: alert.startsAt, why });
      continue;
    }
    const summary = alert.annotations?.['summary'] ?? alert.annotations?.['description'] ?? null;
    // In the order of the journal's text: it is written out as it stands.
    alerts.push({
      fingerprint: alert.fingerprint,
      labels: alert.labels,
      startsAt,
      status: alert.status,
      summary: summary === null ? null : summary.slice(0, SUMMARY_LIMIT),
    });
  }
  return { alerts, refused };
}

const UNREADABLE = { code: 'clock-unreadable', why: 'startsAt is not an RFC 3339 time' } as const;

function startFault(startsAt: WallMs | null, now: WallMs): { readonly code: RefusalCode; readonly why: string } | null {
  if (startsAt === null) return UNREADABLE;
  if (startsAt > now + MOST_AHEAD_MS)
    return { code: 'clock-ahead', why: 'startsAt lies more than 10 minutes ahead of the clock of failoverd' };
  if (startsAt < EARLIEST_START) return { code: 'clock-behind', why: 'startsAt lies before the year 2000' };
  return null;
}
