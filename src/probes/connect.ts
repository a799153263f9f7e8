/**
 * One TCP connection, and a TLS handshake over it where that is asked for; closed again at once, with nothing said. Shared
 * by what asks no more of an address than that.
 */
import { isIP, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Certificates } from '../runtime/tls.ts';
import { type Failure, networkFailure, notResolved, timedOut } from './failure.ts';
import { type Address, addressText } from './target.ts';

export type ConnectOptions = {
  readonly address: Address;
  /** Null for no handshake. */
  readonly tls: { readonly verify: boolean; readonly certificates?: Certificates | null | undefined } | null;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
};

export type Connected =
  | { readonly kind: 'connected'; readonly reached: 'connect' | 'handshake' }
  | { readonly kind: 'failed'; readonly reached: 'none' | 'connect'; readonly failure: Failure };

/** Never rejects. The signal is the deadline for everything. */
export function connectOnce({ address, tls, signal, log }: ConnectOptions): Promise<Connected> {
  const where = addressText(address);
  return new Promise((resolve) => {
    const socket = new Socket();
    let reached: 'none' | 'connect' = 'none';
    let resolved = isIP(address.host) !== 0;
    const end = (answer: Connected): void => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      resolve(answer);
    };
    const fail = (failure: Failure): void => end({ kind: 'failed', reached, failure });
    const abort = (): void => {
      const late = timedOut(where, reached === 'none' ? 'connection' : 'end of the handshake');
      fail(resolved ? late : notResolved(where));
    };
    socket.once('lookup', () => {
      resolved = true;
    });
    socket.once('connect', () => {
      reached = 'connect';
      log(`connected to ${where}`);
      if (tls === null) return end({ kind: 'connected', reached });
      const secure = connectTls({
        socket,
        rejectUnauthorized: tls.verify,
        ...(tls.certificates == null ? {} : { secureContext: tls.certificates.secureContext() }),
        // An address has no name to send; whose certificate it is, is checked against the address then.
        ...(isIP(address.host) === 0 ? { servername: address.host } : { host: address.host }),
      });
      secure.once('secureConnect', () => {
        log(`handshake done: ${secure.getProtocol() ?? 'unknown protocol'}`);
        end({ kind: 'connected', reached: 'handshake' });
      });
      secure.on('error', (error) => fail(networkFailure(error, where)));
      // A peer that hangs up in the middle ends without an error.
      secure.once('close', () => fail({ code: 'reset', message: `the connection ended in the handshake (${where})` }));
    });
    socket.on('error', (error) => fail(networkFailure(error, where)));
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    else socket.connect(address);
  });
}
