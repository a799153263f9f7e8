/**
 * The probe of a control target: does anything at all answer this vantage? Any status counts; what it says is nobody's
 * concern (design §2).
 */
import { connectOnce } from './connect.ts';
import { type Failure, verdictOf } from './failure.ts';
import { request } from './http-request.ts';
import type { Probe, ProbeAnswer } from './probe.ts';
import { addressOf } from './target.ts';

const TCP = 'tcp://';

export const probeControl: Probe<'control'> = async ({ target }, { vantage, signal, log }) => {
  if (target.startsWith(TCP)) {
    const result = await connectOnce({ address: addressOf(target.slice(TCP.length)), tls: null, signal, log });
    return result.kind === 'connected' ? answered(result.reached) : failed(result.reached, result.failure);
  }
  const result = await request({
    method: 'GET',
    url: new URL(target),
    headers: { 'user-agent': `failoverd/${vantage}` },
    body: null,
    answerLimitBytes: 0,
    signal,
    log,
  });
  return result.kind === 'answered' ? answered('respond') : failed(result.reached, result.failure);
};

const answered = (reached: string): ProbeAnswer<'control'> => ({
  verdict: 'ok',
  reached,
  code: null,
  message: null,
  facts: null,
});

const failed = (reached: string, failure: Failure): ProbeAnswer<'control'> => ({
  verdict: verdictOf(failure),
  reached,
  code: failure.code,
  message: failure.message,
  facts: null,
});
