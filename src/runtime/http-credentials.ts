/** What an HTTP request proves its sender with: a token (RFC 6750), or a user and password (RFC 7617). */
export type HttpCredentials =
  | { readonly kind: 'bearer'; readonly token: string }
  | { readonly kind: 'basic'; readonly user: string; readonly password: string };

/** The `Authorization` header that carries them. Holds the secret. */
export const authorizationOf = (credentials: HttpCredentials): string =>
  credentials.kind === 'bearer'
    ? `Bearer ${credentials.token}`
    : `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`, 'utf8').toString('base64')}`;

/** Credentials that the config names by reference, with their secrets; null where there are none. A checked config never has both. */
export function credentialsOf(
  bearer: string | undefined,
  basic: { readonly user: string; readonly password: string } | undefined,
  secret: (reference: string) => string,
): HttpCredentials | null {
  if (bearer !== undefined) return { kind: 'bearer', token: secret(bearer) };
  if (basic !== undefined) return { kind: 'basic', user: basic.user, password: secret(basic.password) };
  return null;
}

/** The header as it is at each request, for a secret may be renewed; a function shows nothing when it is printed (invariant 24). */
export const authorizationBy =
  (...of: Parameters<typeof credentialsOf>): (() => string | null) =>
  () => {
    const credentials = credentialsOf(...of);
    return credentials === null ? null : authorizationOf(credentials);
  };
