/**
 * Why a row of the matrix answers as it does, now or at an instant of the past, as JSON and as a page. Open to whoever
 * reaches the listener, like the status: it changes nothing and holds no secret.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import { ToldExplanation } from '../../model/explanation.ts';
import { Name } from '../../model/primitives.ts';
import { explain } from '../../policies/explain.ts';
import { explainPast } from '../../policies/explain-past.ts';
import { toldOf } from '../explain-text.ts';
import { rfc3339Ms } from '../intake.ts';
import { answers, asJson, asText } from './answers.ts';
import type { App, HttpContext } from './context.ts';
import { clientOf, type Limits } from './limits.ts';
import { type ProblemCode, type ProblemDetails, refuse, refuseTooMany } from './problem.ts';
import { policyOf } from './status.ts';

const OfGroup = Type.Object({ group: Name });
const Query = Type.Object(
  {
    row: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,8}$', description: 'Only this row' })),
    at: Type.Optional(
      Type.String({ maxLength: 40, description: 'An instant of the past (RFC 3339), from the journal; default now' }),
    ),
  },
  { additionalProperties: false },
);
type Asked = Static<typeof Query>;

type Found =
  | { readonly kind: 'told'; readonly told: ToldExplanation }
  | { readonly kind: 'refused'; readonly code: ProblemCode; readonly details: ProblemDetails };

const refused = (code: ProblemCode, details: ProblemDetails): Found => ({ kind: 'refused', code, details });

type Context = Pick<HttpContext, 'engine' | 'clock' | 'past' | 'log'>;

async function find(context: Context, group: string, { row, at }: Asked): Promise<Found> {
  const { engine, clock, past, log } = context;
  const state = { ...engine.state(), at: clock.wall(), mono: clock.mono() };
  const groups = state.settings.groups;
  const settings = Object.hasOwn(groups, group) ? groups[group] : undefined;
  if (settings === undefined)
    return refused('not-found', {
      field: 'group',
      value: group,
      remedy: `groups are ${Object.keys(groups).join(', ')}`,
    });
  const only = row === undefined ? null : Number(row);
  const noRow = (): Found =>
    refused('not-found', {
      field: 'row',
      value: row,
      remedy: `rows of ${group} are ${settings.rows.map(({ id }) => id).join(', ')}`,
    });
  if (at === undefined) {
    const explanation = explain(state, group, only);
    return explanation.rows.length === 0 ? noRow() : { kind: 'told', told: toldOf(explanation) };
  }
  const instant = rfc3339Ms(at);
  if (instant === null)
    return refused('invalid', { field: 'at', value: at, remedy: 'write it like 2026-01-31T03:15:00Z' });
  if (instant > state.at)
    return refused('invalid', { field: 'at', value: at, remedy: 'it lies ahead; leave it out for now' });
  try {
    const kept = await past(group, instant);
    const explanation = explainPast({ group, settings, at: instant, only, kept });
    return explanation.rows.length === 0 ? noRow() : { kind: 'told', told: toldOf(explanation) };
  } catch (error) {
    log.error({ err: error, group }, 'the journal could not be read for an explanation');
    return refused('internal', { detail: 'the journal could not be read', remedy: 'see the log of the daemon' });
  }
}

const isRefused = (found: Found): found is Extract<Found, { kind: 'refused' }> => found.kind === 'refused';

const sendJson = (reply: FastifyReply, told: ToldExplanation): FastifyReply =>
  reply.header('cache-control', 'no-store').type('application/json; charset=utf-8').send(JSON.stringify(told));

export function explainRoutes(app: App, context: Context, limits: Pick<Limits, 'past'>): void {
  /** The journal is read from its beginning for each: nobody needs many of them at once. */
  const notTooMany = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    if ((request.query as Asked).at === undefined) return undefined;
    const waitMs = limits.past.take(clientOf(request.ip));
    return waitMs > 0 ? refuseTooMany(reply, waitMs, { field: 'at' }) : undefined;
  };

  app.get(
    '/api/v1/groups/:group/explain',
    {
      preHandler: notTooMany,
      schema: {
        summary: 'Why rows answer as they do, what stands in the way, and what would change it',
        tags: ['status'],
        params: OfGroup,
        querystring: Query,
        operationId: 'explain',
        response: answers({ 200: asJson('Each row, in sentences', ToldExplanation) }, ['invalid', 'not-found']),
      },
    },
    async (request, reply) => {
      const found = await find(context, request.params.group, request.query);
      if (isRefused(found)) return refuse(reply, found.code, found.details);
      return sendJson(reply, found.told);
    },
  );
  app.get(
    '/groups/:group/explain',
    {
      preHandler: notTooMany,
      schema: {
        summary: 'The same as a page',
        tags: ['status'],
        operationId: 'explainPage',
        response: answers({ 200: asText('A page', 'text/html') }, ['invalid', 'not-found']),
        params: OfGroup,
        querystring: Query,
      },
    },
    async (request, reply) => {
      const found = await find(context, request.params.group, request.query);
      if (isRefused(found)) return refuse(reply, found.code, found.details);
      const { renderExplanation, STYLE } = await import('./page/explain.ts');
      return reply
        .headers({ 'cache-control': 'no-store', 'content-security-policy': policyOf({ style: STYLE, script: null }) })
        .type('text/html; charset=utf-8')
        .send(renderExplanation(found.told, { row: request.query.row ?? null, at: request.query.at ?? null }));
    },
  );
}
