/**
 * The old side under Patroni: fenced by making it a standby cluster that follows nobody, and brought back by having it
 * follow the new side.
 *
 * Fenced, it has a `restore_command` that finds nothing, and no host: Patroni keeps every member in recovery, also over
 * restarts of its own, and has nobody to rewind to. To name the new side at once would let it rewind, and divergent WAL
 * would be gone before it is archived (invariant 21).
 */
import type { PatroniAddress } from '../model/components.ts';
import type { OperationResult, Perform } from '../model/loop.ts';
import { no, type OperationContext, ok, type ResultFacts, unknown } from './context.ts';
import { type PatroniView, patchPatroni, patroniOf, readPatroni } from './patroni-api.ts';
import { notConfigured, refusalOf, untilOk, viewFacts, wholeCluster } from './patroni-reading.ts';
import type { Reversal } from './postgres-control.ts';
import { nameOf } from './postgres-promotion.ts';
import { readRejoined } from './postgres-rejoin.ts';
import { identityProblem, stateOf } from './postgres-state.ts';
import { hostPort, type PostgresTarget } from './targets.ts';

const POLL_MS = 200;
const FOLLOW_NOBODY = { restore_command: 'false' } as const;

export const fence: Reversal = {
  async do(target, operation, context) {
    const found = await askable(target, context);
    if ('kind' in found) return found;
    const { address, view, standby } = found;
    // A standby cluster takes no writes: nothing to ask for, and what it follows is left as it is.
    if (!standby) {
      const refused = await patchOne(address, view, { standby_cluster: FOLLOW_NOBODY }, target, context);
      if (refused !== null) return refused;
    }
    const result = await untilOk(() => readFenced(target, operation, context), context, POLL_MS);
    if (result.kind === 'ok' || standby) return result;
    return { ...result, kind: 'unknown', message: `${result.message}; to be a standby cluster is asked for` };
  },
  verify: readFenced,
};

export const rejoin: Reversal = {
  async do(target, operation, context) {
    const upstream = upstreamOf(target, operation);
    if (upstream === null) return no('unsupported', `${target.id} has no instance in ${operation.to} to follow`);
    const found = await askable(target, context);
    if ('kind' in found) return found;
    const { address, view, standby } = found;
    if (!standby) return no('not-off', `${nameOf(target)} is no standby cluster: it must be fenced first`);
    const follow = { ...upstream, restore_command: null };
    const refused = await patchOne(address, view, { standby_cluster: follow }, target, context);
    if (refused !== null) return refused;
    const result = await untilOk(() => readRejoined(target, operation, context), context, POLL_MS);
    return result.kind === 'ok' ? result : { ...result, kind: 'unknown' };
  },
  verify: readRejoined,
};

type Askable = { readonly address: PatroniAddress; readonly view: PatroniView; readonly standby: boolean };

/** Nothing is asked for where Patroni can't be reached, is paused (it would act at some later time), or has no leader. */
async function askable(target: PostgresTarget, context: OperationContext): Promise<Askable | OperationResult> {
  const address = patroniOf(target);
  if (address === null) return notConfigured(target);
  const view = await readPatroni(address, context);
  const whole = wholeCluster(view, nameOf(target));
  if ('kind' in whole) return { ...whole, kind: 'no' };
  if (whole.paused) return no('manager-paused', `Patroni of ${nameOf(target)} is paused`, viewFacts(view));
  if (whole.leads === null)
    return no('manager-no-leader', `Patroni of ${nameOf(target)} has no leader`, viewFacts(view));
  return { address, view, standby: whole.leads === 'standby' };
}

/** At the leader, whose loop a PATCH wakes; at another only where nothing was sent. Null: it is taken. */
async function patchOne(
  address: PatroniAddress,
  { members }: PatroniView,
  patch: object,
  target: PostgresTarget,
  context: OperationContext,
): Promise<OperationResult | null> {
  let last: OperationResult = no('manager-unreachable', `no member of the Patroni of ${nameOf(target)} answers`);
  for (const { url } of members.toSorted((one, other) => Number(other.leads) - Number(one.leads))) {
    const answer = await patchPatroni(address, url, patch, context);
    if (answer.kind === 'answered' && answer.status === 200) return null;
    last = refusalOf(answer, nameOf(target));
    if (answer.kind !== 'not-sent') return last;
  }
  return last;
}

/**
 * Every member that the configuration store knows is in recovery, by PostgreSQL's own word through Patroni, and stays so
 * by the store's. One that can't be asked may be a PostgreSQL whose Patroni died: then nothing is confirmed.
 */
async function readFenced(
  target: PostgresTarget,
  operation: Perform,
  context: OperationContext,
): Promise<OperationResult> {
  const address = patroniOf(target);
  if (address === null) return { ...notConfigured(target), kind: 'unknown' };
  const name = nameOf(target);
  const [state, view] = await Promise.all([stateOf(target, context), readPatroni(address, context)]);
  const facts: ResultFacts = {
    ...viewFacts(view),
    driver: 'patroni',
    operation: 'verify',
    region: target.region,
    at: context.clock.wall(),
    restartPreventedBy: 'standby_cluster in the dynamic configuration of Patroni',
  };
  const writable = view.members.filter(({ role }) => role === 'primary');
  if (writable.length > 0) {
    return no('not-off', `${name}: ${writable.map(({ url }) => url).join(', ')} may take writes`, facts);
  }
  if (!('code' in state)) {
    const foreign = identityProblem(state, operation, target);
    if (foreign !== null) return { ...foreign, kind: 'unknown' };
    if (!state.inRecovery) return no('not-off', `${name} takes writes`, facts);
  }
  const whole = wholeCluster(view, name);
  if ('kind' in whole) return { ...whole, facts };
  if (whole.leads === 'primary') return no('not-off', `Patroni of ${name} is no standby cluster`, facts);
  if ('code' in state) return unknown(state.code, `${name}: ${state.message}`, facts);
  // One address twice, or two of one server, must not stand for a member that was not asked.
  const seen = new Set(view.members.filter(inRecovery).map(({ startedAt }) => String(startedAt?.us)));
  if (whole.leads === null || whole.paused || seen.size < whole.members) {
    const why = `${seen.size} of ${whole.members} members are known to be in recovery`;
    return unknown('not-yet', `${name}: ${why}${view.silent.length === 0 ? '' : `; ${view.silent.join('; ')}`}`, facts);
  }
  return ok(`${name} is a standby cluster: all ${whole.members} members are in recovery`, facts);
}

const inRecovery = ({ role, state, startedAt }: PatroniView['members'][number]): boolean =>
  state === 'running' && startedAt !== null && (role === 'standby_leader' || role === 'replica');

/** Where the old side's Patroni finds the new side. */
function upstreamOf(target: PostgresTarget, operation: Perform): { host: string; port: number } | null {
  const { component } = target;
  const address = component.patroni?.[operation.to]?.streamFrom ?? component.instances[operation.to];
  return address === undefined ? null : hostPort(address);
}
