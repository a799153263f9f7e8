/**
 * The guard's judgement as a function (safety.md; decision 0016). PURE: the clock is an input, what is durable is written before
 * it is acted on, and nothing here waits.
 *
 * It alone starts, promotes and stops one PostgreSQL. What it may be rests on the lease; what it is, on looks at it.
 */
import {
  FRESH_DURABLE,
  type GuardEffect,
  type GuardInput,
  type GuardSettings,
  type GuardState,
} from '../model/guard.ts';
import type { LeaseRequest } from '../model/lease.ts';
import { acquisition, mayResume, release, waitsFor } from './machine/candidate.ts';
import { answered, promised, renewal } from './machine/lease.ts';
import { ordered, promiseAsked } from './machine/orders.ts';
import { attend, looked, mayStartPrimary, performed, strange } from './machine/server.ts';
import { ask, become, mayWrite, persist, put, stop, type Turn, tell } from './machine/turn.ts';

export function initialGuard(settings: GuardSettings): GuardState {
  return {
    settings,
    process: '',
    at: 0,
    mono: 0,
    durable: FRESH_DURABLE,
    part: 'unknown',
    why: 'not started',
    seen: null,
    view: null,
    renewedMono: null,
    acquiredMono: null,
    promisedUntilMono: Number.POSITIVE_INFINITY,
    pinnedMono: 0,
    asks: [],
    asking: null,
    round: null,
    nextAskMono: 0,
    task: null,
    deadManArmed: false,
    unwatchedMono: null,
    stopping: null,
    ended: null,
    startedMono: null,
    askedPromotionMono: null,
    retryMono: null,
    hurried: null,
    freezeDue: null,
    crashes: 0,
    numbers: 0,
  };
}

export function step(
  before: GuardState,
  input: GuardInput,
): { readonly state: GuardState; readonly effects: readonly GuardEffect[] } {
  const turn: Turn = { state: { ...before, at: input.at, mono: Math.max(before.mono, input.mono) }, effects: [] };
  // Whatever comes in late, as after a freeze, comes to a guard that has looked at its clock first.
  if (input.kind !== 'started') lapse(turn);
  take(turn, input);
  lapse(turn);
  attend(turn);
  askStore(turn);
  wake(turn);
  return { state: turn.state, effects: turn.effects };
}

function take(turn: Turn, input: GuardInput): void {
  switch (input.kind) {
    case 'started':
      return started(turn, input);
    case 'tick':
      return;
    case 'answered':
      return answered(turn, input);
    case 'promised':
      return promised(turn, input);
    case 'performed':
      return performed(turn, input);
    case 'seen':
      return looked(turn, input.seen);
    case 'dead-man':
      if (!input.armed && turn.state.deadManArmed && mayWrite(turn.state)) {
        tell(turn, 'dead-man-lost', 'the dead-man does not watch any more');
        if (turn.state.renewedMono !== null) turn.effects.push({ kind: 'pet', sentMono: turn.state.renewedMono });
      }
      return put(turn, { deadManArmed: input.armed });
    case 'order':
      return ordered(turn, input);
    case 'promise-asked':
      return promiseAsked(turn, input);
    default:
      return input satisfies never;
  }
}

/** Whatever was promised in an earlier life may have been promised a moment ago (invariant 6). */
function started(turn: Turn, { process, durable, seen, fresh, ...input }: GuardInput & { kind: 'started' }): void {
  const { settings, mono } = turn.state;
  const { waitMs, demoteAfterMs, attemptMs } = settings.timings;
  // The kernel's timer knows when it was petted, which is up to an attempt later than the send (invariant 30).
  const renewedMono =
    input.renewedMono === null ? null : input.renewedMono - (settings.deadMan === 'relative' ? attemptMs : 0);
  put(turn, {
    process,
    durable,
    seen,
    promisedUntilMono: mono + waitMs,
    pinnedMono: mono - waitMs,
    freezeDue: durable.frozen === null ? null : 'freeze',
    deadManArmed: renewedMono !== null,
  });
  const primary = seen.state === 'primary' && durable.holds !== null && durable.deposedBy === null;
  if (seen.state === 'stopped') {
    // Whose file was lost doesn't know what it was; its data does (invariant 21).
    if (durable.lastRole === null && seen.ranAs !== undefined) persist(turn, { lastRole: seen.ranAs });
    if (durable.promotion !== null) persist(turn, { promotion: null });
    // A timer that a former life left armed would end the host for nothing.
    if (renewedMono !== null) turn.effects.push({ kind: 'disarm' });
    put(turn, { stopping: durable.rests === null ? null : 'released' });
    return become(turn, durable.deposedBy === null ? 'stopped' : 'deposed', 'found stopped');
  }
  // The release that it was stopped for in its former life is still owed to whoever was told that it comes.
  if (durable.rests !== null && durable.holds !== null && durable.promotion === null && seen.state !== 'standby')
    return stop(turn, 'released', durable.rests.why);
  if (primary && seen.open) {
    // Left running by a former life, whose dead-man knows when it renewed. Without one: as long as two attempts take.
    put(turn, { renewedMono: renewedMono ?? mono - demoteAfterMs + 2 * attemptMs });
    if (durable.promotion !== null) persist(turn, { promotion: null, candidacy: null, lastRole: 'primary' });
    return become(turn, 'primary', 'found running');
  }
  // Whose file was lost may have asked for a promotion that takes effect yet (invariant 11): that server is not adopted.
  if (seen.state === 'standby' && !fresh && durable.promotion === null && durable.lastRole !== 'primary') {
    put(turn, { renewedMono });
    const part = durable.holds !== null ? 'holding' : durable.candidacy !== null ? 'candidate' : 'standby';
    return become(turn, part, 'found running');
  }
  // At the very first start of a guard the primary that is there is nobody's work but its owner's.
  if (seen.state === 'primary' && durable.promotion === null && !(fresh && settings.role === 'primary'))
    return strange(turn);
  // A promotion nobody knows the end of, a stranger's start, one that can't be looked at: it ends here (invariants 5, 11).
  stop(turn, durable.promotion === null ? 'stranger' : 'unresolved', `found ${seen.state}, and can’t be adopted`);
}

/** Stopped in time, whatever the store or the network do (invariant 30). */
function lapse(turn: Turn): void {
  const { settings, renewedMono, mono, part, durable } = turn.state;
  const alone = unwatched(turn);
  if (settings.isolation !== 'stop' || (part !== 'primary' && part !== 'promoting')) return;
  if (durable.holds === null) return stop(turn, 'foreign', 'it has no lease any more');
  if (alone) return stop(turn, 'lapsed', `no dead-man has watched it for ${settings.timings.demoteAfterMs / 1000} s`);
  if (renewedMono !== null && mono < renewedMono + settings.timings.demoteAfterMs) return;
  stop(turn, 'lapsed', `its lease was not renewed for ${settings.timings.demoteAfterMs / 1000} s`);
}

/** Whoever waits for this lease to expire counts on the dead-man: without one, writes end as if nothing were renewed. */
function unwatched(turn: Turn): boolean {
  const { settings, part, deadManArmed, unwatchedMono, mono } = turn.state;
  const writes = part === 'primary' || part === 'promoting';
  const sinceMono = settings.deadMan === 'none' || !writes || deadManArmed ? null : (unwatchedMono ?? mono);
  if (sinceMono !== unwatchedMono) put(turn, { unwatchedMono: sinceMono });
  return sinceMono !== null && mono >= sinceMono + settings.timings.demoteAfterMs;
}

function askStore(turn: Turn): void {
  const { asking, mono, nextAskMono, part, hurried } = turn.state;
  if (asking !== null || part === 'unknown') return;
  const hurry = hurryFor(turn.state);
  if (mono < nextAskMono && (hurry === null || hurry === hurried)) return;
  put(turn, { hurried: hurry });
  ask(turn, operation(turn.state));
}

/** Sets that somebody waits for don't wait for the next renewal: once at once, and then at its pace. */
function hurryFor(state: GuardState): string | null {
  const { kind, ...rest } = operation(state);
  if (kind === 'read' || !('record' in rest)) return null;
  const { record } = rest;
  const before = state.view?.record ?? null;
  const renews = before?.epoch === record.epoch && before.state === record.state && before.writer === record.writer;
  if (renews && state.part !== 'stopped') return null;
  return `${record.epoch}/${record.state}/${record.writer}/${state.startedMono}/${state.crashes}`;
}

function operation(state: GuardState): LeaseRequest['operation'] {
  const { view, part, durable, seen, stopping, ended, acquiredMono } = state;
  if (view === null) return { kind: 'read' };
  const set = (record: ReturnType<typeof acquisition>): LeaseRequest['operation'] =>
    record === null ? { kind: 'read' } : { kind: 'set', expected: view.revision, record };
  if (part === 'starting') {
    const ready = seen?.state === 'primary' && acquiredMono === null && mayResume(state);
    return ready ? set(acquisition(state)) : { kind: 'read' };
  }
  if (
    part === 'stopped' &&
    durable.holds !== null &&
    ended !== null &&
    (stopping === 'released' || stopping === 'crashed')
  )
    return set(release(state));
  // What was only read may be of a while ago: who starts as a primary has made a set first, and nobody came in between (invariant 21).
  if (part === 'stopped' && view.record !== null && !view.proven && mayStartPrimary(state))
    return set(renewal(state) ?? acquisition(state));
  if (part === 'holding' && durable.candidacy === null && durable.promotion === null) return set(release(state));
  if (part === 'candidate' && durable.holds === null && waitsFor(state) === null) return set(acquisition(state));
  if (durable.holds !== null && part !== 'stopped' && part !== 'stopping' && part !== 'deposed')
    return set(renewal(state));
  return { kind: 'read' };
}

/** When there is something to do by the clock alone. */
function wake(turn: Turn): void {
  const { asking, nextAskMono, renewedMono, unwatchedMono, settings, part, mono } = turn.state;
  let nextMono = asking === null ? nextAskMono : Number.POSITIVE_INFINITY;
  if (settings.isolation === 'stop' && renewedMono !== null && (part === 'primary' || part === 'promoting'))
    nextMono = Math.min(nextMono, Math.min(renewedMono, unwatchedMono ?? renewedMono) + settings.timings.demoteAfterMs);
  if (nextMono !== Number.POSITIVE_INFINITY) turn.effects.push({ kind: 'wake', mono: Math.max(mono, nextMono) });
}
