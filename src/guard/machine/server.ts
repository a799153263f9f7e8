/** What becomes of PostgreSQL: looks at it, results of tasks, and the next task. PURE. */
import type { GuardInput, GuardState, PostgresSeen } from '../../model/guard.ts';
import { mayResume } from './candidate.ts';
import { become, perform, persist, put, stop, type Turn, tell } from './turn.ts';

/** A promotion that does not show is asked for again; the first request stands as well (safety.md, "Promotion"). */
const ASK_AGAIN_MS = 5000;
const START_MS = 60_000;
/** What failed is not tried again at once: a disk or a config that is wrong is so a moment later too. */
const RETRY_MS = 5000;
/** So long a primary, and its crashes of before are not counted any more. */
const CALM_MS = 600_000;

export function looked(turn: Turn, seen: PostgresSeen): void {
  put(turn, { seen });
  const { part, durable, task } = turn.state;
  if (task !== null && task.task !== 'promote') return;
  switch (seen.state) {
    case 'primary':
      if (part === 'promoting') return promoted(turn);
      if (part === 'starting' && turn.state.startedMono === null) put(turn, { startedMono: turn.state.mono });
      if (part === 'primary') calm(turn);
      if (part === 'standby' || part === 'candidate' || part === 'holding' || part === 'stopped' || part === 'deposed')
        strange(turn);
      return;
    case 'standby':
      if (part === 'stopped' || part === 'deposed')
        return stop(turn, 'stranger', 'PostgreSQL was started by somebody else');
      if (part === 'primary' || part === 'starting')
        stop(turn, 'stranger', 'PostgreSQL was started as a standby by somebody else');
      return;
    case 'stopped':
      if (part === 'primary' || part === 'starting' || part === 'promoting') return crashed(turn);
      if (part === 'holding' || part === 'standby' || part === 'candidate') {
        if (durable.promotion !== null) persist(turn, { promotion: null });
        become(turn, durable.holds === null ? 'standby' : 'holding', 'PostgreSQL ended');
        if (mayTry(turn.state)) perform(turn, 'start-standby', START_MS);
      }
      return;
    case 'starting':
    case 'unknown':
      return;
    default:
      return seen.state satisfies never;
  }
}

/** It took writes that no lease covers: they are archived before it is started again (invariant 21). */
export function strange(turn: Turn): void {
  const { durable } = turn.state;
  persist(turn, { candidacy: null, deposedBy: durable.deposedBy ?? Math.max(1, durable.obeyed) });
  stop(turn, 'stranger', 'PostgreSQL takes writes, and this guard did not let it');
}

function promoted(turn: Turn): void {
  persist(turn, { promotion: null, candidacy: null, lastRole: 'primary' });
  put(turn, { crashes: 0 });
  become(turn, 'primary', 'promoted');
}

const mayTry = ({ retryMono, mono }: GuardState): boolean => retryMono === null || mono >= retryMono;

function calm(turn: Turn): void {
  const { crashes, acquiredMono, mono } = turn.state;
  if (crashes > 0 && acquiredMono !== null && mono - acquiredMono > CALM_MS) put(turn, { crashes: 0 });
}

/** The postmaster ended under a living guard: restart in place first, or release at once (safety.md). */
function crashed(turn: Turn): void {
  const { settings, crashes, part, durable } = turn.state;
  put(turn, { crashes: crashes + 1, ended: null });
  const enough = crashes >= settings.crashRestarts && part !== 'promoting' && durable.holds !== null;
  if ((part === 'primary' && settings.onCrash === 'release') || enough) {
    persist(turn, { rests: { run: null, why: 'PostgreSQL ended, and the lease was released' } });
    return stop(turn, 'crashed', 'PostgreSQL ended, and is not started here again');
  }
  // The backends may have outlived it: they have to be proven gone before anything is started (safety.md, "Stopping means").
  stop(turn, 'unresolved', 'PostgreSQL ended; it is started again');
}

export function performed(turn: Turn, { number, task, result }: GuardInput & { kind: 'performed' }): void {
  if (turn.state.task?.number !== number) return;
  put(turn, { task: null, seen: result.seen });
  if (!result.ok) tell(turn, `${task}-failed`, result.message);
  const pauses = !result.ok && task !== 'stop' && task !== 'promote';
  put(turn, { retryMono: pauses ? turn.state.mono + RETRY_MS : null });
  switch (task) {
    case 'stop':
      return result.seen.state === 'stopped'
        ? stopped(turn, result.end)
        : perform(turn, 'stop', turn.state.settings.timings.stopWithinMs);
    case 'scan':
      if (result.end !== null) put(turn, { ended: { ...result.end, clean: result.seen.cleanShutdown === true } });
      return;
    case 'rejoin':
      if (result.ok) {
        persist(turn, { deposedBy: null, lastRole: 'standby', rests: null });
        put(turn, { stopping: null, ended: null, crashes: 0 });
        become(turn, 'stopped', 'rejoined');
      }
      return;
    default:
      return looked(turn, result.seen);
  }
}

/** Proof of stop: what was begun is over, whatever it was. */
function stopped(turn: Turn, end: { readonly timeline: number; readonly lsn: string } | null): void {
  const { seen, durable, stopping } = turn.state;
  turn.effects.push({ kind: 'disarm' });
  const clean = seen?.cleanShutdown === true;
  put(turn, {
    ended: end === null ? null : { ...end, clean },
    ...(stopping === 'lapsed' ? { renewedMono: null } : {}),
  });
  if (durable.promotion !== null) persist(turn, { promotion: null }); // invariant 11
  // Ordered while it was being stopped for something else: it is released all the same.
  const owed = durable.rests !== null && durable.holds !== null && durable.deposedBy === null;
  if (owed && stopping !== 'crashed' && stopping !== 'foreign') put(turn, { stopping: 'released' });
  become(turn, durable.deposedBy === null ? 'stopped' : 'deposed', turn.state.why);
}

/** The next task, where none is under way. */
export function attend(turn: Turn): void {
  const { part, task, durable, seen, mono, stopping, settings } = turn.state;
  if (part === 'promoting' && task === null && seen?.state === 'standby') {
    // The store knows of it, the dead-man watches, and only then PostgreSQL is asked (safety.md, "Promotion").
    const known = turn.state.view?.record?.writer === settings.region;
    const watched = settings.deadMan === 'none' || settings.isolation === 'serve' || turn.state.deadManArmed;
    const askedMono = turn.state.askedPromotionMono;
    if (!known || !watched || (askedMono !== null && mono - askedMono < ASK_AGAIN_MS)) return;
    put(turn, { askedPromotionMono: mono });
    return perform(turn, 'promote', ASK_AGAIN_MS);
  }
  if (task !== null) {
    if (part === 'starting' && task.task !== 'stop' && overtaken(turn.state))
      stop(turn, 'foreign', 'another has the lease');
    return;
  }
  if (part === 'starting' && overtaken(turn.state)) return stop(turn, 'foreign', 'another has the lease');
  if (!mayTry(turn.state)) return;
  if (turn.state.freezeDue !== null && (part === 'standby' || part === 'candidate')) {
    const due = turn.state.freezeDue;
    put(turn, { freezeDue: null });
    return perform(turn, due, START_MS);
  }
  if (part === 'primary' && seen?.state === 'primary' && !seen.open && durable.holds !== null)
    return perform(turn, 'open', settings.timings.attemptMs * 5);
  if (part !== 'stopped') return;
  if (stopping === 'crashed' || stopping === 'released') {
    if (durable.holds !== null && turn.state.ended === null) perform(turn, 'scan', START_MS);
    return;
  }
  const role = roleNow(turn.state);
  if (role === 'standby') {
    persist(turn, { lastRole: 'standby' });
    put(turn, { stopping: null });
    become(turn, durable.holds === null ? 'standby' : 'holding', 'started as a standby');
    return perform(turn, 'start-standby', START_MS);
  }
  if (role === 'primary') {
    persist(turn, { lastRole: 'primary' });
    put(turn, { stopping: null, acquiredMono: null, startedMono: null });
    become(turn, 'starting', 'starts fenced, and is opened once the lease is acquired anew');
    perform(turn, 'start-fenced', START_MS);
  }
}

const overtaken = (state: GuardState): boolean => state.view !== null && !mayResume(state);

const wasPrimary = ({ durable, settings }: GuardState): boolean =>
  durable.lastRole === 'primary' || (durable.lastRole === null && settings.role === 'primary');

/** As far as the record was heard of. */
export const mayStartPrimary = (state: GuardState): boolean =>
  state.task === null &&
  state.stopping !== 'crashed' &&
  state.stopping !== 'released' &&
  wasPrimary(state) &&
  mayResume(state);

/** What a stopped PostgreSQL may be started as; null = nothing now. */
function roleNow(state: GuardState): 'primary' | 'standby' | null {
  const { durable, view, mono } = state;
  if (durable.deposedBy !== null || durable.rests !== null) return null;
  if (!wasPrimary(state)) return 'standby';
  // The very first primary begins the record once it runs: there is nobody yet who could have come in between.
  const proven = view !== null && (view.proven || view.record === null);
  // With the answer at hand, and not a while after it.
  return proven && view.heardMono === mono && mayStartPrimary(state) ? 'primary' : null;
}
