/**
 * The rules of the lease store: one request in, one answer out (safety.md, "Embedded store"; decision 0016). PURE. The embedded
 * store runs them in the core, with the journal behind it; a compare-and-set log in its place answers with the same types.
 *
 * 1. A set is of exactly the revision that stands, or it changes nothing. Revisions are numbered within one life of the store,
 *    so none of an earlier life ever matches.
 * 2. In a new life nothing is granted until the asker and every guard that may be promoted are pinned to it, and no acquisition
 *    before W: whatever an older life granted has lapsed by then. That goes for a holder's own restart in place as well. A holder
 *    need not wait for peers that are silent: the loss of a standby's region must not stop it (invariant 28).
 * 3. Epochs only grow (invariant 2), and with them those of the group's runs.
 * 4. Only the holder's set changes what others rely on: who may be promoted after it, who wrote last, isolation, timings.
 * 5. A store that is older than what a guard has seen grants nothing more until a person clears it.
 */
import type { EventBody } from '../model/events.ts';
import type {
  Incarnation,
  KeptLease,
  LeaseAnswer,
  LeaseHalt,
  LeaseRecord,
  LeaseRequest,
  Revision,
  SeenLease,
} from '../model/lease.ts';
import type { MonoMs, RegionId, WallMs } from '../model/primitives.ts';

/** What the store knows of one lease: what is durable, and what only this life has seen. */
export type Lease = { readonly kept: KeptLease; readonly seen: SeenLease };

/** What the rules need to know of the group around the lease. */
export type LeaseGround = {
  readonly incarnation: Incarnation;
  /** When this life began. */
  readonly startMono: MonoMs;
  /** Highest epoch that anything of the group has taken. */
  readonly floor: number;
  /** An epoch that a run in progress has taken for the guard of this region; null = there is none. */
  readonly granted: { readonly epoch: number; readonly to: RegionId } | null;
  /** Where the group is active: only its guard may create the record. */
  readonly active: RegionId;
  /** W, and r. */
  readonly waitMs: number;
  readonly renewMs: number;
  /** Of the terms that the config says. */
  readonly timingsHash: string;
};

export type LeaseNow = { readonly at: WallMs; readonly mono: MonoMs };

type LeaseEvent = Extract<EventBody, { kind: 'lease.set' | 'lease.halted' }>;
export type LeaseAnswered = {
  readonly seen: SeenLease;
  /** To be durable before the answer leaves; none for a read, a refusal, or a mere renewal. */
  readonly events: readonly LeaseEvent[];
  readonly answer: LeaseAnswer;
};

type SetAsked = Extract<LeaseRequest['operation'], { kind: 'set' }>;
type Code = Extract<LeaseAnswer, { kind: 'refused' }>['code'];
type Refusal = { readonly code: Code; readonly message: string; readonly retryAfterMs: number | null };

/** A guard that was not heard for so many renew intervals of this life is silent. */
const SILENT_RENEWALS = 3;

const refusal = (code: Code, message: string, retryAfterMs: number | null = null): Refusal => ({
  code,
  message,
  retryAfterMs,
});

const sameLife = (a: Incarnation | null | undefined, b: Incarnation): boolean => a?.id === b.id && a.start === b.start;

/** The record as it stands, renewals of this life among it. */
export const recordOf = ({ kept, seen }: Lease): LeaseRecord | null => seen.record ?? kept.record;

export const revisionOf = (lease: Lease, { id, start }: Incarnation): Revision | null =>
  recordOf(lease) === null ? null : `${start}.${lease.seen.sets}.${id}`.slice(0, 80);

/** Whether that guard was heard in this life and obeys it. */
export const isPinned = ({ heard }: SeenLease, guard: RegionId, incarnation: Incarnation): boolean =>
  Object.hasOwn(heard, guard) && sameLife(heard[guard]?.pin, incarnation);

export function answerLease(before: Lease, ground: LeaseGround, ask: LeaseRequest, now: LeaseNow): LeaseAnswered {
  const { kept } = before;
  const said = { mono: now.mono, pin: ask.pin, obeyed: ask.obeyed };
  const seen: SeenLease = { ...before.seen, heard: { ...before.seen.heard, [ask.guard]: said } };
  const lease = { kept, seen };
  const stands = current(lease, ground, ask.guard, now);
  const refuse = (why: Refusal, events: readonly LeaseEvent[] = []): LeaseAnswered => ({
    seen,
    events,
    answer: { kind: 'refused', ...stands, ...why },
  });

  const older = olderThan(ground, ask, now.at);
  if (older !== null && !isToldIn(kept.halt, older)) {
    const event = { kind: 'lease.halted', group: ask.group, component: ask.component, ...older } as const;
    return refuse(refusal('halted', older.why), [event]);
  }
  if (kept.halt !== null) return refuse(refusal('halted', kept.halt.why));

  const { operation } = ask;
  if (operation.kind === 'read') return { seen, events: [], answer: { kind: 'is', ...stands } };
  if (operation.expected !== stands.revision) return { seen, events: [], answer: { kind: 'conflict', ...stands } };
  const judged = judgeSet(lease, ground, ask, operation, now);
  if ('code' in judged) return refuse(judged);
  return grant(lease, ground, ask, operation.record, judged.change, now);
}

function current(lease: Lease, { incarnation, floor }: LeaseGround, asker: RegionId, now: LeaseNow) {
  const others = Object.entries(lease.seen.heard).filter(([guard]) => guard !== asker);
  return {
    incarnation,
    revision: revisionOf(lease, incarnation),
    record: recordOf(lease),
    floor,
    guards: Object.fromEntries(
      others.map(([guard, { mono, pin }]) => [
        guard,
        { ageMs: Math.max(0, now.mono - mono), pinned: sameLife(pin, incarnation) },
      ]),
    ),
  };
}

/** What the asker has seen that this store has not: then it is a copy, or was restored from a backup (rule 5). */
function olderThan({ incarnation, floor }: LeaseGround, ask: LeaseRequest, at: WallMs): LeaseHalt | null {
  const { guard, pin, obeyed } = ask;
  const halt = { at, guard, epoch: obeyed, start: pin?.start ?? 0 };
  if (pin !== null && pin.start > incarnation.start)
    return {
      ...halt,
      code: 'later-life',
      why: `the guard in ${guard} obeys life ${pin.start} of the store; this is life ${incarnation.start}`,
    };
  if (pin !== null && pin.start === incarnation.start && pin.id !== incarnation.id)
    return { ...halt, code: 'another-life', why: `the guard in ${guard} obeys another store of life ${pin.start}` };
  if (obeyed > floor)
    return {
      ...halt,
      code: 'higher-epoch',
      why: `the guard in ${guard} has obeyed epoch ${obeyed}; this store knows of none above ${floor}`,
    };
  return null;
}

const isToldIn = (halt: LeaseHalt | null, { epoch, start }: LeaseHalt): boolean =>
  halt !== null && epoch <= halt.epoch && start <= halt.start;

type Change = 'renewed' | Extract<LeaseEvent, { kind: 'lease.set' }>['change'];

function judgeSet(
  lease: Lease,
  ground: LeaseGround,
  ask: LeaseRequest,
  { record }: SetAsked,
  now: LeaseNow,
): Refusal | { readonly change: Change } {
  const standing = recordOf(lease);
  if (record.holder !== ask.guard || record.process !== ask.process)
    return refusal('not-holder', `a guard sets its own record: this one is of ${record.holder}, asked by ${ask.guard}`);
  if (record.peers.includes(ask.guard))
    return refusal('not-holder', `${ask.guard} can’t be promoted after itself: leave it out of the peers`);
  if (record.writer !== ask.guard && record.writer !== standing?.writer)
    return refusal('not-holder', `${ask.guard} can’t say that ${record.writer} wrote last`);
  return standing !== null && record.epoch === standing.epoch
    ? judgeOwn(lease, standing, ground, ask, record, now)
    : judgeAcquisition(lease, standing, ground, ask, record, now);
}

/** A set at the epoch that stands: renewed, changed, or given back. */
function judgeOwn(
  lease: Lease,
  standing: LeaseRecord,
  ground: LeaseGround,
  ask: LeaseRequest,
  record: LeaseRecord,
  now: LeaseNow,
): Refusal | { readonly change: Change } {
  if (standing.holder !== ask.guard)
    return refusal('not-holder', `epoch ${standing.epoch} is held by ${standing.holder}`);
  if (standing.state === 'released')
    return refusal('not-holder', `epoch ${standing.epoch} was released: take the lease at a new one`);
  if (record.counter <= standing.counter)
    return refusal('not-holder', `counter ${record.counter} does not follow ${standing.counter}`);
  if ((record.state === 'released') !== (record.release !== null))
    return refusal('not-holder', 'a release says what it is, and nothing else does');
  if (record.timingsHash !== standing.timingsHash && record.timingsHash !== ground.timingsHash)
    return refusal('timings', 'these are neither the timings that the lease is held by nor those of the config');
  const unpinned = unpinnedOf(lease, standing, ground, record, 'holder', now);
  if (unpinned !== null) return unpinned;
  if (record.state === 'released') return { change: 'released' };
  return { change: reliedOn(record) === reliedOn(standing) ? 'renewed' : 'changed' };
}

/** What others rely on, and what therefore is durable before it is answered. Peers come in no order that means anything. */
const reliedOn = ({ peers, writer, isolation, timingsHash }: LeaseRecord): string =>
  JSON.stringify([[...peers].sort(), writer, isolation, timingsHash]);

function judgeAcquisition(
  lease: Lease,
  standing: LeaseRecord | null,
  ground: LeaseGround,
  ask: LeaseRequest,
  record: LeaseRecord,
  now: LeaseNow,
): Refusal | { readonly change: Change } {
  const { floor, granted, active, waitMs, startMono } = ground;
  const { guard } = ask;
  const own = granted !== null && granted.to === guard && granted.epoch === record.epoch && floor === record.epoch;
  if ((standing !== null && record.epoch < standing.epoch) || (record.epoch <= floor && !own))
    return refusal('below-floor', `epoch ${record.epoch} is not above ${floor}, which was taken`);
  if (record.state !== 'held' || record.release !== null)
    return refusal('not-holder', 'what is taken is held: nothing can be released before it');
  if (standing === null && guard !== active)
    return refusal('not-holder', `only the guard of ${active}, where the group is active, begins the record`);
  const held = standing !== null && standing.state === 'held' && standing.holder !== guard ? standing : null;
  if (held !== null && !held.peers.includes(guard))
    return refusal('not-holder', `${held.holder} holds the lease and does not name ${guard} among its peers`);
  if (record.timingsHash !== ground.timingsHash)
    return refusal('timings', 'these are not the timings that the config says');
  const unpinned = unpinnedOf(lease, standing, ground, record, held === null ? 'holder' : 'candidate', now);
  if (unpinned !== null) return unpinned;
  const leftMs = startMono + waitMs - now.mono;
  if (leftMs > 0)
    return refusal('warming', `the store has started; acquisitions wait ${Math.ceil(leftMs / 1000)} s more`, leftMs);
  return { change: 'acquired' };
}

/**
 * Rule 2. Whom the record names, and whom it named before, must be pinned to this life. A guard that is silent counts only where
 * somebody else than the holder asks: it might be promoted by another life (safety.md, "Embedded store").
 */
function unpinnedOf(
  { seen }: Lease,
  standing: LeaseRecord | null,
  { incarnation, startMono, renewMs }: LeaseGround,
  record: LeaseRecord,
  by: 'holder' | 'candidate',
  now: LeaseNow,
): Refusal | null {
  const silent = (guard: RegionId): boolean =>
    now.mono - Math.max(startMono, seen.heard[guard]?.mono ?? startMono) >= SILENT_RENEWALS * renewMs;
  const before = standing?.peers ?? [];
  const counted = [
    record.holder,
    ...before.filter((peer) => by === 'candidate' || !silent(peer)),
    ...record.peers.filter((peer) => !silent(peer)),
  ];
  const missing = [...new Set(counted)].filter((guard) => !isPinned(seen, guard, incarnation));
  if (missing.length === 0) return null;
  const who = missing.join(' and ');
  return refusal('not-pinned', `this is life ${incarnation.start} of the store, and ${who} does not obey it yet`);
}

function grant(
  { kept, seen }: Lease,
  ground: LeaseGround,
  ask: LeaseRequest,
  record: LeaseRecord,
  change: Change,
  now: LeaseNow,
): LeaseAnswered {
  const { group, component } = ask;
  const after: SeenLease = { ...seen, record, sets: seen.sets + 1, changedMono: now.mono };
  const floor = Math.max(ground.floor, record.epoch);
  return {
    seen: after,
    events: change === 'renewed' ? [] : [{ kind: 'lease.set', at: now.at, group, component, change, record }],
    answer: { kind: 'set', ...current({ kept, seen: after }, { ...ground, floor }, ask.guard, now) },
  };
}
