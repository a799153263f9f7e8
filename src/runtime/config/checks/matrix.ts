/**
 * The decision matrix: rows that mean something, each with its turn (design §5).
 */
import { ROW_DIAGNOSES, type RowSpec } from '../../../model/matrix.ts';
import { durationText } from '../../../model/primitives.ts';
import type { Row } from '../../../model/settings.ts';
import type { KeyPath } from '../problem.ts';
import { listed } from '../words.ts';
import { type Check, eachGroup, type GroupSubject } from './context.ts';

export const checkMatrix: Check = eachGroup((subject) => {
  const rows = subject.group.matrix;
  if (rows === undefined) return;
  for (const [index, row] of rows.entries()) {
    const path = [...subject.path, 'matrix', index];
    checkFit(subject, row, ROW_DIAGNOSES[row.when], path);
    checkPlace(subject, index, path);
    const filled = subject.filled.rows[index];
    if (filled !== undefined) checkHold(subject, filled, path);
  }
  if (!subject.filled.rows.some((row) => row.kind === 'decide' && row.action === 'failover'))
    subject.warn({
      code: 'matrix-without-decide',
      path: [...subject.path, 'matrix'],
      on: 'key',
      message: 'no row proposes a failover, so none ever happens',
      remedy: 'add row 40: kind: decide, when: RegionUnreachable, for: 5m, action: failover',
    });
});

type ConfigRow = NonNullable<GroupSubject['group']['matrix']>[number];

function checkFit(subject: GroupSubject, row: ConfigRow, spec: RowSpec, path: KeyPath): void {
  if (row.kind !== spec.kind)
    subject.error({
      code: 'row-kind',
      path: [...path, 'kind'],
      message: `a row that reads ${row.when} is a ${spec.kind} row`,
      remedy: `write kind: ${spec.kind}`,
    });
  else if (row.action === undefined && row.kind === 'decide')
    subject.error({
      code: 'row-action-missing',
      path: [...path, 'action'],
      value: 'missing',
      message: 'a decide row must say what it does',
      remedy: `add action: ${listed(spec.actions)}`,
    });
  if (row.action !== undefined && row.kind === spec.kind && !spec.actions.includes(row.action))
    subject.error({
      code: 'row-action',
      path: [...path, 'action'],
      message: `this is not what a row that reads ${row.when} can do`,
      remedy: `write ${listed(spec.actions)}`,
    });
  if (row.over !== undefined && spec.over === null)
    subject.error({
      code: 'row-over',
      path: [...path, 'over'],
      message: `${row.when} has no threshold`,
      remedy: 'leave it out; how long it must hold is said by for',
    });
  if (row.auto !== true) return;
  if (row.kind !== 'decide')
    subject.error({
      code: 'row-auto',
      path: [...path, 'auto'],
      message: `a ${row.kind} row decides nothing, so it can’t act by itself`,
      remedy: 'leave auto out',
    });
  else if (subject.filled.autonomy !== 'auto')
    subject.warn({
      code: 'row-auto-ineffective',
      path: [...path, 'auto'],
      message: `the group is ${subject.filled.autonomy}, so this row waits for people all the same`,
      remedy: 'write autonomy: auto for the group, or leave auto out here',
    });
}

function checkPlace(subject: GroupSubject, index: number, path: KeyPath): void {
  const rows = subject.filled.rows;
  const row = rows[index];
  const earlier = rows.slice(0, index);
  const before = earlier.at(-1);
  if (row === undefined) return;
  if (earlier.some((other) => other.id === row.id))
    subject.error({
      code: 'row-id-twice',
      path: [...path, 'id'],
      message: 'another row has this number; decisions name their row by it',
      remedy: 'give it a number of its own',
    });
  else if (before !== undefined && row.id < before.id)
    subject.error({
      code: 'row-order',
      path: [...path, 'id'],
      message: `this row stands after row ${before.id}; the first that matches wins, so the order must be plain to see`,
      remedy: 'put the rows in the order of their numbers',
    });
  const first = earlier.find((other) => other.kind === 'decide' && other.when === row.when && other.forMs <= row.forMs);
  if (row.kind === 'decide' && first !== undefined && first.id !== row.id)
    subject.error({
      code: 'row-shadowed',
      path: [...path, 'when'],
      message: `row ${first.id} reads the same and matches no later, so this row never gets its turn`,
      remedy: 'give it a shorter for than that row, or leave it out',
    });
}

function checkHold(subject: GroupSubject, row: Row, path: KeyPath): void {
  if (row.kind !== 'decide' || row.action !== 'failover') return;
  if (row.forMs === 0) {
    subject.error({
      code: 'row-for-zero',
      path: [...path, 'for'],
      message: 'a region would be left at the first sight of trouble',
      remedy: 'write how long it must be unreachable, such as 5m',
    });
    return;
  }
  const freshMs = Math.max(0, ...subject.filled.components.map((component) => component.freshMs));
  if (row.forMs <= freshMs)
    subject.warn({
      code: 'row-for-short',
      path: [...path, 'for'],
      message: `one observation counts for up to ${durationText(freshMs)}, so a single bad one may last for all of it`,
      remedy: 'make it longer, or probe more often',
    });
  if (subject.filled.holdGapMs >= row.forMs)
    subject.warn({
      code: 'hold-gap-long',
      path: [...path, 'for'],
      message: `holdGap forgives gaps of ${durationText(subject.filled.holdGapMs)}, so two sights are enough`,
      remedy: 'make holdGap a small part of it',
    });
}
