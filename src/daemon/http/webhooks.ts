/**
 * Alertmanager's webhook. 2xx says one thing: what was sent is durable. Whoever may not send is refused before the body
 * is read, and whatever is refused changes nothing (design §4).
 */
import type { FastifyReply } from 'fastify';
import Type from 'typebox';
import { WebhookPayload } from '../../model/evidence.ts';
import { alertsOf, type Intake } from '../intake.ts';
import { answers, asJson, BODY } from './answers.ts';
import { createGate, declaredBytes } from './backpressure.ts';
import { clientCertificate } from './client-certificate.ts';
import type { App, HttpContext } from './context.ts';
import { failedCode, makeDurable, RETRY_AFTER_SECONDS } from './durable.ts';
import { refuse } from './problem.ts';
import { webhookProof } from './webhook-proof.ts';

/** Ten thousand alerts with twenty labels each. */
export const WEBHOOK_LIMIT_BYTES = 8 * 1024 * 1024;

/** Under way at once: several times what a pair of Alertmanagers sends in a storm. */
const ROOM = { most: 256, mostBytes: 8 * WEBHOOK_LIMIT_BYTES };

const Count = Type.Integer({ minimum: 0 });
const Refused = Type.Object({
  code: Type.String(),
  fingerprint: Type.String(),
  field: Type.String(),
  value: Type.String(),
  why: Type.String(),
});
const Taken = Type.Object({
  accepted: Count,
  kept: Type.Optional(Count),
  repeated: Type.Optional(Count),
  ignored: Type.Optional(Count),
  refused: Type.Array(Refused, { description: 'Alerts whose time is far off our clock; the others were taken' }),
});
const TAKEN = answers({ 200: asJson('The alerts are on disk', Taken) }, [
  ...BODY,
  'unauthenticated',
  'not-configured',
  'unsupported-version',
  'clock-far-off',
  'busy',
  'journal-failed',
  'core-failed',
  'not-durable-in-time',
]);

export function webhookRoutes(app: App, context: HttpContext): void {
  const { engine, replies, metrics, clock, webhookCredentials, askWhatFires } = context;
  const gate = createGate(ROOM);
  let count = 0;

  app.post(
    '/webhooks/alertmanager',
    {
      bodyLimit: WEBHOOK_LIMIT_BYTES,
      schema: {
        summary: 'Alertmanager posts here',
        tags: ['evidence'],
        operationId: 'webhook',
        security: [{ alertmanagerBearer: [] }, { alertmanagerBasic: [] }, { alertmanagerCertificate: [] }],
        body: WebhookPayload,
        response: TAKEN,
      },
      onRequest: async (request, reply) => {
        const credentials = webhookCredentials();
        if (credentials === null)
          return refuse(reply, 'not-configured', { field: 'alertmanager', remedy: 'add `alertmanager` to the config' });
        const proof = webhookProof(credentials);
        if (!proof.holds(request.headers.authorization, () => clientCertificate(request.raw.socket))) {
          if (proof.challenge !== null) reply.header('www-authenticate', proof.challenge);
          return refuse(reply, 'unauthenticated', { field: proof.field, remedy: proof.remedy });
        }
        const leave = gate.enter(declaredBytes(request.headers['content-length'], WEBHOOK_LIMIT_BYTES));
        if (leave === null) return refuse(reply.header('retry-after', '1'), 'busy');
        // However it ends: answered, refused, or hung up on.
        reply.raw.once('close', leave);
      },
      onResponse: async (_request, reply) => metrics.webhook(reply.problem ?? 'accepted'),
    },
    async (request, reply) => {
      const intake = alertsOf(request.body, clock.wall());
      for (const refusal of intake.refused) metrics.alert(refusal.code);
      const [first] = intake.refused;
      if (first !== undefined && intake.alerts.length === 0)
        return refuse(reply, 'clock-far-off', { detail: first.why, field: first.field, value: first.value });

      count += 1;
      const id = `webhook-${engine.state().incarnation}-${count}`;
      const waiting = replies.waitFor(id, 60_000);
      const durability = await makeDurable(context, { kind: 'webhook', request: id, alerts: [...intake.alerts] });
      waiting.cancel();
      if (durability !== 'durable') {
        reply.header('retry-after', String(RETRY_AFTER_SECONDS));
        return refuse(reply, durability === 'late' ? 'not-durable-in-time' : failedCode(engine));
      }
      // One of a pair that is cut off from Prometheus resolves what still fires: the others are asked at once.
      const ended = intake.alerts.some(({ status }) => status === 'resolved');
      if ((request.body.truncatedAlerts ?? 0) > 0 || ended) askWhatFires();
      return taken(reply, intake, await waiting.reply, metrics);
    },
  );
}

function taken(
  reply: FastifyReply,
  { alerts, refused }: Intake,
  said: Awaited<ReturnType<HttpContext['replies']['waitFor']>['reply']>,
  metrics: HttpContext['metrics'],
): FastifyReply {
  for (const _ of alerts) metrics.alert('accepted');
  // What the core made of them (kept, repeated, ignored) helps whoever sets up the mapping of alerts.
  return reply.send({ accepted: alerts.length, ...said?.body, refused });
}
