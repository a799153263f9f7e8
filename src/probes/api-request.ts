/** What the APIs of Prometheus and Alertmanager have in common: `/-/ready`, and JSON that answers a GET. */
import type { Certificates } from '../runtime/tls.ts';
import type { Failure } from './failure.ts';
import { type HttpResult, request, urlText } from './http-request.ts';

const ANSWER_LIMIT_BYTES = 256 * 1024;

export type Api = {
  /** Address with its path prefix. */
  readonly url: URL;
  /** The header that proves the sender, null where none is asked for. Asked for at each request: a secret may have been renewed. */
  readonly authorization: () => string | null;
  readonly certificates?: Certificates | null | undefined;
};

/** Below the address, whether or not that ends in a slash. */
export const addressIn = ({ url }: Pick<Api, 'url'>, path: string): URL =>
  new URL(path, url.href.endsWith('/') ? url : new URL(`${url.href}/`));

/** `url` is the whole address here. */
export type Get = Api & {
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
  readonly answerLimitBytes?: number;
};

/** One GET, with what the sender is proven with. Never rejects. */
export function get(ask: Get): Promise<HttpResult> {
  const authorization = ask.authorization();
  return request({
    method: 'GET',
    url: ask.url,
    headers: {
      accept: 'application/json',
      'user-agent': 'failoverd',
      ...(authorization === null ? {} : { authorization }),
    },
    body: null,
    certificates: ask.certificates,
    answerLimitBytes: ask.answerLimitBytes ?? ANSWER_LIMIT_BYTES,
    signal: ask.signal,
    log: ask.log,
  });
}

type Answered = Extract<HttpResult, { kind: 'answered' }>;

/** What is wrong with an answer whatever its body says; null where that is to be read. */
export function answerFailure({ status, body, complete }: Answered, url: URL): Failure | null {
  const where = urlText(url);
  if (status === 401 || status === 403)
    return { code: 'auth', message: `${where} answered ${status}: it does not accept our credentials` };
  if (status >= 300 && status < 400)
    return { code: 'status', message: `${where} answered ${status}: a redirect is not followed, name where it leads` };
  if (!complete) return { code: 'protocol', message: `${where} answered more than ${body.length} bytes` };
  return null;
}

/** What a status other than 200 says, where the body says nothing. */
export const statusFailure = ({ status }: Answered, url: URL): Failure | null =>
  status === 200 ? null : { code: 'status', message: `${urlText(url)} answered ${status}, expected 200` };

/** Null where it says that it is ready. */
export async function readyFailure(ask: Get): Promise<{ readonly reached: string; readonly failure: Failure } | null> {
  const result = await get(ask);
  if (result.kind === 'failed') return { reached: result.reached, failure: result.failure };
  const failure = answerFailure(result, ask.url) ?? statusFailure(result, ask.url);
  return failure === null ? null : { reached: 'respond', failure };
}

/** The value may be anything that JSON can be; undefined for what is none, which no schema takes. */
export async function getJson(ask: Get): Promise<{ readonly value: unknown } | { readonly failure: Failure }> {
  const result = await get(ask);
  if (result.kind === 'failed') return { failure: result.failure };
  const failure = answerFailure(result, ask.url) ?? statusFailure(result, ask.url);
  return failure === null ? { value: parsed(result.body) } : { failure };
}

/** Undefined for what is no JSON, which no schema takes. */
export function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
