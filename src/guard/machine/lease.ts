/**
 * The lease as one guard sees it: what the store answers, what counts as renewed, and what makes up for a store that can't be
 * reached (safety.md, "The lease", "Promises"). PURE.
 *
 * A renewal counts from its *send* (invariant 30): whatever the network did to the answer, the store had it no earlier.
 */
import type { Ask, GuardInput, GuardState } from '../../model/guard.ts';
import type { LeaseAnswer, LeaseRecord } from '../../model/lease.ts';
import type { RegionId } from '../../model/primitives.ts';
import { become, holderOf, mayWrite, persist, put, stop, type Turn, tell } from './turn.ts';

export function answered(turn: Turn, { number, answer }: GuardInput & { kind: 'answered' }): void {
  const found = turn.state.asks.find((each) => each.number === number);
  if (found === undefined) return;
  const { mono, settings, renewedMono: before } = turn.state;
  if (turn.state.asking === number) {
    // The rule E + 3q + r <= G counts on it: who may write, and had no answer, asks again q after that send, not r.
    const { renewMs, attemptMs } = settings.timings;
    const nextMs = answer === null && mayWrite(turn.state) ? attemptMs : renewMs;
    put(turn, { asking: null, nextAskMono: Math.max(mono, found.sentMono + nextMs) });
  }
  if (answer !== null && speaksNow(turn, answer)) {
    const first = turn.state.view === null;
    see(turn, answer);
    if (answer.kind === 'set' && found.set !== null) granted(turn, found, found.set);
    else own(turn, answer, first || answer.kind === 'conflict');
    forget(turn);
  }
  if (turn.state.renewedMono === before) withoutStore(turn);
}

/** Whether the answer is of the store this guard obeys, and no older than what it has seen of it. */
function speaksNow(turn: Turn, answer: LeaseAnswer): boolean {
  if (answer.kind === 'refused' && answer.code === 'halted') {
    tell(turn, 'store-halted', answer.message);
    return false;
  }
  if (!obeys(turn, answer)) return false;
  // Within one life of the store epoch and counter only grow: what shows less was true a while ago. Taken for the present, it would
  // make us forget a set of ours that may yet have been made, and another of the same counter would pass for it.
  const [now, before] = [answer.record, turn.state.view?.record ?? null];
  if (answer.kind === 'set' || before === null) return true;
  return now !== null && (now.epoch > before.epoch || (now.epoch === before.epoch && now.counter >= before.counter));
}

/**
 * Whether the life of the store that answers is the one this guard obeys (safety.md, "Embedded store"). A newer one is pinned,
 * and puts everything off by W; by a holder only once all who may come after it have done so. An older one is a copy.
 */
function obeys(turn: Turn, { incarnation, guards }: LeaseAnswer): boolean {
  const { pin, holds } = turn.state.durable;
  const { mono, settings } = turn.state;
  if (pin !== null && pin.id === incarnation.id && pin.start === incarnation.start) return true;
  if (pin !== null && incarnation.start <= pin.start) {
    tell(
      turn,
      'old-store',
      `the store is in its life ${incarnation.start} (${incarnation.id}), and life ${pin.start} was seen: it is a copy or was restored`,
    );
    return false;
  }
  if (pin !== null && holds !== null) {
    const missing = peersAtMost(turn.state).filter((peer) => guards[peer]?.pinned !== true);
    if (missing.length > 0) {
      tell(turn, 'not-pinned', `the store was started again, and ${missing.join(', ')} may still obey its former life`);
      return false;
    }
  }
  persist(turn, { pin: incarnation });
  const untilMono = mono + settings.timings.waitMs;
  put(turn, {
    pinnedMono: mono,
    view: null,
    ...(holds === null ? { promisedUntilMono: Math.max(turn.state.promisedUntilMono, untilMono) } : {}),
  });
  return true;
}

function see(turn: Turn, { kind, revision, record, floor, guards }: LeaseAnswer): void {
  const { view, mono, durable, settings } = turn.state;
  const unchanged = view !== null && view.revision === revision;
  put(turn, {
    view: {
      revision,
      record,
      floor,
      guards,
      heardMono: mono,
      unchangedMono: unchanged ? view.unchangedMono : mono,
      proven: kind === 'set' && record?.state === 'held',
    },
  });
  if (record === null) return;
  if (record.epoch > durable.obeyed) persist(turn, { obeyed: record.epoch }); // invariant 3
  // Somebody else has written since this one did: what is here has to be archived before it is started (invariant 21).
  const { lastRole, deposedBy } = turn.state.durable;
  if (record.writer === settings.region || lastRole !== 'primary' || deposedBy !== null) return;
  persist(turn, { deposedBy: record.epoch });
  if (turn.state.part === 'stopped')
    become(turn, 'deposed', `${record.writer} has written since, at epoch ${record.epoch}`);
}

/** This set of ours stands. */
function granted(turn: Turn, { sentMono }: Ask, set: LeaseRecord): void {
  const { durable, mono, part, startedMono } = turn.state;
  if (set.state === 'released') return gaveBack(turn, set.epoch);
  if (durable.holds !== set.epoch) {
    persist(turn, { holds: set.epoch, obeyed: Math.max(durable.obeyed, set.epoch), promisedTo: null });
    // What was asked for before PostgreSQL was started says nothing of this start (invariant 5): it is acquired once more.
    const late = part === 'starting' && (startedMono === null || sentMono < startedMono);
    if (!late) put(turn, { acquiredMono: mono });
    const why = `has the lease at epoch ${set.epoch}`;
    tell(turn, 'acquired', why);
    if (part === 'starting' && !late) become(turn, 'primary', why);
    if (part === 'candidate' || part === 'standby') become(turn, 'holding', why);
  }
  renewed(turn, sentMono);
}

function gaveBack(turn: Turn, epoch: number): void {
  persist(turn, { holds: null, candidacy: null });
  put(turn, { renewedMono: null, acquiredMono: null, round: null });
  tell(turn, 'released', `released at epoch ${epoch}`);
  if (turn.state.part === 'holding') become(turn, 'standby', 'gave the lease back, unpromoted');
}

function renewed(turn: Turn, sentMono: number): void {
  const { renewedMono } = turn.state;
  if (renewedMono !== null && sentMono <= renewedMono) return;
  put(turn, { renewedMono: sentMono });
  const { settings } = turn.state;
  if (settings.isolation === 'stop' && settings.deadMan !== 'none' && mayWrite(turn.state))
    turn.effects.push({ kind: 'pet', sentMono });
}

/**
 * The record is not what was expected, or was only read. One of our own sets whose answer was lost is adopted with the time it was
 * sent: taking it for somebody else's stopped healthy primaries (safety.md). Anything else than our own epoch deposes us.
 */
function own(turn: Turn, { record }: LeaseAnswer, hurry: boolean): void {
  const { durable, process, asks } = turn.state;
  if (record === null) return;
  if (durable.holds === null || record.epoch > durable.holds) adopt(turn, record);
  const holds = turn.state.durable.holds;
  if (holds === null || record.epoch < holds) return;
  if (record.epoch > holds || !holderOf(record, turn.state)) return deposed(turn, record);
  if (record.state === 'released') return gaveBack(turn, record.epoch);
  const lost = asks.find(({ set }) => set !== null && record.process === process && sameSet(set, record));
  if (lost !== undefined) renewed(turn, lost.sentMono);
  // Also where it lags, after a start of the store, or is of a former life of this guard: it is ours, and is set anew at once. Not
  // so where it was merely read, or refused for now: that would ask without a pause.
  if (hurry) put(turn, { nextAskMono: turn.state.mono });
}

/** An acquisition of ours whose answer was lost, in this life or in a former one. */
function adopt(turn: Turn, record: LeaseRecord): void {
  if (record.state !== 'held' || !holderOf(record, turn.state)) return;
  const { process, asks, part } = turn.state;
  const lost = asks.find(({ set }) => set !== null && record.process === process && sameSet(set, record));
  if (lost?.set !== undefined && lost.set !== null) return granted(turn, lost, lost.set);
  if (record.process === process) return;
  // When it was renewed is not known: it is no renewal, and for a promotion W counts from now.
  persist(turn, { holds: record.epoch, obeyed: Math.max(turn.state.durable.obeyed, record.epoch), promisedTo: null });
  if (part === 'candidate' || part === 'standby') {
    put(turn, { acquiredMono: turn.state.mono });
    become(turn, 'holding', `acquired epoch ${record.epoch} before it was started again`);
  }
}

const sameSet = (a: LeaseRecord, b: LeaseRecord): boolean =>
  a.epoch === b.epoch && a.counter === b.counter && a.holder === b.holder && a.state === b.state;

function deposed(turn: Turn, record: LeaseRecord): void {
  const { part } = turn.state;
  const why = `${record.holder} has the lease at epoch ${record.epoch}`;
  persist(turn, { holds: null, candidacy: null });
  put(turn, { renewedMono: null, acquiredMono: null, round: null });
  if (part === 'holding' || part === 'candidate') put(turn, { part: 'standby', why });
  else if (part !== 'stopped' && part !== 'deposed') stop(turn, 'foreign', why);
}

/** Sets that can't be made any more are forgotten: their revision is not the one that stands. */
function forget(turn: Turn): void {
  const { asks, asking, view } = turn.state;
  const revision = view?.revision ?? null;
  const kept = asks.filter(({ number, set, expected }) => number === asking || (set !== null && expected === revision));
  if (kept.length !== asks.length) put(turn, { asks: kept });
}

/**
 * Everybody who may be promoted, as far as the store may know: those of the record, and those of a set of ours that may have been
 * made, or may be made yet.
 */
export function peersAtMost({ view, asks, settings, durable }: GuardState): readonly RegionId[] {
  if (view === null) return settings.peers;
  const record = view.record;
  if (record === null || record.holder !== settings.region || record.epoch !== durable.holds) return settings.peers;
  return [...new Set([...record.peers, ...asks.flatMap(({ set }) => set?.peers ?? [])])];
}

/** The store did not renew. What may count instead is a promise of every peer, each for its own W (safety.md, "Promises"). */
function withoutStore(turn: Turn): void {
  const { durable, settings, mono, round, numbers, part } = turn.state;
  if (durable.holds === null || settings.isolation !== 'stop' || part === 'stopping' || part === 'stopped') return;
  const late = round !== null && mono >= round.sentMono + settings.timings.attemptMs;
  if (round !== null && !late) return;
  const peers = peersAtMost(turn.state);
  if (peers.length === 0) return renewed(turn, mono);
  put(turn, {
    numbers: numbers + 1,
    round: { number: numbers + 1, sentMono: mono, epoch: durable.holds, promisedBy: [] },
  });
  for (const peer of peers) {
    turn.effects.push({
      kind: 'ask-promise',
      number: numbers + 1,
      peer,
      ask: { group: settings.group, component: settings.component, holder: settings.region, epoch: durable.holds },
      timeoutMs: settings.timings.attemptMs,
    });
  }
}

export function promised(turn: Turn, input: GuardInput & { kind: 'promised' }): void {
  const { round, durable } = turn.state;
  if (round === null || round.number !== input.number || round.epoch !== durable.holds) return;
  if (input.promised !== true) return put(turn, { round: null });
  const promisedBy = [...round.promisedBy, input.peer];
  // A peer that came onto the list meanwhile has promised nothing.
  const missing = peersAtMost(turn.state).filter((peer) => !promisedBy.includes(peer));
  if (missing.length > 0) return put(turn, { round: { ...round, promisedBy } });
  put(turn, { round: null });
  renewed(turn, round.sentMono);
}

/** The set that renews, with the peers heard of in the last three intervals: only the holder changes them. */
export function renewal(state: GuardState): LeaseRecord | null {
  const { view, settings, process, seen, durable } = state;
  const record = view?.record ?? null;
  if (view === null || record === null || !holderOf(record, state) || record.epoch !== durable.holds) return null;
  const silentMs = 3 * settings.timings.renewMs;
  const peers = settings.peers.filter((peer) => {
    const heard = view.guards[peer];
    return heard !== undefined && heard.ageMs + (state.mono - view.heardMono) <= silentMs;
  });
  return {
    ...record,
    process,
    counter: record.counter + 1,
    peers,
    // Known to the store before PostgreSQL is asked: from then on nobody may take it for unpromoted.
    writer: durable.promotion === null ? record.writer : settings.region,
    isolation: settings.isolation,
    timingsHash: settings.timingsHash,
    sample: seen?.sample ?? null,
  };
}
