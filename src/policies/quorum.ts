/** How many of the vantages must agree before a region counts as out of reach (design §4). PURE. */
import type { RegionId, Verdict } from '../model/primitives.ts';
import type { Reach, View } from './view.ts';

const count = (reach: readonly Reach[], verdict: Verdict): number => reach.filter((r) => r.verdict === verdict).length;

/** Probes of the active region from k of n vantages; unknown vantages stay in n (design §4). */
export function quorumOf(
  view: View,
  region: RegionId,
  reach: readonly Reach[] = view.reach[region] ?? [],
): { readonly verdict: Verdict; readonly why: string } {
  const bad = count(reach, 'bad');
  const ok = count(reach, 'ok');
  const n = reach.length;
  const k = view.settings.quorum;
  const tally = `${bad} of ${n} vantages can't reach ${region}, ${ok} can, ${n - bad - ok} can't tell; ${k} ${k === 1 ? 'is' : 'are'} needed`;
  if (bad >= k) return { verdict: 'bad', why: tally };
  // So many see it well that k can't be reached whatever the rest would say.
  if (ok > n - k) return { verdict: 'ok', why: tally };
  return { verdict: 'unknown', why: tally };
}
