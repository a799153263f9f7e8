/** What every driver of a promotion has in common: PostgreSQL is asked before and after, whoever promotes it. */
import type { OperationResult, Perform } from '../model/loop.ts';
import { halt, no, type OperationContext, ok, pause, remainingMs, unknown } from './context.ts';
import type { Session } from './postgres-connection.ts';
import type { Operate, PostgresControl } from './postgres-control.ts';
import { standbyFacts, standbyProblem } from './postgres-standby.ts';
import { identityProblem, type PostgresState, pinned, stateOf } from './postgres-state.ts';
import type { PostgresTarget } from './targets.ts';

/** pg_promote's own wait looks every 100 ms, which would be most of the time a promotion takes. */
const POLL_MS = 5;
/** Left for saying that the time is up. */
const MARGIN_MS = 20;

export const nameOf = ({ id, region }: PostgresTarget): string => `${id} in ${region}`;

export function textIn(preState: Perform['preState'], key: string): string | null {
  const value = preState?.[key];
  return typeof value === 'string' ? value : null;
}

/** The check of a driver: the standby is the one we mean and ready, and nothing else is in the way. */
export const checkWith =
  (obstacle: PostgresControl['obstacle']): Operate =>
  async (target, operation, context) => {
    const state = await stateOf(target, context);
    if ('code' in state) return unknown(state.code, `${nameOf(target)}: ${state.message}`);
    if (!state.inRecovery && typeof operation.preState?.['timeline'] === 'number') {
      // Asked for before, and it took effect since it was last looked at: the read after `do` proves it. That read
      // compares with what stood before the promotion, so that is what stays the pre-state.
      const promoted = judgePromoted(state, target, operation);
      const { identities: _, ...before } = operation.preState;
      return promoted.kind === 'ok' ? { ...promoted, facts: { ...before, promoted: true } } : promoted;
    }
    const problem =
      identityProblem(state, operation, target) ??
      standbyProblem(state, target) ??
      (await obstacle(state, target, operation, context));
    return (
      problem ??
      ok(`${nameOf(target)} may be promoted from timeline ${state.timeline}`, {
        ...standbyFacts(state),
      })
    );
  };

/** The one identifier that a promotion must carry, or what to answer. */
export function onlyPinned(operation: Perform, target: PostgresTarget): string | OperationResult {
  const [identifier, ...others] = new Set(pinned(operation, target));
  if (identifier !== undefined && others.length === 0) return identifier;
  const found = others.length === 0 ? 'none' : 'several';
  return no('not-pinned', `${nameOf(target)}: one system identifier must be pinned, not ${found}`);
}

/**
 * The server that was checked, read anew: between the check and the request the address may lead elsewhere by now.
 * Nothing was asked for, so whatever is wrong had no effect.
 */
export async function sameStandby(
  target: PostgresTarget,
  operation: Perform,
  context: OperationContext,
): Promise<PostgresState | OperationResult> {
  const state = await stateOf(target, context);
  if ('code' in state) return no(state.code, `${nameOf(target)}: ${state.message}`);
  const foreign = identityProblem(state, operation, target);
  if (foreign !== null) return { ...foreign, kind: 'no' };
  // An earlier request may have taken effect; this one was not made.
  if (!state.inRecovery) return unknown('not-in-recovery', `${nameOf(target)} is not in recovery`);
  const before = textIn(operation.preState, 'replayLsn');
  if (before !== null && (state.replayLsn === null || lsnOf(state.replayLsn) < lsnOf(before))) {
    return behindCheck(target, state.replayLsn, before);
  }
  return state;
}

function lsnOf(lsn: string): bigint {
  const [high = '0', low = '0'] = lsn.split('/');
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

export const behindCheck = (target: PostgresTarget, replayLsn: string | null, before: string | null): OperationResult =>
  no(
    'behind-check',
    `${nameOf(target)} was not promoted: it is at ${replayLsn}, and the check saw ${before}; another standby answers`,
  );

/** A promotion that was asked for stands, whatever this wait comes to: it may take effect later (safety.md). */
export async function awaitPromotion(
  session: Session,
  target: PostgresTarget,
  context: OperationContext,
  pollMs = POLL_MS,
): Promise<OperationResult> {
  for (;;) {
    const [row] = await session.query<{ in_recovery: boolean }>('select pg_is_in_recovery() as in_recovery');
    if (row?.in_recovery === false) return ok(`${nameOf(target)} is promoted`);
    if (context.signal.aborted || remainingMs(context) < pollMs + MARGIN_MS) {
      return unknown('not-yet', `${nameOf(target)} is not promoted yet; the request stands`);
    }
    await pause(pollMs, context.timers, context.signal);
  }
}

export function judgePromoted(state: PostgresState, target: PostgresTarget, operation: Perform): OperationResult {
  const name = nameOf(target);
  const timelineBefore = operation.preState?.['timeline'];
  const identifierBefore = operation.preState?.['systemIdentifier'];
  if (typeof timelineBefore !== 'number' || typeof identifierBefore !== 'string') {
    return unknown('no-pre-state', `${name}: the timeline and identity before the promotion are not known`);
  }
  const foreign = identityProblem(state, operation, target);
  // Another cluster answers at this address: it says nothing of the promotion we asked for.
  if (foreign !== null) return { ...foreign, kind: 'unknown' };
  if (state.inRecovery) return no('still-in-recovery', `${name} is not promoted so far`);
  const facts = {
    timeline: state.timeline,
    timelineBefore,
    systemIdentifier: state.systemIdentifier,
    promotedLsn: state.writeLsn,
    forkLsn: state.replayLsn,
    receiveLsn: operation.preState?.['receiveLsn'] ?? null,
    lastReplayedCommitAt: state.lastReplayedCommitAt ?? operation.preState?.['lastReplayedCommitAt'] ?? null,
  };
  if (state.timeline === null) return unknown('timeline-unknown', `${name} does not tell its timeline`, facts);
  if (state.timeline === timelineBefore + 1) {
    return ok(`${name} is promoted: timeline ${timelineBefore} to ${state.timeline}`, facts);
  }
  return halt(
    'foreign-timeline',
    `${name} is writable on timeline ${state.timeline}, and one promotion from ${timelineBefore} gives ${timelineBefore + 1}`,
    facts,
  );
}

/** The proof by PostgreSQL alone; whoever manages it may be asked after that. */
export async function readPromoted(
  target: PostgresTarget,
  operation: Perform,
  context: OperationContext,
): Promise<{ readonly state: PostgresState | null; readonly result: OperationResult }> {
  const state = await stateOf(target, context);
  if ('code' in state) return { state: null, result: unknown(state.code, `${nameOf(target)}: ${state.message}`) };
  return { state, result: judgePromoted(state, target, operation) };
}
