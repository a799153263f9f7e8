/**
 * A write is accepted through the public name: the canary of the configuration, with an id made for this run and
 * attempt. It has an effect, one row of the service's, which the id makes the same row however often it is sent.
 */
import type { OperationResult, Perform } from '../model/loop.ts';
import { no, type OperationContext, ok, type ResultFacts, type StepActions, unknown } from './context.ts';
import { publicAddress, sendPublic, urlText } from './public-request.ts';
import { meant } from './targets.ts';

/** Facts of the canary writes that were accepted, by id; of this process only, and safe to lose. */
export type CanaryWrites = Map<string, ResultFacts>;
const MOST_REMEMBERED = 100;

export const verifyWrite: StepActions = {
  check: pointsToTarget,
  do: writeCanary,
  /** An acceptance can't be read back by HTTP. What `do` was told is taken; after a restart the write is sent again. */
  verify: async (operation, context) => {
    const facts = context.canaries.get(idOf(operation));
    return facts === undefined
      ? await writeCanary(operation, context)
      : ok('the canary write was accepted through the public name', facts);
  },
};

const idOf = (operation: Perform): string => `failoverd-${operation.run}-${operation.attempt}`;

function canaryOf(operation: Perform, context: OperationContext) {
  for (const { id, component } of meant(operation, context.group, 'http')) {
    const canary = component.public?.canaryWrite;
    if (component.public === undefined || canary === undefined) continue;
    const certificates = context.certificates(component.tls);
    return { service: id, canary, certificates, url: new URL(canary.path, component.public.url) };
  }
  return null;
}

const noCanary = (): OperationResult => no('unsupported', 'no canary write is configured');

async function pointsToTarget(operation: Perform, context: OperationContext): Promise<OperationResult> {
  const found = canaryOf(operation, context);
  if (found === null) return noCanary();
  const where = await publicAddress(found.url, operation, context);
  if (where.kind === 'none') {
    return unknown('no-answer', `${found.url.hostname} could not be resolved: ${where.message}`);
  }
  if (where.kind === 'stale') {
    return no('stale', `${where.resolver} answers ${where.answers.join(', ')} for ${found.url.hostname}`);
  }
  return ok('the public name leads to the target', { address: where.address, resolver: where.resolver });
}

async function writeCanary(operation: Perform, context: OperationContext): Promise<OperationResult> {
  const found = canaryOf(operation, context);
  if (found === null) return noCanary();
  const { service, canary, certificates, url } = found;
  const where = await publicAddress(url, operation, context);
  if (where.kind !== 'address') return await pointsToTarget(operation, context);
  const id = idOf(operation);
  const body = canary.body.replaceAll('${ID}', id);
  const request = { method: canary.method ?? 'POST', body, certificates };
  const response = await sendPublic(url, where.address, request, context.signal);
  if (response.kind === 'failed') return unknown('unreachable', `${service} by ${urlText(url)}: ${response.message}`);
  const facts = { url: urlText(url), address: where.address, resolver: where.resolver, status: response.status, id };
  if (!(canary.expectStatus ?? [200, 201]).includes(response.status)) {
    // The service may have kept the row and failed after it.
    return unknown('status', `${service} by ${urlText(url)} answered ${response.status}`, facts);
  }
  remember(context.canaries, id, facts);
  return ok('the canary write was accepted through the public name', facts);
}

function remember(canaries: CanaryWrites, id: string, facts: ResultFacts): void {
  canaries.set(id, facts);
  for (const oldest of canaries.keys()) {
    if (canaries.size <= MOST_REMEMBERED) return;
    canaries.delete(oldest);
  }
}
