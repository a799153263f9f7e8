/** What is known of how each PostgreSQL is made, over restarts and while it can't be asked. PURE. */
import canonicalize from 'canonicalize';
import type { Observation } from '../model/evidence.ts';
import type { GroupLedger } from '../model/ledger.ts';
import type { State } from '../model/loop.ts';
import type { ComponentId, GroupId, RegionId } from '../model/primitives.ts';
import { readinessKey } from './evidence.ts';
import type { SeenReadiness } from './readiness.ts';
import { say, type Turn } from './turn.ts';

/** Written down when it is first seen, and when it is another one; so seldom. */
export function noteReadiness(turn: Turn, observations: readonly Observation[]): void {
  const { state } = turn;
  for (const o of observations) {
    if (o.kind !== 'readiness' || o.facts === null) continue;
    // Taken in just now, or left out as nobody's.
    if (state.volatile.readiness[readinessKey(o.group, o.component, o.region)]?.facts !== o.facts) continue;
    const before = state.ledger.groups[o.group]?.readiness[`${o.component}/${o.region}`]?.readiness;
    if (before === o.facts) continue;
    if (before !== undefined && canonicalize(before) === canonicalize(o.facts)) continue;
    const { group, component, region, facts: readiness } = o;
    say(turn, { kind: 'readiness.seen', at: state.at, group, component, region, readiness });
  }
}

export function seenReadiness(
  state: State,
  ledger: GroupLedger,
  group: GroupId,
  component: ComponentId,
  region: RegionId,
): SeenReadiness | null {
  const seen = state.volatile.readiness[readinessKey(group, component, region)];
  if (seen !== undefined) return { facts: seen.facts, ageMs: state.mono - seen.mono };
  const kept = ledger.readiness[`${component}/${region}`];
  return kept === undefined ? null : { facts: kept.readiness, ageMs: null };
}
