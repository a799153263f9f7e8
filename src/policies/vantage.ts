/**
 * Whether a vantage is connected itself, and which of its bad looks count (invariant 18). PURE.
 */
import type { KeptObservation, State } from '../model/loop.ts';
import type { MonoMs, RegionId, VantageId, Verdict, WallMs } from '../model/primitives.ts';

/** Control targets are probed every second; three missed answers and a deadline make them unknown. */
export const CONTROL_FRESH_MS = 6000;

export type VantageView = {
  readonly id: VantageId;
  readonly region: RegionId;
  /** ok: a control target answers. bad: none does, this vantage is the isolated one. */
  readonly connected: Verdict;
  readonly why: string;
  /** When the newest answer of a control target was taken in, on the monotonic clock. */
  readonly answeredMono: number | null;
  /** When it was last found connected after it had not been, monotonic; null = it was connected since it was first heard. */
  readonly connectedSinceMono: number | null;
};

export const freshFor = ({ mono }: Pick<State, 'mono'>, kept: KeptObservation, lifeMs: number): boolean =>
  mono - kept.receivedMono <= lifeMs;

/**
 * An instant of this life by the wall clock as it is now. How it read then may be hours away: it is only held from being set
 * back once something is counted from it (`engine/forward-time.ts`), and what was before is told by the monotonic clock.
 */
export const wallOf = ({ at, mono }: Pick<State, 'at' | 'mono'>, instantMono: MonoMs): WallMs =>
  Math.round(at - (mono - instantMono));

export function vantageView(state: State, id: VantageId, region: RegionId): VantageView {
  const connection = connectionOf(state.volatile.controls[id] ?? NOTHING, state);
  return { id, region, ...connection, connectedSinceMono: state.volatile.connectedSince[id] ?? null };
}
const NOTHING: Readonly<Record<string, KeptObservation>> = {};

/** What a vantage's control targets say together, by target. */
export function connectionOf(
  controls: Readonly<Record<string, KeptObservation>>,
  now: Pick<State, 'mono'>,
): Pick<VantageView, 'connected' | 'why' | 'answeredMono'> {
  let bad = 0;
  let unknown = 0;
  let answeredMono: number | null = null;
  for (const kept of Object.values(controls)) {
    if (!freshFor(now, kept, CONTROL_FRESH_MS)) unknown += 1;
    else if (kept.observation.verdict === 'ok')
      answeredMono = Math.max(kept.receivedMono, answeredMono ?? kept.receivedMono);
    else if (kept.observation.verdict === 'bad') bad += 1;
    else unknown += 1;
  }
  if (answeredMono !== null) return { answeredMono, connected: 'ok', why: 'a control target answers' };
  if (bad > 0 && unknown === 0)
    return {
      answeredMono,
      connected: 'bad',
      why: `none of its ${bad} control targets answers: it is the isolated one`,
    };
  const why = bad + unknown === 0 ? 'nothing was heard from it' : 'its control targets were not seen lately';
  return { answeredMono, connected: 'unknown', why };
}

/**
 * What keeps these bad looks of one vantage from counting, in words; null = they count.
 *
 * 1. A vantage that lost everything at once fails its targets before its control targets are known to fail, and an answer
 *    that one gave earlier is still fresh then. So only an answer taken in after the failing began tells the two apart.
 *    One that came in the same batch may be older, and does not count.
 * 2. What it saw while it was cut off says nothing once it is back, nor does the first look of each target that comes in
 *    then: it may have begun before.
 */
export function doubtOf(
  { answeredMono, connectedSinceMono }: VantageView,
  bad: readonly KeptObservation[],
): string | null {
  if (connectedSinceMono !== null && bad.some((kept) => kept.doubtful || kept.receivedMono <= connectedSinceMono))
    return 'seen while it was cut off itself: the next look will tell';
  const beganMono = Math.max(...bad.map((kept) => kept.badSinceMono ?? kept.receivedMono));
  return answeredMono !== null && answeredMono > beganMono ? null : 'and no control target has answered since';
}
