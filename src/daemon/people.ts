/**
 * Who may use the API, and as what (design §6, §10). Tokens come in resolved from the config and are kept hashed.
 */
import type { Person } from '../model/loop.ts';
import type { PersonId, Role } from '../model/primitives.ts';
import { bearerOf, sameToken, type TokenHash, tokenHash } from '../runtime/bearer.ts';

export type PersonEntry = { readonly id: PersonId; readonly roles: readonly Role[]; readonly token: string };

export type People = {
  /** The person whose token an `Authorization` header carries, or null. */
  identify(authorization: string | undefined): Person | null;
  readonly count: number;
};

/** Throws a RangeError when two people share a token: two approvals must be two people (invariant 22). */
export function createPeople(entries: readonly PersonEntry[]): People {
  const known = new Map<string, { readonly person: Person; readonly hash: TokenHash }>();
  for (const { id, roles, token } of entries) {
    const hash = tokenHash(token);
    const other = known.get(hash.toString('hex'));
    if (other !== undefined) throw new RangeError(`people ${other.person.id} and ${id} share one token`);
    known.set(hash.toString('hex'), { person: { id, roles: [...roles] }, hash });
  }
  return {
    count: known.size,
    identify(authorization) {
      const token = bearerOf(authorization);
      if (token === null) return null;
      const presented = tokenHash(token);
      let found: Person | null = null;
      // Every entry is compared, so that the place in the list does not show in the time.
      for (const { person, hash } of known.values()) if (sameToken(hash, presented)) found = person;
      return found;
    },
  };
}

export const hasAnyRole = (person: Person, roles: readonly Role[]): boolean =>
  person.roles.some((role) => roles.includes(role));
