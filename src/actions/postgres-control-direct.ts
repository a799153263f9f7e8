/** Promotion by pg_promote, asked of PostgreSQL itself. Refused where a manager shows that it owns the server. */
import type { OperationResult } from '../model/loop.ts';
import type { Lsn } from '../model/primitives.ts';
import { no, ok, unknown } from './context.ts';
import type { PostgresControl } from './postgres-control.ts';
import { postgresFailure } from './postgres-errors.ts';
import { managerOf } from './postgres-managers.ts';
import {
  awaitPromotion,
  behindCheck,
  checkWith,
  nameOf,
  onlyPinned,
  readPromoted,
  textIn,
} from './postgres-promotion.ts';
import type { PostgresTarget } from './targets.ts';

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

const obstacle: PostgresControl['obstacle'] = async (state, target, _operation, context) => {
  if (!state.mayPromote) {
    return no('denied', `${target.component.user} may not execute pg_promote on ${nameOf(target)}`);
  }
  const manager = await managerOf(target, context);
  if ('code' in manager) return unknown(manager.code, `${nameOf(target)}: ${manager.message}`);
  if (manager.sign === null) return null;
  const { by, sign } = manager;
  return no('managed', `${by} owns ${nameOf(target)} (${sign}): pg_promote would act behind it`, { manager: by, sign });
};

export const direct: PostgresControl = {
  obstacle,
  check: checkWith(obstacle),

  async promote(target, operation, context) {
    const name = nameOf(target);
    if (operation.preState?.['promoted'] === true) return ok(`${name} is promoted already: nothing is asked for`);
    const identifier = onlyPinned(operation, target);
    if (typeof identifier !== 'string') return identifier;
    const replayedBefore = textIn(operation.preState, 'replayLsn');
    let stage: 'before' | 'asking' | 'asked' = 'before';
    try {
      return await context.postgres.once(target, context.signal, async (session) => {
        stage = 'asking';
        const [row] = await session.query<PromoteRow>(PROMOTE, [identifier, replayedBefore]);
        if (row?.asked == null) return notAsked(target, row, identifier, replayedBefore);
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

  verify: async (target, operation, context) => (await readPromoted(target, operation, context)).result,
};

/** Another server than the one that was checked: it was left as it is. */
function notAsked(
  target: PostgresTarget,
  row: PromoteRow | undefined,
  identifier: string,
  replayedBefore: string | null,
): OperationResult {
  if (row?.systemIdentifier === identifier) return behindCheck(target, row.replayLsn, replayedBefore);
  const answers = `cluster ${row?.systemIdentifier ?? 'unknown'} answers, and ${identifier} is pinned`;
  return no('foreign', `${nameOf(target)} was not promoted: ${answers}`);
}
