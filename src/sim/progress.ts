/** What must have come about once everything healed (invariants 10, 27 without W, 28, 29), and determinism. PURE. */
import { initialState, turn } from '../engine/core.ts';
import { foldAll } from '../journal/fold.ts';
import type { JournalEntry } from '../model/events.ts';
import { EMPTY_LEDGER } from '../model/ledger.ts';
import type { Input, State } from '../model/loop.ts';
import type { Settings } from '../model/settings.ts';
import { B, type Platform } from './platform.ts';
import { GROUP } from './vantages.ts';

export type Healed = {
  readonly platform: Platform;
  readonly entries: readonly JournalEntry[];
  readonly state: State | null;
  /** A was writable when everything healed. */
  readonly healthyAtHeal: boolean;
  readonly sinceHealMs: number;
  readonly rtoMs: number;
  /** A run that is still open after so long after the healing will stay so. */
  readonly progressMs: number;
};

/** A page is sent again at least every half minute. */
const UNTOLD_MS = 60_000;

type Missing = { readonly invariant: number; readonly what: string };

export const groupOf = (entries: readonly JournalEntry[]) => foldAll(EMPTY_LEDGER, entries).groups[GROUP] ?? null;

export function missing({
  platform,
  entries,
  state,
  healthyAtHeal,
  sinceHealMs,
  rtoMs,
  progressMs,
}: Healed): Missing[] {
  const found: Missing[] = [];
  const say = (invariant: number, what: string): void => {
    found.push({ invariant, what });
  };
  const bodies = entries.map((entry) => entry.body);
  const paged = (...kinds: readonly string[]): boolean =>
    bodies.some((body) => body.kind === 'page.queued' && kinds.includes(body.page.kind));
  const group = groupOf(entries);
  const run = group?.run ?? null;
  const halted = run?.status === 'halted';
  const { a, b } = platform;
  if (halted && !paged('stuck')) say(29, 'a run is halted and nobody was paged');
  // The cluster died before it was ever seen whole: that the standby is ours is not known, and a person must say so.
  const needsPerson = !bodies.some((body) => body.kind === 'identity.pinned') && paged('attention');
  if (!platform.commits(a) && !platform.commits(b) && !halted && !needsPerson)
    say(27, `nobody is writable ${Math.round(sinceHealMs / 1000)} s after everything healed`);
  if (run !== null && !halted) {
    const overdue = (state?.at ?? 0) - run.clocks.decidedAt > rtoMs;
    if (overdue && !paged('overdue', 'stuck') && !bodies.some((body) => body.kind === 'run.overdue'))
      say(29, `${run.id} is past its deadline and nobody was paged`);
    if (sinceHealMs >= progressMs) say(10, `${run.id} is still open long after everything healed`);
  }
  const untold = Object.values(state?.ledger.pages ?? {}).find(
    ({ deliveredAt, queuedAt }) => deliveredAt === null && (state?.at ?? 0) - queuedAt > UNTOLD_MS,
  );
  if (untold !== undefined && sinceHealMs > UNTOLD_MS)
    say(29, `${untold.page.id} is not delivered though the pager takes every page`);
  if (group?.active === B && b.inRecovery) say(10, 'the ledger calls B active and it is a standby');
  if (!b.inRecovery && group?.active !== B && !halted && run === null)
    say(10, 'B was promoted and the ledger does not know');
  if (healthyAtHeal && !platform.powered && group?.run === null && group.ended.at(-1)?.outcome !== 'verified')
    say(28, 'a region that was healthy when everything healed was fenced for nothing');
  return found;
}

/** The inputs of a life, replayed through the core over the journal of the lives before it, give the same state. */
export function replaysAlike(
  settings: Settings,
  entries: readonly JournalEntry[],
  inputs: readonly Input[],
  state: State,
): boolean {
  const first = entries.findLastIndex((entry) => entry.body.kind === 'daemon.started');
  const before = foldAll(EMPTY_LEDGER, entries.slice(0, first));
  let replayed = initialState(settings, before);
  for (const input of inputs) replayed = turn(replayed, input).state;
  return JSON.stringify(replayed) === JSON.stringify(state);
}
