/**
 * The probe of a Prometheus: is it ready, and does it scrape? One that is ready and has no target answers every question
 * with nothing.
 */
import { addressIn, readyFailure } from './api-request.ts';
import { type Failure, verdictOf } from './failure.ts';
import type { Probe, ProbeAnswer } from './probe.ts';
import { askPrometheus } from './prometheus.ts';

/** Every scrape writes this metric, whether it succeeded or not. */
const TARGETS = 'count(up)';

export const probePrometheus: Probe<'prometheus'> = async (target, { signal, log }) => {
  const failure = await readyFailure({ ...target, url: addressIn(target, '-/ready'), signal, log });
  if (failure !== null) return failed(failure.reached, failure.failure);
  const answer = await askPrometheus(target, { promql: TARGETS, at: null }, { signal, log });
  if (answer.kind === 'value')
    return { verdict: 'ok', reached: 'read', code: null, message: null, facts: { targets: answer.value } };
  if (answer.failure.code !== 'empty') return failed('ready', answer.failure);
  const message = 'it is ready and scrapes nothing: no target has been scraped lately';
  return { verdict: 'bad', reached: 'ready', code: 'empty', message, facts: { targets: 0 } };
};

const failed = (reached: string, failure: Failure): ProbeAnswer<'prometheus'> => ({
  verdict: verdictOf(failure),
  reached,
  code: failure.code,
  message: failure.message,
  facts: null,
});
