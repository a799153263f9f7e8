import type { Socket } from 'node:net';

/**
 * One direction of one connection: reads from `source`, writes to `sink`, late by the link's delay, not at all while
 * the link drops this direction. Order is kept, and so is backpressure: a sink that doesn't drain, or a full queue of
 * late bytes, stops the reading, so that the sender's own kernel makes it wait.
 */
export interface Lane {
  /** Looks at the gate again: after the link changed. */
  pump(): void;
  /** Nothing is written and no timer fires after this. */
  stop(): void;
}

export interface LaneRules {
  /** Whether bytes of this direction pass now. */
  readonly open: () => boolean;
  /** How late the bytes read now are to arrive, drawn anew for each piece; milliseconds. */
  readonly drawDelayMs: () => number;
  readonly delivered: (bytes: number) => void;
}

type Item =
  | { readonly kind: 'bytes'; readonly chunk: Buffer; readonly dueMs: number }
  | { readonly kind: 'end'; readonly dueMs: number }
  | { readonly kind: 'reset'; readonly dueMs: number };

/** What may be under way on a slow link before the sender has to wait. */
const maxQueuedBytes = 1_048_576;

export function createLane(source: Socket, sink: Socket, rules: LaneRules): Lane {
  const queue: Item[] = [];
  let queuedBytes = 0;
  let full = false;
  let stopped = false;
  let timer: NodeJS.Timeout | null = null;

  /** Jitter never reorders: a piece that is due waits in the queue behind one that is not. */
  const due = () => performance.now() + rules.drawDelayMs();

  function deliver(item: Item): void {
    if (sink.destroyed) return;
    switch (item.kind) {
      case 'bytes':
        rules.delivered(item.chunk.length);
        full = !sink.write(item.chunk);
        return;
      case 'end':
        sink.end();
        return;
      case 'reset':
        sink.resetAndDestroy();
        return;
      default:
        item satisfies never;
    }
  }

  function drainDue(): void {
    for (let head = queue[0]; head !== undefined && !full && head.dueMs <= performance.now(); head = queue[0]) {
      queue.shift();
      if (head.kind === 'bytes') queuedBytes -= head.chunk.length;
      deliver(head);
    }
  }

  function pump(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (stopped) return;
    if (!rules.open()) {
      source.pause();
      return;
    }
    drainDue();
    const head = queue[0];
    if (head !== undefined && !full) timer = setTimeout(pump, Math.max(0, head.dueMs - performance.now()));
    if (full || queuedBytes >= maxQueuedBytes) source.pause();
    else source.resume();
  }

  function enqueue(item: Item): void {
    if (stopped) return;
    queue.push(item);
    if (item.kind === 'bytes') queuedBytes += item.chunk.length;
    pump();
  }

  source.on('data', (data) => enqueue({ kind: 'bytes', chunk: Buffer.from(data), dueMs: due() }));
  source.on('end', () => enqueue({ kind: 'end', dueMs: due() }));
  source.on('close', (hadError) => {
    if (hadError) enqueue({ kind: 'reset', dueMs: due() });
  });
  sink.on('drain', () => {
    full = false;
    pump();
  });

  return {
    pump,
    stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
}
