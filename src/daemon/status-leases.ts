/** Who may write, as the lease store knows it, and how its guards were last heard. PURE. */
import type { State } from '../model/loop.ts';
import { isPinned, recordOf } from '../policies/lease-store.ts';
import { leaseOf, lifeOf } from '../policies/leases.ts';
import type { View } from '../policies/view.ts';
import type { LeaseStatus } from './status-document.ts';

/** Of every PostgreSQL that has a lease, or a guard that was heard. */
export function leasesOf(state: State, { group, settings }: View): LeaseStatus[] {
  const life = lifeOf(state);
  const { mono, volatile } = state;
  const { storeStartMono } = volatile;
  return settings.components.flatMap(({ id: component, kind, regions }): LeaseStatus[] => {
    if (kind !== 'postgres') return [];
    const lease = leaseOf(state, group, component);
    const { kept, seen } = lease;
    const record = recordOf(lease);
    if (record === null && kept.halt === null && Object.keys(seen.heard).length === 0) return [];
    return [
      {
        component,
        state: record?.state ?? 'none',
        holder: record?.holder ?? null,
        epoch: record?.epoch ?? null,
        peers: record?.peers ?? [],
        isolation: record?.isolation ?? null,
        released: record?.release?.kind ?? null,
        setAt: kept.setAt,
        renewedAgoMs: seen.changedMono === null ? null : Math.max(0, mono - seen.changedMono),
        unchangedMs: Math.max(0, mono - (seen.changedMono ?? storeStartMono)),
        warmingMs: Math.max(0, storeStartMono + (settings.lease?.timings.waitMs ?? 0) - mono),
        guards: regions.map((region) => {
          const heard = Object.hasOwn(seen.heard, region) ? seen.heard[region] : undefined;
          return {
            region,
            heardAgoMs: heard === undefined ? null : Math.max(0, mono - heard.mono),
            pinned: isPinned(seen, region, life),
            obeyed: heard?.obeyed ?? null,
          };
        }),
        halt: kept.halt === null ? null : { at: kept.halt.at, guard: kept.halt.guard, why: kept.halt.why },
      },
    ];
  });
}
