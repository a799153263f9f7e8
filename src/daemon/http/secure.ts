/** TLS of the listener. Certificates are taken over when they are renewed; connections that are open go on. */
import { constants } from 'node:crypto';
import type { Server as HttpsServer, ServerOptions } from 'node:https';
import type { SecureContextOptions } from 'node:tls';

export type SecureListener = {
  /** Certificate, key and what client certificates are trusted by, as they are now. */
  readonly context: () => SecureContextOptions;
  /** Whether a client may show a certificate, and whether it must. */
  readonly clients: 'none' | 'may' | 'must';
  /** Calls whenever the context is another one. */
  readonly onRenewed: (call: () => void) => void;
};

/** A client that begins a handshake and does not go on costs a socket for so long. */
const HANDSHAKE_WITHIN_MS = 10_000;

export function secureOptions({ context, clients }: SecureListener): ServerOptions {
  return {
    ...contextNow(context),
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: HANDSHAKE_WITHIN_MS,
    requestCert: clients !== 'none',
    // Where a client only may show one, the routes that ask for it look whether it is trusted.
    rejectUnauthorized: clients === 'must',
  };
}

/** From now on new connections get the newest certificates. */
export function followRenewals(server: HttpsServer, { context, onRenewed }: SecureListener): void {
  onRenewed(() => server.setSecureContext(contextNow(context)));
}

/** Without tickets: a session that is resumed would carry on with what an old certificate once was worth. */
const contextNow = (context: SecureListener['context']): SecureContextOptions => ({
  ...context(),
  secureOptions: constants.SSL_OP_NO_TICKET,
});
