/**
 * The probe of a control target: does anything at all answer this vantage? Any status counts; what it says is nobody's
 * concern (design §2).
 */
import { isIP, Socket } from 'node:net';
import { type Failure, networkFailure, notResolved, timedOut, verdictOf } from './failure.ts';
import { request } from './http-request.ts';
import type { Probe, ProbeAnswer, ProbeContext } from './probe.ts';
import { type Address, addressOf, addressText } from './target.ts';

const TCP = 'tcp://';

export const probeControl: Probe<'control'> = async (target, context) => {
  if (target.target.startsWith(TCP)) return await connectOnly(addressOf(target.target.slice(TCP.length)), context);
  const result = await request({
    method: 'GET',
    url: new URL(target.target),
    headers: { 'user-agent': `failoverd/${context.vantage}` },
    body: null,
    answerLimitBytes: 0,
    signal: context.signal,
    log: context.log,
  });
  return result.kind === 'answered' ? answered('respond') : failed(result.reached, result.failure);
};

function connectOnly(address: Address, { signal, log }: ProbeContext): Promise<ProbeAnswer<'control'>> {
  const where = addressText(address);
  return new Promise((resolve) => {
    const socket = new Socket();
    const end = (answer: ProbeAnswer<'control'>): void => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      resolve(answer);
    };
    let resolved = isIP(address.host) !== 0;
    const abort = (): void => end(failed('none', resolved ? timedOut(where, 'connection') : notResolved(where)));
    socket.once('lookup', () => {
      resolved = true;
    });
    socket.once('connect', () => {
      log(`connected to ${where}`);
      end(answered('connect'));
    });
    socket.on('error', (error) => end(failed('none', networkFailure(error, where))));
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    else socket.connect(address);
  });
}

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
