/**
 * What alerts mean: of things that are declared, and heard of from where they can still be sent.
 */
import type { KeyPath } from '../problem.ts';
import { choose } from '../words.ts';
import type { Check, Subject } from './context.ts';
import { isRegion, sidesAreRight } from './regions.ts';

export const checkAlerts: Check = (subject) => {
  const { alertmanager, groups } = subject.config;
  if (alertmanager === undefined) return;
  const place = ['alertmanager', 'region'];
  if (isRegion(subject, alertmanager.region, place)) {
    const reported = Object.entries(groups).find(([, group]) => group.primary === alertmanager.region);
    if (reported !== undefined)
      subject.warn({
        code: 'alertmanager-in-primary',
        path: place,
        message: `it stands in the primary region of ${reported[0]}, so the loss of that region silences it`,
        remedy: 'run one in another region, and name that region here',
      });
  }
  for (const [index, rule] of (alertmanager.facts ?? []).entries())
    checkRule(subject, rule, ['alertmanager', 'facts', index]);
};

type Rule = NonNullable<NonNullable<Subject['config']['alertmanager']>['facts']>[number];

function checkRule(subject: Subject, rule: Rule, path: KeyPath): void {
  const { groups } = subject.config;
  const known = isRegion(subject, rule.region, [...path, 'region']);
  const group = Object.hasOwn(groups, rule.group) ? groups[rule.group] : undefined;
  if (group === undefined) {
    subject.error({
      code: 'unknown-group',
      path: [...path, 'group'],
      message: 'no such group is declared',
      remedy: choose(rule.group, Object.keys(groups)),
    });
    return;
  }
  if (
    known &&
    sidesAreRight({ config: subject.config, group }) &&
    rule.region !== group.primary &&
    rule.region !== group.secondary
  )
    subject.error({
      code: 'region-not-in-group',
      path: [...path, 'region'],
      message: `this region is neither side of ${rule.group}`,
      remedy: `write ${group.primary} or ${group.secondary}`,
    });
  if (rule.component !== undefined && !Object.hasOwn(group.components, rule.component))
    subject.error({
      code: 'unknown-component',
      path: [...path, 'component'],
      message: `${rule.group} has no such component`,
      remedy: choose(rule.component, Object.keys(group.components)),
    });
}
