/** The DNS probe: what one resolver answers for the public name, and for how long that may be kept. */
import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { DnsFacts, ProbeErrorCode } from '../model/evidence.ts';
import { ABORTED, untilAborted } from './abort.ts';
import { errorCode, type Failure, networkFailure, notResolved, timedOut, verdictOf } from './failure.ts';
import type { Probe, ProbeAnswer } from './probe.ts';
import { addressOf, addressText, type DnsTarget } from './target.ts';

/** As many as an observation holds; a name of ours has a handful. */
const MOST_ANSWERS = 64;

/** What c-ares calls the ways a question can fail. Codes that aren't here are our own: `internal`. */
const CODES: Readonly<Record<string, ProbeErrorCode>> = {
  ENOTFOUND: 'missing', // no such name
  ENODATA: 'missing', // the name is there and has no record of this type
  ETIMEOUT: 'timeout',
  ECONNREFUSED: 'refused',
  ESERVFAIL: 'protocol',
  EREFUSED: 'protocol',
  EFORMERR: 'protocol',
  ENOTIMP: 'protocol',
  EBADRESP: 'protocol',
};

/** What is known of a name before anybody answered. */
export const NO_DNS_FACTS: Omit<DnsFacts, 'resolver'> = { answers: [], ttlSeconds: null };

type Answers = { readonly answers: readonly string[]; readonly ttlSeconds: number | null };

export const probeDns: Probe<'dns'> = async (target, context) => {
  const { signal, log } = context;
  const asked = `${target.name} ${target.type} at ${target.resolver}`;
  // One question and no repetition inside the deadline: the next probe is the repetition.
  const resolver = new Resolver({ timeout: target.timeoutMs, tries: 1 });
  let server: string | typeof ABORTED;
  try {
    server = await untilAborted(signal, numericAddress(target.resolver));
  } catch (error) {
    return failed(target, 'none', networkFailure(error, target.resolver));
  }
  if (server === ABORTED) return failed(target, 'none', notResolved(target.resolver));
  try {
    resolver.setServers([server]);
    log(`asking for ${asked}`);
    const found = await untilAborted(signal, ask(resolver, target));
    if (found === ABORTED) return failed(target, 'none', timedOut(asked, 'answer'));
    const facts = factsOf(target, found);
    return { verdict: 'ok', reached: 'answer', code: null, message: null, facts };
  } catch (error) {
    const failure = dnsFailure(error, asked);
    const answered = failure.code === 'missing' || failure.code === 'protocol';
    return failed(target, answered ? 'answer' : 'none', failure);
  } finally {
    resolver.cancel();
  }
};

/** c-ares takes numbers only; a resolver may be named in the config. */
async function numericAddress(resolver: string): Promise<string> {
  const { host, port } = addressOf(resolver);
  if (isIP(host) !== 0) return addressText({ host, port });
  const { address } = await lookup(host);
  return addressText({ host: address, port });
}

async function ask(resolver: Resolver, { name, type }: DnsTarget): Promise<Answers> {
  switch (type) {
    case 'A':
      return withTtl(await resolver.resolve4(name, { ttl: true }));
    case 'AAAA':
      return withTtl(await resolver.resolve6(name, { ttl: true }));
    case 'CNAME':
      return { answers: await resolver.resolveCname(name), ttlSeconds: null };
    default:
      return type satisfies never;
  }
}

const withTtl = (records: readonly { address: string; ttl: number }[]): Answers => ({
  answers: records.map((record) => record.address),
  ttlSeconds: records.length === 0 ? null : Math.min(...records.map((record) => record.ttl)),
});

/** Sorted, so that a resolver that rotates its answers doesn't look like one that changed its mind. */
const factsOf = (target: DnsTarget, { answers, ttlSeconds }: Answers): DnsFacts => ({
  resolver: target.resolver,
  answers: [...answers].sort().slice(0, MOST_ANSWERS),
  ttlSeconds,
});

function dnsFailure(error: unknown, asked: string): Failure {
  const code = CODES[errorCode(error) ?? ''];
  if (code === undefined) return networkFailure(error, asked);
  return { code, message: `${error instanceof Error ? error.message : String(error)} (${asked})` };
}

function failed(target: DnsTarget, reached: string, failure: Failure): ProbeAnswer<'dns'> {
  const facts = { ...NO_DNS_FACTS, resolver: target.resolver };
  return { verdict: verdictOf(failure), reached, code: failure.code, message: failure.message, facts };
}
