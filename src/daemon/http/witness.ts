/**
 * Reports of witnesses. The body is taken as the bytes that were signed; what does not hold up is refused with its code
 * and changes nothing. 204 says that the observations are in the engine.
 */
import type { FastifyReply } from 'fastify';
import Type from 'typebox';
import { answers } from './answers.ts';
import { createGate, declaredBytes } from './backpressure.ts';
import type { App, HttpContext } from './context.ts';
import { failedCode, makeDurable, RETRY_AFTER_SECONDS } from './durable.ts';
import { type ProblemCode, refuse } from './problem.ts';
import { type DeskAnswer, type DeskCode, REPORT_LIMIT_BYTES, REPORT_PATH, SIGNATURE_HEADER } from './witness-desk.ts';

const PROBLEM = {
  'bad-json': 'malformed-json',
  schema: 'invalid',
  'unknown-witness': 'unknown-witness',
  'bad-signature': 'bad-signature',
  'wrong-session': 'wrong-session',
  replayed: 'replayed',
  clock: 'witness-clock',
  'foreign-vantage': 'foreign-vantage',
} as const satisfies Record<DeskCode, ProblemCode>;

/** Under way at once. Apart from webhooks: a report has proven nothing before it was read. */
const ROOM = { most: 64, mostBytes: 16 * REPORT_LIMIT_BYTES };

const TAKEN = { description: 'The observations are in the engine', type: 'text/plain', schema: Type.String() };

export function witnessRoutes(app: App, context: HttpContext): void {
  const { engine, witnesses, metrics, log } = context;
  const gate = createGate(ROOM);

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // The signature is over the bytes; parsing them first could only lose something.
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    scope.post(
      REPORT_PATH,
      {
        bodyLimit: REPORT_LIMIT_BYTES,
        schema: {
          summary: 'Witnesses post signed observations here',
          tags: ['evidence'],
          operationId: 'witnessReport',
          security: [{ witness: [] }],
          response: answers({ 204: TAKEN }, [
            ...Object.values(PROBLEM),
            'too-large',
            'unsupported-media-type',
            'busy',
            'journal-failed',
            'core-failed',
            'not-durable-in-time',
          ]),
        },
        onRequest: async (request, reply) => {
          const leave = gate.enter(declaredBytes(request.headers['content-length'], REPORT_LIMIT_BYTES));
          if (leave === null) return refuse(reply.header('retry-after', '1'), 'busy');
          reply.raw.once('close', leave);
        },
        onResponse: async (_request, reply) => metrics.witnessReport(reply.witnessCode ?? reply.problem ?? 'accepted'),
      },
      async (request, reply) => {
        if (engine.health() !== 'running') return later(reply, failedCode(engine));
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        const signature = request.headers[SIGNATURE_HEADER];
        const opened = witnesses.open(body, typeof signature === 'string' ? signature : undefined);
        if (opened.kind === 'refused') {
          log.debug({ vantage: opened.vantage, code: opened.code, why: opened.message }, 'a report was refused');
          reply.witnessCode = opened.code;
          return refuseReport(reply, opened);
        }
        const { observations } = opened.report;
        const durability = await makeDurable(context, { kind: 'observed', observations });
        if (durability !== 'durable')
          return later(reply, durability === 'late' ? 'not-durable-in-time' : failedCode(engine));
        metrics.observed(observations);
        return reply.status(204).send();
      },
    );
  });
}

declare module 'fastify' {
  interface FastifyReply {
    /** Why a report was refused, in the words of whoever opened it; for the metric. */
    witnessCode: DeskCode | null;
  }
}

const later = (reply: FastifyReply, code: ProblemCode): FastifyReply =>
  refuse(reply.header('retry-after', String(RETRY_AFTER_SECONDS)), code);

function refuseReport(reply: FastifyReply, answer: Extract<DeskAnswer, { kind: 'refused' }>): FastifyReply {
  const { code, message, session, lastSequence } = answer;
  const field = code === 'bad-signature' ? SIGNATURE_HEADER : /^(\/\S*): /.exec(message)?.[1];
  return refuse(
    reply,
    PROBLEM[code],
    { detail: message, ...(field === undefined ? {} : { field }) },
    {
      ...(session === undefined ? {} : { session }),
      ...(lastSequence === undefined ? {} : { lastSequence }),
    },
  );
}
