/** How a lease is taken: by which right, after which wait, as which record (safety.md, "Fence proofs"; invariant 4). PURE. */
import type { GuardState } from '../../model/guard.ts';
import type { LeaseRecord } from '../../model/lease.ts';
import { holderOf } from './turn.ts';

/** What keeps this guard from taking the lease now; null = nothing does. For people too. */
export function waitsFor(state: GuardState): string | null {
  const { durable, view, mono, settings, seen } = state;
  const candidacy = durable.candidacy;
  if (candidacy === null) return 'nobody has ordered it to';
  if (durable.frozen !== null) return 'replay is frozen: thaw it first';
  if (view === null) return 'the store has not answered yet';
  const { record } = view;
  if (record === null) return 'there is no lease to take: its first holder creates it';
  if (holderOf(record, state) && record.state === 'held') return 'this guard has it';
  if (seen?.state !== 'standby') return `PostgreSQL is ${seen?.state ?? 'unknown'}, not a standby`;
  const pinWaitMs = state.pinnedMono + settings.timings.waitMs - mono;
  if (pinWaitMs > 0) return `it obeys this life of the store since a moment only: ${seconds(pinWaitMs)} to go`;
  // That holder says itself that it is stopped: nobody relies on what was promised to it, or on time.
  if (record.state === 'released')
    return record.epoch >= durable.obeyed ? null : 'the release is older than what was obeyed';
  const promiseMs = state.promisedUntilMono - mono;
  if (promiseMs > 0) return `it may have promised not to be promoted: ${seconds(promiseMs)} to go`; // invariant 6
  if (candidacy.claim !== 'expired') return null;
  if (record.isolation !== 'stop')
    return `${record.holder} goes on when it is isolated: that its lease expired proves nothing`;
  if (settings.deadMan === 'none') return 'no dead-man is declared: that the lease expired proves nothing';
  if (record.timingsHash !== settings.timingsHash)
    return `${record.holder} keeps other timings: how long to wait is not known`;
  if (!record.peers.includes(settings.region)) return `${record.holder} dropped it from the guards that may come next`;
  const unchangedMs = view.unchangedMono + settings.timings.waitMs - mono;
  return unchangedMs > 0 ? `the lease is unchanged for less than the wait: ${seconds(unchangedMs)} to go` : null;
}

/**
 * Whether a former primary may acquire the lease anew in place: it wrote last, and nobody else has it. By compare-and-set on the
 * record as it stands, so whoever comes in between is found out before clients are let in.
 */
export function mayResume({ view, durable, settings }: GuardState): boolean {
  if (view === null || durable.deposedBy !== null || durable.rests !== null) return false;
  const { record } = view;
  if (record === null) return durable.obeyed === 0 && settings.role === 'primary';
  return record.writer === settings.region && (record.holder === settings.region || record.state === 'released');
}

const seconds = (spanMs: number): string => `${Math.ceil(spanMs / 1000)} s`;

/** The record of an acquisition: always of a new epoch, also by who had it before (invariant 2). */
export function acquisition(state: GuardState): LeaseRecord | null {
  const { view, settings, process, durable, seen } = state;
  if (view === null) return null;
  const past = Math.max(view.record?.epoch ?? 0, durable.obeyed);
  const ordered = durable.candidacy?.epoch ?? 0;
  const epoch = ordered > past && ordered >= view.floor ? ordered : Math.max(past, view.floor) + 1;
  return {
    epoch,
    holder: settings.region,
    process,
    counter: 0,
    state: 'held',
    // Until it has heard from them itself, whoever may be promoted is taken to be all of them.
    peers: [...settings.peers],
    writer: view.record?.writer ?? settings.region,
    isolation: settings.isolation,
    timingsHash: settings.timingsHash,
    sample: seen?.sample ?? null,
    release: null,
  };
}

/** Given back: with the end of its WAL where it may have written, `unpromoted` where it never did. */
export function release(state: GuardState): LeaseRecord | null {
  const { view, process, ended, at, durable } = state;
  const record = view?.record ?? null;
  if (record === null || !holderOf(record, state) || record.epoch !== durable.holds) return null;
  const kind = record.writer !== state.settings.region ? 'unpromoted' : ended?.clean === true ? 'clean' : 'crash';
  return {
    ...record,
    process,
    counter: record.counter + 1,
    state: 'released',
    release: { kind, timeline: ended?.timeline ?? null, endLsn: ended?.lsn ?? null, at },
  };
}
