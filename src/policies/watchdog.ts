/**
 * Whether monitoring watches, region by region: an alert that always fires is mapped to `watchdog` for each, so that its
 * silence is known for silence (design §4). PURE.
 */
import { noticeKey } from '../model/notices.ts';
import type { RegionId, Verdict } from '../model/primitives.ts';
import { quorumOf } from './quorum.ts';
import { plain, type Reading } from './reading.ts';
import type { View } from './view.ts';

export type Watch = {
  readonly region: RegionId;
  /** ok = its watchdog is heard. bad = it has fallen silent. */
  readonly verdict: Verdict;
  readonly why: string;
  /** Silent along with everything else in its region: that tells nothing new, and nothing against acting on the loss. */
  readonly explained: boolean;
  /** Held back by a silence, so that nobody can tell. */
  readonly silenced: boolean;
};

/** Regions that have a watchdog of their own. */
const watchedRegions = ({ settings }: View): readonly RegionId[] => [
  ...new Set(settings.alertMeanings.filter(({ fact }) => fact === 'watchdog').map(({ region }) => region)),
];

/** Of every region that has a watchdog; empty where none is mapped. */
export const watches = (view: View): readonly Watch[] => watchedRegions(view).map((region) => watchIn(view, region));

function watchIn(view: View, region: RegionId): Watch {
  const { firing, silenced, settings, upMs } = view;
  const base = { region, explained: false, silenced: false };
  const heard = firing
    .all((meaning) => meaning.fact === 'watchdog' && meaning.region === region)
    .some(({ ageMs }) => ageMs <= settings.watchdogWithinMs);
  if (heard) return { ...base, verdict: 'ok', why: `the watchdog of ${region} is heard` };
  const held = silenced.find(({ meaning }) => meaning.fact === 'watchdog' && meaning.region === region);
  if (held !== undefined)
    return {
      ...base,
      silenced: true,
      verdict: 'unknown',
      why: `the watchdog of ${region} is silenced: whether monitoring watches can’t be told`,
    };
  if (upMs < settings.watchdogWithinMs)
    return { ...base, verdict: 'unknown', why: `the watchdog of ${region} was not heard yet` };
  const why = `the watchdog of ${region} was not heard for ${Math.round(settings.watchdogWithinMs / 1000)} s`;
  if (explained(view, region))
    return { ...base, explained: true, verdict: 'bad', why: `${why}, and the region can’t be reached` };
  return { ...base, verdict: 'bad', why: `${why}: monitoring is blind there` };
}

/**
 * Silent because the region that sends it is lost. One that had fallen silent before, while the region was well, was blind
 * then, and the loss does not make it see.
 */
const explained = (view: View, region: RegionId): boolean =>
  lost(view, region) && view.ledger.notices[noticeKey('watchdog-silent', region)] === undefined;

/** Whether what sends this watchdog, or what carries it, stands in a region that can't be reached. */
const lost = (view: View, region: RegionId): boolean =>
  [region, view.settings.alertRegion].some(
    (one) => one !== null && view.reach[one] !== undefined && quorumOf(view, one).verdict === 'bad',
  );

/** Whether alerts of these regions would be heard of. A region without a watchdog needs those of all others. */
export function watching(view: View, regions: readonly RegionId[]): Reading {
  const all = watches(view);
  if (all.length === 0) return plain(null, 'no alert is mapped to watchdog, so silence can’t be told from health');
  const asked = new Set(
    regions.flatMap((region) => {
      const own = all.filter((watch) => watch.region === region);
      return own.length > 0 ? own : all;
    }),
  );
  const worst =
    [...asked].find(({ verdict, explained }) => verdict === 'bad' && !explained) ??
    [...asked].find(({ verdict }) => verdict !== 'ok');
  if (worst === undefined) return plain('ok', 'the watchdog is heard');
  const { verdict, explained, why, region } = worst;
  return { ...plain(explained ? null : verdict, why), region };
}

export const watchingAll = (view: View): Reading => watching(view, watchedRegions(view));
