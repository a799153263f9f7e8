/**
 * Phases of a failover and how they stand to each other: what doesn't wait for promotion runs beside it (design §7).
 */
import type { GroupConfig } from '../../model/config.ts';
import { durationMs } from '../../model/primitives.ts';

export type Phase = {
  readonly name: 'assessment' | 'database' | 'clickhouse' | 'nats' | 'apps' | 'dns' | 'verification';
  readonly budgetMs: number;
  /** The phase beside which it runs; null = in a row. */
  readonly beside: 'database' | null;
  readonly supported: boolean;
};

/** The phases of a group in their order. Those that are not supported yet count where the config names them. */
export function phasesOf(group: GroupConfig): Phase[] {
  const written = group.budgets?.phases;
  const inRow = (name: 'assessment' | 'database' | 'dns' | 'verification'): Phase => ({
    name,
    budgetMs: durationMs(written?.[name] ?? '60s'),
    beside: null,
    supported: true,
  });
  const beside = (['clickhouse', 'nats', 'apps'] as const).flatMap((name): Phase[] => {
    const budget = written?.[name];
    return budget === undefined ? [] : [{ name, budgetMs: durationMs(budget), beside: 'database', supported: false }];
  });
  return [inRow('assessment'), inRow('database'), ...beside, inRow('dns'), inRow('verification')];
}

/** What the longest chain of phases that wait for each other takes. */
export function criticalPathOf(phases: readonly Phase[]): number {
  const inRow = phases.filter((phase) => phase.beside === null);
  return inRow.reduce((sumMs, phase) => {
    const besideMs = phases.filter((other) => other.beside === phase.name).map((other) => other.budgetMs);
    return sumMs + Math.max(phase.budgetMs, ...besideMs);
  }, 0);
}
