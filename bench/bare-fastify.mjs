// The other side of the start bench: the least that Fastify can be. `node bare-fastify.mjs PORT`
import { fastify } from 'fastify';

const app = fastify();
app.get('/-/ready', async () => ({ ready: true }));
await app.listen({ host: '127.0.0.1', port: Number(process.argv[2]) });
