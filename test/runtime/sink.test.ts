import t from 'tap';
import { createSink, type Send } from '../../src/runtime/sink.ts';

/** A reader that takes a chunk when told to. */
function reader(mostWaiting?: number) {
  const chunks: string[] = [];
  const now: string[] = [];
  let done: Parameters<Send>[1] | null = null;
  const sink = createSink({
    send: (chunk, call) => {
      chunks.push(chunk);
      done = call;
    },
    sendNow: (chunk) => void now.push(chunk),
    lostLine: (count) => `${count} lost`,
    ...(mostWaiting === undefined ? {} : { mostWaiting }),
  });
  const settle = (error?: Error): void => {
    const call = done;
    done = null;
    call?.(error);
  };
  return { sink, chunks, now, settle };
}

t.test('lines go out in order, one chunk at a time', async (t) => {
  const { sink, chunks, settle } = reader();
  for (const line of ['a', 'b', 'c']) sink.write(line);
  t.same(chunks, ['a\n']);
  settle();
  t.same(chunks, ['a\n', 'b\nc\n']);
});

t.test('what a stalled reader leaves no room for is dropped, and said once it reads again', async (t) => {
  const { sink, chunks, settle } = reader(10);
  sink.write('first');
  for (let i = 0; i < 100; i++) sink.write('1234');
  t.same(chunks, ['first\n']);
  settle();
  settle();
  t.same(chunks, ['first\n', '98 lost\n1234\n1234\n']);
  sink.write('last');
  t.equal(chunks.at(-1), 'last\n', 'said once');
});

t.test('lines that could not be written are counted and said later', async (t) => {
  const { sink, chunks, settle } = reader();
  sink.write('a');
  sink.write('b');
  settle(new Error('no space'));
  settle(new Error('no space'));
  sink.write('c');
  t.same(chunks, ['a\n', '1 lost\nb\n', '2 lost\nc\n']);
  settle();
  sink.write('d');
  t.equal(chunks.at(-1), 'd\n');
});

t.test('a flush waits for everything queued, but not for ever', async (t) => {
  const { sink, settle } = reader();
  t.equal(await sink.flush(1), true, 'nothing waits');
  sink.write('a');
  t.equal(await sink.flush(5), false);
  const flushed = sink.flush(10_000);
  settle();
  t.equal(await flushed, true);
});

t.test('a process that ends right now hands over what still waits', async (t) => {
  const { sink, now } = reader();
  sink.write('a');
  sink.write('b');
  sink.flushNow();
  sink.flushNow();
  t.same(now, ['b\n']);
});
