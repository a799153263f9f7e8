/**
 * Whether a run had the grounds that it had to have (invariants 15, 17, 20), judged by what was truly delivered to the
 * daemon. The rules are written down here a second time on purpose: the oracle shares no code with what it judges.
 */
import type { EventOf, Sign } from '../model/events.ts';
import type { Delivered } from './delivered.ts';
import type { Limits } from './limits.ts';

/** Nothing that was told longer ago may stand in a decision. */
export const FRESH_MS = 8000;

export type Truth = {
  readonly delivered: Delivered;
  readonly nowMs: number;
  readonly holdMs: number;
  readonly limits: Limits;
};

export const badVantages = (signs: readonly Sign[]): ReadonlySet<string> =>
  new Set(signs.filter((sign) => sign.class === 'client-probe' && sign.verdict === 'bad').map((sign) => sign.vantage));

/** Two classes of evidence over two paths; what a named metric says is neither. */
function twoPaths(signs: readonly Sign[]): boolean {
  const bad = signs.filter((sign) => sign.verdict === 'bad');
  const probed = new Set(bad.filter((sign) => sign.class === 'client-probe').map((sign) => sign.path));
  const others = bad.filter((sign) => sign.class === 'replication' || sign.class === 'alert');
  return others.some((other) => [...probed].some((path) => path !== other.path));
}

type Fault = readonly [invariant: number, what: string];

/** What a run that was opened lacks. */
export function* groundless(
  body: EventOf<'run.opened'>,
  { delivered, nowMs, holdMs, limits }: Truth,
): Generator<Fault> {
  const { signs, vetoes, gates } = body.decision;
  const vantages = badVantages(signs);
  if (vantages.size < limits.quorum) yield [15, `stands on ${vantages.size} vantages`];
  const missing = delivered.missing(nowMs, FRESH_MS);
  if ([...vantages].some((vantage) => !missing.includes(vantage)))
    yield [
      15,
      `stands on ${[...vantages].join(' and ')}; lately the region was missed by ${missing.join(' and ') || 'nobody'}`,
    ];
  if (!twoPaths(signs)) yield [17, 'stands on one path or one class of evidence'];
  const heldMs = delivered.wellAgoMs(vantages, nowMs);
  if (heldMs < holdMs)
    yield [17, `acts ${Math.round(heldMs)} ms after the region was told to be well; its row asks for ${holdMs}`];
  const streamedAgoMs = delivered.streamedAgoMs(nowMs, FRESH_MS);
  if (streamedAgoMs !== null && streamedAgoMs <= limits.streamedMs)
    yield [17, `acts though the standby streamed ${Math.round(streamedAgoMs)} ms ago`];
  if (vetoes.some((veto) => veto.verdict === 'bad')) yield [17, 'was vetoed'];
  if (body.trigger !== 'auto') return;
  if (streamedAgoMs === null) yield [17, 'acts by itself, and nobody told whether the standby streams'];
  if (vetoes.some((veto) => veto.verdict === 'unknown')) yield [17, 'acts by itself over a veto that can’t be judged'];
  if (gates.some((gate) => gate.answer !== 'pass')) yield [20, 'passed by a gate that did not let it'];
  if (body.loss.highSeconds === null) yield [20, 'acts by itself over a loss that is not known'];
}
