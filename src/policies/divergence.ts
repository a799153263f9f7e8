/**
 * What was lost, for good: the old side is back, its guard has archived and counted what it alone has, and the run's bracket
 * becomes that count (safety.md, "What was lost"; invariants 19 and 26). PURE.
 */
import canonicalize from 'canonicalize';
import type { FoundDivergence } from '../model/divergence.ts';
import type { EndedRun, Run } from '../model/ledger.ts';
import type { InputOf } from '../model/loop.ts';
import { lsnBytes, lsnGapBytes } from '../model/primitives.ts';
import { proven } from '../model/run.ts';
import { finalLoss } from './loss.ts';
import { page, say, type Turn } from './turn.ts';
import { groupLedger } from './view.ts';

type Refusal = { readonly status: number; readonly code: string; readonly detail: string };

export function takeDivergence(turn: Turn, input: InputOf<'divergence'>): void {
  const { request, group, divergence } = input;
  const reply = (status: number, body: Record<string, unknown>): void => {
    turn.effects.push({ kind: 'reply', request, status, body });
  };
  const run = runOf(turn, input);
  if ('code' in run) return reply(run.status, { code: run.code, detail: run.detail });
  const before = run.divergence?.[divergence.component];
  // Told twice is told.
  if (before !== undefined && isSame(before, divergence)) return reply(200, { run: run.id, status: 'known' });
  const refusal = refused(turn, input, run, before);
  if (refusal !== null) return reply(refusal.status, { code: refusal.code, detail: refusal.detail });
  const lastSharedAt = run.loss.final === true ? null : run.loss.windowFrom;
  const loss = finalLoss(divergence, lastSharedAt);
  say(turn, { kind: 'divergence.found', at: turn.state.at, group, run: run.id, divergence, loss });
  reply(200, { run: run.id, status: 'taken' });
  if (divergence.commits > 0 || !divergence.complete)
    tell(turn, input, lsnGapBytes(divergence.endLsn, divergence.forkLsn));
}

function runOf(turn: Turn, { group, run: id }: InputOf<'divergence'>): Run | EndedRun | Refusal {
  if (!Object.hasOwn(turn.state.settings.groups, group))
    return { status: 404, code: 'not-found', detail: `no group is called ${group}` };
  const { run, ended } = groupLedger(turn.state, group);
  const found = run?.id === id ? run : ended.find((one) => one.id === id);
  return found ?? { status: 404, code: 'not-found', detail: `${group} keeps no run ${id}` };
}

function refused(
  turn: Turn,
  { group, divergence }: InputOf<'divergence'>,
  run: Run | EndedRun,
  before: FoundDivergence | undefined,
): Refusal | null {
  const conflict = (detail: string): Refusal => ({ status: 409, code: 'conflict', detail });
  const { component, endLsn, forkLsn } = divergence;
  const postgres = turn.state.settings.groups[group]?.components.find(
    ({ id, kind }) => id === component && kind === 'postgres',
  );
  if (postgres === undefined)
    return { status: 404, code: 'not-found', detail: `${group} has no PostgreSQL called ${component}` };
  const promoted = 'promoted' in run ? run.promoted : proven(run, 'promote');
  if (!promoted) return conflict(`${run.id} promoted nothing: nothing parted`);
  if (before === undefined) return null;
  if (before.forkLsn !== forkLsn)
    return conflict(`the fork of ${run.id} was found at ${before.forkLsn}, not at ${forkLsn}`);
  if (lsnBytes(endLsn) < lsnBytes(before.endLsn))
    return conflict(`the log was found to end at ${before.endLsn}, not at ${endLsn}`);
  return null;
}

/** The journal keeps the keys of an object in an order of its own. */
const isSame = (a: FoundDivergence, b: FoundDivergence): boolean => canonicalize(a) === canonicalize(b);

function tell(turn: Turn, { group, run, divergence }: InputOf<'divergence'>, bytes: number): void {
  const { component, commits, complete, archive, relations } = divergence;
  const named = relations.filter(({ name }) => name !== null && !/: pg_/.test(name)).slice(0, 5);
  const where = named.map(({ name, changes }) => `${name} (${changes})`).join(', ');
  page(
    turn,
    'attention',
    group,
    `${run}: ${complete ? '' : 'at least '}${commits} commits of ${component} are on the old side alone`,
    [
      `They stand in ${bytes} bytes of log, archived in ${archive}${where === '' ? '' : `; rows changed in ${where}`}.`,
      complete
        ? ''
        : 'Parts of that log were recycled before: what they held is in the old data files alone. Copy those before anything rebuilds them.',
      `\`failoverd divergence ${run}\` lists them.`,
    ]
      .filter((line) => line !== '')
      .join(' '),
  );
}
