/** A standby that is to be promoted: whether it may be, and what is kept of it. */
import type { OperationResult } from '../model/loop.ts';
import { no, unknown } from './context.ts';
import type { PostgresState } from './postgres-state.ts';
import type { PostgresTarget } from './targets.ts';

/** Null when a promotion may be asked of this standby; otherwise what to answer. */
export function standbyProblem(state: PostgresState, target: PostgresTarget): OperationResult | null {
  const name = `${target.id} in ${target.region}`;
  const facts = { ...standbyFacts(state) };
  if (!state.inRecovery) return no('not-in-recovery', `${name} is not in recovery`, facts);
  // Promotion would replay everything received, also what the pause was to keep out (safety.md, freeze).
  if (state.replayPaused !== false) return no('replay-paused', `replay is paused on ${name}`, facts);
  if (state.timeline === null) return unknown('timeline-unknown', `${name} does not tell its timeline`, facts);
  return null;
}

/** What becomes the pre-state of a promotion, and the ground of the loss account. */
export const standbyFacts = (state: PostgresState) => ({
  systemIdentifier: state.systemIdentifier,
  inRecovery: state.inRecovery,
  timeline: state.timeline,
  receiveLsn: state.receiveLsn,
  replayLsn: state.replayLsn,
  replayPaused: state.replayPaused,
  fromArchive: state.fromArchive,
  lastReplayedCommitAt: state.lastReplayedCommitAt,
});
