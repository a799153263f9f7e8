/**
 * What Alertmanager proves its webhooks with: a token (RFC 6750), or a user and password (RFC 7617). Whichever the config
 * names, and no other. Compared hash to hash, user and password as one, so that neither shows in the time it takes.
 */
import type { HttpCredentials } from '../../runtime/http-credentials.ts';
import { bearerOf, sameToken, tokenHash } from './bearer.ts';

export type WebhookProof = {
  /** Whether the `Authorization` header of a request is the right one. */
  holds(authorization: string | undefined): boolean;
  /** For `WWW-Authenticate`. */
  readonly challenge: string;
  /** What helps somebody whose webhooks are refused. */
  readonly remedy: string;
};

export function webhookProof(credentials: HttpCredentials): WebhookProof {
  const { kind } = credentials;
  const expected = tokenHash(kind === 'bearer' ? credentials.token : `${credentials.user}:${credentials.password}`);
  const presented = kind === 'bearer' ? bearerOf : basicOf;
  return {
    holds(authorization) {
      const text = presented(authorization);
      return text !== null && sameToken(expected, tokenHash(text));
    },
    challenge: kind === 'bearer' ? 'Bearer realm="failoverd"' : 'Basic realm="failoverd", charset="UTF-8"',
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
