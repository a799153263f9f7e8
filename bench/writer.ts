import { Resolver } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { post } from '../lab/client/post.ts';

/** Short against what is measured; the same for every side. */
const PAUSE_MS = 5;
const TIMEOUT_MS = 1_000;

/** A client that writes for as long as it is let, one write after the other. */
export interface Writer {
  /** When the first write was acknowledged by this region, in wall milliseconds; undefined when none was in time. */
  readonly firstAccepted: (region: string, timeoutMs: number) => Promise<number | undefined>;
  readonly stop: () => Promise<void>;
}

/**
 * Resolves the name before every write at the zone's own name server and writes over a connection of its own: no cache
 * and no kept connection stand between the change of the name and the first write that follows it.
 */
export function startWriter(options: {
  readonly name: string;
  readonly port: number;
  readonly nameServer: string;
}): Writer {
  const { name, port, nameServer } = options;
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
  resolver.setServers([nameServer]);
  const stopping = new AbortController();
  const firstAtMs = new Map<string, PromiseWithResolvers<number>>();
  const first = (region: string): PromiseWithResolvers<number> => {
    const known = firstAtMs.get(region) ?? Promise.withResolvers<number>();
    firstAtMs.set(region, known);
    return known;
  };
  const loop = async (): Promise<void> => {
    for (let count = 0; !stopping.signal.aborted; count += 1) {
      // A name server that doesn't answer is one write less; the next asks again.
      const [address] = await resolver.resolve4(name).catch(() => []);
      if (address !== undefined) {
        const result = await post({ address, port, name, id: `bench-${count}`, timeoutMs: TIMEOUT_MS });
        if (result.outcome === 'acked' && result.region !== undefined) first(result.region).resolve(Date.now());
      }
      await sleep(PAUSE_MS);
    }
  };
  const running = loop();
  return {
    firstAccepted: async (region, timeoutMs) => {
      const late = new AbortController();
      try {
        return await Promise.race([
          first(region).promise,
          sleep(timeoutMs, undefined, { signal: late.signal, ref: true }),
        ]);
      } finally {
        late.abort();
      }
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
