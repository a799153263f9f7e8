/** How answers of Patroni are read, by whichever of promotion, fence and rejoin asked. */
import type { OperationResult } from '../model/loop.ts';
import { no, type OperationContext, pause, type ResultFacts, remainingMs, unknown } from './context.ts';
import type { JsonAnswer } from './json-request.ts';
import type { PatroniMember, PatroniView } from './patroni-api.ts';
import type { PostgresState } from './postgres-state.ts';
import type { PostgresTarget } from './targets.ts';

export const notConfigured = (target: PostgresTarget): OperationResult =>
  no('unsupported', `no patroni.${target.region} is configured for ${target.id}`);

/** What the configuration store says, by every member that read it; or why nothing can be said. */
export function wholeCluster(view: PatroniView, name: string): PatroniView['clusters'][number] | OperationResult {
  const [first, ...others] = view.clusters;
  if (first === undefined) {
    return unknown('manager-unreachable', `Patroni of ${name} could not be asked: ${view.silent.join('; ')}`);
  }
  // Read one after the other while it changes; or addresses of several clusters.
  if (others.some((other) => other.leads !== first.leads || other.leader !== first.leader)) {
    return unknown('not-yet', `members of the Patroni of ${name} say different things of its leader`, viewFacts(view));
  }
  return { ...first, paused: view.clusters.some(({ paused }) => paused) };
}

/**
 * The member whose PostgreSQL this is, known by the instant at which it was started: addresses lead through balancers and
 * links, and a name says nothing that PostgreSQL would know of.
 */
export function memberOf(view: PatroniView, state: PostgresState): PatroniMember | null {
  const startedUs = state.startedUs === null ? null : BigInt(state.startedUs);
  if (startedUs === null) return null;
  const found = view.members.filter(
    ({ startedAt, systemIdentifier }) =>
      startedAt !== null &&
      systemIdentifier === state.systemIdentifier &&
      startedUs - startedAt.us >= 0n &&
      startedUs - startedAt.us <= startedAt.exactUs,
  );
  const [member] = found;
  return member ?? null;
}

export const viewFacts = ({ members, clusters, silent }: PatroniView): ResultFacts => ({
  manager: 'patroni',
  members: members.map(({ url, role, state, leads, scope }) => ({ url, role, state, leads, scope })),
  cluster: clusters[0] ?? null,
  ...(silent.length === 0 ? {} : { silent: [...silent] }),
});

/** Only what Patroni answers before it looks at its store had certainly no effect. */
export function refusalOf(answer: JsonAnswer, name: string): OperationResult {
  if (answer.kind === 'not-sent') return no('manager-unreachable', `Patroni of ${name}: ${answer.message}`);
  if (answer.kind === 'no-answer') return unknown('broken', `Patroni of ${name}: ${answer.message}`);
  const message = `Patroni of ${name} answered ${answer.status}`;
  if (answer.status === 401 || answer.status === 403) return no('denied', message);
  return unknown('manager-refused', message);
}

/** Wait until a read says yes, or the time is up; its last answer. */
export async function untilOk(
  read: () => Promise<OperationResult>,
  context: OperationContext,
  pollMs: number,
): Promise<OperationResult> {
  for (;;) {
    const result = await read();
    if (result.kind === 'ok' || context.signal.aborted || remainingMs(context) < 2 * pollMs) return result;
    await pause(pollMs, context.timers, context.signal);
  }
}
