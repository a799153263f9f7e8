/**
 * Times: what a failover takes against what was promised (dr-strategy §2.2), and holds against probes.
 */
import { durationText } from '../../../model/primitives.ts';
import type { ComponentSettings } from '../../../model/settings.ts';
import { criticalPathOf, phasesOf } from '../phases.ts';
import type { KeyPath } from '../problem.ts';
import { type Check, eachGroup, type GroupSubject } from './context.ts';

export const checkBudgets: Check = eachGroup((subject) => {
  const path = [...subject.path, 'budgets'];
  const phases = phasesOf(subject.group);
  for (const phase of phases)
    if (phase.budgetMs === 0)
      subject.error({
        code: 'budget-zero',
        path: [...path, 'phases', phase.name],
        message: 'a phase without time can only fail',
        remedy: 'write what it takes, such as 60s',
      });
  const needMs = criticalPathOf(phases);
  const { rtoMs } = subject.filled;
  if (needMs > rtoMs) {
    const phasesGiven = subject.group.budgets?.phases !== undefined;
    subject.error({
      code: 'budget-over-rto',
      path: phasesGiven ? [...path, 'phases'] : [...path, 'rto'],
      on: 'key',
      value: durationText(needMs),
      message: `phases that wait for each other take ${durationText(needMs)}, and the RTO is ${durationText(rtoMs)}`,
      remedy: `shorten phases by ${durationText(needMs - rtoMs)}, or promise an RTO of ${durationText(needMs)}`,
    });
  }
  checkFence(subject);
  for (const component of subject.filled.components) checkTargets(subject, component, needMs);
  checkPromise(subject, needMs);
});

/** The group as a whole promises no more time than its most urgent component has. */
function checkPromise({ filled, path, error }: GroupSubject, needMs: number): void {
  const urgent = filled.components
    .filter((component) => component.rtoMs >= needMs && component.rtoMs < filled.rtoMs)
    .sort((a, b) => a.rtoMs - b.rtoMs)[0];
  if (urgent === undefined) return;
  error({
    code: 'rto-over-target',
    path: [...path, 'budgets', 'rto'],
    value: durationText(filled.rtoMs),
    message: `${urgent.id} must be back within ${durationText(urgent.rtoMs)}`,
    remedy: `write ${durationText(urgent.rtoMs)} or less, or give ${urgent.id} targets of its own`,
  });
}

function checkFence({ group, filled, path, error }: GroupSubject): void {
  // Stopping and reading back are two calls in a row, and the promotion comes after both.
  if (group.fence?.driver !== 'command' || 2 * filled.fenceTimeoutMs < filled.phaseBudgetMs.database) return;
  error({
    code: 'fence-over-budget',
    path: [...path, 'fence', 'timeout'],
    value: durationText(filled.fenceTimeoutMs),
    message: `stopping and reading back may take ${durationText(2 * filled.fenceTimeoutMs)} of the ${durationText(filled.phaseBudgetMs.database)} of the database phase`,
    remedy: `write less than ${durationText(filled.phaseBudgetMs.database / 2)}, or give that phase more time`,
  });
}

function checkTargets(subject: GroupSubject, component: ComponentSettings, needMs: number): void {
  const path = [...subject.path, 'components', component.id];
  const written = subject.group.components[component.id];
  const place = (key: 'rto' | 'rpo'): KeyPath =>
    written?.targets?.[key] === undefined ? [...path, 'tier'] : [...path, 'targets', key];
  const { rtoMs } = subject.filled;
  // Where the group's own RTO is exceeded already, that is said once, for the group.
  if (component.rtoMs < needMs && (needMs <= rtoMs || component.rtoMs < rtoMs))
    subject.error({
      code: 'target-too-tight',
      path: place('rto'),
      value: durationText(component.rtoMs),
      message: `a failover takes ${durationText(needMs)} by the budgets of its phases`,
      remedy: `write ${durationText(needMs)} or more, or shorten phases`,
    });
  checkRpo(subject, component, place('rpo'), [...path, 'lagTarget']);
}

function checkRpo(subject: GroupSubject, component: ComponentSettings, at: KeyPath, lagAt: KeyPath): void {
  if (component.kind === 'postgres' && component.supported && component.rpoMs < component.probeIntervalMs)
    subject.error({
      code: 'rpo-unmeasurable',
      path: at,
      value: durationText(component.rpoMs),
      message: `it is probed every ${durationText(component.probeIntervalMs)}, so a loss this small can’t be told`,
      remedy: 'probe it more often, or write a longer RPO',
    });
  const lagMs = component.lagTargetMs;
  if (lagMs !== null && lagMs > component.rpoMs)
    subject.error({
      code: 'lag-over-rpo',
      path: lagAt,
      message: `a copy this far behind loses more than the RPO of ${durationText(component.rpoMs)}`,
      remedy: `write ${durationText(component.rpoMs)} or less, or give it an RPO of its own`,
    });
}

export const checkHoldGap: Check = eachGroup(({ filled, path, error }) => {
  const slowest = filled.components
    .filter((component) => component.supported)
    .reduce<ComponentSettings | null>((a, b) => (a === null || b.freshMs > a.freshMs ? b : a), null);
  if (slowest === null || filled.holdGapMs >= slowest.freshMs) return;
  error({
    code: 'hold-gap-short',
    path: [...path, 'holdGap'],
    value: durationText(filled.holdGapMs),
    message: `an observation of ${slowest.id} counts for ${durationText(slowest.freshMs)}; a hold that forgives less starts anew between two of them`,
    remedy: `write ${durationText(slowest.freshMs)} or more, or probe more often`,
  });
});
