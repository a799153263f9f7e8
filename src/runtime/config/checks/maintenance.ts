/**
 * Planned work: windows that can come, of things that are declared, and causes that may be suppressed (design §5, row 30).
 */
import type { MaintenanceWindow, SilenceRule } from '../../../model/maintenance.ts';
import type { GroupSettings } from '../../../model/settings.ts';
import type { KeyPath } from '../problem.ts';
import { choose, listed } from '../words.ts';
import { type Check, eachGroup, type Finding, type Subject } from './context.ts';
import { instantMs } from './forms.ts';
import { checkTimeZone } from './people.ts';

export const checkMaintenance: Check = eachGroup((subject) => {
  for (const [index, window] of (subject.group.maintenance ?? []).entries()) {
    const path = [...subject.path, 'maintenance', index];
    checkTimes(subject, window, path);
    checkSuppression(subject, subject.filled, window, path);
  }
});

export const checkSilences: Check = (subject) => {
  const { alertmanager } = subject.config;
  const rules = alertmanager?.silences ?? [];
  if (rules.length > 0 && alertmanager?.apis === undefined)
    subject.error({
      code: 'silences-without-api',
      path: ['alertmanager', 'silences'],
      on: 'key',
      message: 'no webhook tells of silences, and no Alertmanager is named that could be asked for them',
      remedy: 'add apis: with the address of each Alertmanager, or leave silences out',
    });
  for (const [index, rule] of rules.entries()) {
    const path = ['alertmanager', 'silences', index];
    const filled = Object.hasOwn(subject.settings.groups, rule.group) ? subject.settings.groups[rule.group] : undefined;
    if (filled === undefined)
      subject.error({
        code: 'unknown-group',
        path: [...path, 'group'],
        message: 'no such group is declared',
        remedy: choose(rule.group, Object.keys(subject.settings.groups)),
      });
    else checkSuppression(subject, filled, rule, path);
  }
};

function checkTimes(subject: Subject, { from, to, weekly }: MaintenanceWindow, path: KeyPath): void {
  const wrong = (finding: Pick<Finding, 'path' | 'message' | 'remedy'> & { readonly value?: string }): void =>
    subject.error({ code: 'maintenance-times', ...finding });
  if (weekly !== undefined) {
    if (from !== undefined || to !== undefined)
      wrong({
        path: [...path, from === undefined ? 'to' : 'from'],
        message: 'a window comes every week or once, not both',
        remedy: 'leave out weekly, or from and to',
      });
    checkTimeZone(subject, weekly.timeZone, [...path, 'weekly', 'timeZone']);
    if (weekly.from === weekly.to)
      wrong({
        path: [...path, 'weekly', 'to'],
        message: `it begins and ends at ${weekly.from}`,
        remedy: 'write another time; an earlier one is of the next day, and "00:00" to "24:00" is the whole day',
      });
    return;
  }
  if (from === undefined || to === undefined) {
    wrong({
      path: [...path, from === undefined ? 'from' : 'to'],
      value: 'missing',
      message: 'nothing is said of when it is',
      remedy: 'write from and to as instants, or weekly',
    });
    return;
  }
  const [begins, ends] = [instantMs(from), instantMs(to)];
  if (begins !== null && ends !== null && ends <= begins)
    wrong({
      path: [...path, 'to'],
      message: `it ends before it begins, at ${from}`,
      remedy: 'write a later instant, and look at the zones of both',
    });
}

type Suppressing = Pick<MaintenanceWindow | SilenceRule, 'region' | 'component' | 'causes'>;

function checkSuppression(subject: Subject, group: GroupSettings, what: Suppressing, path: KeyPath): void {
  const { region, component, causes } = what;
  const sides = [group.primary, group.secondary];
  if (region !== undefined && !sides.includes(region))
    subject.error({
      code: 'region-not-in-group',
      path: [...path, 'region'],
      message: `this region is neither side of ${group.id}`,
      remedy: `write ${listed(sides)}, or leave it out for both`,
    });
  const ids = group.components.map(({ id }) => id);
  if (component !== undefined && !ids.includes(component))
    subject.error({
      code: 'unknown-component',
      path: [...path, 'component'],
      message: `${group.id} has no such component`,
      remedy: choose(component, ids),
    });
  for (const [index, cause] of causes.entries()) {
    if (!cause.startsWith('row ')) continue;
    const row = group.rows.find(({ id }) => `row ${id}` === cause);
    const free = group.rows.filter(({ kind, action }) => kind === 'decide' && !isFailover(action));
    const may = free.length === 0 ? 'leave it out' : `write ${listed(free.map(({ id }) => `row ${id}`))}`;
    if (row === undefined)
      subject.error({
        code: 'maintenance-cause',
        path: [...path, 'causes', index],
        message: `${group.id} has no such row`,
        remedy: may,
      });
    else if (row.kind !== 'decide' || isFailover(row.action))
      subject.error({
        code: 'maintenance-cause',
        path: [...path, 'causes', index],
        message:
          row.kind === 'decide'
            ? `this row asks for a ${row.action}, and maintenance never stands against the loss of a region, nor a switchover`
            : `this row is a ${row.kind}, which asks for nothing`,
        remedy: may,
      });
  }
}

const isFailover = (action: string): boolean => action === 'failover' || action === 'switchover';
