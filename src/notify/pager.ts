/**
 * Posts pages to a webhook, signed. One try per call: when to try again, and when a page is overdue, the core decides
 * (`paged`). The format stands in `docs/pager.md`.
 */
import { createHmac } from 'node:crypto';
import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { SecureContext } from 'node:tls';
import type { Page } from '../model/events.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { REDACTED, type SecretValue } from '../runtime/secret.ts';
import type { Timers } from '../runtime/timers.ts';
import type { Certificates } from '../runtime/tls.ts';

/** What came of one try. Satisfies what `Pager` of `engine/ports.ts` promises; `message` is for people. */
export type Delivery = { readonly delivered: boolean; readonly message: string };

export type WebhookPager = {
  /** Never rejects. Delivered means that the receiver answered 2xx: everything else may not have arrived. */
  deliver(page: Page, signal: AbortSignal): Promise<Delivery>;
};

export type PagerOptions = {
  /** http or https. A user and password in it are sent as basic authentication. */
  readonly url: string;
  /** Key of the signature. */
  readonly secret: SecretValue;
  /** For the whole try: name, connection, TLS, answer. */
  readonly timeoutMs: number;
  /** Without it what the system trusts, and none to show. */
  readonly certificates?: Certificates | null;
  readonly log: Log;
  readonly clock: Clock;
  readonly timers: Timers;
};

/** As the model bounds them; a page that is too long is cut rather than lost. */
const LONGEST_TEXT = 2000;
/** Of the answer; the rest is not read. */
const MOST_ANSWER_BYTES = 2048;
const LONGEST_MESSAGE = 500;

/** The signature of a body: `v1=` and the hex HMAC-SHA256 of `timestamp.body`. */
export function signPage(secret: SecretValue, timestamp: string, body: string): string {
  return `v1=${createHmac('sha256', secret.reveal()).update(`${timestamp}.${body}`).digest('hex')}`;
}

const clip = (text: string, longest: number): string =>
  text.length <= longest ? text : `${text.slice(0, longest - 1).toWellFormed()}…`;

/** RFC 3339 in UTC, or null for what is no instant. */
function instant(wallMs: number | null): string | null {
  if (wallMs === null) return null;
  const date = new Date(wallMs);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

const bodyOf = (page: Page, sentAt: number): string =>
  JSON.stringify({
    id: page.id,
    kind: page.kind,
    group: page.group,
    title: clip(page.title, LONGEST_TEXT),
    body: clip(page.body, LONGEST_TEXT),
    dueAt: instant(page.dueAt),
    sentAt: instant(sentAt),
  });

/** The beginning of an answer, printable, on one line. */
async function beginningOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= MOST_ANSWER_BYTES) break;
  }
  const text = Buffer.concat(chunks).subarray(0, MOST_ANSWER_BYTES).toString('utf8');
  return text.replace(/[\p{C}\s]+/gu, ' ').trim();
}

export function createPager(options: PagerOptions): WebhookPager {
  const { secret, timeoutMs, certificates, log, clock, timers } = options;
  const url = new URL(options.url);
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;

  const send = (page: Page): ClientRequest => {
    const sentAt = clock.wall();
    const body = bodyOf(page, sentAt);
    const timestamp = `${Math.floor(sentAt / 1000)}`;
    const requestOptions: RequestOptions & { readonly secureContext?: SecureContext } = {
      method: 'POST',
      // A connection of its own: a kept one may be half dead, and that is found out only by losing the page.
      agent: false,
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'user-agent': 'failoverd',
        'failoverd-timestamp': timestamp,
        'failoverd-signature': signPage(secret, timestamp, body),
        'idempotency-key': page.id,
      },
      ...(certificates == null ? {} : { secureContext: certificates.secureContext() }),
    };
    const sent = request(url, requestOptions);
    sent.end(body);
    return sent;
  };

  /** An answer may repeat what it was sent; the message goes into the journal. */
  const withoutSecret = (text: string): string =>
    secret.reveal() === '' ? text : text.replaceAll(secret.reveal(), REDACTED);

  /** Resolves with the answer's verdict, rejects with whatever stood in the way. */
  const attempt = (page: Page, signal: AbortSignal): Promise<Delivery> =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const sent = send(page);
      const stop = (why: string): void => {
        reject(new Error(why));
        sent.destroy();
      };
      const aborted = (): void => stop('given up by failoverd');
      const cancelTimer = timers.after(timeoutMs, () => stop(`no answer within ${timeoutMs} ms`));
      signal.addEventListener('abort', aborted, { once: true });
      sent.on('error', reject);
      let answered = false;
      sent.on('close', () => {
        cancelTimer();
        signal.removeEventListener('abort', aborted);
        if (!answered) reject(new Error('the connection ended before an answer'));
      });
      sent.on('response', (response) => {
        answered = true;
        const status = response.statusCode ?? 0;
        if (status >= 200 && status <= 299) {
          resolve({ delivered: true, message: `answered ${status}` });
          // What a 2xx says besides doesn't matter: it may come, break off, or be cut.
          let bytes = 0;
          response.on('error', () => undefined);
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes > MOST_ANSWER_BYTES) sent.destroy();
          });
          return;
        }
        beginningOf(response).then((text) => {
          const hint = status >= 300 && status <= 399 ? ' (redirects are not followed)' : '';
          resolve({ delivered: false, message: `answered ${status}${hint}${text === '' ? '' : `: ${text}`}` });
          sent.destroy();
        }, reject);
      });
    });

  return {
    async deliver(page, signal) {
      const startedMono = clock.mono();
      const result = await attempt(page, signal).catch((error: unknown): Delivery => {
        const { code, message } = (error ?? {}) as { readonly code?: unknown; readonly message?: unknown };
        const what = typeof message === 'string' && message !== '' ? message : String(code ?? error);
        return { delivered: false, message: what };
      });
      const message = clip(withoutSecret(result.message), LONGEST_MESSAGE);
      const fields = {
        page: page.id,
        kind: page.kind,
        tookMs: Math.round(clock.mono() - startedMono),
        answer: message,
      };
      if (result.delivered) log.info(fields, 'a page was delivered');
      else log.warn(fields, 'a page was not delivered');
      return { delivered: result.delivered, message };
    },
  };
}
