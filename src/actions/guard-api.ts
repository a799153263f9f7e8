/** What the controller says to a guard, and reads of it (`GET /status`, `POST /v1/orders`). */
import { Compile } from 'typebox/compile';
import type { GuardAddress } from '../model/components.ts';
import type { PostgresComponent } from '../model/config.ts';
import { type GuardOrder, GuardStatus } from '../model/guard.ts';
import type { Perform } from '../model/loop.ts';
import type { RegionId } from '../model/primitives.ts';
import type { OperationContext } from './context.ts';
import { askJson, type JsonAnswer } from './json-request.ts';
import type { Named, PostgresTarget } from './targets.ts';

const READ_TIMEOUT_MS = 2000;
const ORDER_TIMEOUT_MS = 4000;
const isStatus = Compile(GuardStatus);

export type GuardRead =
  | { readonly kind: 'status'; readonly status: GuardStatus }
  | { readonly kind: 'failed'; readonly message: string };

export type GuardAnswer =
  | { readonly kind: 'taken' | 'refused'; readonly message: string }
  /** Certainly not taken. */
  | { readonly kind: 'not-sent'; readonly message: string }
  /** May have been taken. */
  | { readonly kind: 'unknown'; readonly message: string };

export const guardName = (id: string, region: RegionId): string => `the guard of ${id} in ${region}`;

export const guardOf = ({ component }: Named<PostgresComponent>, region: RegionId): GuardAddress | null =>
  component.guards?.[region] ?? null;

export async function readGuard(
  target: Named<PostgresComponent>,
  region: RegionId,
  { group }: Pick<Perform, 'group'>,
  context: OperationContext,
): Promise<GuardRead> {
  const address = guardOf(target, region);
  if (address === null) return { kind: 'failed', message: `${target.id} has no guard in ${region}` };
  const answer = await askJson(requestTo(address, 'status', 'GET', READ_TIMEOUT_MS, context), context);
  const failed = (message: string): GuardRead => ({
    kind: 'failed',
    message: `${guardName(target.id, region)}: ${message}`,
  });
  if (answer.kind !== 'answered') return failed(answer.message);
  if (answer.status !== 200) return failed(`status ${answer.status}${detailOf(answer)}`);
  const { body } = answer;
  if (!isStatus.Check(body)) return failed('it does not answer as a guard does');
  // Another group's guard at this address says nothing of ours, however well it is.
  if (body.group !== group || body.component !== target.id || body.region !== region)
    return failed(`it guards ${body.component} of ${body.group} in ${body.region}`);
  return { kind: 'status', status: body };
}

/** The answer is given once the order is durable there, long before it is carried out. */
export async function orderGuard(
  target: Named<PostgresComponent>,
  region: RegionId,
  order: GuardOrder,
  context: OperationContext,
): Promise<GuardAnswer> {
  const name = guardName(target.id, region);
  const address = guardOf(target, region);
  if (address === null) return { kind: 'not-sent', message: `${target.id} has no guard in ${region}` };
  const answer = await askJson(
    { ...requestTo(address, 'v1/orders', 'POST', ORDER_TIMEOUT_MS, context), body: order },
    context,
  );
  if (answer.kind === 'not-sent') return { kind: 'not-sent', message: `${name}: ${answer.message}` };
  if (answer.kind === 'no-answer') return { kind: 'unknown', message: `${name}: ${answer.message}` };
  const body = answer.body as { readonly taken?: unknown; readonly message?: unknown } | null | undefined;
  const message = `${name}: ${typeof body?.message === 'string' ? body.message : `status ${answer.status}${detailOf(answer)}`}`;
  if (answer.status === 200 && body?.taken === true) return { kind: 'taken', message };
  // It was read and turned down; what is in front of a guard and fails in its own words says nothing of the guard.
  if (answer.status === 200 || (answer.status >= 400 && answer.status < 500)) return { kind: 'refused', message };
  return { kind: 'unknown', message };
}

function requestTo(
  address: GuardAddress,
  path: string,
  method: 'GET' | 'POST',
  timeoutMs: number,
  context: OperationContext,
) {
  const url = new URL(path, address.url.endsWith('/') ? address.url : `${address.url}/`);
  return {
    url,
    method,
    timeoutMs,
    headers: { accept: 'application/json', authorization: `Bearer ${context.secret(address.token)}` },
    secureContext: url.protocol === 'https:' ? (context.certificates(address.tls)?.secureContext() ?? null) : null,
  };
}

/** Of a problem document (RFC 9457), what it says. */
function detailOf({ body }: Extract<JsonAnswer, { kind: 'answered' }>): string {
  const detail: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, 'detail') : null;
  return typeof detail === 'string' ? `: ${detail}` : '';
}

export const named = ({ id, component }: PostgresTarget): Named<PostgresComponent> => ({ id, component });
