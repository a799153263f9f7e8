/** Whatever goes wrong on the way to a handler, or in it, leaves as a problem document and never with a stack. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { Log } from '../../runtime/log.ts';
import type { App } from './context.ts';
import { DEEPEST, isDeeper, nestsDeeper } from './depth.ts';
import { type ProblemCode, problemOf, refuse } from './problem.ts';
import { InvalidInput } from './validation.ts';

class TooDeep extends Error {
  readonly code = 'FAILOVERD_TOO_DEEP';
}

/** Beyond it a text is looked at before anything is built of it: a million arrays in one another take a lot of memory. */
const BUILT_UNSEEN_CHARS = 256 * 1024;

/** JSON that nests too deeply is told so, also where it is broken as well; `__proto__` and its like are refused. */
export function parseJsonGuarded(app: App): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    const text = String(body);
    if (text.length > BUILT_UNSEEN_CHARS && nestsDeeper(text, DEEPEST)) return done(new TooDeep('too deep'));
    void parse(request, text, (error, built) => {
      const isTooDeep = error === null ? isDeeper(built, DEEPEST) : nestsDeeper(text, DEEPEST);
      if (isTooDeep) done(new TooDeep('too deep'));
      else done(error, built);
    });
  });
}

const BY_FASTIFY_CODE: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'too-large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported-media-type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed-request',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed-json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed-json',
  FST_ERR_BAD_URL: 'malformed-request',
  FST_ERR_ASYNC_CONSTRAINT: 'malformed-request',
  FAILOVERD_TOO_DEEP: 'too-deep',
};

function answer(
  error: FastifyError | InvalidInput,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Log,
): FastifyReply {
  if (error instanceof InvalidInput) {
    const isVersion = error.details.field === '/version' && error.keyword !== 'required';
    return refuse(reply, isVersion ? 'unsupported-version' : 'invalid', error.details);
  }
  const known = BY_FASTIFY_CODE[error.code];
  if (known === 'too-large')
    return refuse(reply, known, {
      detail: `at most ${request.routeOptions.bodyLimit} bytes are taken here`,
      remedy: 'send less at once; for Alertmanager set max_alerts in its webhook_config',
    });
  if (known === 'unsupported-media-type')
    return refuse(reply, known, { field: 'Content-Type', value: request.headers['content-type'] ?? '' });
  if (known !== undefined) return refuse(reply, known, { detail: error.message });
  if (error instanceof SyntaxError) return refuse(reply, 'malformed-json', { detail: error.message });
  if (error.statusCode !== undefined && error.statusCode < 500)
    return refuse(reply, 'malformed-request', { detail: error.message });
  log.error({ err: error, method: request.method, route: request.routeOptions.url }, 'a request failed');
  return refuse(reply, 'internal');
}

export function answerErrors(app: App, log: Log): void {
  app.setErrorHandler<FastifyError>((error, request, reply) => answer(error, request, reply, log));
  answerNotFound(app);
}

/** An address that exists for another method is 405 with `Allow`, everything else 404. */
function answerNotFound(app: App): void {
  const routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    const pattern = new RegExp(`^${url.replace(/:[^/]+/g, '[^/]+')}$`);
    routes.push({ pattern, methods: Array.isArray(method) ? method : [method] });
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const allowed = [...new Set(routes.filter((route) => route.pattern.test(path)).flatMap((route) => route.methods))];
    if (allowed.length === 0)
      return refuse(reply, 'not-found', {
        field: 'path',
        value: path,
        remedy: 'GET /api/v1/openapi.json names every address',
      });
    reply.header('allow', allowed.join(', '));
    return refuse(reply, 'method-not-allowed', { field: 'method', value: request.method, remedy: `use ${allowed[0]}` });
  });
}

/** What was no HTTP at all, or too slow, before any route was found. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
  const problem = { ...problemOf('malformed-request'), status, title: STATUS_CODES[status] ?? 'Bad Request' };
  const body = JSON.stringify(problem);
  // Our side closed is not enough: whoever trickles bytes in would keep the other half open for ever.
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
