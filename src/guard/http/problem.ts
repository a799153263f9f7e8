/** Refusals of the guard's API: problem documents (RFC 9457) that name the field and the way out, as the daemon's are. */
import type { FastifyReply } from 'fastify';

const PROBLEMS = {
  'malformed-json': { status: 400, title: 'The body is not JSON', remedy: 'send one JSON document in UTF-8' },
  'malformed-request': { status: 400, title: 'The request is not valid HTTP', remedy: 'see docs/guard.md' },
  unauthenticated: {
    status: 401,
    title: 'No valid credentials',
    remedy: 'send `Authorization: Bearer TOKEN` with the token of this guard',
  },
  'not-found': { status: 404, title: 'There is nothing here', remedy: 'see docs/guard.md, "Its API"' },
  'not-taken': { status: 409, title: 'The guard does not take this order now', remedy: 'look at its status' },
  'too-large': { status: 413, title: 'The body is too large', remedy: 'send one order at a time' },
  'unsupported-media-type': {
    status: 415,
    title: 'The body has the wrong media type',
    remedy: 'send `Content-Type: application/json`',
  },
  invalid: { status: 422, title: 'What was sent does not fit the schema', remedy: 'see docs/guard.md, "Its API"' },
  internal: { status: 500, title: 'The guard failed at this', remedy: 'see its log' },
  late: {
    status: 504,
    title: 'No answer came in time; the order may have been taken',
    remedy: 'look at its status before you send it again',
  },
} as const;
export type ProblemCode = keyof typeof PROBLEMS;

export type Details = { readonly detail?: string; readonly field?: string; readonly remedy?: string };

/** `more` are members of this problem's own, for programs. */
export function refuse(
  reply: FastifyReply,
  code: ProblemCode,
  details: Details = {},
  more: Readonly<Record<string, unknown>> = {},
): FastifyReply {
  const { status, title, remedy } = PROBLEMS[code];
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="failoverd-guard"');
  const problem = { type: `https://failoverd.dev/problems/${code}`, title, status, remedy, ...details, ...more };
  return reply.status(status).type('application/problem+json; charset=utf-8').send(JSON.stringify(problem));
}
