// The other side of the webhooks bench: Fastify as it comes, with the schema that failoverd has, and nothing kept.
// `node bare-webhooks.ts PORT`
import { fastify } from 'fastify';
import { WebhookPayload } from '../src/model/evidence.ts';

const app = fastify({ bodyLimit: 8 * 1024 * 1024 });
app.get('/-/ready', async () => ({ ready: true }));
app.post<{ Body: WebhookPayload }>('/webhooks/alertmanager', { schema: { body: WebhookPayload } }, async (request) => ({
  accepted: request.body.alerts.length,
}));
await app.listen({ host: '127.0.0.1', port: Number(process.argv[2]) });
