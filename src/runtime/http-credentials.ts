/** What an HTTP request proves its sender with: a token (RFC 6750), or a user and password (RFC 7617). */
export type HttpCredentials =
  | { readonly kind: 'bearer'; readonly token: string }
  | { readonly kind: 'basic'; readonly user: string; readonly password: string };

/** The `Authorization` header that carries them. Holds the secret. */
export const authorizationOf = (credentials: HttpCredentials): string =>
  credentials.kind === 'bearer'
    ? `Bearer ${credentials.token}`
    : `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`, 'utf8').toString('base64')}`;
