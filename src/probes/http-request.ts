/**
 * One HTTP request on a connection of its own, with a bounded answer. Shared by what asks over HTTP: the probe of a
 * service, the control targets, and the witness that posts its report.
 */
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Certificates } from '../runtime/tls.ts';
import { type Failure, networkFailure, notResolved, timedOut } from './failure.ts';

export type HttpRequest = {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | null;
  /** For https: which to trust and to show; without it what the system trusts, and none. */
  readonly certificates?: Certificates | null | undefined;
  /** Bytes of the answer that are read; at the first one more the connection is closed. 0 = only the status counts. */
  readonly answerLimitBytes: number;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
};

export type HttpResult =
  | { readonly kind: 'answered'; readonly status: number; readonly body: string; readonly complete: boolean }
  /** `status` is null unless the failure came after the head of the answer. */
  | {
      readonly kind: 'failed';
      readonly reached: 'none' | 'connect' | 'respond';
      readonly status: number | null;
      readonly failure: Failure;
    };

/** The URL as it may be shown: what stands before an @ and after a ? may be a secret. */
export const urlText = (url: URL): string => `${url.protocol}//${url.host}${url.pathname}`;

/** Sends the request and reads the answer. Never rejects; redirects are answers like any other. */
export function request(options: HttpRequest): Promise<HttpResult> {
  const { url, signal, log } = options;
  const where = urlText(url);
  return new Promise((resolve) => {
    let reached: 'none' | 'connect' | 'respond' = 'none';
    let status: number | null = null;
    let resolved = isIP(url.hostname.replace(/^\[|\]$/g, '')) !== 0;
    const fail = (error: unknown): void => {
      const waitingFor = { none: 'connection', connect: 'answer', respond: 'end of the answer' }[reached];
      const late = resolved ? timedOut(where, waitingFor) : notResolved(where);
      const failure = signal.aborted ? late : networkFailure(error, where);
      resolve({ kind: 'failed', reached, status, failure });
    };
    const answer = (response: IncomingMessage): void => {
      reached = 'respond';
      status = response.statusCode ?? 0;
      log(`answered ${status}`);
      readBody(response, options.answerLimitBytes, (body, complete) => {
        resolve({ kind: 'answered', status: status ?? 0, body, complete });
        // What is beyond the limit is not waited for, and an early answer to a long body needs no more of the body.
        outgoing.destroy();
      });
      response.once('error', fail);
    };
    const secure = url.protocol === 'https:';
    // No agent that keeps connections: what an old one still carries says nothing of what a new client gets.
    const outgoing = (secure ? https : http).request(url, {
      method: options.method,
      headers: options.headers,
      agent: false,
      signal,
      ...secureOf(secure, options.certificates),
    });
    outgoing.once('socket', (socket) => {
      socket.once('lookup', () => {
        resolved = true;
      });
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        reached = 'connect';
        log(`connected to ${where}`);
      });
    });
    outgoing.once('response', answer);
    // Stays for good: an error after the outcome is known, such as our own destroy, has nobody left to tell.
    outgoing.on('error', fail);
    outgoing.end(options.body ?? undefined);
  });
}

const secureOf = (
  secure: boolean,
  certificates: HttpRequest['certificates'],
): { readonly secureContext?: SecureContext } =>
  secure && certificates != null ? { secureContext: certificates.secureContext() } : {};

function readBody(
  response: IncomingMessage,
  limitBytes: number,
  done: (body: string, complete: boolean) => void,
): void {
  if (limitBytes === 0) {
    done('', false);
    return;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > limitBytes) done(Buffer.concat(chunks).subarray(0, limitBytes).toString('utf8'), false);
  });
  response.once('end', () => done(Buffer.concat(chunks).toString('utf8'), true));
}
