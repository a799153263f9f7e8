/**
 * One HTTP request to an API that answers in JSON, on a fresh connection, so that the answer is of now. It is told apart
 * whether anything was sent: a request that never left had no effect, and one without an answer may have one yet.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { SecureContext } from 'node:tls';
import { type OperationContext, remainingMs, textOf } from './context.ts';

const MOST_BYTES = 1024 * 1024;
/** Left for the answer to be made of it. */
const MARGIN_MS = 20;

export type JsonAnswer =
  /** `body` is undefined where it is no JSON. */
  | { readonly kind: 'answered'; readonly status: number; readonly body: unknown }
  | { readonly kind: 'not-sent'; readonly message: string }
  | { readonly kind: 'no-answer'; readonly message: string };

export type JsonRequest = {
  readonly method: 'GET' | 'PATCH' | 'POST';
  readonly url: URL;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** For https; null = what the system trusts, and none to show. */
  readonly secureContext: SecureContext | null;
  readonly timeoutMs: number;
};

/** What a request needs of an operation. */
export type Asking = Pick<OperationContext, 'clock' | 'timers' | 'signal' | 'deadlineMono'>;

/** Never rejects. */
export function askJson(asked: JsonRequest, context: Asking): Promise<JsonAnswer> {
  const body = asked.body === undefined ? null : JSON.stringify(asked.body);
  const timeoutMs = Math.min(asked.timeoutMs, Math.max(1, remainingMs(context) - MARGIN_MS));
  const late = new AbortController();
  const cancel = context.timers.after(timeoutMs, () => late.abort(new Error(`no answer within ${timeoutMs} ms`)));
  const options: RequestOptions & { readonly secureContext?: SecureContext } = {
    method: asked.method,
    agent: false,
    signal: AbortSignal.any([context.signal, late.signal]),
    headers: {
      'user-agent': 'failoverd',
      ...(body === null
        ? {}
        : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
      ...asked.headers,
    },
    ...(asked.secureContext === null ? {} : { secureContext: asked.secureContext }),
  };
  return new Promise<JsonAnswer>((resolve) => {
    let sent = false;
    const failed = (error: unknown): void => {
      const message = late.signal.aborted ? textOf(late.signal.reason) : textOf(error);
      resolve({ kind: sent ? 'no-answer' : 'not-sent', message });
    };
    const secure = asked.url.protocol === 'https:';
    const request = (secure ? httpsRequest : httpRequest)(asked.url, options, (response) => {
      read(response).then((text) => {
        resolve({ kind: 'answered', status: response.statusCode ?? 0, body: parsed(text) });
      }, failed);
    });
    // Before that nothing is written, however the connection fails.
    request.on('socket', (socket) => socket.once(secure ? 'secureConnect' : 'connect', () => (sent = true)));
    request.on('error', failed);
    request.end(body ?? undefined);
  }).finally(cancel);
}

async function read(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new Error(`an answer of more than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not the API: something in front of it that answers in its own words.
    return undefined;
  }
}
