/** One HTTP request with a JSON body and a JSON answer, on a connection of its own: what an old one carries says nothing of now. */
import http from 'node:http';
import https from 'node:https';
import type { Certificates } from '../runtime/tls.ts';

export type JsonCall = {
  readonly url: URL;
  readonly token: () => string;
  readonly certificates: Certificates | null;
  readonly body: unknown;
  readonly signal: AbortSignal;
};

export type JsonAnswer = { readonly status: number; readonly body: unknown };

const ANSWER_LIMIT_BYTES = 256 * 1024;

/** Rejects where no whole answer came: of what became of the request nothing is known. */
export function callJson({ url, token, certificates, body, signal }: JsonCall): Promise<JsonAnswer> {
  const bytes = Buffer.from(JSON.stringify(body), 'utf8');
  const secure = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    const request = (secure ? https : http).request(
      url,
      {
        method: 'POST',
        agent: false,
        signal,
        headers: {
          authorization: `Bearer ${token()}`,
          'content-type': 'application/json',
          'content-length': String(bytes.byteLength),
          accept: 'application/json',
          'user-agent': 'failoverd-guard',
        },
        ...(secure && certificates !== null ? { secureContext: certificates.secureContext() } : {}),
      },
      (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (length > ANSWER_LIMIT_BYTES)
            request.destroy(new Error(`${url.host} answered with more than can be an answer`));
          else chunks.push(chunk);
        });
        response.once('error', reject);
        response.once('end', () => {
          if (!response.complete) return reject(new Error(`the answer of ${url.host} broke off`));
          const text = Buffer.concat(chunks).toString('utf8');
          try {
            resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
          } catch (error) {
            reject(new Error(`${url.host} answered ${response.statusCode} and no JSON`, { cause: error }));
          }
        });
      },
    );
    request.on('error', reject);
    request.end(bytes);
  });
}

/** A base address with a path below it, whether or not it ends in a slash. */
export const below = (base: string, path: string): URL => {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}${path}`;
  return url;
};
