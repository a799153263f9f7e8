/** A user's own group in the world of the lease: its terms, and what failoverd would order there. PURE. */
import type { Claim } from '../../model/guard.ts';
import { settingsOf } from '../../model/settings.ts';
import type { Chosen } from '../contract.ts';
import { randomOf } from '../random.ts';
import { AIMS, type Aim, type Kind, type Plan, type Profile } from './plan.ts';

export type Own = {
  readonly profile: Profile;
  readonly isolation: Plan['isolation'];
  readonly onCrash: Plan['onCrash'];
  readonly crashRestarts: number;
  /** By what the writer is moved where the old side can't be asked; null = by nothing: failoverd would wait for people. */
  readonly claim: Claim | null;
  readonly endProves: boolean;
  /** From the loss of the region to the order, at the least and at the most. */
  readonly ordersMs: readonly [least: number, most: number];
};

/** What least values of a user's own terms are told under. */
export const OWN_PROFILE = 'yours';

/** Why the terms of this group can't be tried; empty = they can. */
export function refuses({ config, group: id }: Chosen): readonly string[] {
  const group = settingsOf(config).groups[id];
  if (group === undefined) return [`groups.${id}: there is no such group`];
  if (group.lease === null)
    return [`groups.${id}.lease: none; without guards and their lease there is nothing of it to attack`];
  return [];
}

export function ownOf(chosen: Chosen): Own {
  const group = settingsOf(chosen.config).groups[chosen.group];
  const lease = group?.lease ?? null;
  if (group === undefined || lease === null) throw new RangeError(refuses(chosen).join('\n'));
  const row = group.rows.find(({ kind, action }) => kind === 'decide' && action === 'failover');
  const guarded = group.components.filter(({ control }) => control === 'guard');
  const freshMs = Math.max(0, ...guarded.map((each) => each.freshMs));
  const forMs = row?.forMs ?? 0;
  const endProves = lease.expiredIsNoProof.length === 0;
  return {
    profile: { name: OWN_PROFILE, deadMan: lease.deadMan, timings: lease.timings },
    isolation: lease.isolation,
    onCrash: lease.onCrash,
    crashRestarts: lease.crashRestarts,
    endProves,
    claim: claimOf(endProves, group.fence, chosen.config.groups[chosen.group]?.autonomy === 'auto'),
    // The oldest look that still counts may have been made a moment before the region was lost, or just now.
    ordersMs: [forMs, forMs + freshMs],
  };
}

/** As the plan of a run chooses: a fence that is read back, else the end of the lease; people where neither is proof. */
function claimOf(expires: boolean, fence: string, alone: boolean): Claim | null {
  if (fence === 'command') return 'confirmed';
  if (expires) return 'expired';
  return alone ? null : 'person';
}

const KINDS: readonly Kind[] = ['quiet', 'dies', 'lonely', 'round', 'storm', 'storm', 'storm', 'switchover'];
/** An adversary that knows where the lease is thinnest needs one whose end is taken for a proof. */
const THIN: readonly Kind[] = ['aimed', 'aimed', 'aimed', 'aimed', 'aimed'];
const CLAIMS: readonly Claim[] = ['confirmed', 'person', 'expired'];

/** Drawn apart, so that the rest of the history is drawn as ever. */
export function kindOf(own: Own, seed: number, faultFree: boolean): { readonly kind: Kind; readonly aim?: Aim } {
  if (faultFree) return { kind: 'dies' };
  const random = randomOf(seed + 0x2545f491);
  const proves = own.claim === 'expired' && own.isolation === 'stop' && own.profile.deadMan !== 'none';
  const people = CLAIMS.filter((claim) => claim === own.claim && claim !== 'expired') as Kind[];
  const kind = random.pick([...KINDS, ...people, ...(proves ? THIN : [])]);
  return kind === 'aimed' ? { kind, aim: random.pick(AIMS) } : { kind };
}

/** The drawn plan under the group's own terms. */
export function withOwn(plan: Plan, own: Own, seed: number): Plan {
  const { isolation, onCrash, crashRestarts, claim, endProves, ordersMs } = own;
  const random = randomOf(seed + 0x3c6ef372);
  const dies = plan.kind === 'dies';
  const orderAfterMs = dies ? (claim === null ? null : random.int(...ordersMs)) : plan.orderAfterMs;
  return {
    ...plan,
    ...{ isolation, onCrash, crashRestarts, endProves, orderAfterMs },
    // Two switchovers rest on releases alone.
    claim: plan.kind === 'aimed' || plan.kind === 'round' ? plan.claim : (claim ?? 'expired'),
    // A promotion ordered out of the blue as confirmed is a fence that nobody has read: no controller orders that.
    whims: claim === 'expired' ? plan.whims : plan.whims.filter(({ what }) => what !== 'promote'),
    // Whoever fences a region that is lost finds it off.
    fenceLies: dies ? false : plan.fenceLies,
    endMs: plan.endMs + (dies ? ordersMs[1] : 0),
  };
}
