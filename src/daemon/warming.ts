/**
 * While a failover is in sight, what it will need is kept open: connections to the standby's databases and to the DNS
 * provider. Only reads; a group that only observes gets none of it (design §7).
 */
import type { Timers } from '../engine/ports.ts';
import type { State } from '../model/loop.ts';
import type { GroupId, RegionId } from '../model/primitives.ts';
import { declaredAutonomy } from '../model/settings.ts';
import { groupLedger } from '../policies/view.ts';

/** Well within what idle connections are kept for by servers and by the networks between. */
const EVERY_MS = 3_000;

export type Warming = {
  /** Looks at once; worth calling when something became durable. */
  nudge(): void;
  stop(): void;
};

/** Groups where a failover may come, and the region that it would go to. */
export function inSight(state: State): readonly { readonly group: GroupId; readonly region: RegionId }[] {
  return Object.values(state.settings.groups).flatMap((settings) => {
    if (declaredAutonomy(settings) === 'observe') return [];
    const ledger = groupLedger(state, settings.id);
    const rows = new Set(settings.rows.filter((row) => row.action === 'failover').map((row) => row.id));
    const holds = Object.values(ledger.holds).some((hold) => rows.has(hold.row));
    if (!holds && ledger.proposal === null) return [];
    const active = ledger.active ?? settings.primary;
    return [{ group: settings.id, region: active === settings.primary ? settings.secondary : settings.primary }];
  });
}

export function keepWarm(options: {
  readonly state: () => State;
  readonly warm: (group: GroupId, region: RegionId) => void;
  readonly timers: Timers;
}): Warming {
  const { state, warm, timers } = options;
  let warmed = new Set<GroupId>();
  let cancel = (): void => undefined;
  const look = (again: boolean): void => {
    const groups = inSight(state());
    for (const { group, region } of groups) if (again || !warmed.has(group)) warm(group, region);
    warmed = new Set(groups.map(({ group }) => group));
  };
  const rounds = (): void => {
    look(true);
    cancel = timers.after(EVERY_MS, rounds);
  };
  cancel = timers.after(EVERY_MS, rounds);
  return { nudge: () => look(false), stop: () => cancel() };
}
