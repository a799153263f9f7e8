import { answerQuestion } from './answer.ts';
import { createFaultSwitch, faultReply } from './faults.ts';
import { listen, type Transport } from './listener.ts';
import {
  emptyReply,
  encodeFormatError,
  encodeReply,
  parseQuestion,
  type Reply,
  replyOf,
  unanswerable,
} from './message.ts';
import type { DnsFault, ZoneSource } from './model.ts';

export interface AuthorityOptions {
  readonly host: string;
  /** 0 or absent: any free port. */
  readonly port?: number;
  readonly source: ZoneSource;
  /** A number in [0, 1) for weighted routing; chance unless given. */
  readonly draw?: () => number;
}

export interface DnsServer {
  readonly host: string;
  readonly port: number;
  /** `host:port`, as `dns.Resolver.setServers` takes it. */
  readonly address: string;
  /** Questions received so far, faulted ones too. */
  queries(): number;
  fault(fault: DnsFault | null, options?: { readonly count?: number }): void;
  close(): Promise<void>;
}

/** One name server of the hosted zones in `source`, over UDP and TCP. */
export async function startAuthority(options: AuthorityOptions): Promise<DnsServer> {
  const draw = options.draw ?? Math.random;
  const faults = createFaultSwitch();
  let queries = 0;

  function reply(question: Exclude<ReturnType<typeof parseQuestion>, null | 'malformed'>): Reply | null {
    const fault = faults.take();
    if (fault !== null) return faultReply(fault, false);
    const refusal = unanswerable(question);
    if (refusal !== null) return emptyReply(refusal, false);
    return replyOf(answerQuestion(options.source, question.name, question.type, draw));
  }

  function handle(message: Buffer, transport: Transport): Buffer | null {
    const question = parseQuestion(message);
    if (question === null) return null;
    queries += 1;
    if (question === 'malformed') return encodeFormatError(message);
    const answered = reply(question);
    return answered === null ? null : encodeReply(question, answered, transport);
  }

  const listener = await listen(options.host, options.port ?? 0, handle);
  return {
    host: listener.host,
    port: listener.port,
    address: `${listener.host}:${listener.port}`,
    queries: () => queries,
    fault: (fault, faultOptions) => faults.set(fault, faultOptions),
    close: () => listener.close(),
  };
}
