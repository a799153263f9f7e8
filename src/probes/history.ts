/** What a target answered lately. Failures are kept longest: they are what people come to look for. */
import type { Observation } from '../model/evidence.ts';

export type TargetHistory = {
  readonly latest: Observation | null;
  /** Oldest first. */
  readonly failures: readonly Observation[];
};

const FAILURES_KEPT = 20;

export type History = { add(key: string, observation: Observation): void; of(key: string): TargetHistory };

export function createHistory(): History {
  const kept = new Map<string, { latest: Observation; failures: Observation[] }>();
  return {
    add(key, observation) {
      const entry = kept.get(key) ?? { latest: observation, failures: [] };
      kept.set(key, entry);
      entry.latest = observation;
      if (observation.verdict !== 'ok') entry.failures.push(observation);
      if (entry.failures.length > FAILURES_KEPT) entry.failures.shift();
    },
    of(key) {
      const entry = kept.get(key);
      return { latest: entry?.latest ?? null, failures: [...(entry?.failures ?? [])] };
    },
  };
}
