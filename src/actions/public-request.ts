/**
 * Requests to a service as its clients make them: by the public name, resolved by the configured resolvers, on a fresh
 * connection.
 */
import { request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Perform } from '../model/loop.ts';
import type { Certificates } from '../runtime/tls.ts';
import { type OperationContext, textOf } from './context.ts';
import { askResolver, targetAnswers } from './dns-answers.ts';
import { allDns, plainName } from './targets.ts';

export type PublicAddress =
  | { readonly kind: 'address'; readonly address: string | null; readonly resolver: string | null }
  /** The name still leads somewhere else than to the target. */
  | { readonly kind: 'stale'; readonly answers: readonly string[]; readonly resolver: string }
  | { readonly kind: 'none'; readonly message: string };

/** The URL as it may be shown: what stands after a ? may be a secret. */
export const urlText = (url: URL): string => `${url.protocol}//${url.host}${url.pathname}`;

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');

/**
 * Where the public name leads now, by whichever resolver answers first. Null = as the system resolves it: an address in
 * the URL, or a name that is none of ours.
 */
export async function publicAddress(url: URL, operation: Perform, context: OperationContext): Promise<PublicAddress> {
  const host = hostOf(url);
  const dns = allDns(context.group).find(({ component }) => plainName(component.name) === plainName(host));
  if (isIP(host) > 0 || dns === undefined) return { kind: 'address', address: null, resolver: null };
  const { component } = dns;
  const type = component.type === 'AAAA' ? 'AAAA' : 'A';
  const target = targetAnswers(component, operation.to);
  // All at once: one that is silent must not hold up a failover.
  const asked = component.resolvers.map(async (resolver) => {
    const answer = await askResolver(resolver, component.name, type, context.signal);
    if (answer.answers === null) throw new Error(`${resolver}: ${answer.message}`);
    const [address] = answer.answers;
    if (address === undefined) throw new Error(`${resolver}: no address`);
    return { resolver, address, answers: answer.answers };
  });
  const first = await Promise.any(asked).catch((error: unknown) => ({ message: textOf(error) }));
  if ('message' in first) return { kind: 'none', message: first.message };
  // Never to the old side: what it took might be lost with it (invariant 13). A CNAME's target is a name, and the
  // address behind it is not ours to know.
  const known = component.type !== 'CNAME';
  if (known && !first.answers.every((each) => target.includes(each))) {
    return { kind: 'stale', answers: first.answers, resolver: first.resolver };
  }
  return { kind: 'address', address: first.address, resolver: first.resolver };
}

export type PublicResponse =
  | { readonly kind: 'answered'; readonly status: number }
  | { readonly kind: 'failed'; readonly message: string };

export type PublicRequest = {
  readonly method: string;
  /** Sent as JSON. */
  readonly body: string | null;
  /** For https; null = what the system trusts, and none to show. */
  readonly certificates: Certificates | null;
};

/** Sends one request to that address under the public name and waits for the status. Never rejects. */
export function sendPublic(
  url: URL,
  address: string | null,
  { method, body, certificates }: PublicRequest,
  signal: AbortSignal,
): Promise<PublicResponse> {
  return new Promise((resolve) => {
    const options: RequestOptions & { readonly secureContext?: SecureContext } = {
      method,
      agent: false,
      signal,
      headers: {
        'user-agent': 'failoverd',
        ...(body === null
          ? {}
          : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
      },
      ...(address === null ? {} : { lookup: alwaysThis(address) }),
      ...(certificates === null || url.protocol !== 'https:' ? {} : { secureContext: certificates.secureContext() }),
    };
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const sent = send(url, options, (response) => {
      resolve({ kind: 'answered', status: response.statusCode ?? 0 });
      // The status is all that counts; what follows it is not waited for.
      response.destroy();
    });
    sent.on('error', (error) => resolve({ kind: 'failed', message: textOf(error) }));
    sent.end(body ?? undefined);
  });
}

const alwaysThis =
  (address: string): LookupFunction =>
  (_hostname, options, callback) => {
    const family = isIP(address);
    if (options.all === true) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
