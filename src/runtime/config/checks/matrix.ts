/**
 * The decision matrix: rows that mean something, each with its turn (design §5).
 */
import { compileExpression, type Expression } from '../../../model/expression.ts';
import { DECIDE_ACTIONS, FORMER_NAMES, STAND_ACTIONS } from '../../../model/matrix.ts';
import { durationText } from '../../../model/primitives.ts';
import {
  apartFrom,
  combinationsOf,
  exampleOf,
  MOST_COMBINATIONS,
  matchesOnMetricsAlone,
  needs,
} from '../../../model/row-examples.ts';
import { rowFact } from '../../../model/row-facts.ts';
import type { Row } from '../../../model/settings.ts';
import type { KeyPath } from '../problem.ts';
import { listed } from '../words.ts';
import { type Check, eachGroup, type GroupSubject } from './context.ts';

export const checkMatrix: Check = eachGroup((subject) => {
  const rows = subject.group.matrix;
  if (rows === undefined) return;
  for (const [index, row] of rows.entries()) {
    const path = [...subject.path, 'matrix', index];
    checkExpression(subject, row, path);
    checkScope(subject, row, path);
    checkFit(subject, row, path);
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
      remedy: 'add row 40: kind: decide, when: bad(active.reachable), for: 5m, action: failover',
    });
});

type ConfigRow = NonNullable<GroupSubject['group']['matrix']>[number];

function expressionIn({ filled }: GroupSubject, when: string): Expression | null {
  const compiled = compileExpression(when, filled.metrics);
  return compiled.kind === 'expression' ? compiled.expression : null;
}

function checkExpression(subject: GroupSubject, row: ConfigRow, path: KeyPath): void {
  const { when } = row;
  const at = [...path, 'when'];
  const compiled = compileExpression(when, subject.filled.metrics);
  if (compiled.kind === 'refused') {
    const { code, message, remedy, start, end } = compiled;
    const former = Object.hasOwn(FORMER_NAMES, when) ? FORMER_NAMES[when] : undefined;
    const part = when.slice(start, end);
    subject.error({
      code,
      path: at,
      message: part === '' || part === when ? message : `${message}, at ${part}`,
      remedy: former === undefined ? remedy : `write ${former}`,
    });
    return;
  }
  const { expression } = compiled;
  if (combinationsOf([expression]) > MOST_COMBINATIONS)
    subject.error({
      code: 'row-too-wide',
      path: at,
      message: `it reads ${expression.facts.length} facts, which nobody can follow at three in the morning`,
      remedy: 'split it into rows of their own',
    });
  else if (exampleOf(expression) === null)
    subject.error({
      code: 'row-never-matches',
      path: at,
      message: 'no values of its facts make it match',
      remedy: 'look for parts that exclude each other',
    });
  else if (row.kind === 'decide' && row.action === 'failover' && !needs(expression, 'active.reachable', 'bad'))
    subject.error({
      code: 'row-action',
      path: [...path, 'action'],
      message:
        'this row also matches while clients reach the active region, and a failover then is refused by the vantages',
      remedy: 'add bad(active.reachable) to its when, or propose restart or partial',
    });
  else if (row.auto === true && matchesOnMetricsAlone(expression))
    subject.error({
      code: 'row-on-metrics-alone',
      path: [...path, 'auto'],
      message: 'this row also matches on metrics alone, which never decide by themselves: one expression is one sign',
      remedy: 'add what probes see to its when, such as bad(active.reachable), or leave auto out',
    });
}

/** A row for each component of a kind: there is one, its facts are of such components, and its action moves one alone. */
function checkScope(subject: GroupSubject, row: ConfigRow, path: KeyPath): void {
  const scope = row.scope ?? 'group';
  const kinds = [...new Set(subject.filled.components.map(({ kind }) => kind))];
  if (scope !== 'group' && !kinds.includes(scope))
    subject.error({
      code: 'row-scope',
      path: [...path, 'scope'],
      message: `${subject.id} has no component of this kind, so the row is never judged`,
      remedy: `declare one, or write ${listed(['group', ...kinds])}`,
    });
  for (const name of expressionIn(subject, row.when)?.facts ?? []) {
    const scopes: readonly string[] | undefined = rowFact(name)?.scopes;
    if (scopes === undefined || scopes.includes(scope)) continue;
    subject.error({
      code: 'fact-scope',
      path: [...path, 'when'],
      message: `${name} is a fact of one component, and ${scope === 'group' ? 'this row is judged for the group' : `no ${scope} has it`}`,
      remedy: `add scope: ${listed(scopes)}, or read a fact of the group`,
    });
  }
  if (scope !== 'group' && (row.action === 'failover' || row.action === 'switchover'))
    subject.error({
      code: 'row-scope',
      path: [...path, 'scope'],
      message: `a ${row.action} moves the whole group, so it can’t be decided for one component`,
      remedy: 'leave scope out, or write action: partial',
    });
}

function checkFit(subject: GroupSubject, row: ConfigRow, path: KeyPath): void {
  const decides = row.kind === 'decide';
  const actions: readonly string[] = decides ? DECIDE_ACTIONS : STAND_ACTIONS;
  if (decides && row.action === undefined)
    subject.error({
      code: 'row-action-missing',
      path: [...path, 'action'],
      value: 'missing',
      message: 'a decide row must say what it does',
      remedy: `add action: ${listed(actions)}`,
    });
  else if (row.action !== undefined && !actions.includes(row.action))
    subject.error({
      code: 'row-action',
      path: [...path, 'action'],
      message: `this is not what a ${row.kind} row can do`,
      remedy: `write ${listed(actions)}`,
    });
  if (decides === (row.against !== undefined))
    subject.error({
      code: 'row-against',
      path: [...path, 'against'],
      ...(decides ? {} : { value: 'missing' }),
      message: decides ? 'a decide row stands in nobody’s way' : `a ${row.kind} row must say what it stands against`,
      remedy: decides ? 'leave it out, or write kind: gate' : 'add against, such as against: [failover]',
    });
  const planned = (['failover', 'switchover'] as const).find((action) => row.against?.includes(action));
  if (planned !== undefined && expressionIn(subject, row.when)?.facts.includes('maintenance.over'))
    subject.error({
      code: 'gate-against-loss',
      path: [...path, 'against'],
      message:
        planned === 'failover'
          ? 'maintenance never stands against the loss of a region'
          : 'a switchover is what maintenance is done with, on request',
      remedy: `leave ${planned} out: write against: [partial, restart]`,
    });
  if (row.auto !== true) return;
  if (!decides)
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
  const shadow = shadowOf(subject, row, earlier);
  if (shadow !== null)
    subject.error({
      code: 'row-shadowed',
      path: [...path, 'when'],
      message: `row ${shadow.id} matches whenever this one does and no later, so this row never gets its turn`,
      remedy: 'give it a shorter for than that row, or leave it out',
    });
}

/** The first that matches wins: an earlier row that acts, matches wherever this one does, and no later, takes its turn. */
function shadowOf(subject: GroupSubject, row: Row, earlier: readonly Row[]): Row | null {
  const own = expressionIn(subject, row.when);
  if (own === null || row.kind !== 'decide') return null;
  const shadow = earlier.find((other) => {
    if (other.kind !== 'decide' || other.id === row.id || other.forMs > row.forMs) return false;
    // One of the group takes the turn of every component, and one of another kind nobody’s.
    if (other.scope !== 'group' && other.scope !== row.scope) return false;
    if (other.when === row.when) return true;
    const first = expressionIn(subject, other.when);
    const acts = other.action !== 'speak-up' && other.action !== 'none';
    if (first === null || !acts || combinationsOf([own, first]) > MOST_COMBINATIONS) return false;
    return exampleOf(own) !== null && apartFrom(own, first) === null;
  });
  return shadow ?? null;
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
