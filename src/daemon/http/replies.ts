/**
 * Brings a reply of the core to the request that waits for it. The core releases a reply only once everything it
 * speaks of is durable, so whoever waits here answers nothing that a crash could take back.
 */
import type { Replies, Timers } from '../../engine/ports.ts';
import type { Reply } from '../../model/loop.ts';

export type Waiting = {
  /** The reply, or null when none came in time or the wait was given up. Never rejects. */
  readonly reply: Promise<Reply | null>;
  /** Gives the wait up. */
  cancel(): void;
};

export type ReplyBook = {
  readonly port: Replies;
  /** To be called before the input is submitted: the reply may come before `submit` resolves. */
  waitFor(request: string, timeoutMs: number): Waiting;
};

export function createReplies({ timers }: { readonly timers: Timers }): ReplyBook {
  const waiting = new Map<string, (reply: Reply | null) => void>();
  return {
    port: {
      // A reply nobody waits for belongs to a sender that gave up or never asked (webhooks wait for durability alone).
      reply: (reply) => waiting.get(reply.request)?.(reply),
    },
    waitFor(request, timeoutMs) {
      if (waiting.has(request)) throw new RangeError(`request ${request} is waited for already`);
      const { promise, resolve } = Promise.withResolvers<Reply | null>();
      const settle = (reply: Reply | null): void => {
        waiting.delete(request);
        stop();
        resolve(reply);
      };
      const stop = timers.after(timeoutMs, () => settle(null));
      waiting.set(request, settle);
      return { reply: promise, cancel: () => settle(null) };
    },
  };
}
