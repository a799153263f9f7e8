import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { freePort } from '../../lab/servers/ports.ts';
import { until } from '../../lab/servers/wait.ts';
import { probeControl } from '../../src/probes/control.ts';
import { ask, controlTarget, rawServer, silent } from './asking.ts';

const HOST = '127.0.91.3';

t.test('a TCP target that accepts has answered', async (t) => {
  const server = await rawServer(silent, HOST);
  t.teardown(() => server.close());
  const answer = await ask(probeControl, controlTarget(`tcp://${HOST}:${server.port}`));
  t.match(answer, { verdict: 'ok', reached: 'connect', code: null, facts: null });
  await until({ what: 'the socket to go', timeoutMs: 2_000 }, async () => server.open.size === 0 || undefined);
});

t.test('any status of an HTTP target is an answer', async (t) => {
  const server = createServer((request, response) => {
    response.writeHead(Number(request.url?.slice(1))).write('a body that never ends');
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  for (const status of [200, 301, 404, 503]) {
    const url = `http://${HOST}:${(server.address() as AddressInfo).port}/${status}`;
    t.match(await ask(probeControl, controlTarget(url)), { verdict: 'ok', reached: 'respond' }, String(status));
  }
});

t.test('where nothing listens, it did not answer', async (t) => {
  const port = await freePort(HOST);
  t.match(await ask(probeControl, controlTarget(`tcp://${HOST}:${port}`)), { verdict: 'bad', code: 'refused' });
  t.match(await ask(probeControl, controlTarget(`http://${HOST}:${port}/`)), { verdict: 'bad', code: 'refused' });
});

t.test('an HTTP target that accepts and says nothing did not answer', async (t) => {
  const server = await rawServer(silent, HOST);
  t.teardown(() => server.close());
  const answer = await ask(probeControl, controlTarget(`http://${HOST}:${server.port}/`));
  t.match(answer, { verdict: 'bad', reached: 'connect', code: 'timeout' });
});

t.test('a probe that is stopped before it began opens nothing', async (t) => {
  const server = await rawServer(silent, HOST);
  t.teardown(() => server.close());
  const answer = await ask(probeControl, controlTarget(`tcp://${HOST}:${server.port}`), {
    signal: AbortSignal.abort(),
  });
  t.equal(answer.code, 'timeout');
  t.equal(server.accepted(), 0);
});
