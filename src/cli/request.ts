/** One HTTP request of a command to the daemon, with the certificates that were named on the command line. */
import { readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { resolve } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import { systemTimers } from '../runtime/timers.ts';
import { type Shell, UsageError } from './command.ts';

/** A status of a thousand groups has about 10 MiB. */
const MOST_ANSWER_BYTES = 128 * 1024 * 1024;

export type CertificateArgs = {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
};

export type Asking = {
  readonly url: URL;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly timeoutMs: number;
  readonly certificates: SecureContext | null;
};

export type Asked =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfterMs: number | null; readonly text: string }
  /** `sent`: the request may have arrived. */
  | { readonly kind: 'timeout'; readonly sent: boolean }
  | { readonly kind: 'failed'; readonly code: string; readonly sent: boolean };

/**
 * Certificates by `--ca`, `--cert` and `--key`, or $FAILOVERD_CA, $FAILOVERD_CERT and $FAILOVERD_KEY; null where none is
 * named. Throws {@link UsageError} for files that can't be used.
 */
export function certificatesOf(args: CertificateArgs, shell: Shell): SecureContext | null {
  const named = (key: keyof CertificateArgs): string | undefined =>
    args[key] ?? shell.variable(`FAILOVERD_${key.toUpperCase()}`);
  const [ca, cert, key] = [named('ca'), named('cert'), named('key')];
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError('a certificate is shown with its key', 'give both, --cert FILE and --key FILE');
  if (ca === undefined && cert === undefined) return null;
  const text = (file: string | undefined): string | undefined => (file === undefined ? undefined : read(file, shell));
  const texts = { ca: text(ca), cert: text(cert), key: text(key) };
  try {
    return createSecureContext({ ...defined(texts), minVersion: 'TLSv1.2' });
  } catch (error) {
    // OpenSSL's words hold no part of the files.
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `the certificates can’t be used (${why})`,
      'give PEM files, and the key that belongs to --cert',
    );
  }
}

const defined = (texts: Readonly<Record<string, string | undefined>>): Record<string, string> =>
  Object.fromEntries(Object.entries(texts).flatMap(([name, text]) => (text === undefined ? [] : [[name, text]])));

function read(file: string, shell: Shell): string {
  try {
    return readFileSync(resolve(shell.cwd, file), 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new UsageError(`${file} can't be read (${code})`, 'check its path and who may read it');
  }
}

/** Never rejects; redirects are not followed, since they could carry a token elsewhere. */
export function ask({ url, method, headers, body, timeoutMs, certificates }: Asking): Promise<Asked> {
  return new Promise((settle) => {
    const secure = url.protocol === 'https:';
    let sent = false;
    const request = (secure ? httpsRequest : httpRequest)(url, {
      method,
      headers: { ...headers, ...(body === null ? {} : { 'content-length': String(Buffer.byteLength(body)) }) },
      agent: false,
      ...(secure && certificates !== null ? { secureContext: certificates } : {}),
    });
    let late = false;
    const cancel = systemTimers.after(timeoutMs, () => {
      late = true;
      request.destroy();
    });
    const end = (asked: Asked): void => {
      cancel();
      settle(late ? { kind: 'timeout', sent } : asked);
    };
    const fail = (error: NodeJS.ErrnoException): void => end({ kind: 'failed', code: codeOf(error), sent });
    request.on('socket', (socket) => {
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        sent = true;
      });
    });
    request.on('error', fail);
    request.on('response', (response) => {
      textOf(response).then((text) => {
        const { statusCode: status = 0, headers: got } = response;
        end({ kind: 'answered', status, retryAfterMs: retryAfterMs(got['retry-after']), text });
      }, fail);
    });
    request.end(body ?? undefined);
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_ANSWER_BYTES) throw new RangeError('it answered without an end');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The code of the system call or of TLS, such as ECONNREFUSED; several where a name leads to several addresses. */
function codeOf(error: NodeJS.ErrnoException): string {
  if (error.code !== undefined) return error.code;
  return error.message === '' ? 'no reason was given' : error.message;
}

/** Seconds only: a date would be by a clock that may be another than ours. */
function retryAfterMs(header: string | undefined): number | null {
  return header !== undefined && /^\d{1,4}$/.test(header) ? Number(header) * 1000 : null;
}
