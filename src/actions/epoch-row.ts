/**
 * The epoch, written through the new primary into a control table of its own: proof that the promoted database takes
 * writes at our epoch, which traffic waits for (invariant 13), and a mark a stale run meets (invariant 3).
 *
 * Table `<canarySchema>.epoch(epoch, run, region, taken_at)`; made where missing, which takes a schema that failoverd's
 * role owns, or the right to create one.
 */
import type { OperationResult, Perform } from '../model/loop.ts';
import { halt, no, type OperationContext, ok, type ResultFacts, type StepActions, unknown } from './context.ts';
import type { Session } from './postgres-connection.ts';
import { type PostgresFailure, postgresFailure } from './postgres-errors.ts';
import { identityProblem, stateOf } from './postgres-state.ts';
import { allPostgres, controlSchema, meant, type PostgresTarget, postgresTarget } from './targets.ts';

/** Another run that holds the table is a reason to stop, not to queue. */
const LOCK_TIMEOUT_MS = 2000;

type TargetAct = (target: PostgresTarget, operation: Perform, context: OperationContext) => Promise<OperationResult>;
type EpochRow = { readonly epoch: string; readonly run: string; readonly region: string | null };

export const writeEpochRow: StepActions = {
  check: onTarget(checkRow),
  do: onTarget(writeRow),
  verify: onTarget(verifyRow),
};

function onTarget(act: TargetAct) {
  return async (operation: Perform, context: OperationContext): Promise<OperationResult> => {
    const found = meant(operation, context.group, 'postgres');
    const [component] = found;
    if (component === undefined || found.length > 1) {
      return no('unsupported', 'the epoch row must name one PostgreSQL component');
    }
    const target = postgresTarget(operation.group, component, operation.to);
    if (target === null) return no('unsupported', `${component.id} has no instance in ${operation.to}`);
    return await act(target, operation, context);
  };
}

const tableOf = (target: PostgresTarget): string => `${controlSchema(target.component)}.epoch`;
const nameOf = (target: PostgresTarget): string => `${target.id} in ${target.region}`;

async function tableExists(session: Session, table: string): Promise<boolean> {
  return (await tableOn(session, table)).there;
}

/** Whether the table is there, and of which cluster that was said. */
async function tableOn(session: Session, table: string): Promise<{ there: boolean; systemIdentifier: string }> {
  const [row] = await session.query<{ there: boolean; systemIdentifier: string }>(
    `select to_regclass($1) is not null as there, system_identifier::text as "systemIdentifier" from pg_control_system()`,
    [table],
  );
  if (row === undefined) throw new Error('the server answered with no row');
  return row;
}

async function highestRow(session: Session, table: string): Promise<EpochRow | null> {
  const [row] = await session.query<EpochRow>(
    `select epoch::text, run, region from ${table} order by ${table}.epoch desc limit 1`,
  );
  return row ?? null;
}

/** Null when the highest row lets us go on; otherwise what to answer. */
function rowProblem(row: EpochRow | null, operation: Perform, target: PostgresTarget): OperationResult | null {
  if (row === null || Number(row.epoch) < operation.epoch) return null;
  if (isOurs(row, operation)) return null;
  return halt(
    'higher-epoch',
    `${nameOf(target)} holds epoch ${row.epoch} of ${row.run}; ours is ${operation.epoch} of ${operation.run}`,
    { epoch: Number(row.epoch), run: row.run },
  );
}

const isOurs = (row: EpochRow, operation: Perform): boolean =>
  Number(row.epoch) === operation.epoch && row.run === operation.run;

const failed = (failure: PostgresFailure, target: PostgresTarget): OperationResult =>
  unknown(failure.code, `${nameOf(target)}: ${failure.message}`);

async function checkRow(
  target: PostgresTarget,
  operation: Perform,
  context: OperationContext,
): Promise<OperationResult> {
  const state = await stateOf(target, context);
  if ('code' in state) return failed(state, target);
  const foreign = identityProblem(state, operation, target);
  if (foreign !== null) return foreign;
  if (state.inRecovery) return no('in-recovery', `${nameOf(target)} is a standby: nothing can be written there`);
  try {
    const row = await context.postgres.read(target, context.signal, async (session) =>
      (await tableExists(session, tableOf(target))) ? await highestRow(session, tableOf(target)) : null,
    );
    const facts = { epochBefore: row === null ? null : Number(row.epoch), systemIdentifier: state.systemIdentifier };
    return rowProblem(row, operation, target) ?? ok(`${nameOf(target)} takes writes and holds no higher epoch`, facts);
  } catch (error) {
    return failed(postgresFailure(error), target);
  }
}

async function writeRow(
  target: PostgresTarget,
  operation: Perform,
  context: OperationContext,
): Promise<OperationResult> {
  let committing = false;
  try {
    return await context.postgres.once(target, context.signal, async (session) => {
      await session.query('begin');
      await session.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
      const { there, systemIdentifier } = await tableOn(session, tableOf(target));
      const foreign = identityProblem({ systemIdentifier }, operation, target);
      if (foreign !== null) {
        await session.query('rollback');
        return { ...foreign, kind: 'no' };
      }
      if (!there) await createTable(session, target);
      const row = await insertRow(session, tableOf(target), operation);
      committing = true;
      await session.query('commit');
      return rowProblem(row, operation, target) ?? ok(`epoch ${operation.epoch} is written on ${nameOf(target)}`);
    });
  } catch (error) {
    const failure = postgresFailure(error);
    // What was never asked to commit is rolled back, whatever became of the connection.
    return committing ? failed(failure, target) : no(failure.code, `${nameOf(target)}: ${failure.message}`);
  }
}

/** Leaves the transaction open. Gives the highest row as this transaction sees it. */
async function insertRow(session: Session, table: string, operation: Perform): Promise<EpochRow | null> {
  // One writer at a time, so that no two can each find the table without the other.
  await session.query(`lock table ${table} in share row exclusive mode`);
  await session.query(
    `insert into ${table} (epoch, run, region)
     select $1::bigint, $2::text, $3::text where not exists (select 1 from ${table} where epoch >= $1::bigint)`,
    [operation.epoch, operation.run, operation.to],
  );
  return await highestRow(session, table);
}

async function createTable(session: Session, target: PostgresTarget): Promise<void> {
  const schema = controlSchema(target.component);
  const [row] = await session.query<{ there: boolean }>('select to_regnamespace($1) is not null as there', [schema]);
  if (row?.there !== true) await session.query(`create schema if not exists ${schema}`);
  await session.query(
    `create table if not exists ${tableOf(target)} (
       epoch bigint primary key, run text not null, region text, taken_at timestamptz not null default now()
     )`,
  );
}

async function verifyRow(
  target: PostgresTarget,
  operation: Perform,
  context: OperationContext,
): Promise<OperationResult> {
  try {
    const row = await context.postgres.read(target, context.signal, async (session) =>
      (await tableExists(session, tableOf(target))) ? await highestRow(session, tableOf(target)) : null,
    );
    const problem = rowProblem(row, operation, target);
    if (problem !== null) return problem;
    if (row === null || !isOurs(row, operation)) {
      return no('absent', `${nameOf(target)} does not hold epoch ${operation.epoch}`);
    }
    return ok(`${nameOf(target)} holds epoch ${operation.epoch} of ${operation.run}`, { ...rowFacts(operation) });
  } catch (error) {
    return failed(postgresFailure(error), target);
  }
}

const rowFacts = (operation: Perform): ResultFacts => ({
  epoch: operation.epoch,
  run: operation.run,
  region: operation.to,
});

/**
 * A write under our epoch, on every PostgreSQL of the group, right now: what traffic waits for (invariant 13). It
 * touches the epoch row, so it proves at once that the row is ours, that it is the highest, and that a commit goes
 * through, also where one waits for a synchronous standby.
 */
export async function writableAtOurEpoch(operation: Perform, context: OperationContext): Promise<OperationResult> {
  for (const component of allPostgres(context.group)) {
    const target = postgresTarget(operation.group, component, operation.to);
    if (target === null) return no('unsupported', `${component.id} has no instance in ${operation.to}`);
    const result = await touchRow(target, operation, context);
    if (result.kind !== 'ok') return result;
  }
  return ok('every PostgreSQL takes writes at our epoch');
}

async function touchRow(
  target: PostgresTarget,
  operation: Perform,
  context: OperationContext,
): Promise<OperationResult> {
  const table = tableOf(target);
  try {
    const [row] = await context.postgres.read(target, context.signal, (session) =>
      session.query<{ touched: number; epoch: string | null; run: string | null }>(
        `with touched as (
           update ${table} set taken_at = taken_at where epoch = $1::bigint and run = $2::text returning epoch
         )
         select (select count(*)::int from touched) as touched, epoch::text, run
           from ${table} order by ${table}.epoch desc limit 1`,
        [operation.epoch, operation.run],
      ),
    );
    const highest = row?.epoch == null ? null : { epoch: row.epoch, run: row.run ?? '', region: null };
    const problem = rowProblem(highest, operation, target);
    if (problem !== null) return problem;
    if (row?.touched === 1) return ok(`${nameOf(target)} takes writes at epoch ${operation.epoch}`);
    return no('not-writable', `${nameOf(target)} does not hold epoch ${operation.epoch}`);
  } catch (error) {
    const failure = postgresFailure(error);
    const message = `${nameOf(target)}: ${failure.message}`;
    return failure.sqlState === null ? unknown(failure.code, message) : no('not-writable', message);
  }
}

/**
 * Whether the epoch row can be written once this standby is promoted, as far as it can be told before: catalogues are
 * replicated. Null when it can.
 */
export async function schemaProblem(
  target: PostgresTarget,
  context: OperationContext,
): Promise<OperationResult | null> {
  try {
    const [row] = await context.postgres.read(target, context.signal, (session) =>
      session.query<{ may: boolean }>(
        `select case
           when to_regclass($1) is not null
             then (select bool_and(has_table_privilege(to_regclass($1), needed))
                     from unnest(array['select', 'insert', 'update']) needed)
           when to_regnamespace($2) is not null then has_schema_privilege(to_regnamespace($2)::oid, 'create')
           else has_database_privilege(current_database(), 'create')
         end as may`,
        [tableOf(target), controlSchema(target.component)],
      ),
    );
    if (row?.may === true) return null;
    return no('denied', `${target.component.user} may not keep the epoch in ${tableOf(target)} on ${nameOf(target)}`);
  } catch (error) {
    return failed(postgresFailure(error), target);
  }
}
