/**
 * Taking a config in, at the start and while running (design §6). PURE: it was read and checked before it came here.
 *
 * 1. An open run keeps what its plan binds: a config that takes its group away, or has it act on something else, is refused
 *    while it is open (invariant 29). At a start, where a person has decided to, the run halts until one has looked.
 * 2. A proposal whose plan, row, people or budgets would be others is withdrawn: nobody said yes to that (invariant 22).
 * 3. A hold that was gathered under another rule counts for nothing.
 * 4. What was seen at other addresses is forgotten.
 * 5. What would let failoverd do more than is agreed waits for people (`mandate.ts`, `raises.ts`).
 */
import type { GroupLedger, Proposal } from '../model/ledger.ts';
import type { InputOf } from '../model/loop.ts';
import { rowKey } from '../model/matrix.ts';
import type { ComponentId, GroupId } from '../model/primitives.ts';
import { declaredAutonomy, type GroupSettings, type Row, type Settings } from '../model/settings.ts';
import { authorityAt } from './authority.ts';
import { failoverPlan, planHash } from './plans/failover.ts';
import { agree } from './raises.ts';
import { componentsOf } from './rows.ts';
import { page, put, remember, say, type Turn } from './turn.ts';

export function reload(turn: Turn, input: InputOf<'reloaded'>): void {
  const { at, by, configHash, settings, restartNeeded } = input;
  const problems = heldByRuns(turn, settings);
  if (problems.length > 0) {
    say(turn, { kind: 'config.refused', at, by, configHash, problems });
    turn.effects.push({
      kind: 'reply',
      request: input.request,
      status: 409,
      body: { code: 'run-open', detail: problems.join('; '), problems },
    });
    return;
  }
  say(turn, { kind: 'config.loaded', at, by, configHash, restartNeeded });
  const { raises, withdrawn } = takeIn(turn, settings, configHash, by);
  turn.effects.push({
    kind: 'reply',
    request: input.request,
    status: 200,
    body: { configHash, restartNeeded, raises, withdrawn },
  });
}

export function refuseReload(turn: Turn, { at, by, configHash, problems }: InputOf<'reload-refused'>): void {
  say(turn, { kind: 'config.refused', at, by, configHash, problems });
}

/** Why a config can't be taken while the runs that are open are. */
function heldByRuns(turn: Turn, configured: Settings): string[] {
  return Object.entries(turn.state.ledger.groups).flatMap(([group, { run }]): string[] => {
    if (run === null) return [];
    const settings = configured.groups[group];
    const until = `until ${run.id} has ended`;
    if (settings === undefined) return [`groups.${group}: ${run.id} is open; keep the group ${until}`];
    return planHash(failoverPlan(settings, run.plan.from, run.plan.to)) === run.planHash
      ? []
      : [
          `groups.${group}: ${run.id} is open and its plan would be another one; keep what it acts on and its budgets ${until}`,
        ];
  });
}

type Taken = { readonly raises: string[]; readonly withdrawn: string[] };

/** Puts a config in force. `by` is who asked, or null at a start. */
export function takeIn(turn: Turn, configured: Settings, configHash: string, by: string | null): Taken {
  const before = by === null ? null : turn.state.settings;
  const anew = turn.state.ledger.config.hash !== configHash;
  const agreed = agree(turn, configured, configHash, by);
  turn.state = { ...turn.state, configured, settings: agreed.settings };
  const withdrawn: string[] = [];
  for (const [group, ledger] of Object.entries(turn.state.ledger.groups)) {
    const now = agreed.settings.groups[group] ?? null;
    const was = before?.groups[group] ?? null;
    if (before === null) haltMoved(turn, group, ledger, now);
    // Who answered under another config may be another server; nobody was there to compare the two.
    if (before === null && anew && Object.keys(ledger.readiness).length > 0)
      say(turn, { kind: 'readiness.forgotten', at: turn.state.at, group });
    withdrawn.push(...withdraw(turn, group, ledger, was, now));
    forgetHolds(turn, group, ledger, was, now);
  }
  if (before !== null) forgetSights(turn, before, agreed.settings);
  return { raises: agreed.raises, withdrawn };
}

/** At a start the config may name other targets than an open run was planned for. */
function haltMoved(turn: Turn, group: GroupId, { run }: GroupLedger, now: GroupSettings | null): void {
  if (run === null || now === null || run.status === 'halted' || run.status === 'aborting') return;
  if (run.plan.bound === undefined || run.plan.bound === now.boundHash) return;
  const why = 'the config names other targets than this run was planned for';
  say(turn, { kind: 'run.halted', at: turn.state.at, group, run: run.id, code: 'targets-changed', why });
  page(
    turn,
    'stuck',
    group,
    `${run.id} is halted: ${why}`,
    `failoverd was started with another config while ${run.id} is open. Put the old one back and restart; or approve ${run.id}, and it goes on with what the config says now.`,
  );
}

const ruleOf = (row: Rule | undefined): string =>
  row === undefined ? '' : `${row.kind} ${row.action} ${row.scope ?? 'group'} ${row.when}`;
type Rule = Pick<Row, 'kind' | 'when'> & { readonly action: string; readonly scope?: string };
const rowIn = (settings: GroupSettings | null, id: number): Row | undefined =>
  settings?.rows.find((row) => row.id === id);

function withdraw(
  turn: Turn,
  group: GroupId,
  { proposal }: GroupLedger,
  was: GroupSettings | null,
  now: GroupSettings | null,
): string[] {
  if (proposal === null) return [];
  const why = otherwise(proposal, was, now);
  if (why === null) return [];
  const text = `the config was changed: ${why}`;
  say(turn, {
    kind: 'proposal.closed',
    at: turn.state.at,
    group,
    proposal: proposal.id,
    reason: 'invalidated',
    why: text,
  });
  page(turn, 'proposal', group, `${proposal.id} is void`, `${text}. A new proposal follows if it is still needed.`);
  return [proposal.id];
}

/** What of a proposal would not be asked so any more, or null. */
function otherwise(proposal: Proposal, was: GroupSettings | null, now: GroupSettings | null): string | null {
  if (now === null) return 'the group is gone';
  const { plan, needs, openedAt, decision } = proposal;
  const row = rowIn(now, decision.row);
  if (row === undefined || row.when !== decision.when) return `row ${decision.row} is gone or another one`;
  if (declaredAutonomy(now) === 'observe') return 'the group only observes now';
  if (planHash(failoverPlan(now, plan.from, plan.to)) !== proposal.planHash) return 'the plan is another one now';
  if ([...authorityAt(now, openedAt).needs].sort().join() !== [...needs].sort().join())
    return 'other people are needed to approve it';
  if (was !== null && (was.rpoMs !== now.rpoMs || was.replicationLossBytes !== now.replicationLossBytes))
    return 'the budgets for what may be lost are others';
  return null;
}

/** Holds and decisions of rows that are gone or say something else, and of components that a row is judged for no more. */
function forgetHolds(
  turn: Turn,
  group: GroupId,
  ledger: GroupLedger,
  was: GroupSettings | null,
  now: GroupSettings | null,
): void {
  const { at } = turn.state;
  const why = 'the config was changed: its row is gone or another one';
  const changed = (id: number, rule: string): boolean => ruleOf(rowIn(now, id)) !== rule;
  const judgedFor = (row: number, component: ComponentId | null): boolean => {
    const found = rowIn(now, row);
    return now !== null && found !== undefined && componentsOf(now, found).includes(component);
  };
  /** As the fold knows it: a row of the group names no component. */
  const named = (row: number, component: ComponentId | null) => ({
    at,
    group,
    row,
    ...(component === null ? {} : { component }),
    why,
  });
  for (const { row, component } of Object.values(ledger.holds)) {
    // A start has no settings before: there the decision, or what was agreed, tells what the row said.
    const agreed = ledger.mandate?.rows.find(({ id }) => id === row);
    const rule = was !== null ? ruleOf(rowIn(was, row)) : agreed === undefined ? null : ruleOf(agreed);
    if (judgedFor(row, component) && (rule === null || !changed(row, rule))) continue;
    say(turn, { kind: 'hold.ended', ...named(row, component) });
    put(turn, 'holdSeenMono', `${group}/${rowKey(row, component)}`, undefined);
    put(turn, 'holdPendingMs', `${group}/${rowKey(row, component)}`, undefined);
  }
  for (const { row, component = null, when } of Object.values(ledger.decisions))
    if (!judgedFor(row, component) || rowIn(now, row)?.when !== when)
      say(turn, { kind: 'decision.cleared', ...named(row, component) });
}

const sourcesOf = (settings: GroupSettings | undefined): string =>
  settings === undefined ? '' : `${settings.boundHash} ${JSON.stringify(settings.metrics)}`;

/** An answer from another address says nothing of this one; nor does one of a group that is gone. */
function forgetSights(turn: Turn, before: Settings, now: Settings): void {
  const moved = Object.entries(before.groups)
    .filter(([group, was]) => sourcesOf(now.groups[group]) !== sourcesOf(was))
    .map(([group]) => group);
  if (moved.length === 0) return;
  const { at, ledger } = turn.state;
  for (const group of moved)
    if (Object.keys(ledger.groups[group]?.readiness ?? {}).length > 0)
      say(turn, { kind: 'readiness.forgotten', at, group });
  const { sights, samples, readiness } = turn.state.volatile;
  const others = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(record).filter(([key]) => !moved.some((group) => key.startsWith(`${group}/`))));
  remember(turn, {
    sights: Object.fromEntries(Object.entries(sights).filter(([group]) => !moved.includes(group))),
    samples: others(samples),
    readiness: others(readiness),
  });
}
