// Replies find the request that waits for them.
import t from 'tap';
import { createReplies } from '../../../src/daemon/http/replies.ts';
import { createTimers } from '../../../src/runtime/timers.ts';

const reply = (request: string) => ({ kind: 'reply', request, status: 200, body: { request } }) as const;

t.test('each request gets its own reply, whatever the order', async (t) => {
  const book = createReplies({ timers: createTimers() });
  const a = book.waitFor('a', 5000);
  const b = book.waitFor('b', 5000);
  book.port.reply(reply('b'));
  book.port.reply(reply('nobody-asked'));
  book.port.reply(reply('a'));
  t.match(await a.reply, { body: { request: 'a' } });
  t.match(await b.reply, { body: { request: 'b' } });
});

t.test('no reply in time is null, and a late one disturbs nobody', async (t) => {
  const book = createReplies({ timers: createTimers() });
  const waiting = book.waitFor('a', 1);
  t.equal(await waiting.reply, null);
  book.port.reply(reply('a'));
  const again = book.waitFor('a', 5000);
  book.port.reply(reply('a'));
  t.match(await again.reply, { request: 'a' });
});

t.test('a wait can be given up, and holds no timer then', async (t) => {
  let armed = 0;
  const book = createReplies({
    timers: {
      after: () => {
        armed += 1;
        return () => {
          armed -= 1;
        };
      },
    },
  });
  const waiting = book.waitFor('a', 5000);
  t.equal(armed, 1);
  waiting.cancel();
  t.equal(await waiting.reply, null);
  t.equal(armed, 0);
});

t.test('two waits for one request would take each other’s answer', async (t) => {
  const book = createReplies({ timers: createTimers() });
  const waiting = book.waitFor('a', 5000);
  t.throws(() => book.waitFor('a', 5000), RangeError);
  waiting.cancel();
});
