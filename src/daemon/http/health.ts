/** Alive, ready, and the numbers. Open to whoever reaches the listener: read-only and without secrets. */

import Type from 'typebox';
import { viewOf } from '../../policies/view.ts';
import { answers, asJson, asText } from './answers.ts';
import type { App, HttpContext } from './context.ts';
import type { StatusNow } from './status.ts';

const HEALTHY = {
  summary: 'The process is alive',
  tags: ['health'],
  operationId: 'healthy',
  response: answers({ 200: asText('It is') }, []),
};
const Readiness = Type.Object({
  ready: Type.Boolean(),
  engine: Type.Enum(['running', 'failed', 'stopped']),
  journalEntries: Type.Integer(),
  silentVantages: Type.Array(Type.String()),
});
const READY = {
  summary: 'Webhooks can be taken durably',
  tags: ['health'],
  operationId: 'ready',
  response: answers({ 200: asJson('They can', Readiness), 503: asJson('They can’t', Readiness) }, []),
};
const METRICS = {
  summary: 'Metrics for Prometheus',
  tags: ['health'],
  operationId: 'metrics',
  response: answers({ 200: asText('In its text format') }, []),
};

export function healthRoutes(app: App, { engine, metrics, clock }: HttpContext, statusNow: StatusNow): void {
  app.get('/-/healthy', { schema: HEALTHY }, async (_request, reply) =>
    reply.type('text/plain; charset=utf-8').send('failoverd is alive\n'),
  );

  app.get('/-/ready', { schema: READY }, async (_request, reply) => {
    const ready = engine.health() === 'running';
    const state = engine.state();
    // Vantages are the same for every group. A silent one is told, and does not make us unready: webhooks are needed
    // then more than ever.
    const [group] = Object.keys(state.settings.groups);
    const vantages = group === undefined ? [] : viewOf({ ...state, mono: clock.mono() }, group).vantages;
    const silentVantages = vantages.filter((v) => v.connected === 'unknown').map((v) => v.id);
    return reply
      .status(ready ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ ready, engine: engine.health(), journalEntries: state.ledger.seq, silentVantages });
  });

  app.get('/metrics', { schema: METRICS }, async (_request, reply) => {
    const text = await metrics.exposition(statusNow());
    return reply.type(metrics.registry.contentType).send(text);
  });
}
