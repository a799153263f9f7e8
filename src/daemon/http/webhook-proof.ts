/**
 * What Alertmanager proves its webhooks with: a token (RFC 6750), a user and password (RFC 7617), or a client certificate.
 * Whichever the config names, and no other. Secrets are compared hash to hash, user and password as one, so that neither
 * shows in the time it takes.
 */

import { bearerOf, sameToken, tokenHash } from '../../runtime/bearer.ts';
import type { HttpCredentials } from '../../runtime/http-credentials.ts';
import { type CertificateMatch, type ClientCertificate, isMatch } from './client-certificate.ts';

export type WebhookCredentials = HttpCredentials | { readonly kind: 'certificate'; readonly match: CertificateMatch };

export type WebhookProof = {
  /** Whether the `Authorization` header of a request, or the certificate of its connection, is the right one. */
  holds(authorization: string | undefined, certificate: () => ClientCertificate | null): boolean;
  /** For `WWW-Authenticate`; null where no header would help. */
  readonly challenge: string | null;
  /** Where the proof would be. */
  readonly field: string;
  /** What helps somebody whose webhooks are refused. */
  readonly remedy: string;
};

export function webhookProof(credentials: WebhookCredentials): WebhookProof {
  if (credentials.kind === 'certificate')
    return {
      holds(_authorization, certificate) {
        const shown = certificate();
        return shown !== null && isMatch(shown, credentials.match);
      },
      challenge: null,
      field: 'client certificate',
      remedy:
        'set http_config.tls_config of the webhook in Alertmanager to a certificate that daemon.tls.clientCa vouches for, with the names of alertmanager.clientCertificate',
    };
  const { kind } = credentials;
  const expected = tokenHash(kind === 'bearer' ? credentials.token : `${credentials.user}:${credentials.password}`);
  const presented = kind === 'bearer' ? bearerOf : basicOf;
  return {
    holds(authorization) {
      const text = presented(authorization);
      return text !== null && sameToken(expected, tokenHash(text));
    },
    challenge: kind === 'bearer' ? 'Bearer realm="failoverd"' : 'Basic realm="failoverd", charset="UTF-8"',
    field: 'Authorization',
    remedy:
      kind === 'bearer'
        ? 'set http_config.authorization.credentials of the webhook in Alertmanager to alertmanager.bearer'
        : 'set http_config.basic_auth of the webhook in Alertmanager to alertmanager.basic',
  };
}

/** `user:password` of an `Authorization: Basic` header, or null where there is none. */
export function basicOf(authorization: string | undefined): string | null {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(authorization ?? '')?.[1];
  return encoded === undefined ? null : Buffer.from(encoded, 'base64').toString('utf8');
}
