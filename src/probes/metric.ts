/**
 * The probe of a metric that is named as a fact: its value, and how old the oldest sample is that it was made from
 * (design §4). An instant query answers with the instant it was evaluated at, and looks back for minutes; so the samples'
 * own times are asked for beside it. An expression that looks at no sample of now is of the instant it was evaluated.
 */
import type { MetricObservation } from '../model/evidence.ts';
import { metricVerdict } from '../model/prometheus.ts';
import type { Failure } from './failure.ts';
import type { Probe, ProbeAnswer } from './probe.ts';
import { askPrometheus } from './prometheus.ts';
import type { MetricTarget } from './target.ts';

/** How far the server's clock and ours may be apart, as for a witness: beyond it no age can be told. */
const CLOCK_LIMIT_MS = 30_000;
/** A sample's time is a float of seconds. */
const ROUNDING_MS = 1;

export const probeMetric: Probe<'metric'> = async (target, { signal, log, clock }) => {
  const { promql, oldestSample } = target;
  log(`asking for ${promql}`);
  const answer = await askPrometheus(target, { promql, at: null }, { signal, log });
  if (answer.kind === 'failed') return failed(answer.reached, answer.failure);
  const { value, at } = answer;
  const now = clock.wall();
  if (Math.abs(at - now) > CLOCK_LIMIT_MS)
    return failed('respond', {
      code: 'stale',
      message: `the answer is of an instant ${seconds(Math.abs(at - now))} away from our clock: a clock is wrong, or it was kept by something between`,
    });
  const evaluated = { value, sampleAt: at, ageMs: Math.max(0, now - at) };
  if (oldestSample === null) return told(target, evaluated);
  const sample = await askPrometheus(target, { promql: oldestSample, at }, { signal, log });
  // Nothing was found, and what the expression makes of nothing (`absent`, `or vector(0)`) is of now.
  if (sample.kind === 'failed' && sample.failure.code === 'empty') return told(target, evaluated);
  if (sample.kind === 'failed') return failed(sample.reached, sample.failure);
  const sampleAt = Math.round(sample.value * 1000);
  if (sampleAt > at + ROUNDING_MS)
    return failed('respond', { code: 'stale', message: 'the sample is of an instant that is still to come' });
  return told(target, { value, sampleAt, ageMs: Math.max(0, Math.max(at, clock.wall()) - sampleAt) });
};

function told(
  { bad, freshMs }: Pick<MetricTarget, 'bad' | 'freshMs'>,
  facts: NonNullable<MetricObservation['facts']>,
): ProbeAnswer<'metric'> {
  if (facts.ageMs > freshMs)
    return failed('respond', {
      code: 'stale',
      message: `a sample of it is ${seconds(facts.ageMs)} old and counts for ${seconds(freshMs)}; the value was ${facts.value}`,
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
