/**
 * The probe of a metric that is named as a fact: its value, and how old the sample is that it comes from (design §4).
 *
 * An instant query answers with the instant it was evaluated at, whatever the age of the sample it found; so the sample's
 * own time is asked for beside it, with `timestamp()`. An expression that computes has no one sample: its value is of the
 * instant it was evaluated, from samples that the question allows to be no older than the fact may be.
 */
import type { MetricObservation } from '../model/evidence.ts';
import { metricVerdict } from '../model/prometheus.ts';
import type { Failure } from './failure.ts';
import type { Probe, ProbeAnswer } from './probe.ts';
import { askPrometheus } from './prometheus.ts';

/** How far the server's clock and ours may be apart, as for a witness: beyond it no age can be told. */
const CLOCK_LIMIT_MS = 30_000;
/** A sample's time is a float of seconds. */
const ROUNDING_MS = 1;

export const probeMetric: Probe<'metric'> = async (target, { signal, log, clock }) => {
  const { promql, freshMs } = target;
  log(`asking for ${promql}`);
  const answer = await askPrometheus(target, { promql, at: null, lookbackMs: freshMs }, { signal, log });
  if (answer.kind === 'failed') return failed(answer.reached, answer.failure);
  const { value, at } = answer;
  const now = clock.wall();
  if (Math.abs(at - now) > CLOCK_LIMIT_MS)
    return failed('respond', {
      code: 'stale',
      message: `the answer is of an instant ${seconds(Math.abs(at - now))} away from our clock: a clock is wrong, or it was kept by something between`,
    });
  if (answer.scalar) return told(target, { value, sampleAt: at, ageMs: Math.max(0, now - at) });
  const ownTime = { promql: `timestamp(\n${promql}\n)`, at, lookbackMs: freshMs };
  const sample = await askPrometheus(target, ownTime, { signal, log });
  if (sample.kind === 'failed') return failed(sample.reached, sample.failure);
  const sampleAt = Math.round(sample.value * 1000);
  if (sampleAt > at + ROUNDING_MS)
    return failed('respond', { code: 'stale', message: 'the sample is of an instant that is still to come' });
  return told(target, { value, sampleAt, ageMs: Math.max(0, Math.max(at, clock.wall()) - sampleAt) });
};

function told(
  { bad, freshMs }: { readonly bad: Parameters<typeof metricVerdict>[0]; readonly freshMs: number },
  facts: NonNullable<MetricObservation['facts']>,
): ProbeAnswer<'metric'> {
  if (facts.ageMs > freshMs)
    return failed('respond', {
      code: 'stale',
      message: `the newest sample is ${seconds(facts.ageMs)} old and counts for ${seconds(freshMs)}; it was ${facts.value}`,
    });
  return { verdict: metricVerdict(bad, facts.value), reached: 'read', code: null, message: null, facts };
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

/** Whatever keeps us from the value says nothing of what the value is about. */
const failed = (reached: string, { code, message }: Failure): ProbeAnswer<'metric'> => ({
  verdict: 'unknown',
  reached,
  code,
  message,
  facts: null,
});
