/**
 * `step(state, input) -> { state, effects }`: the whole of failoverd's judgement, as a function (design §3). PURE.
 *
 * A step takes one input in, then looks at every group it may concern. Whoever has written events stops there; the loop
 * folds them into the ledger and calls again with a `tick` of the same instant, until nothing is left to say. So every
 * judgement is made on a ledger that holds all that was said before it.
 */
import type { Effect, Input, State, StepOutput } from '../model/loop.ts';
import type { GroupId } from '../model/primitives.ts';
import { expireAlerts, takeAlerts, takeSilences } from './alerts.ts';
import { takeObservations } from './evidence.ts';
import { once } from './idempotency.ts';
import { judgeRows } from './matrix.ts';
import { paged, sendPages } from './pages.ts';
import { abort, approve } from './people.ts';
import { clearReport, remind, report, reportsFromAlerts } from './reports.ts';
import { advanceRun, settle } from './run.ts';
import { remember, say, type Turn, turnOf, wakeAt } from './turn.ts';

export function step(before: State, input: Input): StepOutput {
  const turn = turnOf({ ...before, at: input.at, mono: Math.max(before.mono, input.mono) });
  const concerned = take(turn, input);
  if (turn.events.length === 0) {
    for (const group of concerned) {
      const said: number = turn.events.length;
      remind(turn, group);
      if (turn.events.length === said) advanceRun(turn, group);
      // What one group has to say does not keep another waiting.
      if (turn.events.length === said) judgeGroup(turn, group);
    }
  }
  if (turn.events.length === 0) sendPages(turn);
  const append: Effect[] = turn.events.length === 0 ? [] : [{ kind: 'append', events: turn.events }];
  return { state: turn.state, effects: [...append, ...turn.effects] };
}

/** Rows are judged in a turn of their own, so that one group's events don't stop another's. */
function judgeGroup(turn: Turn, group: GroupId): void {
  const own: Turn = { ...turn, events: [] };
  judgeRows(own, group);
  turn.state = own.state;
  turn.pages = own.pages;
  say(turn, ...own.events);
}

/** Takes one input in; returns the groups it may concern. */
function take(turn: Turn, input: Input): readonly GroupId[] {
  const all = Object.keys(turn.state.settings.groups);
  switch (input.kind) {
    case 'started':
      turn.state = { ...turn.state, incarnation: input.incarnation };
      say(turn, {
        kind: 'daemon.started',
        at: input.at,
        incarnation: input.incarnation,
        version: input.version,
        configHash: input.configHash,
      });
      return all;
    case 'tick':
      expireAlerts(turn);
      return all;
    case 'silences':
      remember(turn, takeSilences(turn.state, input));
      return all;
    case 'observed': {
      remember(turn, takeObservations(turn.state, input));
      const groups = new Set<GroupId>();
      for (const observation of input.observations) {
        if (observation.kind === 'control') return all;
        groups.add(observation.group);
      }
      return all.filter((group) => groups.has(group));
    }
    case 'webhook': {
      const taken = takeAlerts(turn.state, input);
      remember(turn, taken.volatile);
      say(turn, ...taken.events);
      reportsFromAlerts(turn, taken.news);
      turn.effects.push({ kind: 'reply', request: input.request, status: 200, body: taken.counts });
      if (taken.events.length > 0) askForProbes(turn, all);
      return all;
    }
    case 'performed':
      settle(turn, input);
      return all;
    case 'approve':
      once(turn, input, approve);
      return all;
    case 'abort':
      once(turn, input, abort);
      return all;
    case 'report':
      once(turn, input, report);
      return all;
    case 'clear-report':
      once(turn, input, clearReport);
      return all;
    case 'paged':
      paged(turn, input);
      return all;
    default:
      return exhausted(input);
  }
}

/** Alerts never decide: they ask for fresh probes (design §4). */
function askForProbes(turn: Turn, groups: readonly GroupId[]): void {
  for (const group of groups) {
    if ((turn.state.settings.groups[group]?.alertMeanings.length ?? 0) > 0) turn.effects.push({ kind: 'probe', group });
  }
  wakeAt(turn, turn.state.mono);
}

function exhausted(input: never): never {
  throw new TypeError(`unknown input: ${JSON.stringify(input)}`);
}
