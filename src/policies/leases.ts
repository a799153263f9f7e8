/**
 * Leases in the core: a guard's request meets the rules of the store (`lease-store.ts`) on the ledger, and is answered once what the
 * answer says is durable. A renewal leaves nothing to write and concerns no judgement. PURE.
 *
 * The sample in a renewal is not mixed with those that probes take: how old it is when it comes in is not known, and a loss
 * reckoned from it would look smaller than it may be (invariant 19).
 */

import { withKey } from '../model/keyed.ts';
import type { Incarnation, KeptLease, LeaseRequest } from '../model/lease.ts';
import { leaseKey, NO_LEASE, NOT_SEEN } from '../model/lease.ts';
import type { LeaseSettings } from '../model/lease-settings.ts';
import type { GroupLedger } from '../model/ledger.ts';
import type { InputOf, State } from '../model/loop.ts';
import type { ComponentId, GroupId, RegionId } from '../model/primitives.ts';
import { isOverridden } from '../model/run.ts';
import type { GroupSettings } from '../model/settings.ts';
import { answerLease, type Lease, type LeaseGround } from './lease-store.ts';
import { page, remember, say, type Turn } from './turn.ts';
import { groupLedger } from './view.ts';

/** The life of the store that this process is. */
export const lifeOf = ({ incarnation, ledger }: State): Incarnation => ({ id: incarnation, start: ledger.starts });

export const leaseOf = (state: State, group: GroupId, component: ComponentId): Lease => ({
  kept: keptLease(groupLedger(state, group), component),
  seen: state.volatile.leases[leaseKey(group, component)] ?? NOT_SEEN,
});

export const keptLease = ({ leases }: Pick<GroupLedger, 'leases'>, component: ComponentId): KeptLease =>
  Object.hasOwn(leases, component) ? (leases[component] ?? NO_LEASE) : NO_LEASE;

function groundOf(state: State, settings: GroupSettings, { timings, timingsHash }: LeaseSettings): LeaseGround {
  const ledger = groupLedger(state, settings.id);
  const { run } = ledger;
  return {
    incarnation: lifeOf(state),
    startMono: state.volatile.storeStartMono,
    floor: ledger.epoch,
    granted: run?.epochTaken === true ? { epoch: run.epoch, to: run.plan.to } : null,
    active: ledger.active ?? settings.primary,
    waitMs: timings.waitMs,
    renewMs: timings.renewMs,
    timingsHash,
  };
}

type Found = { readonly settings: GroupSettings; readonly terms: LeaseSettings };

/** The PostgreSQL that a request speaks of, where it has a lease and that guard stands beside one of it; in words where not. */
function found(state: State, { group, component, guard }: LeaseRequest): Found | string {
  const { groups } = state.settings;
  const settings = Object.hasOwn(groups, group) ? groups[group] : undefined;
  if (settings === undefined) return `no group is called ${group}`;
  if (settings.lease === null) return `${group} has no lease: add lease to it in the config`;
  const postgres = settings.components.find(({ id, kind }) => id === component && kind === 'postgres');
  if (postgres === undefined) return `${group} has no PostgreSQL called ${component}`;
  if (postgres.control !== 'guard') return `${component} of ${group} is not controlled by guards`;
  return postgres.regions.includes(guard)
    ? { settings, terms: settings.lease }
    : `${component} of ${group} has no instance in ${guard}`;
}

export function takeLease(turn: Turn, { ask, request, at, mono }: InputOf<'lease'>): void {
  const where = found(turn.state, ask);
  if (typeof where === 'string') {
    turn.effects.push({ kind: 'reply', request, status: 404, body: { code: 'not-found', detail: where } });
    return;
  }
  const { settings, terms } = where;
  const { group, component } = ask;
  const lease = leaseOf(turn.state, group, component);
  const { seen, events, answer } = answerLease(lease, groundOf(turn.state, settings, terms), ask, { at, mono });
  remember(turn, { leases: withKey(turn.state.volatile.leases, leaseKey(group, component), seen) });
  say(turn, ...events);
  for (const event of events) if (event.kind === 'lease.halted') tellHalted(turn, settings, component, event.why);
  turn.effects.push({ kind: 'reply', request, status: 200, body: { ...answer } });
}

const titleOf = ({ title }: GroupSettings, component: ComponentId): string => `${title}, ${component}`;

function tellHalted(turn: Turn, settings: GroupSettings, component: ComponentId, why: string): void {
  page(
    turn,
    'stuck',
    settings.id,
    `${titleOf(settings, component)}: the lease store is halted`,
    `${why}. It was restored from a backup, or is a copy, and grants nothing more: the primary lives on its standby’s promises, and nothing fails over by itself. ${AT_STAKE} Then: failoverd lease clear ${settings.id}/${component} --why "..."`,
  );
}

/** What whoever clears a halt answers for. */
export const AT_STAKE =
  'What this store does not know may be that another guard took the lease since. Clear it only once you have looked at every PostgreSQL of the component, know that one at most takes writes, and know that no other failoverd runs on this journal or on a copy of it.';

const MAY_CLEAR = ['sre', 'dba'] as const;

/** A person says that the store may go on: as a later life than any that was seen, above every epoch that was obeyed. */
export function clearLease(turn: Turn, input: InputOf<'clear-lease'>): void {
  const { group, component, person, why, request, at } = input;
  const reply = (status: number, body: Record<string, unknown>): void => {
    turn.effects.push({ kind: 'reply', request, status, body });
  };
  const settings = Object.hasOwn(turn.state.settings.groups, group) ? turn.state.settings.groups[group] : undefined;
  if (settings === undefined) return reply(404, { code: 'not-found', detail: `no group is called ${group}` });
  if (!MAY_CLEAR.some((role) => person.roles.includes(role)))
    return reply(403, { code: 'role', detail: `one of ${MAY_CLEAR.join(', ')} may do that` });
  const ledger = groupLedger(turn.state, group);
  const { halt } = keptLease(ledger, component);
  if (halt === null)
    return reply(409, { code: 'not-waiting', detail: `the lease of ${component} in ${group} is not halted` });
  const start = Math.max(turn.state.ledger.starts, halt.start) + 1;
  const epoch = Math.max(ledger.epoch, halt.epoch);
  say(turn, { kind: 'lease.cleared', at, group, component, person: person.id, why, epoch, start });
  // As after a start: whatever another life granted has lapsed before anybody acquires.
  remember(turn, { storeStartMono: turn.state.mono });
  page(turn, 'attention', group, `${titleOf(settings, component)}: the lease store goes on`, `${person.id}: ${why}`);
  reply(200, { group, component, status: 'cleared', epoch, start });
}

/** Why the lease store grants nothing for a group, in words; null where it does. */
export function haltedLease({ leases }: Pick<GroupLedger, 'leases'>): string | null {
  for (const [component, { halt }] of Object.entries(leases))
    if (halt !== null) return `the lease store of ${component} is halted: ${halt.why}`;
  return null;
}

/** Who took the epoch from under a run, in words; null where nobody did. */
export function overriddenBy(ledger: GroupLedger): string | null {
  const { run, epoch, leases } = ledger;
  if (run === null || !isOverridden(ledger)) return null;
  const who = Object.entries(leases).find(([, { record }]) => record?.epoch === epoch);
  const by: RegionId = who?.[1].record?.holder ?? 'somebody';
  return `the guard of ${who?.[0] ?? 'a component'} in ${by} has taken epoch ${epoch}, which is not below ${run.epoch}, the epoch of ${run.id}`;
}
