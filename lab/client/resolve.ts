import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { LabError } from '../servers/errors.ts';
import type { ClientTarget } from './ledger.ts';

const QUERY_TIMEOUT_MS = 500;

/** The address to send the next write to. */
export type Locate = () => Promise<string>;

/**
 * A public name is asked for again when its TTL ran out, and with a TTL of 0 before every write, as a well-behaved
 * client does. Writes that are due at the same moment share one question.
 */
export function locator(target: ClientTarget): Locate {
  if (target.kind === 'address') return async () => target.host;
  if (isIP(target.name) !== 0) throw new LabError('bad-input', `${target.name} is an address`, 'use an address target');
  const resolver = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: 2 });
  resolver.setServers([...target.resolvers]);
  let known: { readonly address: string; readonly untilMs: number } | undefined;
  let asking: Promise<string> | undefined;

  const ask = async (): Promise<string> => {
    const [answer] = await resolver.resolve4(target.name, { ttl: true });
    if (answer === undefined) throw new LabError('not-reachable', `${target.name} has no address`);
    known = { address: answer.address, untilMs: performance.now() + answer.ttl * 1_000 };
    return answer.address;
  };
  return async () => {
    if (known !== undefined && performance.now() < known.untilMs) return known.address;
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return await asking;
  };
}
