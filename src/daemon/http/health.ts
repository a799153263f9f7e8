/** Alive, ready, and the numbers. Open to whoever reaches the listener: read-only and without secrets. */
import { viewOf } from '../../policies/view.ts';
import type { App, HttpContext } from './context.ts';
import type { StatusNow } from './status.ts';

export function healthRoutes(app: App, { engine, metrics, clock }: HttpContext, statusNow: StatusNow): void {
  app.get('/-/healthy', { schema: { summary: 'The process is alive', tags: ['health'] } }, async (_request, reply) =>
    reply.type('text/plain; charset=utf-8').send('failoverd is alive\n'),
  );

  app.get(
    '/-/ready',
    { schema: { summary: 'Webhooks can be taken durably', tags: ['health'] } },
    async (_request, reply) => {
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
    },
  );

  app.get('/metrics', { schema: { summary: 'Metrics for Prometheus', tags: ['health'] } }, async (_request, reply) => {
    const text = await metrics.exposition(statusNow());
    return reply.type(metrics.registry.contentType).send(text);
  });
}
