/**
 * What a PostgreSQL offers of TLS, asked before any password is sent: so that nobody gives one to a server that isn't
 * known, or over a line that isn't secured, only because better was not to be had.
 */
import { once } from 'node:events';
import { isIP, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ABORTED, untilAborted } from './abort.ts';
import { type Failure, networkFailure, notResolved, timedOut } from './failure.ts';
import { type Address, addressText } from './target.ts';

export type TlsOffer =
  /** `verify-full`: the certificate holds for this name. `require`: there is TLS, and `why` it can't be verified. */
  | { readonly kind: 'offered'; readonly mode: 'verify-full' | 'require'; readonly why: string | null }
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** SSLRequest: length 8, code 1234.5679 (PostgreSQL manual, 55.7). */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** `ca` is the PEM of who is trusted instead of the system's authorities. Never rejects; the signal is the deadline. */
export async function askTls(address: Address, signal: AbortSignal, ca: string | null = null): Promise<TlsOffer> {
  const where = addressText(address);
  const socket = new Socket();
  let resolved = isIP(address.host) !== 0;
  socket.once('lookup', () => {
    resolved = true;
  });
  try {
    const answer = await untilAborted(signal, firstByte(socket, address));
    if (answer === ABORTED)
      return {
        kind: 'failed',
        failure: resolved ? timedOut(where, 'answer to a request for TLS') : notResolved(where),
      };
    if (answer === 'N') return { kind: 'none' };
    if (answer === 'S') return await handshake(socket, address, signal, ca);
    const message = `what answers is not PostgreSQL (${where})`;
    return { kind: 'failed', failure: { code: 'protocol', message } };
  } catch (error) {
    return { kind: 'failed', failure: networkFailure(error, where) };
  } finally {
    socket.destroy();
  }
}

/** Empty where the peer hung up without a word. */
function firstByte(socket: Socket, address: Address): Promise<string> {
  return new Promise((resolve, reject) => {
    // It stays: an error after the outcome is known, such as of our own leaving, has nobody left to tell.
    socket.on('error', reject);
    socket.once('close', () => resolve(''));
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1', 0, 1)));
    socket.connect(address, () => socket.write(SSL_REQUEST));
  });
}

async function handshake(socket: Socket, address: Address, signal: AbortSignal, ca: string | null): Promise<TlsOffer> {
  // An address has no name that a certificate could be sent for; it is compared with the certificate all the same.
  const name = isIP(address.host) === 0 ? { servername: address.host } : { host: address.host };
  const secure = connectTls({ socket, ...name, ...(ca === null ? {} : { ca }), rejectUnauthorized: false });
  const done = await untilAborted(signal, once(secure, 'secureConnect'));
  if (done === ABORTED) return { kind: 'failed', failure: timedOut(addressText(address), 'end of the TLS handshake') };
  if (secure.authorized) return { kind: 'offered', mode: 'verify-full', why: null };
  const error: unknown = secure.authorizationError;
  return { kind: 'offered', mode: 'require', why: error instanceof Error ? error.message : String(error) };
}
