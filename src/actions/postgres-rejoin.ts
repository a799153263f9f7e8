/** Whether an old side has come back as a standby of the new one, whoever brought it there. */
import { no, ok, unknown } from './context.ts';
import type { Operate } from './postgres-control.ts';
import { postgresFailure } from './postgres-errors.ts';
import { nameOf } from './postgres-promotion.ts';
import { identityProblem, stateOf } from './postgres-state.ts';
import { postgresTarget } from './targets.ts';

const RECEIVER = `select status, received_tli as "timeline" from pg_stat_wal_receiver`;

/** By PostgreSQL on both sides: the old one streams, on the history of the new one. */
export const readRejoined: Operate = async (target, operation, context) => {
  const name = nameOf(target);
  const upstream = postgresTarget(operation.group, target, operation.to);
  if (upstream === null) return unknown('unsupported', `${target.id} has no instance in ${operation.to}`);
  const [own, there] = await Promise.all([stateOf(target, context), stateOf(upstream, context)]);
  if ('code' in own) return unknown(own.code, `${name}: ${own.message}`);
  if ('code' in there) return unknown(there.code, `${nameOf(upstream)}: ${there.message}`);
  const foreign = identityProblem(own, operation, target) ?? identityProblem(there, operation, upstream);
  if (foreign !== null) return { ...foreign, kind: 'unknown' };
  if (!own.inRecovery) return no('not-off', `${name} takes writes`);
  try {
    const [receiver] = await context.postgres.read(target, context.signal, (session) =>
      session.query<{ status: string; timeline: number }>(RECEIVER),
    );
    const facts = { status: receiver?.status ?? null, timeline: receiver?.timeline ?? null, upstream: there.timeline };
    return receiver?.status === 'streaming' && !there.inRecovery && receiver.timeline === there.timeline
      ? ok(`${name} streams from ${operation.to} on timeline ${there.timeline}`, facts)
      : no('not-streaming', `${name} does not stream from ${operation.to} so far`, facts);
  } catch (error) {
    const failure = postgresFailure(error);
    return unknown(failure.code, `${name}: ${failure.message}`);
  }
};
