/** Asking the configured resolvers, never the system's: what counts is what clients are told. */
import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { DnsComponent } from '../model/config.ts';
import { textOf } from './context.ts';
import { hostPort, plainName } from './targets.ts';

export type RecordType = NonNullable<DnsComponent['type']>;
export type Answer =
  | { readonly resolver: string; readonly answers: readonly string[] }
  | { readonly resolver: string; readonly answers: null; readonly message: string };

const TRY_MS = 1000;
const TRIES = 2;

/** What one resolver answers for a name. No such name is an answer too: none. Never rejects. */
export async function askResolver(
  resolver: string,
  name: string,
  type: RecordType,
  signal: AbortSignal,
): Promise<Answer> {
  const asking = new Resolver({ timeout: TRY_MS, tries: TRIES });
  const cancel = (): void => asking.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    asking.setServers([await serverOf(resolver)]);
    const answers = await query(asking, name, type);
    return { resolver, answers: answers.map(plainRecord).sort() };
  } catch (error) {
    if (isNoSuchName(error)) return { resolver, answers: [] };
    return { resolver, answers: null, message: textOf(error) };
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

function query(resolver: Resolver, name: string, type: RecordType): Promise<string[]> {
  switch (type) {
    case 'A':
      return resolver.resolve4(name);
    case 'AAAA':
      return resolver.resolve6(name);
    case 'CNAME':
      return resolver.resolveCname(name);
    default:
      return type satisfies never;
  }
}

const isNoSuchName = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOTFOUND' || error.code === 'ENODATA');

/** Node takes addresses only; a resolver given by name is looked up first. */
async function serverOf(resolver: string): Promise<string> {
  const { host, port } = hostPort(resolver);
  const address = isIP(host) > 0 ? host : (await lookup(host)).address;
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The records of a name while a region is active, in the form answers are compared in. */
export const targetAnswers = (component: DnsComponent, region: string): string[] =>
  (component.records[region] ?? []).map(plainRecord).sort();

/** An IPv6 address has many spellings; names don't differ by case or a final dot. */
export const plainRecord = (record: string): string =>
  isIP(record) === 6 ? new URL(`http://[${record}]`).hostname.slice(1, -1) : plainName(record);

export const sameAnswers = (left: readonly string[], right: readonly string[]): boolean =>
  left.length === right.length && left.every((answer, at) => answer === right[at]);
