/**
 * Taking alerts and silences in: they become state, and nothing is decided here (design §4). PURE.
 *
 * Alertmanager repeats by design, sends everything twice where it is a pair, in any order, and may lose a *resolved*
 * (invariant 16). So *resolved* is the last word on one firing of an alert, whatever a webhook says that comes after it:
 * it may have been sent before. Only an answer to a question that was asked after the *resolved* came knows better: one of
 * a pair that is cut off from Prometheus resolves what still fires, and an alert fires while any of them says so.
 */
import type { EventOf } from '../model/events.ts';
import { type Alert, type AlertKey, alertKey, type Silence, type SilencedAlert } from '../model/evidence.ts';
import { byPart, type Keyed, sizeOf, withKeys } from '../model/keyed.ts';
import type { KeptAlert } from '../model/ledger.ts';
import type { InputOf, State, Volatile } from '../model/loop.ts';
import type { GroupId } from '../model/primitives.ts';
import { remember, say, type Turn } from './turn.ts';
import { hasMeaning, holdsMatchers, meaningsOf } from './view.ts';

export type Post = Pick<InputOf<'webhook'>, 'request' | 'alerts' | 'askedMono'>;
type PostCounts = { readonly kept: number; readonly repeated: number; readonly ignored: number };
export type TakenAlerts = {
  readonly volatile: Volatile;
  readonly events: readonly EventOf<'alerts.received' | 'alerts.reopened'>[];
  /** Firing alerts that were never heard of before. */
  readonly news: readonly Alert[];
  /** Groups that the posts speak of. */
  readonly groups: readonly GroupId[];
  /** Those of which they say something that has to be written down. */
  readonly fresh: readonly GroupId[];
  /** In the order of the posts. */
  readonly counts: readonly PostCounts[];
};

/** What webhooks and answers add: alerts that are new or newly resolved are written down, those heard of again are only heard. */
export function takeAlerts(state: State, posts: readonly Post[]): TakenAlerts {
  const taking = new Taking(state);
  const groups = new Set<GroupId>();
  const fresh = new Set<GroupId>();
  const counts = posts.map((post): PostCounts => {
    const own = new Set<AlertKey>();
    let repeated = 0;
    let ignored = 0;
    for (const alert of post.alerts) {
      const meanings = meaningsOf(state, alert);
      if (meanings.length === 0) {
        ignored += 1;
        continue;
      }
      for (const { group } of meanings) groups.add(group);
      const key = alertKey(alert);
      const isNew = taking.take(key, alert, post.askedMono ?? null);
      if (isNew) own.add(key);
      else repeated += 1;
      if (isNew) for (const { group } of meanings) fresh.add(group);
    }
    return { kept: own.size, repeated, ignored };
  });
  const { at } = state;
  const { received, reopened, news, heard, ended } = taking;
  const { alertHeardMono, alertEndedMono } = state.volatile;
  return {
    volatile: {
      ...state.volatile,
      alertHeardMono: withKeys(alertHeardMono, heard),
      alertEndedMono: endedWith(state, alertEndedMono, ended),
    },
    // What was reopened and resolved in one go is told in that order.
    events: [
      ...(reopened.size > 0 ? [{ kind: 'alerts.reopened' as const, at, alerts: [...reopened.values()] }] : []),
      ...(received.size > 0 ? [{ kind: 'alerts.received' as const, at, alerts: [...received.values()] }] : []),
    ],
    news: [...news.values()],
    groups: [...groups],
    fresh: [...fresh],
    counts,
  };
}

/** What the ledger has let go of is forgotten at a sweep, or as soon as there is much more of it than the ledger holds. */
const ENDED_OVER = 10_000;

function endedWith(
  { ledger }: State,
  before: Keyed<number>,
  ended: ReadonlyMap<AlertKey, number | null>,
): Keyed<number> {
  const after = withKeys(before, ended);
  if (sizeOf(after) <= 2 * sizeOf(ledger.alerts) + ended.size + ENDED_OVER) return after;
  return withKeys(
    after,
    forgotten(after, (key) => ledger.alerts[key] === undefined && !ended.has(key as AlertKey)),
  );
}

const forgotten = (record: Keyed<number>, isGone: (key: string) => boolean): Map<string, null> =>
  new Map(Object.keys(record).flatMap((key) => (isGone(key) ? [[key, null] as const] : [])));

/** What is taken in one go, alert by alert. */
class Taking {
  readonly #state: State;
  readonly received = new Map<AlertKey, Alert>();
  readonly reopened = new Map<AlertKey, Alert>();
  readonly news = new Map<AlertKey, Alert>();
  /** When each was heard; null = it is resolved, and there is nothing more to hear. */
  readonly heard = new Map<AlertKey, number | null>();
  /** When each was first taken for resolved; null = it fires. */
  readonly ended = new Map<AlertKey, number | null>();

  constructor(state: State) {
    this.#state = state;
  }

  /** True where there is something to write down. */
  take(key: AlertKey, alert: Alert, askedMono: number | null): boolean {
    const { mono, ledger } = this.#state;
    const kept = ledger.alerts[key];
    const here = this.received.get(key) ?? this.reopened.get(key);
    const before = here ?? kept?.alert;
    if (alert.status === 'resolved') {
      if (before?.status === 'resolved') return false;
      this.heard.set(key, null);
      this.ended.set(key, mono);
      this.received.set(key, alert);
      return true;
    }
    if (before?.status === 'resolved') {
      if (here !== undefined || !this.#askedSince(key, askedMono)) return false;
      this.reopened.set(key, alert);
    } else if (before === undefined || (here === undefined && kept?.expiredAt !== null)) {
      this.received.set(key, alert);
      if (before === undefined) this.news.set(key, alert);
    } else {
      this.heard.set(key, mono);
      return false;
    }
    this.heard.set(key, mono);
    this.ended.set(key, null);
    return true;
  }

  /** Whether this is an answer that was asked for after the alert was taken for resolved; one of an earlier life came before. */
  #askedSince(key: AlertKey, askedMono: number | null): boolean {
    if (askedMono === null) return false;
    const endedMono = this.#state.volatile.alertEndedMono[key];
    return endedMono === undefined || endedMono < askedMono;
  }
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

/** Firing alerts that still count, part by part of the ledger. */
const countingIn = byPart<KeptAlert, readonly (readonly [key: string, receivedAt: number])[]>((part) =>
  [...part].flatMap(([key, { alert, receivedAt, expiredAt }]) =>
    alert.status === 'firing' && expiredAt === null ? [[key, receivedAt] as const] : [],
  ),
);

/**
 * Lets go of firing alerts that were not heard of for as long as one counts: their *resolved* was lost, and nobody is there
 * who could be asked. They are known by name a while longer, so that one that is heard of again is not taken for new.
 */
export function expireAlerts(turn: Turn): void {
  const { state } = turn;
  const { at, mono, ledger, volatile } = state;
  if (mono - volatile.alertsSweptMono < SWEEP_EVERY_MS) return;
  const expiryMs = Math.max(0, ...Object.values(state.settings.groups).map(({ alertExpiryMs }) => alertExpiryMs));
  const keys = countingIn(ledger.alerts)
    .flat()
    .filter(([key, receivedAt]) => {
      const heardMono = volatile.alertHeardMono[key];
      return (heardMono === undefined ? at - receivedAt : mono - heardMono) > expiryMs;
    })
    .map(([key]) => key);
  if (keys.length > 0) say(turn, { kind: 'alerts.expired', at, keys });
  // What the ledger has let go of is not remembered for ever either.
  const isGone = (key: string): boolean => ledger.alerts[key] === undefined;
  const { alertHeardMono, alertEndedMono } = volatile;
  remember(turn, {
    alertsSweptMono: mono,
    alertHeardMono: withKeys(alertHeardMono, forgotten(alertHeardMono, isGone)),
    alertEndedMono: withKeys(alertEndedMono, forgotten(alertEndedMono, isGone)),
  });
}
