/** Which guard a token belongs to. Tokens come in resolved from the config and are kept hashed. */
import type { ComponentId, GroupId, RegionId } from '../model/primitives.ts';
import { bearerOf, sameToken, type TokenHash, tokenHash } from '../runtime/bearer.ts';

/** A guard by the PostgreSQL that it stands beside. */
export type GuardName = { readonly group: GroupId; readonly component: ComponentId; readonly region: RegionId };
export type GuardEntry = GuardName & { readonly token: string };

export type Guards = {
  /** The guard whose token an `Authorization` header carries, or null. */
  identify(authorization: string | undefined): GuardName | null;
  readonly count: number;
};

export const guardText = ({ group, component, region }: GuardName): string => `${group}/${component}/${region}`;

/** Throws a RangeError when two guards share a token: one could speak for the other. */
export function createGuards(entries: readonly GuardEntry[]): Guards {
  const known = new Map<string, { readonly guard: GuardName; readonly hash: TokenHash }>();
  for (const { token, ...guard } of entries) {
    const hash = tokenHash(token);
    const key = hash.toString('hex');
    const other = known.get(key)?.guard;
    if (other !== undefined)
      throw new RangeError(`the guards ${guardText(other)} and ${guardText(guard)} share one token`);
    known.set(key, { guard, hash });
  }
  return {
    count: known.size,
    identify(authorization) {
      const token = bearerOf(authorization);
      if (token === null) return null;
      const presented = tokenHash(token);
      let found: GuardName | null = null;
      // Every entry is compared, so that the place in the list does not show in the time.
      for (const { guard, hash } of known.values()) if (sameToken(hash, presented)) found = guard;
      return found;
    },
  };
}
