/**
 * The status, for people and for programs. It is open to whoever reaches the listener: it changes nothing and holds no
 * secret; where that is too open, a proxy stands before it.
 */
import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import Type from 'typebox';
import type { GroupId } from '../../model/primitives.ts';
import { statusOf } from '../status.ts';
import { StatusDocument } from '../status-document.ts';
import { answers, asJson, asText } from './answers.ts';
import type { App, HttpContext } from './context.ts';
import { type EventContext, eventRoute } from './events.ts';
import { refuse } from './problem.ts';

/** The status at this instant, of one group or of all. */
export type StatusNow = (group?: GroupId) => StatusDocument;

export const statusNowOf =
  ({ engine, clock, version }: Omit<StatusContext, 'timers' | 'metrics'>): StatusNow =>
  (group) =>
    statusOf(
      {
        state: engine.state(),
        engine: engine.health(),
        failure: engine.failureKind(),
        version,
        at: clock.wall(),
        mono: clock.mono(),
      },
      group ?? null,
    );

const Query = Type.Object(
  {
    refresh: Type.Optional(Type.Enum(['off'], { description: 'Stops the page from loading itself anew' })),
    group: Type.Optional(Type.String({ maxLength: 63, description: 'Only this group' })),
  },
  { additionalProperties: false },
);

const JsonQuery = Type.Object({ group: Query.properties.group }, { additionalProperties: false });

const noGroup = (reply: FastifyReply, group: string): FastifyReply =>
  refuse(reply, 'not-found', { field: 'group', value: group, remedy: 'leave it out for all groups' });

/** JSON only for those who ask for it and not for HTML: browsers and text browsers ask for HTML. */
export function wantsJson(accept: string | undefined): boolean {
  const quality = (type: string): number => {
    let best = 0;
    for (const part of (accept ?? '').toLowerCase().split(',')) {
      const [name, ...parameters] = part.split(';').map((text) => text.trim());
      if (name !== type) continue;
      const q = parameters.find((parameter) => parameter.startsWith('q='));
      best = Math.max(best, q === undefined ? 1 : Number(q.slice(2)) || 0);
    }
    return best;
  };
  return quality('application/json') > quality('text/html');
}

/** What the status routes are built on. */
export type StatusContext = EventContext & Pick<HttpContext, 'version'>;

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Nothing comes from elsewhere; what runs and what paints is this very text; the script may ask this origin alone. */
export const policyOf = ({ style, script }: { readonly style: string; readonly script: string | null }): string =>
  [
    "default-src 'none'",
    `style-src ${hashOf(style)}`,
    ...(script === null ? [] : [`script-src ${hashOf(script)}`, "connect-src 'self'"]),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

const HTML = 'text/html; charset=utf-8';

type RenderedPage = { readonly headers: Readonly<Record<string, string>>; readonly text: string };

/** A page is kept for so many times as long as it took to make. */
const KEPT_FOR = 10;

/**
 * Everybody who follows a page asks for it at the same moment. What one was given the others get, too, so that pages take
 * a tenth of the loop's time at most, however many look and however many groups there are.
 */
function pageShelf(mono: () => number) {
  const shelf = new Map<string, { readonly page: RenderedPage; readonly untilMono: number }>();
  return {
    kept(choices: string): RenderedPage | null {
      const found = shelf.get(choices);
      return found === undefined || found.untilMono <= mono() ? null : found.page;
    },
    keep(choices: string, page: RenderedPage, beganMono: number): void {
      const now = mono();
      for (const [other, { untilMono }] of shelf) if (untilMono <= now) shelf.delete(other);
      shelf.set(choices, { page, untilMono: now + KEPT_FOR * (now - beganMono) });
    },
  };
}

export function statusRoutes(app: App, context: StatusContext, statusNow: StatusNow): void {
  const pages = pageShelf(context.clock.mono);
  eventRoute(app, context);
  const json = (reply: FastifyReply, status: StatusDocument): FastifyReply =>
    reply.header('cache-control', 'no-store').type('application/json; charset=utf-8').send(JSON.stringify(status));

  app.get(
    '/api/v1/status',
    {
      schema: {
        summary: 'The status of everything',
        tags: ['status'],
        operationId: 'status',
        querystring: JsonQuery,
        response: answers({ 200: asJson('How things stand', StatusDocument) }, ['invalid', 'not-found']),
      },
    },
    async (request, reply) => {
      const { group } = request.query;
      const status = statusNow(group);
      return status.groups.length === 0 && group !== undefined ? noGroup(reply, group) : json(reply, status);
    },
  );
  app.get(
    '/status',
    {
      schema: {
        summary: 'The status, as a page or as JSON',
        tags: ['status'],
        operationId: 'statusPage',
        querystring: Query,
        response: answers({ 200: [asText('A page', 'text/html'), asJson('the same as JSON', StatusDocument)] }, [
          'invalid',
          'not-found',
        ]),
      },
    },
    async (request, reply) => {
      reply.header('vary', 'Accept');
      const { group, refresh } = request.query;
      const asJson = wantsJson(request.headers.accept);
      const choices = JSON.stringify([group ?? null, refresh ?? null]);
      const kept = asJson ? null : pages.kept(choices);
      if (kept !== null) return reply.headers(kept.headers).type(HTML).send(kept.text);
      // Loaded when the first page is asked for, so that the start does not wait for it.
      const { renderPage, STYLE, SCRIPT } = await import('./page/page.ts');
      const beganMono = context.clock.mono();
      const status = statusNow(group);
      if (status.groups.length === 0 && group !== undefined) return noGroup(reply, group);
      if (asJson) return json(reply, status);
      const page = {
        headers: {
          'cache-control': 'no-store',
          'content-security-policy': policyOf({ style: STYLE, script: SCRIPT }),
        },
        text: renderPage(status, { refresh: refresh !== 'off', group: group ?? null }),
      };
      pages.keep(choices, page, beganMono);
      return reply.headers(page.headers).type(HTML).send(page.text);
    },
  );
  app.get('/', { schema: { hide: true } }, async (_request, reply) => reply.redirect('/status'));
}
