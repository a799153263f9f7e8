/** `POST /-/reload`: the config is read anew. What is wrong with it is answered as `failoverd check` prints it. */
import Type from 'typebox';
import { problemText } from '../../runtime/config/problem.ts';
import type { ReloadAnswer } from '../reload.ts';
import { answers, asJson } from './answers.ts';
import type { App, HttpContext } from './context.ts';
import { failedCode, RETRY_AFTER_SECONDS } from './durable.ts';
import type { OrderDesk } from './order-desk.ts';
import { refuse } from './problem.ts';

const Taken = Type.Object({
  configHash: Type.String(),
  restartNeeded: Type.Array(Type.String(), { description: 'What changed and counts only after a restart' }),
  raises: Type.Array(Type.String(), { description: 'What it would widen, and waits for two people' }),
  withdrawn: Type.Array(Type.String(), { description: 'Proposals that would be others now' }),
});

export type Reload = (by: string) => Promise<ReloadAnswer>;

export function reloadRoute(app: App, { engine, reload }: HttpContext, desk: OrderDesk): void {
  app.post(
    '/-/reload',
    {
      onRequest: desk.only(['sre']),
      onResponse: desk.counted('reload'),
      schema: {
        summary: 'Read the config anew; a bad one leaves the one in force as it is',
        tags: ['orders'],
        operationId: 'reload',
        security: [{ person: [] }],
        response: answers({ 200: asJson('It is in force, and durable', Taken) }, [
          'unauthenticated',
          'role',
          'run-open',
          'config-refused',
          'journal-failed',
          'core-failed',
          'no-reply',
        ]),
      },
    },
    async (request, reply) => {
      const answer = await reload(request.person?.id ?? '');
      switch (answer.kind) {
        case 'taken': {
          const { kind: _kind, ...taken } = answer;
          return reply.send(taken);
        }
        case 'refused': {
          const [first] = answer.problems;
          return refuse(
            reply,
            'config-refused',
            {
              ...(first === undefined ? {} : { field: first.path, value: first.value, detail: problemText(first) }),
              ...(first?.remedy === undefined ? {} : { remedy: first.remedy }),
            },
            { problems: answer.problems },
          );
        }
        case 'held':
          return refuse(reply, 'run-open', { detail: answer.problems.join('; ') }, { problems: answer.problems });
        case 'failed':
          return refuse(reply.header('retry-after', String(RETRY_AFTER_SECONDS)), failedCode(engine));
        case 'no-reply':
          return refuse(reply, 'no-reply');
        default:
          return answer satisfies never;
      }
    },
  );
}
