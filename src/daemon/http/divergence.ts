/** What a guard counted in the log of the old side, once that was archived: it makes the loss of the run final. */
import Type from 'typebox';
import { FoundDivergence } from '../../model/divergence.ts';
import { Name, RunId } from '../../model/primitives.ts';
import { guardText } from '../guards.ts';
import { answers, asJson, BODY } from './answers.ts';
import type { App, HttpContext } from './context.ts';
import { failedCode } from './durable.ts';
import { clientOf, type Limits } from './limits.ts';
import { refuse, refuseTooMany } from './problem.ts';

export const DIVERGENCE_PATH = '/api/v1/divergence';
/** Fifty relations with the longest names. */
const LIMIT_BYTES = 64 * 1024;
/** Nobody waits for it in a hurry, and a guard tells it again until it is taken. */
const ANSWER_WITHIN_MS = 10_000;

const Told = Type.Object({ group: Name, run: RunId, divergence: FoundDivergence }, { additionalProperties: false });
const Taken = Type.Object({
  run: RunId,
  status: Type.Enum(['taken', 'known'], { description: 'known: it was told before, and nothing is added' }),
});

export function divergenceRoute(app: App, context: HttpContext, limits: Pick<Limits, 'guard' | 'guess'>): void {
  const { engine, replies, log, guards } = context;
  let count = 0;
  app.post(
    DIVERGENCE_PATH,
    {
      bodyLimit: LIMIT_BYTES,
      schema: {
        summary: 'A guard tells what its PostgreSQL has that the new primary has not',
        tags: ['lease'],
        operationId: 'divergence',
        security: [{ guard: [] }],
        body: Told,
        response: answers({ 200: asJson('It is durable: the loss of that run is final', Taken) }, [
          ...BODY,
          'unauthenticated',
          'foreign-guard',
          'not-found',
          'conflict',
          'journal-failed',
          'core-failed',
          'not-durable-in-time',
        ]),
      },
      onRequest: async (request, reply) => {
        const guard = guards.identify(request.headers.authorization);
        if (guard === null) {
          const guessWaitMs = limits.guess.take(clientOf(request.ip));
          if (guessWaitMs > 0) return refuseTooMany(reply, guessWaitMs, { field: 'Authorization' });
          return refuse(reply, 'unauthenticated', {
            field: 'Authorization',
            remedy: 'send the token of this guard, as the config names it under guards',
          });
        }
        const waitMs = limits.guard.take(guardText(guard));
        if (waitMs > 0) return refuseTooMany(reply, waitMs, { detail: `${guardText(guard)} asked very often` });
        request.guard = guard;
        return undefined;
      },
    },
    async (request, reply) => {
      const { guard, body } = request;
      if (guard === null) return refuse(reply, 'unauthenticated');
      if (body.group !== guard.group || body.divergence.component !== guard.component)
        return refuse(reply, 'foreign-guard', {
          field: body.group === guard.group ? '/divergence/component' : '/group',
          value: body.group === guard.group ? body.divergence.component : body.group,
          detail: `the token is that of ${guardText(guard)}`,
        });
      if (engine.health() !== 'running') return refuse(reply, failedCode(engine));
      count += 1;
      const id = `divergence-${engine.state().incarnation}-${count}`;
      const waiting = replies.waitFor(id, ANSWER_WITHIN_MS);
      engine.submit({ kind: 'divergence', request: id, ...body }).catch((error: unknown) => {
        log.error({ err: error }, 'a guard could not be answered');
        waiting.cancel();
      });
      const answer = await waiting.reply;
      if (answer === null)
        return refuse(reply, engine.health() === 'running' ? 'not-durable-in-time' : failedCode(engine));
      if (answer.status === 200) return reply.header('cache-control', 'no-store').send(answer.body);
      return refuse(reply, answer.status === 404 ? 'not-found' : 'conflict', {
        field: '/divergence',
        detail: String(answer.body['detail'] ?? ''),
      });
    },
  );
}
