/**
 * Every refusal is a problem document (RFC 9457) that names the field, the value seen and the way out. The set of codes
 * is closed; `type` carries the code, and nothing decides by the sentences.
 */
import type { FastifyReply } from 'fastify';
import Type, { type Static } from 'typebox';

type Kind = { readonly status: number; readonly title: string; readonly remedy?: string };

export const PROBLEMS = {
  'malformed-json': { status: 400, title: 'The body is not JSON', remedy: 'send one JSON document in UTF-8' },
  'malformed-request': { status: 400, title: 'The request is not valid HTTP' },
  'too-deep': { status: 400, title: 'The body nests too deeply', remedy: 'nest at most 32 arrays and objects' },
  unauthenticated: {
    status: 401,
    title: 'No valid credentials',
    remedy: 'send `Authorization: Bearer TOKEN` with a token named in the config',
  },
  role: { status: 403, title: 'Your roles do not allow this' },
  'not-found': { status: 404, title: 'There is nothing here' },
  'not-configured': { status: 404, title: 'The config does not name this' },
  'method-not-allowed': { status: 405, title: 'This address does not take that method' },
  conflict: { status: 409, title: 'What you speak of has moved on', remedy: 'look at the status again' },
  'plan-hash': {
    status: 409,
    title: 'The plan is another one than you approve',
    remedy: 'look at the proposal again and approve the hash it shows',
  },
  'config-hash': {
    status: 409,
    title: 'The config is another one than you approve',
    remedy: 'look at the raise again and approve the hash it shows',
  },
  'run-open': {
    status: 409,
    title: 'An open run stands against this config; the one in force stays',
    remedy: 'let the run end, or abort it, and reload then',
  },
  'config-refused': { status: 422, title: 'The config on disk is not valid; the one in force stays' },
  expired: { status: 409, title: 'The proposal has expired', remedy: 'wait for the next one, if it is still needed' },
  'already-approved': {
    status: 409,
    title: 'You approved already',
    remedy: 'another person with the missing role approves',
  },
  'not-waiting': { status: 409, title: 'It waits for nobody' },
  'promotion-begun': {
    status: 409,
    title: 'The promotion was begun; nothing cancels after it',
    remedy: 'let the run end, then plan a failback',
  },
  'idempotency-key': {
    status: 400,
    title: 'The idempotency key can’t be read',
    remedy: 'send 1 to 128 printable characters without spaces, quotes and backslashes, such as a UUID',
  },
  'idempotency-under-way': {
    status: 409,
    title: 'The first order with this key is under way',
    remedy: 'send the same again in a moment',
  },
  'idempotency-key-reused': {
    status: 422,
    title: 'This key was used for another order',
    remedy: 'draw a new key for each order, and send the same order with the same key',
  },
  'too-many-requests': {
    status: 429,
    title: 'Too many requests',
    remedy: 'wait as long as Retry-After says',
  },
  'too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': {
    status: 415,
    title: 'The body has the wrong media type',
    remedy: 'send `Content-Type: application/json`',
  },
  invalid: { status: 422, title: 'What was sent does not fit the schema' },
  'unsupported-version': {
    status: 422,
    title: 'This version of the payload is not known',
    remedy: 'send payload version "4", which Alertmanager has sent since 0.6',
  },
  'clock-far-off': {
    status: 422,
    title: 'Every alert has a time that is far off',
    remedy: 'check the clocks of Prometheus, Alertmanager and this machine',
  },
  'bad-signature': {
    status: 401,
    title: 'The report’s signature does not hold',
    remedy: 'the private key of the witness and vantages.NAME.publicKey in the config must be a pair',
  },
  'unknown-witness': {
    status: 403,
    title: 'No witness of that name is configured',
    remedy: 'add it under vantages, with its public key',
  },
  'foreign-vantage': {
    status: 403,
    title: 'A witness speaks for itself alone',
    remedy: 'report only observations of your own vantage',
  },
  'foreign-guard': {
    status: 403,
    title: 'A guard speaks for itself alone',
    remedy: 'ask with the token of the guard that stands beside this PostgreSQL',
  },
  'wrong-session': {
    status: 409,
    title: 'The report was signed for another session of the daemon',
    remedy: 'sign for the session named here, beginning with sequence 1',
  },
  replayed: {
    status: 409,
    title: 'A report with this sequence was taken already',
    remedy: 'go on above the last sequence named here',
  },
  'witness-clock': {
    status: 422,
    title: 'A time in the report is far from the daemon’s clock',
    remedy: 'set the clocks of the witness and of the daemon',
  },
  internal: { status: 500, title: 'failoverd failed at this', remedy: 'see the log of the daemon' },
  'journal-failed': {
    status: 503,
    title: 'The journal takes no entries, so nothing follows from this',
    remedy:
      'check the disk of the state folder, restart the daemon, and look at the status before you send an order again',
  },
  'core-failed': {
    status: 503,
    title: 'The judgement of failoverd failed, so nothing follows from this',
    remedy: 'see the log of the daemon, restart it, and look at the status before you send an order again',
  },
  'not-durable-in-time': {
    status: 503,
    title: 'The journal did not answer in time',
    remedy: 'send it again: what was taken in twice counts once',
  },
  busy: {
    status: 503,
    title: 'As many of these are under way as may be',
    remedy: 'send it again in a moment: what was taken in twice counts once',
  },
  'too-many-streams': {
    status: 503,
    title: 'As many listen already as may',
    remedy: 'ask for /api/v1/status now and then instead, or close another page',
  },
  'no-reply': {
    status: 504,
    title: 'No answer came in time; the order may have been taken',
    remedy: 'look at the status before you send it again',
  },
} as const satisfies Record<string, Kind>;
export type ProblemCode = keyof typeof PROBLEMS;

export const Problem = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.Optional(Type.String()),
  /** JSON pointer into the body, or the name of a header or parameter. */
  field: Type.Optional(Type.String()),
  value: Type.Optional(Type.String()),
  remedy: Type.Optional(Type.String()),
});
export type Problem = Static<typeof Problem>;

const TYPE_BASE = 'https://failoverd.dev/problems/';
const VALUE_LIMIT = 120;

export type ProblemDetails = {
  readonly detail?: string;
  readonly field?: string;
  /** The value seen. Never a credential: it is shown (invariant 24). */
  readonly value?: unknown;
  readonly remedy?: string;
};

export function problemOf(code: ProblemCode, details: ProblemDetails = {}): Problem {
  const kind: Kind = PROBLEMS[code];
  const remedy = details.remedy ?? kind.remedy;
  return {
    type: `${TYPE_BASE}${code}`,
    title: kind.title,
    status: kind.status,
    ...(details.detail === undefined ? {} : { detail: details.detail }),
    ...(details.field === undefined ? {} : { field: details.field }),
    ...(details.value === undefined ? {} : { value: shown(details.value) }),
    ...(remedy === undefined ? {} : { remedy }),
  };
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? typeof value);
  return text.length > VALUE_LIMIT ? `${text.slice(0, VALUE_LIMIT)}…` : text;
}

/** The code a problem document speaks of, or null where it is none of ours. */
export function problemCode(problem: { readonly type?: unknown }): ProblemCode | null {
  if (typeof problem.type !== 'string' || !problem.type.startsWith(TYPE_BASE)) return null;
  const code = problem.type.slice(TYPE_BASE.length);
  return Object.hasOwn(PROBLEMS, code) ? (code as ProblemCode) : null;
}

/** What is over a limit, with how long to wait; whole seconds (RFC 9110 §10.2.3). */
export function refuseTooMany(reply: FastifyReply, waitMs: number, details: ProblemDetails = {}): FastifyReply {
  reply.header('retry-after', String(Math.max(1, Math.ceil(waitMs / 1000))));
  return refuse(reply, 'too-many-requests', details);
}

declare module 'fastify' {
  interface FastifyReply {
    /** What this request was refused with, for metrics and the log. */
    problem: ProblemCode | null;
  }
}

/** `more` are members of this problem's own (RFC 9457 §3.2), for programs. */
export function refuse(
  reply: FastifyReply,
  code: ProblemCode,
  details: ProblemDetails = {},
  more: Readonly<Record<string, unknown>> = {},
): FastifyReply {
  const problem = { ...problemOf(code, details), ...more };
  reply.problem = code;
  if (problem.status === 401 && !reply.hasHeader('www-authenticate'))
    reply.header('www-authenticate', 'Bearer realm="failoverd"');
  return reply.status(problem.status).type('application/problem+json; charset=utf-8').send(JSON.stringify(problem));
}
