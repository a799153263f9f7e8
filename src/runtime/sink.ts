/**
 * Where log lines go. Writing them must never stand in the way of a failover: a reader that stalls, a pipe that broke
 * or a full disk cost lines, counted and said once writing works again, and neither memory nor a blocked process.
 */
import { fstatSync, writeFile, writeSync } from 'node:fs';

export type Sink = {
  /** Queues one line, without its line end; drops it when too much waits already. */
  write(line: string): void;
  /** True once everything queued so far was handed over, false when that took too long. */
  flush(timeoutMs: number): Promise<boolean>;
  /** Hands over what can be without waiting, for a process that ends right now. */
  flushNow(): void;
};

/** Hands one chunk over and calls back once, with an error when it is lost. */
export type Send = (chunk: string, done: (error?: Error | null) => void) => void;

export type SinkOptions = {
  readonly send: Send;
  /** Hands a chunk over before it returns. */
  readonly sendNow: (chunk: string) => void;
  /** The line that tells of lost ones. */
  readonly lostLine: (count: number) => string;
  /** Lines waiting beyond this many UTF-16 units are dropped. */
  readonly mostWaiting?: number;
};

const MOST_WAITING = 4 * 1024 * 1024;

export function createSink({ send, sendNow, lostLine, mostWaiting = MOST_WAITING }: SinkOptions): Sink {
  let waiting: string[] = [];
  let waitingLength = 0;
  let lost = 0;
  let sending = false;
  let drained: (() => void)[] = [];

  const take = (): string => {
    const lines = waiting;
    if (lost > 0) lines.unshift(lostLine(lost));
    waiting = [];
    waitingLength = 0;
    return `${lines.join('\n')}\n`;
  };

  const next = (): void => {
    if (sending) return;
    if (waiting.length === 0) {
      for (const call of drained.splice(0)) call();
      return;
    }
    sending = true;
    const count = waiting.length;
    const told = lost;
    send(take(), (error) => {
      sending = false;
      // What was lost before was told in this chunk; if that is lost too, it is still to be told.
      if (error === undefined || error === null) lost -= told;
      else lost += count;
      next();
    });
  };

  return {
    write(line) {
      if (waitingLength + line.length > mostWaiting) {
        lost += 1;
        return;
      }
      waiting.push(line);
      waitingLength += line.length + 1;
      next();
    },
    flush(timeoutMs) {
      if (!sending && waiting.length === 0) return Promise.resolve(true);
      return new Promise((resolve) => {
        const call = (): void => {
          clearTimeout(timer);
          resolve(true);
        };
        const timer = setTimeout(() => {
          drained = drained.filter((other) => other !== call);
          resolve(false);
        }, timeoutMs);
        drained.push(call);
      });
    },
    flushNow() {
      if (waiting.length === 0) return;
      sendNow(take());
      lost = 0;
    },
  };
}

/**
 * A sink to this process's standard output or error. To a file it writes outside the main thread, so that a stalled
 * disk stalls nothing else; pipes, sockets and terminals are written through Node's own stream, which doesn't block on a
 * pipe that nobody reads.
 */
export function standardSink(name: 'stdout' | 'stderr', lostLine: (count: number) => string): Sink {
  const stream = process[name];
  const fd = stream.fd;
  // Each write is told of its own error; without a listener the same error would end the process.
  stream.on('error', () => undefined);
  const toFile = fstatSync(fd).isFile();
  return createSink({
    send: toFile ? (chunk, done) => writeFile(fd, chunk, done) : (chunk, done) => void stream.write(chunk, done),
    sendNow: (chunk) => {
      try {
        writeSync(fd, chunk);
      } catch {
        // The process is ending and its last words can't be written: nobody is left to tell.
      }
    },
    lostLine,
  });
}
