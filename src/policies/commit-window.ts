/**
 * The commit window (design §7): for a while after a run the old side stays fenced and intact. Its fence is read back all that
 * time; whoever switches it on too early is told what stands on it being off. PURE.
 *
 * It is read, and never fenced again: what is on may serve somebody by now, and that is for people to see.
 */
import { byPart, withKey } from '../model/keyed.ts';
import type { CommitWindow } from '../model/ledger.ts';
import type { OperationResult, Perform, State, Volatile } from '../model/loop.ts';
import type { GroupId } from '../model/primitives.ts';
import { page, remember, say, type Turn } from './turn.ts';
import { groupLedger } from './view.ts';

/** The step of the operations that read it; no plan has one of this name. */
export const COMMIT_WINDOW = 'commit-window';
const EVERY_MS = 30_000;
const TIMEOUT_GRACE_MS = 1000;

const watchKey = ({ run }: CommitWindow): string => `${run}/${COMMIT_WINDOW}`;

const watchedIn = byPart<Volatile['operations'][string], ReadonlySet<GroupId>>(
  (part) => new Set([...part.values()].filter(({ step }) => step === COMMIT_WINDOW).map(({ group }) => group)),
);

/** The window in which the old side has to stay off; null = there is none, or it is over. */
export function commitWindowOf(state: State, group: GroupId): CommitWindow | null {
  const { commitWindow, run } = groupLedger(state, group);
  const settings = state.settings.groups[group];
  // A next run reads the fence of its own old side, which may be this one's new one.
  if (commitWindow === null || settings === undefined || settings.fence === 'none' || run !== null) return null;
  return state.at < commitWindow.since + settings.commitWindowMs ? commitWindow : null;
}

export function watchFence(turn: Turn, group: GroupId): void {
  const window = commitWindowOf(turn.state, group);
  if (window === null) return;
  const { volatile, mono, incarnation } = turn.state;
  const key = watchKey(window);
  if (watchedIn(volatile.operations).some((watched) => watched.has(group))) return;
  if ((volatile.notBeforeMono[key] ?? 0) > mono) return;
  const count = volatile.operationCount + 1;
  const name = `${key}/${incarnation}/${count}`;
  const timeoutMs = (turn.state.settings.groups[group]?.fenceTimeoutMs ?? 0) + TIMEOUT_GRACE_MS;
  const { run, from, to, epoch, fence } = window;
  const perform: Perform = {
    kind: 'perform',
    key: name,
    operation: 'verify',
    stepKind: 'fence',
    step: 'fence',
    run,
    group,
    component: null,
    from,
    to,
    epoch,
    attempt: 0,
    timeoutMs,
    preState: null,
    fence,
  };
  turn.effects.push(perform);
  remember(turn, {
    operationCount: count,
    notBeforeMono: withKey(volatile.notBeforeMono, key, mono + EVERY_MS),
    operations: withKey(volatile.operations, name, {
      group,
      step: COMMIT_WINDOW,
      operation: 'verify',
      startedMono: mono,
      deadlineMono: mono + timeoutMs,
    }),
  });
}

/** What a read has found. That it can't tell says nothing: the last answer stands, with its age (invariant 15). */
export function fenceRead(turn: Turn, group: GroupId, operation: string, result: OperationResult): void {
  const window = commitWindowOf(turn.state, group);
  if (window === null || !operation.startsWith(`${watchKey(window)}/`)) return;
  const { volatile, at } = turn.state;
  remember(turn, {
    lastAnswer: withKey(volatile.lastAnswer, watchKey(window), {
      operation: 'verify',
      result,
      mono: turn.state.mono,
    }),
  });
  const { run, from } = window;
  if (result.kind === 'no' && window.lost === null) {
    say(turn, { kind: 'fence.lost', at, group, run, why: result.message });
    page(
      turn,
      'attention',
      group,
      `${from} is on again, and ${run} stands on it being off`,
      `${result.message}. Its database may take writes that nobody else has, and be found by clients that still know its address. Switch it off again, or make sure that it is a standby before anything reaches it.`,
    );
  }
  if (result.kind === 'ok' && window.lost !== null) {
    say(turn, { kind: 'fence.held', at, group, run, why: result.message });
    page(turn, 'attention', group, `${from} is off again`, `${result.message}.`);
  }
}

/** How the fence was last read in this life; null = not yet. */
export const lastFenceRead = ({ volatile }: State, window: CommitWindow) =>
  volatile.lastAnswer[watchKey(window)] ?? null;
