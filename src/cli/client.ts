/**
 * The daemon's API as commands use it. What went wrong is a value; nothing is decided by sentences. An order carries one key
 * for the whole command, so that it can be sent again where nobody knows whether it arrived: it is carried out once.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import Value from 'typebox/value';
import { Problem, problemCode } from '../daemon/http/problem.ts';
import { StatusDocument } from '../daemon/status-document.ts';
import { ToldExplanation } from '../model/explanation.ts';
import { Reviews } from '../model/review.ts';
import { newSessionId } from '../runtime/ids.ts';
import { systemTimers } from '../runtime/timers.ts';
import { isBearerToken } from '../runtime/token.ts';
import { EXIT, type Options, type Shell, UsageError } from './command.ts';
import { type Asked, ask, certificatesOf } from './request.ts';
import { wrap } from './terminal.ts';

export const DEFAULT_URL = 'http://127.0.0.1:8080';
/** Longer than the daemon itself waits for an answer of its core. */
const ANSWER_WITHIN_MS = 15_000;
/** How often an order is sent at most. */
const TRIES = 4;
const PAUSE_MS = 500;
/** Longer than this nobody waits in front of a terminal. */
const LONGEST_PAUSE_MS = 5_000;

export const CLIENT_OPTIONS = {
  url: { type: 'string' },
  'token-file': { type: 'string' },
  ca: { type: 'string' },
  cert: { type: 'string' },
  key: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const satisfies Options;

export type ClientFault =
  | { readonly kind: 'unreachable'; readonly url: string; readonly why: string }
  | { readonly kind: 'timeout'; readonly url: string }
  | { readonly kind: 'stranger'; readonly url: string; readonly why: string }
  | { readonly kind: 'problem'; readonly problem: Problem };
export type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: ClientFault };

export type Client = {
  readonly url: string;
  status(): Promise<Answer<StatusDocument>>;
  /** Why rows of a group answer as they do; `query` holds row and at. */
  explain(group: string, query: URLSearchParams): Promise<Answer<ToldExplanation>>;
  report(query: URLSearchParams): Promise<Answer<Reviews>>;
  /** Posts an order; the value is the core's answer. */
  post(path: string, body: object): Promise<Answer<Record<string, unknown>>>;
};

type ClientArgs = {
  readonly url?: string | undefined;
  readonly 'token-file'?: string | undefined;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
};

/** Throws {@link UsageError} for a URL, a token file or certificates that can't be used. */
export function createClient(args: ClientArgs, shell: Shell): Client {
  const url = (args.url ?? shell.variable('FAILOVERD_URL') ?? DEFAULT_URL).replace(/\/+$/, '');
  if (!/^https?:\/\/[^\s/]+/.test(url) || !URL.canParse(url))
    throw new UsageError(`${url} is no http or https address`, `give one, such as --url ${DEFAULT_URL}`);
  const { username, password, host } = new URL(url);
  // Not repeated: what stands before the @ is a secret.
  if (username !== '' || password !== '')
    throw new UsageError(`the address of ${host} holds a user or password`, 'give your token by --token-file instead');
  const token = tokenOf(args, shell);
  const certificates = certificatesOf(args, shell);
  if (certificates !== null && !url.startsWith('https:'))
    throw new UsageError(`certificates are of no use with ${url}`, 'give an https address by --url');
  const caller: Caller = { url, token, certificates };
  return {
    url,
    async status() {
      const answer = judge(url, await send(caller, '/api/v1/status', null, {}));
      if (!answer.ok) return answer;
      if (Value.Check(StatusDocument, answer.value)) return { ok: true, value: answer.value };
      return strange(url, 'its status has another shape: is it another version?');
    },
    async explain(group, query) {
      const path = `/api/v1/groups/${encodeURIComponent(group)}/explain${query.size === 0 ? '' : `?${query}`}`;
      const answer = judge(url, await send(caller, path, null, {}));
      if (!answer.ok) return answer;
      if (Value.Check(ToldExplanation, answer.value)) return { ok: true, value: answer.value };
      return strange(url, 'its explanation has another shape: is it another version?');
    },
    async report(query) {
      const answer = judge(url, await send(caller, `/api/v1/report?${query}`, null, {}));
      if (!answer.ok) return answer;
      if (Value.Check(Reviews, answer.value)) return { ok: true, value: answer.value };
      return strange(url, 'its report has another shape: is it another version?');
    },
    async post(path, body) {
      const answer = await order(caller, path, body);
      return answer.ok && !isObject(answer.value)
        ? strange(url, 'it answered without an object')
        : (answer as Answer<Record<string, unknown>>);
    },
  };
}

function tokenOf(args: ClientArgs, shell: Shell): string | null {
  const file = args['token-file'];
  const place = file === undefined ? '$FAILOVERD_TOKEN' : `the token file ${file}`;
  const token = file === undefined ? shell.variable('FAILOVERD_TOKEN') : tokenFrom(file, shell);
  if (token === undefined) return null;
  // What can't be sent as a token is never repeated: libraries quote it in their errors.
  if (isBearerToken(token.trim())) return token.trim();
  const what = token.trim() === '' ? 'is empty' : 'holds characters that no token has';
  throw new UsageError(`${place} ${what}`, 'it must hold the token alone: letters, digits and - . _ ~ + / =');
}

function tokenFrom(file: string, shell: Shell): string {
  try {
    return readFileSync(resolve(shell.cwd, file), 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new UsageError(`the token file ${file} can't be read (${code})`, 'check its path and who may read it');
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const strange = (url: string, why: string): { readonly ok: false; readonly fault: ClientFault } => ({
  ok: false,
  fault: { kind: 'stranger', url, why },
});

type Caller = {
  readonly url: string;
  readonly token: string | null;
  readonly certificates: ReturnType<typeof certificatesOf>;
};

const send = (caller: Caller, path: string, body: object | null, headers: Record<string, string>): Promise<Asked> =>
  ask({
    url: new URL(`${caller.url}${path}`),
    method: body === null ? 'GET' : 'POST',
    headers: {
      accept: 'application/json',
      ...(body === null ? {} : { 'content-type': 'application/json' }),
      ...(caller.token === null ? {} : { authorization: `Bearer ${caller.token}` }),
      ...headers,
    },
    body: body === null ? null : JSON.stringify(body),
    timeoutMs: ANSWER_WITHIN_MS,
    certificates: caller.certificates,
  });

/** Sends an order, and again where it is open whether it arrived: the key makes all of them one. */
async function order(caller: Caller, path: string, body: object): Promise<Answer<unknown>> {
  const key = newSessionId();
  for (let tried = 1; ; tried += 1) {
    const asked = await send(caller, path, body, { 'idempotency-key': `"${key}"` });
    const answer = judge(caller.url, asked);
    if (answer.ok || tried === TRIES || !mayHelpAgain(answer.fault, asked)) return answer;
    const wantedMs = asked.kind === 'answered' ? asked.retryAfterMs : null;
    const pauseMs = Math.min(wantedMs ?? PAUSE_MS * tried, LONGEST_PAUSE_MS);
    await new Promise<void>((resume) => systemTimers.after(pauseMs, resume));
  }
}

/** Where nothing listens, or the answer is an answer, sending again changes nothing. */
function mayHelpAgain(fault: ClientFault, asked: Asked): boolean {
  if (asked.kind !== 'answered') return asked.sent;
  if (fault.kind !== 'problem') return false;
  const code = problemCode(fault.problem);
  return code === 'idempotency-under-way' || code === 'too-many-requests' || code === 'no-reply' || code === 'busy';
}

function judge(url: string, asked: Asked): Answer<unknown> {
  if (asked.kind === 'timeout') return { ok: false, fault: { kind: 'timeout', url } };
  if (asked.kind === 'failed') return { ok: false, fault: { kind: 'unreachable', url, why: asked.code } };
  const value = parse(asked.text);
  if (asked.status >= 200 && asked.status < 300)
    return value === undefined ? strange(url, 'it did not answer in JSON') : { ok: true, value };
  if (Value.Check(Problem, value)) return { ok: false, fault: { kind: 'problem', problem: value } };
  return strange(url, `it answered ${asked.status} without saying why`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Says what went wrong and what helps, and gives the exit code that belongs to it. */
export function reportFault(fault: ClientFault, shell: Shell, json: boolean): number {
  if (json) shell.stdout(`${JSON.stringify({ error: fault })}\n`);
  for (const line of faultLines(fault)) shell.stderr(`${line}\n`);
  if (fault.kind !== 'problem') return EXIT.failed;
  if (fault.problem.status === 409) return EXIT.blocked;
  const { status } = fault.problem;
  return status === 400 || status === 422 || misnamed(fault.problem) !== null ? EXIT.usage : EXIT.failed;
}

/** A group or a row that was named on the command line, and is not there: a slip like a misspelt option. */
function misnamed({ status, field, value }: Problem): string | null {
  if (status !== 404 || value === undefined || value === null) return null;
  const what = field?.replace(/^\//, '');
  return what === 'group' || what === 'row' ? `there is no ${what} ${value}` : null;
}

function faultLines(fault: ClientFault): string[] {
  switch (fault.kind) {
    case 'unreachable':
      return [`failoverd: nothing answers at ${fault.url} (${fault.why}): is the daemon running, and --url right?`];
    case 'timeout':
      return [`failoverd: ${fault.url} did not answer in ${ANSWER_WITHIN_MS / 1000} s: try again, or look at its log`];
    case 'stranger':
      return [`failoverd: ${fault.url} doesn't answer like a failoverd: ${fault.why}`];
    case 'problem': {
      const { title, detail, field, value, remedy } = fault.problem;
      const where = field === undefined ? '' : ` (${field}${value === undefined ? '' : ` = ${value}`})`;
      const what =
        misnamed(fault.problem) ?? `${title}${where}${detail === undefined || detail === '' ? '' : `: ${detail}`}`;
      return [...wrap(what, 'failoverd: '), ...(remedy === undefined ? [] : wrap(remedy, '  help: '))];
    }
    default:
      return exhausted(fault);
  }
}

function exhausted(fault: never): never {
  throw new TypeError(`unknown: ${JSON.stringify(fault)}`);
}
