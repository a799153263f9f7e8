// Server-sent events: told at once, bounded in number and in memory, gone when the daemon goes.
import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { createEvents, MOST_STREAMS } from '../../../src/daemon/http/events.ts';
import { alert, BEARER, bearer, type Harness, payload, serve, until } from './harness.ts';

type Stream = { readonly socket: Socket; readonly text: () => string };

/** A client as plain as can be: what it reads, and when, is the test's to say. */
async function listen(t: Test, h: Harness, from?: string): Promise<Stream> {
  const { hostname, port } = new URL(h.url);
  let text = '';
  const socket = connect({ port: Number(port), host: hostname, ...(from === undefined ? {} : { localAddress: from }) });
  t.teardown(() => socket.destroy());
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await once(socket, 'connect');
  socket.write('GET /api/v1/events HTTP/1.1\r\nhost: failoverd\r\naccept: text/event-stream\r\n\r\n');
  await until('an answer', () => (text.includes('\r\n\r\n') ? text : null));
  return { socket, text: () => text };
}

const told = (stream: Stream): { at: number; engine: string; entries: number }[] =>
  [...stream.text().matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? ''));

t.test('whoever listens is told how things stand, and at once when that changes', async (t) => {
  const h = await serve(t);
  const stream = await listen(t, h);
  t.match(stream.text(), /^HTTP\/1\.1 200 /);
  t.match(stream.text(), /content-type: text\/event-stream/);
  t.match(stream.text(), /cache-control: no-store/);
  const [first] = await until('the first event', () => (told(stream).length > 0 ? told(stream) : null));
  t.match(first, { engine: 'running', entries: h.engine.state().ledger.seq });
  await h.post('/webhooks/alertmanager', payload([alert()]), bearer(BEARER));
  const entries = h.engine.state().ledger.seq;
  t.ok(entries > (first?.entries ?? 0), 'the webhook was written down');
  await until('the change', () => told(stream).find((one) => one.entries >= entries) ?? null);
  t.match(stream.text(), new RegExp(`^id: ${entries}$`, 'm'));
});

t.test('while nothing happens it says that it is still there', async (t) => {
  const h = await serve(t, { hurry: 20 });
  const stream = await listen(t, h);
  await until('three beats', () => (told(stream).length > 3 ? true : null));
  t.equal(new Set(told(stream).map(({ entries }) => entries)).size, 1);
});

t.test('an engine that fails is told, too', async (t) => {
  const h = await serve(t);
  const stream = await listen(t, h);
  h.fault = { kind: 'fail', code: 'io' };
  await h.post('/webhooks/alertmanager', payload([alert()]), bearer(BEARER));
  await until('the failure', () => told(stream).find(({ engine }) => engine === 'failed') ?? null);
  t.pass('told');
});

t.test('so many may listen; the next is refused with the way out, and taken when one has left', async (t) => {
  const h = await serve(t);
  const streams = await Promise.all(
    Array.from({ length: MOST_STREAMS }, (_, index) => listen(t, h, `127.0.0.${10 + (index % 4)}`)),
  );
  const refused = await h.get('/api/v1/events');
  t.equal(refused.status, 503);
  t.match(refused.headers.get('retry-after'), /^\d+$/);
  t.match(await refused.json(), { type: /too-many-streams$/, value: String(MOST_STREAMS), remedy: /status/ });
  t.equal((await h.get('/status')).status, 200, 'the page itself is there for all');
  streams[0]?.socket.destroy();
  await until('room', async () => {
    const response = await h.get('/api/v1/events');
    await response.body?.cancel();
    return response.status === 200 ? true : null;
  });
});

t.test('the daemon ends at once, however many listen', async (t) => {
  const served: (() => Promise<void>)[] = [];
  const h = await serve({ teardown: (end: () => Promise<void>) => void served.push(end) } as never);
  const streams = await Promise.all([listen(t, h), listen(t, h), listen(t, h)]);
  const ends = streams.map(({ socket }) => once(socket, 'close'));
  const began = performance.now();
  for (const end of served) await end();
  await Promise.all(ends);
  t.ok(performance.now() - began < 2_000);
  for (const stream of streams) t.ok(stream.text().endsWith('0\r\n\r\n'), 'it was ended, not cut off');
});

t.test('HEAD does not wait for the end of a stream that has none', async (t) => {
  const h = await serve(t);
  const response = await fetch(`${h.url}/api/v1/events`, { method: 'HEAD', signal: AbortSignal.timeout(3_000) });
  t.equal(response.status, 405);
});

/** A socket whose other side reads only when the test says so. */
class Sink extends EventEmitter {
  written: string[] = [];
  writableNeedDrain = false;
  destroyed = false;
  ended = false;
  write(text: string): boolean {
    this.written.push(text);
    return !this.writableNeedDrain;
  }
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
  end(): void {
    this.ended = true;
    this.emit('close');
  }
}

/** Time under the test's hand: `pass` lets it go by and calls what is due. */
function handTimers() {
  let now = 0;
  const due = new Map<number, { readonly at: number; readonly call: () => void }>();
  let ids = 0;
  return {
    waiting: () => due.size,
    after(delayMs: number, call: () => void) {
      ids += 1;
      const id = ids;
      due.set(id, { at: now + delayMs, call });
      return () => void due.delete(id);
    },
    pass(ms: number) {
      const end = now + ms;
      for (;;) {
        const [next] = [...due].filter(([, one]) => one.at <= end).sort(([, a], [, b]) => a.at - b.at);
        if (next === undefined) break;
        due.delete(next[0]);
        now = next[1].at;
        next[1].call();
      }
      now = end;
    },
  };
}

t.test('nothing is piled up for a client that does not read, and one that never does is let go', (t) => {
  const timers = handTimers();
  let entries = 0;
  const counts: number[] = [];
  const events = createEvents({
    engine: { state: () => ({ ledger: { seq: entries } }) as never, health: () => 'running' },
    timers,
    wall: () => 0,
    counted: (open) => void counts.push(open),
  });
  const [reader, stuck, slow] = [new Sink(), new Sink(), new Sink()];
  for (const sink of [reader, stuck, slow]) events.listen(sink as unknown as ServerResponse, '192.0.2.1');
  stuck.writableNeedDrain = true;
  slow.writableNeedDrain = true;
  const before = slow.written.length;
  for (let i = 0; i < 80; i += 1) {
    entries += 1;
    timers.pass(250);
  }
  t.equal(reader.written.length, before + 80, 'who reads is told each change');
  t.equal(slow.written.length, before, 'twenty seconds of changes left nothing in its buffer');
  slow.writableNeedDrain = false;
  timers.pass(250 + 2_000);
  t.equal(slow.written.length, before + 1, 'once it reads it gets one event');
  t.match(slow.written.at(-1), /"entries":80/, 'which is the newest');
  t.equal(stuck.destroyed, false);
  timers.pass(30_000);
  t.equal(stuck.destroyed, true, 'what takes nothing for thirty seconds is gone');
  t.equal(slow.destroyed, false);
  reader.destroy();
  slow.destroy();
  timers.pass(10_000);
  t.strictSame(counts, [1, 2, 3, 2, 1, 0], 'it is told how many listen');
  t.equal(timers.waiting(), 0, 'nobody listens, so nothing is looked at');
  t.end();
});
