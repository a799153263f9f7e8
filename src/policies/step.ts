/**
 * `step(state, input) -> { state, effects }`: the whole of failoverd's judgement, as a function (design §3). PURE.
 *
 * A step takes one input in, then looks at every group it may concern. Whoever has written events stops there; the loop
 * folds them into the ledger and calls again with a `tick` of the same instant, until nothing is left to say. So every
 * judgement is made on a ledger that holds all that was said before it.
 */
import type { Effect, Input, InputOf, State, StepOutput } from '../model/loop.ts';
import type { GroupId, VantageId, Verdict } from '../model/primitives.ts';
import { indexOf } from '../model/settings-index.ts';
import { expireAlerts, type Post, takeAlerts, takeSilences } from './alerts.ts';
import { takeDivergence } from './divergence.ts';
import { answeringIn, takeObservations } from './evidence.ts';
import { once } from './idempotency.ts';
import { clearLease, takeLease } from './leases.ts';
import { judgeRows } from './matrix.ts';
import { paged, sendPages } from './pages.ts';
import { abort, approve } from './people.ts';
import { expireRaise } from './raises.ts';
import { noteReadiness } from './readiness-kept.ts';
import { refuseReload, reload, takeIn } from './reload.ts';
import { clearReport, remind, report, reportsFromAlerts } from './reports.ts';
import { advanceRun, settle } from './run.ts';
import { remember, say, type Turn, turnOf, wakeAt } from './turn.ts';
import { vantageView } from './vantage.ts';

export function step(before: State, input: Input): StepOutput {
  const turn = turnOf({ ...before, at: input.at, mono: Math.max(before.mono, input.mono) });
  const concerned = take(turn, input);
  const unfinished = turn.events.length > 0 ? concerned : concerned.filter((group) => saysSomething(turn, group));
  if (turn.events.length === 0) sendPages(turn);
  const append: Effect[] = turn.events.length === 0 ? [] : [{ kind: 'append', events: turn.events }];
  return { state: turn.state, effects: [...append, ...turn.effects], unfinished };
}

/** What one group has to say does not keep another waiting. */
function saysSomething(turn: Turn, group: GroupId): boolean {
  const said = turn.events.length;
  remind(turn, group);
  if (turn.events.length === said) expireRaise(turn, group);
  if (turn.events.length === said) advanceRun(turn, group);
  if (turn.events.length === said) judgeGroup(turn, group);
  return turn.events.length > said;
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
  const all = indexOf(turn.state.settings).groups;
  switch (input.kind) {
    case 'started':
      turn.state = { ...turn.state, incarnation: input.incarnation };
      remember(turn, { storeStartMono: turn.state.mono });
      say(turn, {
        kind: 'daemon.started',
        at: input.at,
        incarnation: input.incarnation,
        version: input.version,
        configHash: input.configHash,
      });
      takeIn(turn, turn.state.configured, input.configHash, null);
      return all;
    case 'reloaded':
      reload(turn, input);
      return indexOf(turn.state.settings).groups;
    case 'reload-refused':
      refuseReload(turn, input);
      return all;
    case 'tick':
      // One of some groups goes on with the instant of the input before it: time has not passed.
      if (input.groups === undefined) expireAlerts(turn);
      return input.groups ?? all;
    case 'silences':
      remember(turn, takeSilences(turn.state, input));
      return all;
    case 'observed': {
      const before = turn.state;
      remember(turn, takeObservations(before, input));
      noteReadiness(turn, input.observations);
      return seenIn(input, before, turn.state);
    }
    case 'webhook':
      return takePosts(turn, [input]);
    case 'webhooks':
      return takePosts(turn, input.posts);
    case 'performed': {
      const group = turn.state.volatile.operations[input.operation]?.group;
      settle(turn, input);
      return group === undefined ? [] : [group];
    }
    case 'approve':
      once(turn, input, approve);
      return spokenIn(turn);
    case 'abort':
      once(turn, input, abort);
      return spokenIn(turn);
    case 'report':
      once(turn, input, report);
      return spokenIn(turn);
    case 'clear-report':
      once(turn, input, clearReport);
      return spokenIn(turn);
    case 'lease':
      takeLease(turn, input);
      return spokenIn(turn);
    case 'clear-lease':
      once(turn, input, clearLease);
      return spokenIn(turn);
    case 'divergence':
      takeDivergence(turn, input);
      return spokenIn(turn);
    case 'paged':
      paged(turn, input);
      return [];
    default:
      return exhausted(input);
  }
}

function takePosts(turn: Turn, posts: readonly Post[]): readonly GroupId[] {
  const taken = takeAlerts(turn.state, posts);
  remember(turn, taken.volatile);
  say(turn, ...taken.events);
  reportsFromAlerts(turn, taken.news);
  for (const [index, { request }] of posts.entries())
    turn.effects.push({ kind: 'reply', request, status: 200, body: { ...taken.counts[index] } });
  if (taken.fresh.length > 0) askForProbes(turn, taken.fresh);
  return taken.groups;
}

/** Those whose judgement may have changed by what was seen: a vantage's control targets speak for all it probes. */
function seenIn(input: InputOf<'observed'>, before: State, after: State): readonly GroupId[] {
  const groups = new Set<GroupId>();
  const answering = answeringIn(input);
  for (const observation of input.observations) {
    // How those are that watch for us decides nothing; it is shown.
    if (observation.kind === 'prometheus' || observation.kind === 'alertmanager') continue;
    if (observation.kind !== 'control') groups.add(observation.group);
    else if (connectedOf(before, observation.vantage) !== connectedOf(after, observation.vantage))
      return indexOf(after.settings).groups;
  }
  for (const vantage of answering) {
    for (const group of Object.keys(before.volatile.unvouched[vantage] ?? {})) groups.add(group);
  }
  return [...groups].filter((group) => Object.hasOwn(after.settings.groups, group));
}
const connectedOf = (state: State, vantage: VantageId): Verdict => vantageView(state, vantage, '').connected;

/** An order that said nothing changed nothing. */
const spokenIn = (turn: Turn): readonly GroupId[] => [
  ...new Set(turn.events.flatMap((event) => ('group' in event ? [event.group] : []))),
];

/** Alerts never decide: they ask for fresh probes of the groups they speak of (design §4). */
function askForProbes(turn: Turn, groups: readonly GroupId[]): void {
  for (const group of groups) turn.effects.push({ kind: 'probe', group });
  wakeAt(turn, turn.state.mono);
}

function exhausted(input: never): never {
  throw new TypeError(`unknown input: ${JSON.stringify(input)}`);
}
