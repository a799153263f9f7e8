import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { FirstAccepted } from './writer-process.ts';

const PROGRAM = fileURLToPath(new URL('writer-process.ts', import.meta.url));
const END_TIMEOUT_MS = 5_000;

/** A client that writes for as long as it is let, one write after the other; see `writer-process.ts`. */
export interface Writer {
  /** When this region first acknowledged a write, by the wall clock; undefined when it did not in time. */
  readonly firstAccepted: (region: string, timeoutMs: number) => Promise<number | undefined>;
  readonly stop: () => Promise<void>;
}

export function startWriter(options: {
  readonly name: string;
  readonly port: number;
  readonly nameServer: string;
}): Writer {
  const { name, port, nameServer } = options;
  const child = fork(PROGRAM, [name, String(port), nameServer], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const firstAtMs = new Map<string, PromiseWithResolvers<number>>();
  const first = (region: string): PromiseWithResolvers<number> => {
    const known = firstAtMs.get(region) ?? Promise.withResolvers<number>();
    firstAtMs.set(region, known);
    return known;
  };
  child.on('message', ({ region, atMs }: FirstAccepted) => first(region).resolve(atMs));
  return {
    firstAccepted: async (region, timeoutMs) => {
      const late = new AbortController();
      const inTime = sleep(timeoutMs, undefined, { signal: late.signal }).catch(() => undefined);
      try {
        return await Promise.race([first(region).promise, inTime]);
      } finally {
        late.abort();
      }
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.disconnect();
      const kill = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
      await ended;
      clearTimeout(kill);
    },
  };
}
