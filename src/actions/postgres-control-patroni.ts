/**
 * Promotion by Patroni: the standby cluster of the target region is made a cluster of its own, by taking `standby_cluster`
 * out of the dynamic configuration, and Patroni promotes its leader. pg_promote is never called. What is believed in the
 * end is PostgreSQL (not in recovery, one timeline on, the same cluster) and the configuration store together.
 *
 * A PATCH is idempotent and not conditional: Patroni takes no word of what it should find there, so one that was sent may
 * take effect for as long as it is on its way. It is therefore a promotion that was asked for, and stands (invariant 11).
 * Its 409 says less than it seems to: Patroni gives it both for a configuration that somebody else changed meanwhile and
 * for a store that failed in the middle of the write.
 */
import type { PatroniAddress } from '../model/components.ts';
import type { OperationResult, Perform } from '../model/loop.ts';
import { no, type OperationContext, ok, unknown } from './context.ts';
import type { JsonAnswer } from './json-request.ts';
import { type PatroniMember, type PatroniView, patchPatroni, patroniOf, readPatroni } from './patroni-api.ts';
import { fence, rejoin } from './patroni-demotion.ts';
import { memberOf, notConfigured, refusalOf, viewFacts, wholeCluster } from './patroni-reading.ts';
import type { PostgresControl } from './postgres-control.ts';
import { postgresFailure } from './postgres-errors.ts';
import { awaitPromotion, checkWith, nameOf, onlyPinned, readPromoted, sameStandby } from './postgres-promotion.ts';
import type { PostgresState } from './postgres-state.ts';
import type { PostgresTarget } from './targets.ts';

const POLL_MS = 20;

/** Null when Patroni would promote exactly this server, at once; facts of what it said otherwise. */
const obstacle: PostgresControl['obstacle'] = async (state, target, operation, context) => {
  const address = patroniOf(target);
  if (address === null) return notConfigured(target);
  const judged = judgeReady(await readPatroni(address, context, leaderOf(state)), state, target, operation);
  return 'member' in judged ? null : judged;
};

export const patroni: PostgresControl = {
  obstacle,
  check: checkWith(obstacle),
  promote,
  verify,
  fence,
  rejoin,
};

/** All that is needed of a cluster: its store was read, and this server leads it. */
const leaderOf =
  (state: PostgresState) =>
  (view: PatroniView): boolean =>
    view.clusters.length > 0 && memberOf(view, state)?.leads === true;

/** The member to ask, or what stands in the way. */
function judgeReady(
  view: PatroniView,
  state: PostgresState,
  target: PostgresTarget,
  operation: Perform,
): OperationResult | { readonly member: PatroniMember } {
  const name = nameOf(target);
  const facts = viewFacts(view);
  const whole = wholeCluster(view, name);
  if ('kind' in whole) return whole;
  if (whole.paused || view.members.some(({ paused }) => paused)) {
    return no('manager-paused', `Patroni of ${name} is paused: it would give up the leadership, not promote`, facts);
  }
  if (whole.leads === null) return no('manager-no-leader', `Patroni of ${name} has no leader`, facts);
  const asked = typeof operation.preState?.['timeline'] === 'number';
  if (whole.leads === 'primary' && !asked) {
    return no(
      'managed',
      `${name} is no standby cluster any more: Patroni promotes it without having been asked`,
      facts,
    );
  }
  const member = memberOf(view, state);
  if (member === null) {
    const why = `none of its members that answer is the server at ${target.host}:${target.port}`;
    return view.silent.length === 0
      ? no('not-leader', `Patroni of ${name}: ${why}`, facts)
      : unknown('manager-unreachable', `Patroni of ${name}: ${why}; ${view.silent.join('; ')}`, facts);
  }
  if (!member.leads) return no('not-leader', `Patroni of ${name} would promote another server than this one`, facts);
  return { member };
}

async function promote(
  target: PostgresTarget,
  operation: Perform,
  context: OperationContext,
): Promise<OperationResult> {
  const name = nameOf(target);
  if (operation.preState?.['promoted'] === true) return ok(`${name} is promoted already: nothing is asked for`);
  const address = patroniOf(target);
  if (address === null) return notConfigured(target);
  const identifier = onlyPinned(operation, target);
  if (typeof identifier !== 'string') return identifier;
  const found = await stillTheOne(address, target, operation, context);
  if ('kind' in found) return found;
  const refused = takenFor(await patchPatroni(address, found.member.url, { standby_cluster: null }, context), name);
  if (refused !== null) return refused;
  try {
    return await context.postgres.read(target, context.signal, (session) =>
      awaitPromotion(session, target, context, POLL_MS),
    );
  } catch (error) {
    // Asked for, and it stands: a balancer may have cut the connection because the server changed its role.
    return unknown('not-yet', `${name}: promotion is asked for; ${postgresFailure(error).message}`);
  }
}

/** Between the check and this Patroni may have got another leader, too. Nothing is asked for yet. */
async function stillTheOne(
  address: PatroniAddress,
  target: PostgresTarget,
  operation: Perform,
  context: OperationContext,
): Promise<OperationResult | { readonly member: PatroniMember }> {
  const state = await sameStandby(target, operation, context);
  if ('kind' in state) return state;
  const judged = judgeReady(await readPatroni(address, context, leaderOf(state)), state, target, operation);
  return 'member' in judged ? judged : { ...judged, kind: 'no' };
}

/** Null when Patroni confirmed that the configuration is what was asked for; otherwise what to answer. */
function takenFor(answer: JsonAnswer, name: string): OperationResult | null {
  if (answer.kind === 'answered' && answer.status === 200) {
    const gone = typeof answer.body === 'object' && answer.body !== null && !('standby_cluster' in answer.body);
    return gone ? null : unknown('manager-refused', `Patroni of ${name} answered 200 without saying that it is done`);
  }
  return refusalOf(answer, name);
}

async function verify(target: PostgresTarget, operation: Perform, context: OperationContext): Promise<OperationResult> {
  const { state, result } = await readPromoted(target, operation, context);
  if (state === null || result.kind !== 'ok') return result;
  const address = patroniOf(target);
  if (address === null) return { ...notConfigured(target), kind: 'unknown' };
  return judgeAgreed(await readPatroni(address, context, leaderOf(state)), state, target, result);
}

/** PostgreSQL is promoted. That it stays so needs Patroni to say the same, or it will be made a standby again. */
function judgeAgreed(
  view: PatroniView,
  state: PostgresState,
  target: PostgresTarget,
  promoted: OperationResult,
): OperationResult {
  const name = nameOf(target);
  const facts = { ...promoted.facts, ...viewFacts(view) };
  const whole = wholeCluster(view, name);
  if ('kind' in whole) return { ...whole, facts };
  if (whole.leads === 'standby') {
    return {
      kind: 'halt',
      code: 'manager-disagrees',
      message: `${name} is writable, and its Patroni is a standby cluster: it will be made a standby again`,
      facts,
    };
  }
  const member = memberOf(view, state);
  if (
    whole.leads === null ||
    member === null ||
    !member.leads ||
    member.role !== 'primary' ||
    member.state !== 'running'
  ) {
    return unknown('not-yet', `${promoted.message}; Patroni does not show it as its running primary so far`, facts);
  }
  return { ...promoted, facts };
}
