/** The service answers clients through its public name. */
import type { OperationResult, Perform } from '../model/loop.ts';
import { no, nothingToDo, type OperationContext, ok, type StepActions, unknown } from './context.ts';
import { publicAddress, sendPublic, urlText } from './public-request.ts';
import { meant } from './targets.ts';

export const verifyHttp: StepActions = { check: answersClients, do: nothingToDo, verify: answersClients };

async function answersClients(operation: Perform, context: OperationContext): Promise<OperationResult> {
  const services = meant(operation, context.group, 'http').flatMap(({ id, component }) =>
    component.public === undefined
      ? []
      : [
          {
            id,
            url: new URL(component.public.url),
            expected: component.expectStatus ?? [200],
            certificates: context.certificates(component.tls),
          },
        ],
  );
  if (services.length === 0) return no('unsupported', 'no service with a public URL is configured');
  const facts: { [service: string]: unknown } = {};
  for (const { id, url, expected, certificates } of services) {
    const where = await publicAddress(url, operation, context);
    if (where.kind === 'none') return unknown('no-answer', `${url.hostname} could not be resolved: ${where.message}`);
    if (where.kind === 'stale') {
      return no('stale', `${where.resolver} answers ${where.answers.join(', ')} for ${url.hostname}`);
    }
    const response = await sendPublic(url, where.address, { method: 'GET', body: null, certificates }, context.signal);
    if (response.kind === 'failed') return no('unreachable', `${id} by ${urlText(url)}: ${response.message}`);
    facts[id] = { url: urlText(url), address: where.address, resolver: where.resolver, status: response.status };
    if (!expected.includes(response.status)) {
      return no('status', `${id} by ${urlText(url)} answered ${response.status}`, facts);
    }
  }
  return ok('the service answers through its public name', facts);
}
