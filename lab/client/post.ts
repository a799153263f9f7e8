import { request } from 'node:http';
import { codeOf } from '../servers/errors.ts';
import type { EndedLine } from './ledger.ts';

export interface PostOptions {
  readonly address: string;
  readonly port: number;
  /** What stands in the Host header. */
  readonly name: string;
  readonly id: string;
  readonly timeoutMs: number;
}

/** What one request taught about its write. */
export type PostResult = Pick<EndedLine, 'lsn' | 'lsnBefore' | 'outcome' | 'reason' | 'region' | 'status'>;

interface Reply {
  readonly region?: unknown;
  readonly applied?: unknown;
  readonly lsn?: unknown;
  readonly lsnBefore?: unknown;
}

/**
 * Send one write over a connection of its own: a kept one would go on to the old region for as long as it lives, and
 * hide whether the name was switched.
 */
export async function post(options: PostOptions): Promise<PostResult> {
  const { address, port, name, id, timeoutMs } = options;
  const body = JSON.stringify({ id });
  return await new Promise((resolve) => {
    let connected = false;
    const outgoing = request({
      host: address,
      port,
      method: 'POST',
      path: '/writes',
      agent: false,
      headers: { host: name, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      signal: AbortSignal.timeout(timeoutMs),
    });
    // Before the connection stands nothing was sent; after it anything may have happened.
    const lost = (reason: string): void => resolve({ outcome: connected ? 'unknown' : 'failed', reason });
    outgoing.on('socket', (socket) => {
      socket.once('connect', () => {
        connected = true;
      });
    });
    outgoing.on('error', (error) =>
      lost(error.name === 'TimeoutError' || error.name === 'AbortError' ? 'timeout' : (codeOf(error) ?? 'error')),
    );
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', () => lost('cut-off'));
      response.on('end', () => resolve(judge(response.statusCode ?? 0, Buffer.concat(chunks).toString('utf8'))));
    });
    outgoing.end(body);
  });
}

/** 201 and 409 (there already, hence committed) acknowledge. A refusal counts as one only when the service says so. */
function judge(status: number, text: string): PostResult {
  const reply = parse(text);
  const region = typeof reply.region === 'string' ? { region: reply.region } : {};
  if (status === 201 || status === 409) {
    return {
      outcome: 'acked',
      status,
      ...region,
      ...(typeof reply.lsnBefore === 'string' ? { lsnBefore: reply.lsnBefore } : {}),
      ...(typeof reply.lsn === 'string' ? { lsn: reply.lsn } : {}),
    };
  }
  const refused = reply.applied === 'no' || (status >= 400 && status < 500);
  return { outcome: refused ? 'failed' : 'unknown', status, reason: `http-${status}`, ...region };
}

function parse(text: string): Reply {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
