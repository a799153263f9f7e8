/** The HTTP probe: the health URL has to answer with a status that the config expects, and to end its answer. */
import { type Failure, verdictOf } from './failure.ts';
import { request, urlText } from './http-request.ts';
import type { Probe, ProbeAnswer } from './probe.ts';

/** Health answers are short; one that isn't is not read to its end, and counts by its status. */
const BODY_LIMIT_BYTES = 64 * 1024;
/** As much of a bad answer as helps a person who reads the page. */
const EXCERPT_LENGTH = 200;

export const probeHttp: Probe<'http'> = async (target, context) => {
  const url = new URL(target.url);
  const result = await request({
    method: 'GET',
    url,
    headers: { 'user-agent': `failoverd/${context.vantage}`, accept: '*/*', 'cache-control': 'no-cache' },
    body: null,
    certificates: target.certificates,
    answerLimitBytes: BODY_LIMIT_BYTES,
    signal: context.signal,
    log: context.log,
  });
  if (result.kind === 'failed') return failed(result.reached, result.status, result.failure);
  if (!target.expectStatus.includes(result.status)) {
    context.log(`body: ${excerpt(result.body)}`);
    const expected = target.expectStatus.join(' or ');
    const message = `${urlText(url)} answered ${result.status}, expected ${expected}`;
    return failed('respond', result.status, { code: 'status', message });
  }
  const facts = { status: result.status };
  return { verdict: 'ok', reached: result.complete ? 'read' : 'respond', code: null, message: null, facts };
};

function failed(reached: string, status: number | null, failure: Failure): ProbeAnswer<'http'> {
  return { verdict: verdictOf(failure), reached, code: failure.code, message: failure.message, facts: { status } };
}

/** One line of printable text: the body is a stranger's. */
const excerpt = (body: string): string => body.slice(0, EXCERPT_LENGTH).replace(/[^\x20-\x7e]+/g, ' ');
