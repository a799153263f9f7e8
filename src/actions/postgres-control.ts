/**
 * Who promotes a PostgreSQL. `direct` calls pg_promote, which is right only where no manager owns the server; the guard
 * and the managers come in as further drivers of the same shape (design §7).
 */
import type { PostgresComponent } from '../model/config.ts';
import type { OperationResult, Perform } from '../model/loop.ts';
import type { Lsn } from '../model/primitives.ts';
import { standbyFacts, standbyProblem } from './assess.ts';
import { halt, no, type OperationContext, ok, pause, remainingMs, unknown } from './context.ts';
import type { Session } from './postgres-connection.ts';
import { postgresFailure } from './postgres-errors.ts';
import { identityProblem, type PostgresState, pinned, stateOf } from './postgres-state.ts';
import type { PostgresTarget } from './targets.ts';

type Operate = (target: PostgresTarget, operation: Perform, context: OperationContext) => Promise<OperationResult>;
export type PostgresControl = {
  /**
   * May it be promoted; facts are the pre-state, with the timeline the promotion starts from. `promoted: true` among
   * them: an earlier attempt of ours took effect, and nothing is in the way of finding that out.
   */
  readonly check: Operate;
  /** Ask for the promotion and wait for it. Only proof ends one that was asked for: anything unclear is unknown. */
  readonly promote: Operate;
  /** Is it promoted, by a promotion that starts from the pre-state. */
  readonly verify: Operate;
};

/** Null for a driver that is not there yet. */
export function controlOf(component: PostgresComponent): PostgresControl | null {
  const control = component.control ?? 'direct';
  switch (control) {
    case 'direct':
      return direct;
    case 'guard':
    case 'patroni':
    case 'command':
      return null;
    default:
      return control satisfies never;
  }
}

/**
 * Asks only the server that was checked: between the check and this the connection may have been made anew, and an
 * address may by then lead to another cluster, or to another standby of it that lacks what this one had. PostgreSQL
 * finds out about permissions before it runs any of it.
 */
const PROMOTE = `
with server as materialized (
  select system_identifier::text as id, pg_last_wal_replay_lsn() as replayed from pg_control_system()
)
select id as "systemIdentifier", replayed::text as "replayLsn",
       case when id = $1 and ($2::pg_lsn is null or replayed >= $2::pg_lsn) then pg_promote(false) end as "asked"
  from server`;
type PromoteRow = {
  readonly systemIdentifier: string;
  readonly replayLsn: Lsn | null;
  readonly asked: boolean | null;
};

/** pg_promote's own wait looks every 100 ms, which would be most of the time a promotion takes. */
const POLL_MS = 5;
/** Left for saying that the time is up. */
const MARGIN_MS = 20;

const direct: PostgresControl = {
  async check(target, operation, context) {
    const state = await stateOf(target, context);
    if ('code' in state) return unknown(state.code, `${target.id} in ${target.region}: ${state.message}`);
    if (!state.inRecovery && typeof operation.preState?.['timeline'] === 'number') {
      // Asked for before, and it took effect since it was last looked at: the read after `do` proves it. That read
      // compares with what stood before the promotion, so that is what stays the pre-state.
      const promoted = judgePromoted(state, target, operation);
      const { identities: _, ...before } = operation.preState;
      return promoted.kind === 'ok' ? { ...promoted, facts: { ...before, promoted: true } } : promoted;
    }
    const problem = identityProblem(state, operation, target) ?? standbyProblem(state, target);
    if (problem !== null) return problem;
    return ok(`${target.id} in ${target.region} may be promoted from timeline ${state.timeline}`, {
      ...standbyFacts(state),
    });
  },

  async promote(target, operation, context) {
    const name = `${target.id} in ${target.region}`;
    if (operation.preState?.['promoted'] === true) return ok(`${name} is promoted already: nothing is asked for`);
    const [identifier, ...others] = new Set(pinned(operation, target));
    if (identifier === undefined || others.length > 0) {
      return no(
        'not-pinned',
        `${name}: one system identifier must be pinned, not ${others.length === 0 ? 'none' : 'several'}`,
      );
    }
    const replayedBefore = textIn(operation.preState, 'replayLsn');
    let stage: 'before' | 'asking' | 'asked' = 'before';
    try {
      return await context.postgres.once(target, context.signal, async (session) => {
        stage = 'asking';
        const [row] = await session.query<PromoteRow>(PROMOTE, [identifier, replayedBefore]);
        if (row?.asked == null) return notAsked(name, row, identifier, replayedBefore);
        stage = 'asked';
        return await awaitPromotion(session, target, context);
      });
    } catch (error) {
      const failure = postgresFailure(error);
      const message = `${name}: ${failure.message}`;
      // Refused before it was asked for, or for want of a permission: certainly no effect. All else is open.
      return stage === 'before' || (stage === 'asking' && failure.code === 'denied')
        ? no(failure.sent ? failure.code : 'unreachable', message)
        : unknown(failure.code, message);
    }
  },

  async verify(target, operation, context) {
    const state = await stateOf(target, context);
    if ('code' in state) return unknown(state.code, `${target.id} in ${target.region}: ${state.message}`);
    return judgePromoted(state, target, operation);
  },
};

const textIn = (preState: Perform['preState'], key: string): string | null => {
  const value = preState?.[key];
  return typeof value === 'string' ? value : null;
};

/** Another server than the one that was checked: it was left as it is. */
function notAsked(
  name: string,
  row: PromoteRow | undefined,
  identifier: string,
  replayedBefore: string | null,
): OperationResult {
  if (row?.systemIdentifier !== identifier) {
    const answers = `cluster ${row?.systemIdentifier ?? 'unknown'} answers, and ${identifier} is pinned`;
    return no('foreign', `${name} was not promoted: ${answers}`);
  }
  return no(
    'behind-check',
    `${name} was not promoted: it is at ${row.replayLsn}, and the check saw ${replayedBefore}; another standby answers`,
  );
}

/** A promotion that was asked for stands, whatever this wait comes to: it may take effect later (safety.md). */
async function awaitPromotion(
  session: Session,
  target: PostgresTarget,
  context: OperationContext,
): Promise<OperationResult> {
  for (;;) {
    const [row] = await session.query<{ in_recovery: boolean }>('select pg_is_in_recovery() as in_recovery');
    if (row?.in_recovery === false) return ok(`${target.id} in ${target.region} is promoted`);
    if (context.signal.aborted || remainingMs(context) < POLL_MS + MARGIN_MS) {
      return unknown('not-yet', `${target.id} in ${target.region} is not promoted yet; the request stands`);
    }
    await pause(POLL_MS, context.timers, context.signal);
  }
}

function judgePromoted(state: PostgresState, target: PostgresTarget, operation: Perform): OperationResult {
  const name = `${target.id} in ${target.region}`;
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
