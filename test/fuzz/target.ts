/** What is fuzzed, as data: how inputs are made, and what must hold for each of them. */
import type fc from 'fast-check';

export type Fuzzed = {
  readonly property: fc.IRawProperty<unknown>;
  /** Ends what was begun for it. */
  close(): Promise<void>;
};

export type FuzzTarget = {
  readonly name: string;
  /** Its part of all inputs; parts of all targets are weighed against each other. */
  readonly weight: number;
  prepare(): Promise<Fuzzed>;
};

/** Thrown where something does not hold; the text says what. */
export class Violation extends Error {}

export function must(holds: boolean, what: () => string): asserts holds {
  if (!holds) throw new Violation(what());
}
