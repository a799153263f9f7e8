import type { AnswerRecord } from './answer.ts';
import type { DnsServer } from './authority.ts';
import { type CachedAbsence, type CachedRecords, createCache } from './cache.ts';
import { createFaultSwitch, faultReply } from './faults.ts';
import { listen, type Transport } from './listener.ts';
import {
  emptyReply,
  encodeFormatError,
  encodeReply,
  parseQuestion,
  type Reply,
  type Response,
  unanswerable,
} from './message.ts';
import { normaliseName, wireName } from './names.ts';
import { askUpstream, type Upstream } from './upstream.ts';

export interface ResolverOptions {
  readonly host: string;
  /** 0 or absent: any free port. */
  readonly port?: number;
  /** The name server this resolver asks. */
  readonly upstream: Upstream;
  /** `false`: keeps everything for at least `minTtlSeconds`, as some resolvers in the world do. */
  readonly respectTtl: boolean;
  /** Used when `respectTtl` is false; 30 by default. */
  readonly minTtlSeconds?: number;
  /** For one try; there are two before SERVFAIL. 1000 by default. */
  readonly upstreamTimeoutMs?: number;
  /** Milliseconds on a clock that doesn't go back; the process's own unless given. */
  readonly now?: () => number;
}

export interface ResolverServer extends DnsServer {
  /** Forgets everything, as an operator's flush does. */
  flush(): void;
}

const upstreamTries = 2;
const maxCnameChain = 8;
const defaultMinTtlSeconds = 30;
const defaultUpstreamTimeoutMs = 1000;

/** A caching recursive resolver before one name server: answers from its cache as long as TTLs (or its stubbornness) allow. */
export async function startResolver(options: ResolverOptions): Promise<ResolverServer> {
  const floorSeconds = options.respectTtl ? 0 : (options.minTtlSeconds ?? defaultMinTtlSeconds);
  const cache = createCache({ now: options.now ?? (() => performance.now()), floorSeconds });
  const timeoutMs = options.upstreamTimeoutMs ?? defaultUpstreamTimeoutMs;
  const faults = createFaultSwitch();
  const closing = new AbortController();
  const asking = new Map<string, Promise<Response | null>>();
  let queries = 0;

  async function askWithRetry(name: string, type: string): Promise<Response | null> {
    for (let attempt = 0; attempt < upstreamTries && !closing.signal.aborted; attempt += 1) {
      const response = await askUpstream(options.upstream, wireName(name), type, {
        timeoutMs,
        signal: closing.signal,
      });
      if (response !== null && (response.rcode === 'NOERROR' || response.rcode === 'NXDOMAIN')) {
        cache.store(name, type, response);
        return response;
      }
    }
    return null;
  }

  /** Several clients asking the same at once make one question upstream. */
  function askOnce(name: string, type: string): Promise<Response | null> {
    const key = `${name}|${type}`;
    const underway = asking.get(key);
    if (underway !== undefined) return underway;
    const started = askWithRetry(name, type).finally(() => asking.delete(key));
    asking.set(key, started);
    return started;
  }

  const cached = (name: string, type: string): CachedRecords | CachedAbsence | null =>
    cache.get(name, type) ?? (type === 'CNAME' ? null : cache.get(name, 'CNAME'));

  async function lookUp(question: string, type: string): Promise<Reply> {
    const answers: AnswerRecord[] = [];
    let name = normaliseName(question);
    const reply = (rcode: Reply['rcode'], authority: readonly AnswerRecord[] = []): Reply => ({
      rcode,
      authoritative: false,
      recursionAvailable: true,
      answers,
      authority,
    });
    for (let hop = 0; hop <= maxCnameChain; hop += 1) {
      const hit = cached(name, type) ?? fromResponse(await askOnce(name, type), name, type);
      if (hit === null) return emptyReply('SERVFAIL', true);
      if (hit.kind === 'absence') return reply(hit.rcode, hit.soa);
      answers.push(...hit.records);
      const alias = hit.records[0];
      if (alias === undefined || alias.type === type || alias.rdata.domain === undefined) return reply('NOERROR');
      name = normaliseName(alias.rdata.domain);
    }
    return emptyReply('SERVFAIL', true);
  }

  async function handle(message: Buffer, transport: Transport): Promise<Buffer | null> {
    const question = parseQuestion(message);
    if (question === null) return null;
    queries += 1;
    if (question === 'malformed') return encodeFormatError(message);
    const fault = faults.take();
    const refusal = unanswerable(question);
    if (fault !== null) {
      const faulted = faultReply(fault, true);
      return faulted === null ? null : encodeReply(question, faulted, transport);
    }
    if (refusal !== null) return encodeReply(question, emptyReply(refusal, true), transport);
    return encodeReply(question, await lookUp(question.name, question.type), transport);
  }

  const listener = await listen(options.host, options.port ?? 0, handle);
  return {
    host: listener.host,
    port: listener.port,
    address: `${listener.host}:${listener.port}`,
    queries: () => queries,
    fault: (fault, faultOptions) => faults.set(fault, faultOptions),
    flush: () => cache.flush(),
    async close() {
      closing.abort();
      await listener.close();
      await Promise.allSettled(asking.values());
    },
  };
}

/** What a fresh answer says of one name: needed beside the cache, since a TTL of 0 is never stored. */
function fromResponse(response: Response | null, name: string, type: string): CachedRecords | CachedAbsence | null {
  if (response === null) return null;
  const wanted = response.answers.filter((record) => record.name === name && record.type === type);
  const aliases = response.answers.filter((record) => record.name === name && record.type === 'CNAME');
  const records = wanted.length > 0 ? wanted : aliases;
  if (records.length > 0) return { kind: 'records', records };
  return { kind: 'absence', rcode: response.rcode, soa: response.authority.filter((record) => record.type === 'SOA') };
}
