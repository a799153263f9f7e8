/**
 * Server-sent events: tells whoever listens that the status is another one, and every two seconds that failoverd is
 * still there. What is told is small and always the newest, so a client that reads slowly costs one socket and no
 * memory: while it does not read, nothing is put into its buffer, and when it reads again it gets how things stand then.
 */
import type { ServerResponse } from 'node:http';
import type { Timers } from '../../engine/ports.ts';
import { answers, asText } from './answers.ts';
import type { App, EngineFace, HttpContext } from './context.ts';
import { clientOf } from './limits.ts';
import { refuse, refuseTooMany } from './problem.ts';

/** Streams at the same time, of all clients together. Pages beyond them load themselves anew instead. */
export const MOST_STREAMS = 64;
/** Of one client: a team behind one proxy, and no single page that opens streams without end. */
export const MOST_STREAMS_PER_CLIENT = 32;
/** Ages grow while nothing happens: listeners are told as often as this. */
const BEAT_MS = 2_000;
/** How long after the journal grew listeners know. */
const LOOK_MS = 250;
/** A client whose socket has taken nothing for so long is gone. */
const STALLED_MS = 30_000;
/** What a browser waits before it connects again, milliseconds. */
const RECONNECT_MS = 2_000;

type Listener = { readonly raw: ServerResponse; readonly client: string; stalledMs: number };

export type Events = {
  /** Whether another listener of this client is taken in; otherwise whose streams are too many. */
  readonly roomFor: (client: string) => 'room' | 'full' | 'client-full';
  /** Tells it how things stand, and from then on each change, until it leaves. */
  listen(raw: ServerResponse, client: string): void;
  /** Ends every stream; listeners connect again to whoever answers next. */
  end(): void;
};

type EventPorts = {
  readonly engine: Pick<EngineFace, 'state' | 'health'>;
  readonly timers: Timers;
  readonly wall: () => number;
  /** Told how many listen, whenever that changes. */
  readonly counted: (open: number) => void;
};

export function createEvents({ engine, timers, wall, counted }: EventPorts): Events {
  const listeners = new Set<Listener>();
  let told = '';
  let quietMs = 0;
  let cancel: (() => void) | null = null;

  /** What makes the status another one at once; everything else may wait for the beat. */
  const signature = (): string => `${engine.state().ledger.seq} ${engine.health()}`;
  const message = (): string => {
    const data = { at: wall(), engine: engine.health(), entries: engine.state().ledger.seq };
    return `event: status\nid: ${data.entries}\ndata: ${JSON.stringify(data)}\n\n`;
  };

  const tell = (listener: Listener, sinceMs: number): void => {
    const { raw } = listener;
    if (!raw.writableNeedDrain) {
      listener.stalledMs = 0;
      raw.write(message());
      return;
    }
    listener.stalledMs += sinceMs;
    if (listener.stalledMs >= STALLED_MS) raw.destroy();
  };

  const look = (): void => {
    cancel = null;
    quietMs += LOOK_MS;
    const now = signature();
    if (now !== told || quietMs >= BEAT_MS) {
      const sinceMs = quietMs;
      told = now;
      quietMs = 0;
      for (const listener of listeners) tell(listener, sinceMs);
    }
    watch();
  };
  // Nobody listens: nothing is looked at.
  const watch = (): void => {
    if (listeners.size > 0) cancel ??= timers.after(LOOK_MS, look);
  };

  return {
    roomFor(client) {
      if (listeners.size >= MOST_STREAMS) return 'full';
      const own = [...listeners].filter((listener) => listener.client === client).length;
      return own >= MOST_STREAMS_PER_CLIENT ? 'client-full' : 'room';
    },
    listen(raw, client) {
      const listener: Listener = { raw, client, stalledMs: 0 };
      listeners.add(listener);
      counted(listeners.size);
      raw.on('close', () => {
        listeners.delete(listener);
        counted(listeners.size);
      });
      // A reset by the other side is how most streams end; the close that follows is what counts.
      raw.on('error', () => raw.destroy());
      raw.write(`retry: ${RECONNECT_MS}\n\n`);
      if (listeners.size === 1) told = signature();
      tell(listener, 0);
      watch();
    },
    end() {
      cancel?.();
      cancel = null;
      for (const { raw } of listeners) raw.end();
      listeners.clear();
      counted(0);
    },
  };
}

export type EventContext = Pick<HttpContext, 'engine' | 'timers' | 'clock'> & {
  readonly metrics: Pick<HttpContext['metrics'], 'eventStreams'>;
};

export function eventRoute(app: App, { engine, timers, clock, metrics }: EventContext): void {
  const events = createEvents({ engine, timers, wall: clock.wall, counted: metrics.eventStreams });
  // Streams never end by themselves, and a server that closes waits for what is under way.
  app.addHook('preClose', async () => events.end());
  app.get(
    '/api/v1/events',
    {
      // A HEAD request would wait for the end of a stream that has none.
      exposeHeadRoute: false,
      schema: {
        summary: 'Server-sent events: the status is another one, and a beat every two seconds',
        tags: ['status'],
        operationId: 'events',
        response: answers({ 200: asText('A stream without an end', 'text/event-stream') }, ['too-many-streams']),
      },
    },
    (request, reply) => {
      const client = clientOf(request.ip);
      const room = events.roomFor(client);
      if (room === 'client-full') {
        void refuseTooMany(reply, 5_000, {
          detail: `${MOST_STREAMS_PER_CLIENT} streams of this client are open`,
          remedy: 'close another page, or ask for /api/v1/status now and then',
        });
        return;
      }
      if (room === 'full') {
        reply.header('retry-after', '5');
        void refuse(reply, 'too-many-streams', { value: MOST_STREAMS });
        return;
      }
      reply.hijack();
      reply.raw.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        // Proxies that gather answers before they pass them on are asked not to.
        'x-accel-buffering': 'no',
      });
      events.listen(reply.raw, client);
    },
  );
}
