/** The kinds of world there are, by the name that `--world` takes (a composition root). */
import type { World } from './contract.ts';
import { LEASE } from './lease/lease.ts';
import { WHOLE } from './world.ts';

export const WORLDS: readonly World[] = [WHOLE, LEASE];

export const worldNamed = (name: string): World => {
  const world = WORLDS.find((one) => one.name === name);
  if (world === undefined) throw new RangeError(`no such world: ${name}`);
  return world;
};
