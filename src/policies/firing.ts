/**
 * The alerts of a group that fire and count, without walking through all of them at every turn. PURE.
 *
 * In a storm thousands fire at once, and a turn changes a few. What they add up to (how many, since when) is kept part by
 * part of the ledger, together with the time at which the one that was heard of longest ago was heard: while that one
 * still counts, all of its part do, and none of them is looked at.
 */
import type { Alert, AlertKey } from '../model/evidence.ts';
import { byPartOfTwo } from '../model/keyed.ts';
import type { KeptAlert } from '../model/ledger.ts';
import type { State } from '../model/loop.ts';
import type { GroupId, MonoMs, Path, WallMs } from '../model/primitives.ts';
import { pathOf } from '../model/primitives.ts';
import type { AlertMeaning, GroupSettings, Settings } from '../model/settings.ts';
import { indexOf } from '../model/settings-index.ts';

export type AlertView = {
  readonly alert: Alert;
  readonly meaning: AlertMeaning;
  readonly ageMs: number;
  readonly path: Path | null;
};

/** Alerts of some meanings, added up. */
export type FiringSum = {
  readonly count: number;
  /** Some of them, at least one of each meaning: what it is about, and over which path it was told, is evidence. */
  readonly first: readonly AlertView[];
  /** When the one that started first did, wall time; null where none fires. */
  readonly startedAt: WallMs | null;
};

export type FiringAlerts = {
  /** Every one with such a meaning. */
  all(like: (meaning: AlertMeaning) => boolean): AlertView[];
  /** The same added up, with about `most` of them told. */
  sum(like: (meaning: AlertMeaning) => boolean, most: number): FiringSum;
};

/** `heardMono` is undefined for one that was taken in an earlier life of the process. */
type Firing = { readonly kept: KeptAlert; readonly key: AlertKey; readonly heardMono: MonoMs | undefined };
/** Those of one meaning in one part of the ledger. */
type Bucket = {
  readonly firing: Firing[];
  startedAt: WallMs;
  /** Of those that were heard in this life. */
  leastHeardMono: MonoMs;
  /** Of the others. */
  leastReceivedAt: WallMs;
};
type Buckets = ReadonlyMap<GroupId, ReadonlyMap<AlertMeaning, Bucket>>;
const NONE: Buckets = new Map();
const NO_BUCKETS: ReadonlyMap<AlertMeaning, Bucket> = new Map();

const finders = new WeakMap<Settings, ReturnType<typeof byPartOfTwo<KeptAlert, MonoMs, Buckets>>>();

/** Other settings make something else of the same alerts. */
function bucketsOf({ settings, ledger, volatile }: State): readonly Buckets[] {
  const find = finders.get(settings) ?? byPartOfTwo((alerts, heard) => sorted(settings, alerts, heard));
  finders.set(settings, find);
  return find(ledger.alerts, volatile.alertHeardMono);
}

function sorted(
  settings: Settings,
  alerts: ReadonlyMap<string, KeptAlert>,
  heard: ReadonlyMap<string, MonoMs>,
): Buckets {
  if (alerts.size === 0) return NONE;
  const { meaningsOf } = indexOf(settings);
  const made = new Map<GroupId, Map<AlertMeaning, Bucket>>();
  for (const [key, kept] of alerts) {
    if (kept.alert.status !== 'firing' || kept.expiredAt !== null) continue;
    const one: Firing = { kept, key: key as AlertKey, heardMono: heard.get(key) };
    for (const { group, meaning } of meaningsOf(kept.alert)) {
      const own = made.get(group) ?? new Map<AlertMeaning, Bucket>();
      made.set(group, own);
      const bucket = own.get(meaning) ?? emptyBucket();
      own.set(meaning, bucket);
      bucket.firing.push(one);
      bucket.startedAt = Math.min(bucket.startedAt, kept.alert.startsAt);
      if (one.heardMono === undefined) bucket.leastReceivedAt = Math.min(bucket.leastReceivedAt, kept.receivedAt);
      else bucket.leastHeardMono = Math.min(bucket.leastHeardMono, one.heardMono);
    }
  }
  return made;
}

const emptyBucket = (): Bucket => ({
  firing: [],
  startedAt: Number.POSITIVE_INFINITY,
  leastHeardMono: Number.POSITIVE_INFINITY,
  leastReceivedAt: Number.POSITIVE_INFINITY,
});

/** One that was not heard of for long is unknown: its *resolved* may have been lost. A silenced one says nothing. */
export function firingAlerts(state: State, settings: GroupSettings): FiringAlerts {
  const { alertExpiryMs, alertRegion, id } = settings;
  const silences = freshSilences(state, settings);
  const silencesSome = silences !== null && Object.keys(silences.alerts).length > 0;
  const ageOf = ({ kept, heardMono }: Firing): number =>
    heardMono === undefined ? Math.max(0, state.at - kept.receivedAt) : state.mono - heardMono;
  const counts = (one: Firing): boolean =>
    ageOf(one) <= alertExpiryMs && !(silencesSome && isSilenced(state, settings, one.key));
  const allCount = ({ leastHeardMono, leastReceivedAt }: Bucket): boolean =>
    !silencesSome && state.mono - leastHeardMono <= alertExpiryMs && state.at - leastReceivedAt <= alertExpiryMs;
  const viewOf = (one: Firing, meaning: AlertMeaning): AlertView => ({
    alert: one.kept.alert,
    meaning,
    ageMs: ageOf(one),
    path: alertRegion === null ? null : pathOf(alertRegion, meaning.region),
  });
  const bucketsLike = (like: (meaning: AlertMeaning) => boolean): [AlertMeaning, Bucket][] => {
    const found: [AlertMeaning, Bucket][] = [];
    // Most groups have few meanings, and most questions are about none that is mapped.
    if (!settings.alertMeanings.some(like)) return found;
    for (const part of bucketsOf(state)) {
      for (const both of part.get(id) ?? NO_BUCKETS) if (like(both[0])) found.push(both);
    }
    return found;
  };
  return {
    all(like) {
      const views: AlertView[] = [];
      for (const [meaning, { firing }] of bucketsLike(like))
        for (const one of firing) if (counts(one)) views.push(viewOf(one, meaning));
      return views;
    },
    sum(like, most) {
      let count = 0;
      let startedAt = Number.POSITIVE_INFINITY;
      const first: AlertView[] = [];
      const told = new Set<AlertMeaning>();
      const isWanted = (meaning: AlertMeaning): boolean => first.length < most || !told.has(meaning);
      const tell = (one: Firing, meaning: AlertMeaning): void => {
        told.add(meaning);
        first.push(viewOf(one, meaning));
      };
      for (const [meaning, bucket] of bucketsLike(like)) {
        if (allCount(bucket)) {
          count += bucket.firing.length;
          startedAt = Math.min(startedAt, bucket.startedAt);
          for (let index = 0; index < bucket.firing.length && isWanted(meaning); index += 1)
            tell(bucket.firing[index] as Firing, meaning);
          continue;
        }
        for (const one of bucket.firing) {
          if (!counts(one)) continue;
          count += 1;
          startedAt = Math.min(startedAt, one.kept.alert.startsAt);
          if (isWanted(meaning)) tell(one, meaning);
        }
      }
      return { count, first, startedAt: count === 0 ? null : startedAt };
    },
  };
}

/** Null where they were not heard of lately. */
export const freshSilences = (state: State, { alertExpiryMs }: GroupSettings): State['volatile']['silences'] => {
  const { silences } = state.volatile;
  return silences === null || state.mono - silences.heardMono > alertExpiryMs ? null : silences;
};

/** Heard of since, it is not held back any more: a silenced alert reaches no webhook. */
export function isSilenced(state: State, settings: GroupSettings, key: AlertKey): boolean {
  const silences = freshSilences(state, settings);
  if (silences?.alerts[key] === undefined) return false;
  return (state.volatile.alertHeardMono[key] ?? Number.NEGATIVE_INFINITY) <= silences.heardMono;
}
