/** What one fact says at one instant: its value, why it has it, and the signs it stands on. */
import type { Sign } from '../model/events.ts';
import type { RegionId, Verdict } from '../model/primitives.ts';
import type { Veto } from './diagnoses.ts';

export type Reading = {
  /** null = unknown. */
  readonly value: Verdict | number | null;
  readonly why: string;
  readonly signs: readonly Sign[];
  readonly vetoes: readonly Veto[];
  readonly impactAt: number | null;
  /** The region it is about, where it is about one. */
  readonly region: RegionId | null;
};

/** A reading without signs. */
export const plain = (value: Reading['value'], why: string): Reading => ({
  value,
  why,
  signs: [],
  vetoes: [],
  impactAt: null,
  region: null,
});
