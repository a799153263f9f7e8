/** Whether what answers is the cluster that is pinned: of either side, by every vantage that counts. PURE. */
import type { RegionId, Verdict } from '../model/primitives.ts';
import type { IdentitySeen, PostgresView } from './postgres-view.ts';
import type { View } from './view.ts';

export type Identity = { readonly verdict: Verdict; readonly why: string; readonly region: RegionId };

const seenText = ({ vantage, region, systemIdentifier }: IdentitySeen): string =>
  `${vantage} sees ${systemIdentifier} in ${region}`;

/** bad: somebody sees another cluster. ok: both sides answer, and all answers agree with the pinned one. */
export function identityOf(view: View, postgres: PostgresView): Identity {
  const { component, systemIdentifier: pinned, identitiesSeen, contradictions } = postgres;
  const [first] = contradictions;
  if (first !== undefined)
    return {
      verdict: 'bad',
      why: `${component} is pinned to cluster ${pinned}, and ${contradictions.map(seenText).join(', ')}`,
      region: first.region,
    };
  const base = { region: view.standby };
  if (pinned === null) return { ...base, verdict: 'unknown', why: `no cluster is pinned for ${component} yet` };
  const both = [view.active, view.standby].every((region) => identitiesSeen.some((seen) => seen.region === region));
  return both
    ? { ...base, verdict: 'ok', why: `both sides of ${component} answer as cluster ${pinned}` }
    : { ...base, verdict: 'unknown', why: `not both sides of ${component} told lately which cluster they are` };
}
