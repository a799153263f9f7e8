/**
 * Bearer tokens. Only their SHA-256 stays in memory, and a presented token is compared hash to hash, so that neither
 * length nor content shows in the time it takes.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

export type TokenHash = Buffer & { readonly __token: unique symbol };

export const tokenHash = (token: string): TokenHash => createHash('sha256').update(token, 'utf8').digest() as TokenHash;

/** The token of an `Authorization: Bearer` header (RFC 6750), or null where there is none. */
export function bearerOf(authorization: string | undefined): string | null {
  return /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(authorization ?? '')?.[1] ?? null;
}

export const sameToken = (a: TokenHash, b: TokenHash): boolean => timingSafeEqual(a, b);
