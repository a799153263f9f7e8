/**
 * Failures of one subject, kept long after it is well again: how each began, in its own words, and how often it came. PURE.
 *
 * "Why did it fail" is asked the morning after, when thousands of good answers have come since. So a failure that goes on,
 * or comes and goes, is one episode, whose first message and log are kept: what came later says the same, and must not
 * push out what came before.
 */
import Type, { type Static } from 'typebox';
import { type Observation, ProbeErrorCode } from './evidence.ts';
import { MonoMs, Verdict, WallMs } from './primitives.ts';

export const FailureEpisode = Type.Object({
  verdict: Verdict,
  reached: Type.String(),
  code: Type.Union([ProbeErrorCode, Type.Null()]),
  /** Of its first failure. */
  message: Type.Union([Type.String(), Type.Null()]),
  log: Type.Array(Type.String()),
  firstAt: WallMs,
  lastAt: WallMs,
  lastMono: MonoMs,
  count: Type.Integer(),
});
export type FailureEpisode = Static<typeof FailureEpisode>;

/** Failures further apart than this are two. */
const APART_MS = 60_000;
/** Enough for a bad night; a subject whose every failure is another one is rare. */
const MOST_EPISODES = 5;

/** The episodes with one observation more, in the order of their beginning; the same list where it is well. */
export function withObservation(
  episodes: readonly FailureEpisode[],
  { verdict, reached, code, message, log = [] }: Observation,
  { at, mono }: { readonly at: WallMs; readonly mono: MonoMs },
): readonly FailureEpisode[] {
  if (verdict === 'ok') return episodes;
  const index = episodes.findIndex(
    (episode) => episode.code === code && episode.reached === reached && mono - episode.lastMono <= APART_MS,
  );
  const known = episodes[index];
  if (known !== undefined)
    return episodes.with(index, { ...known, lastAt: at, lastMono: mono, count: known.count + 1 });
  const begun = { verdict, reached, code, message, log, firstAt: at, lastAt: at, lastMono: mono, count: 1 };
  return [...episodes, begun].slice(-MOST_EPISODES);
}
