import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { createLinks, type Forward, type Link } from '../../lab/links/index.ts';
import { host, stays, until } from './waiting.ts';

const quietMs = 150;

interface Far {
  readonly port: number;
  readonly sockets: readonly Socket[];
  received(): string;
  ended(): number;
  failures(): readonly string[];
}

/** The target: keeps what it hears, and gives it back when `echo`. */
async function startFar(test: Test, echo = false): Promise<Far> {
  const sockets: Socket[] = [];
  const failures: string[] = [];
  let ended = 0;
  let received = '';
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', (error: NodeJS.ErrnoException) => failures.push(error.code ?? error.message));
    socket.on('data', (chunk) => {
      received += chunk.toString();
      if (echo) socket.write(chunk);
    });
    socket.on('end', () => {
      ended += 1;
    });
  });
  server.listen(0, host);
  await once(server, 'listening');
  test.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, sockets, ended: () => ended, received: () => received, failures: () => failures };
}

interface Near {
  readonly socket: Socket;
  received(): string;
  failure(): string | null;
  closed(): boolean;
}

function dial(test: Test, forward: { readonly host: string; readonly port: number }): Near {
  const socket = connect({ host: forward.host, port: forward.port, allowHalfOpen: true });
  let received = '';
  let failure: string | null = null;
  let closed = false;
  socket.on('data', (chunk) => {
    received += chunk.toString();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure = error.code ?? error.message;
  });
  socket.on('close', () => {
    closed = true;
  });
  test.teardown(() => {
    socket.destroy();
  });
  return { socket, received: () => received, failure: () => failure, closed: () => closed };
}

async function startLink(test: Test, far: Far): Promise<{ link: Link; forward: Forward }> {
  const links = createLinks();
  test.teardown(() => links.close());
  const link = links.link('B->A');
  const forward = await link.forward({ listenHost: host, targetHost: host, targetPort: far.port });
  return { link, forward };
}

async function establish(test: Test, far: Far, forward: Forward): Promise<Near> {
  const near = dial(test, forward);
  near.socket.write('hello;');
  await until('the far side hears hello', () => far.received().includes('hello;'));
  return near;
}

t.test('a link carries bytes both ways and the end of a stream, and counts them', async (test) => {
  const far = await startFar(test, true);
  const { link, forward } = await startLink(test, far);
  const near = await establish(test, far, forward);
  await until('echo', () => near.received() === 'hello;');
  near.socket.end();
  await until('the far side sees the end', () => far.ended() === 1);
  test.match(link.counters(), { accepted: 1, active: 1, held: 0, bytesTo: 6, bytesFrom: 6 });
  far.sockets[0]?.end();
  await until('the near side sees the end', () => near.closed());
  await until('nothing is left', () => link.counters().active === 0);
  test.equal(near.failure(), null);
});

t.test('a dropped link moves nothing in either direction, then delivers what was held when it heals', async (test) => {
  const far = await startFar(test);
  const { link, forward } = await startLink(test, far);
  const near = await establish(test, far, forward);
  link.cut({ mode: 'drop' });
  near.socket.write('to;');
  far.sockets[0]?.write('from;');
  near.socket.end();
  await stays('no byte, no end, no reset passes', quietMs, () => {
    return far.received() === 'hello;' && near.received() === '' && far.ended() === 0 && !near.closed();
  });
  test.match(link.state(), { kind: 'cut', mode: 'drop' });
  link.heal();
  await until('the held bytes arrive', () => far.received() === 'hello;to;' && near.received() === 'from;');
  await until('so does the end of the stream', () => far.ended() === 1);
  test.equal(near.failure(), null);
});

t.test('a peer that vanishes during a drop is noticed only when the link heals', async (test) => {
  const far = await startFar(test);
  const { link, forward } = await startLink(test, far);
  const near = await establish(test, far, forward);
  link.cut({ mode: 'drop' });
  near.socket.resetAndDestroy();
  await stays('the far side still thinks it is connected', quietMs, () => far.failures().length === 0);
  link.heal();
  await until('then the far side is reset', () => far.failures().includes('ECONNRESET'));
  await until('nothing is left', () => link.counters().active === 0);
  test.match(link.counters(), { held: 0, active: 0 });
});

t.test('a connection made during a drop hangs, and goes through when the link heals', async (test) => {
  const far = await startFar(test, true);
  const { link, forward } = await startLink(test, far);
  link.cut({ mode: 'drop' });
  const near = dial(test, forward);
  near.socket.write('late;');
  await until('the link holds it', () => link.counters().held === 1);
  await stays('no answer, and the target never heard of it', quietMs, () => {
    return far.sockets.length === 0 && near.received() === '' && !near.closed();
  });
  link.heal();
  await until('it is answered', () => near.received() === 'late;');
  test.match(link.counters(), { held: 0, active: 1 });
});

t.test('a reset link kills what is open and what is new', async (test) => {
  const far = await startFar(test);
  const { link, forward } = await startLink(test, far);
  const near = await establish(test, far, forward);
  link.cut({ mode: 'reset' });
  await until('both ends are reset', () => near.failure() === 'ECONNRESET' && far.failures().includes('ECONNRESET'));
  const second = dial(test, forward);
  await until('a new connection is reset too', () => second.closed());
  test.equal(far.sockets.length, 1, 'the target never saw the second');
  link.heal();
  await establish(test, far, forward);
});

t.test(
  'one-way: what goes to the target is dropped and what comes back still arrives, and the other way round',
  async (test) => {
    const far = await startFar(test);
    const { link, forward } = await startLink(test, far);
    const near = await establish(test, far, forward);
    link.oneWay('to');
    near.socket.write('to;');
    far.sockets[0]?.write('from;');
    await until('the way back is open', () => near.received() === 'from;');
    await stays('the way there is not', quietMs, () => far.received() === 'hello;');
    link.oneWay('from');
    await until('now the way there is open', () => far.received() === 'hello;to;');
    far.sockets[0]?.write('again;');
    await stays('and the way back is not', quietMs, () => near.received() === 'from;');
    const newcomer = dial(test, forward);
    newcomer.socket.write('new;');
    await until('a handshake needs both ways: a newcomer is held', () => link.counters().held === 1);
    link.heal();
    await until('all arrives in the end', () => near.received() === 'from;again;' && far.received().endsWith('new;'));
    test.match(link.counters(), { held: 0, active: 2 });
  },
);

t.test('a delayed link adds its delay each way and keeps the order in spite of jitter', async (test) => {
  const far = await startFar(test, true);
  const { link, forward } = await startLink(test, far);
  const near = await establish(test, far, forward);
  await until('echo', () => near.received() === 'hello;');
  link.delay(60, 30);
  const startedMs = performance.now();
  const pieces = Array.from({ length: 20 }, (_, index) => `${index};`);
  for (const piece of pieces) near.socket.write(piece);
  await until('all echoed', () => near.received() === `hello;${pieces.join('')}`);
  test.ok(performance.now() - startedMs >= 118, 'there and back is at least twice the delay');
});

t.test('a slow reader slows the writer down, and nothing is lost', async (test) => {
  const far = await startFar(test);
  const { forward } = await startLink(test, far);
  const near = await establish(test, far, forward);
  far.sockets[0]?.pause();
  const chunk = Buffer.alloc(1_048_576, 'x');
  const total = 48;
  for (let sent = 0; sent < total; sent += 1) near.socket.write(chunk);
  let unsent = -1;
  await until('the flow stops', async () => {
    const before = unsent;
    unsent = near.socket.writableLength;
    await stays('a moment', 100, () => true);
    return unsent === before;
  });
  test.ok(unsent > 0, `the writer itself still holds ${unsent} of ${total * chunk.length} bytes`);
  far.sockets[0]?.resume();
  await until('everything arrives', () => far.received().length === total * chunk.length + 'hello;'.length);
});

t.test('a target that is not there shows as a reset', async (test) => {
  const far = await startFar(test);
  const links = createLinks();
  test.teardown(() => links.close());
  const gone = createServer();
  gone.listen(0, host);
  await once(gone, 'listening');
  const { port } = gone.address() as AddressInfo;
  gone.close();
  const link = links.link('client->A');
  const forward = await link.forward({ listenHost: host, targetHost: host, targetPort: port });
  const near = dial(test, forward);
  await until('reset', () => near.closed());
  test.match(link.counters(), { dialFailed: 1, active: 0 });
  test.equal(far.sockets.length, 0);
});

t.test('closing ends everything: open, held and late connections alike', async (test) => {
  const far = await startFar(test);
  const { link, forward } = await startLink(test, far);
  const open = await establish(test, far, forward);
  link.delay(60_000);
  open.socket.write('never;');
  link.cut({ mode: 'drop' });
  const held = dial(test, forward);
  await until('held', () => link.counters().held === 1);
  await link.close();
  await until('both clients are told', () => open.closed() && held.closed());
  const refused = dial(test, forward);
  await until('and nobody listens any more', () => refused.failure() === 'ECONNREFUSED');
  test.match(link.counters(), { held: 0, active: 0 });
});
