/**
 * The plan of a failover, built before anything moves and hashed (design §7). PURE.
 *
 * Order is safety here: the fence comes before the promotion (invariant 4), and traffic after a database that was seen
 * to take writes at this epoch (invariant 13).
 */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Plan, PlanStep } from '../../model/plan.ts';
import type { RegionId } from '../../model/primitives.ts';
import type { GroupSettings } from '../../model/settings.ts';

export function failoverPlan(settings: GroupSettings, from: RegionId, to: RegionId): Plan {
  const budget = settings.phaseBudgetMs;
  const supported = settings.components.filter((component) => component.supported);
  const postgres = supported.filter((component) => component.kind === 'postgres').map((component) => component.id);
  const guarded = supported.filter(({ control }) => control === 'guard').map((component) => component.id);
  const dns = supported.filter((component) => component.kind === 'dns').map((component) => component.id);
  const http = supported.filter((component) => component.hasPublicUrl).map((component) => component.id);
  const written = supported.filter((component) => component.hasPublicCanary).map((component) => component.id);
  const steps: PlanStep[] = [
    ...postgres.map(
      (component): PlanStep => ({
        id: `assess.${component}`,
        phase: 'assessment',
        kind: 'assess',
        component,
        budgetMs: budget.assessment,
        undo: 'none',
      }),
    ),
    {
      id: 'take-epoch',
      phase: 'database',
      kind: 'take-epoch',
      component: null,
      budgetMs: budget.database,
      undo: 'release',
    },
    ...(settings.fence === 'none'
      ? []
      : [
          {
            id: 'fence',
            phase: 'database',
            kind: 'fence',
            component: null,
            budgetMs: Math.max(budget.database, settings.fenceTimeoutMs),
            // The guard of the old side can be told to go on; what a program has switched off stays so.
            undo: settings.fence === 'guard' ? 'resume' : 'forward',
          } satisfies PlanStep,
        ]),
    // Whoever has the lease is the only one who may write: the acquisition is what a fence by time or release proves.
    ...guarded.map(
      (component): PlanStep => ({
        id: `acquire-lease.${component}`,
        phase: 'database',
        kind: 'acquire-lease',
        component,
        budgetMs: budget.database,
        undo: 'withdraw',
      }),
    ),
    ...postgres.flatMap((component): PlanStep[] => [
      {
        id: `promote.${component}`,
        phase: 'database',
        kind: 'promote',
        component,
        budgetMs: budget.database,
        undo: 'forward',
      },
      {
        id: `write-epoch-row.${component}`,
        phase: 'database',
        kind: 'write-epoch-row',
        component,
        budgetMs: budget.database,
        undo: 'forward',
      },
    ]),
    ...dns.map(
      (component): PlanStep => ({
        id: `cutover-dns.${component}`,
        phase: 'dns',
        kind: 'cutover-dns',
        component,
        budgetMs: budget.dns,
        undo: 'forward',
      }),
    ),
    ...dns.map(
      (component): PlanStep => ({
        id: `verify-dns.${component}`,
        phase: 'verification',
        kind: 'verify-dns',
        component,
        budgetMs: budget.verification,
        undo: 'none',
      }),
    ),
    ...http.map(
      (component): PlanStep => ({
        id: `verify-http.${component}`,
        phase: 'verification',
        kind: 'verify-http',
        component,
        budgetMs: budget.verification,
        undo: 'none',
      }),
    ),
    ...written.map(
      (component): PlanStep => ({
        id: `verify-write.${component}`,
        phase: 'verification',
        kind: 'verify-write',
        component,
        budgetMs: budget.verification,
        undo: 'none',
      }),
    ),
  ];
  const { id: group, fence, rtoMs, boundHash: bound } = settings;
  return { kind: 'failover', group, from, to, fence, rtoMs, bound, steps };
}

/** What an approval is bound to (invariant 22): SHA-256 over the canonical JSON of the plan. */
export function planHash(plan: Plan): string {
  const text = canonicalize(plan);
  if (text === undefined) throw new TypeError('a plan must be JSON');
  return createHash('sha256').update(text).digest('hex');
}
