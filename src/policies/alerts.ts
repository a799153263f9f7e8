/**
 * Taking alerts and silences in: they become state, and nothing is decided here (design §4). PURE.
 *
 * Alertmanager repeats by design, sends everything twice where it is a pair, in any order, and may lose a *resolved*
 * (invariant 16). So *resolved* is the last word on one firing of an alert, whatever a webhook says that comes after it:
 * it may have been sent before. Only an answer to a question that was asked after the *resolved* came knows better: one of
 * a pair that is cut off from Prometheus resolves what still fires, and an alert fires while any of them says so.
 */
import type { EventBody } from '../model/events.ts';
import { type Alert, alertKey, type Silence, type SilencedAlert } from '../model/evidence.ts';
import type { KeptAlert } from '../model/ledger.ts';
import type { InputOf, State, Volatile } from '../model/loop.ts';
import { remember, say, type Turn } from './turn.ts';
import { hasMeaning, holdsMatchers } from './view.ts';

export type TakenAlerts = {
  readonly volatile: Volatile;
  readonly events: readonly EventBody[];
  /** Firing alerts that were never heard of before. */
  readonly news: readonly Alert[];
  readonly counts: { readonly kept: number; readonly repeated: number; readonly ignored: number };
};

/** What a webhook or an answer adds: alerts that are new or newly resolved are written down, those heard of again are only heard. */
export function takeAlerts(state: State, input: InputOf<'webhook'>): TakenAlerts {
  const alertHeardMono = { ...state.volatile.alertHeardMono };
  const alertEndedMono = { ...state.volatile.alertEndedMono };
  const received = new Map<string, Alert>();
  const reopened = new Map<string, Alert>();
  const news: Alert[] = [];
  let repeated = 0;
  let ignored = 0;
  for (const alert of input.alerts) {
    if (!hasMeaning(state, alert)) {
      ignored += 1;
      continue;
    }
    const key = alertKey(alert);
    const kept = state.ledger.alerts[key];
    const before = received.get(key) ?? reopened.get(key) ?? kept?.alert;
    const firing = alert.status === 'firing';
    if (before === undefined) {
      received.set(key, alert);
      if (firing) news.push(alert);
    } else if (firing && before.status === 'resolved') {
      if (received.has(key) || !askedSince(state, key, input)) {
        repeated += 1;
        continue;
      }
      reopened.set(key, alert);
    } else if (before.status === alert.status && !(firing && isExpired(kept) && !received.has(key))) repeated += 1;
    else received.set(key, alert);
    if (firing) alertHeardMono[key] = input.mono;
    else {
      delete alertHeardMono[key];
      alertEndedMono[key] ??= input.mono;
    }
    if (firing) delete alertEndedMono[key];
  }
  const { at } = input;
  const events: EventBody[] = [];
  if (received.size > 0) events.push({ kind: 'alerts.received', at, alerts: [...received.values()] });
  if (reopened.size > 0) events.push({ kind: 'alerts.reopened', at, alerts: [...reopened.values()] });
  return {
    volatile: { ...state.volatile, alertHeardMono, alertEndedMono },
    events,
    news,
    counts: { kept: received.size + reopened.size, repeated, ignored },
  };
}

const isExpired = (kept: KeptAlert | undefined): boolean => kept !== undefined && kept.expiredAt !== null;

/** Whether this is an answer that was asked for after the alert was taken for resolved; one of an earlier life came before. */
function askedSince(state: State, key: string, { askedMono }: InputOf<'webhook'>): boolean {
  if (askedMono === undefined) return false;
  const endedMono = state.volatile.alertEndedMono[key];
  return endedMono === undefined || endedMono < askedMono;
}

/** Those that mean something, in the place of all that was known before. */
export function takeSilences(state: State, { silences, silenced, mono }: InputOf<'silences'>): Volatile {
  const alerts: Record<string, SilencedAlert> = {};
  for (const one of silenced) if (hasMeaning(state, one.alert)) alerts[alertKey(one.alert)] = one;
  const naming = new Set(Object.values(alerts).flatMap(({ silencedBy }) => silencedBy));
  const meant = (silence: Silence): boolean =>
    naming.has(silence.id) ||
    Object.values(state.settings.groups).some(({ silenceMeanings }) =>
      silenceMeanings.some(({ match }) => holdsMatchers(silence, match)),
    );
  return { ...state.volatile, silences: { heardMono: mono, silences: silences.filter(meant), alerts } };
}

const SWEEP_EVERY_MS = 10_000;

/**
 * Lets go of firing alerts that were not heard of for as long as one counts: their *resolved* was lost, and nobody is there
 * who could be asked. They are known by name a while longer, so that one that is heard of again is not taken for new.
 */
export function expireAlerts(turn: Turn): void {
  const { state } = turn;
  const { at, mono, ledger, volatile } = state;
  if (mono - volatile.alertsSweptMono < SWEEP_EVERY_MS) return;
  remember(turn, { alertsSweptMono: mono });
  const expiryMs = Math.max(0, ...Object.values(state.settings.groups).map(({ alertExpiryMs }) => alertExpiryMs));
  const keys = Object.entries(ledger.alerts).flatMap(([key, { alert, receivedAt, expiredAt }]) => {
    if (alert.status !== 'firing' || expiredAt !== null) return [];
    const heardMono = volatile.alertHeardMono[key];
    const ageMs = heardMono === undefined ? at - receivedAt : mono - heardMono;
    return ageMs > expiryMs ? [key] : [];
  });
  if (keys.length > 0) say(turn, { kind: 'alerts.expired', at, keys });
  // What the ledger has let go of is not remembered for ever either.
  const known = (record: Readonly<Record<string, number>>): Record<string, number> =>
    Object.fromEntries(Object.entries(record).filter(([key]) => ledger.alerts[key] !== undefined));
  remember(turn, { alertHeardMono: known(volatile.alertHeardMono), alertEndedMono: known(volatile.alertEndedMono) });
}
