/**
 * The client of the overhead bench, a process of its own: `node writer-process.ts NAME PORT NAMESERVER`. It resolves the
 * name before every write at the zone's own name server and writes over a connection of its own: no cache and no kept
 * connection stand between the change of the name and the first write that follows it. Tells its parent of the first
 * write that each region acknowledged, and ends when the parent lets go.
 */
import { Resolver } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { post } from '../lab/client/post.ts';

export interface FirstAccepted {
  readonly region: string;
  /** Wall clock. */
  readonly atMs: number;
}

/**
 * Short against what is measured, the same for every side, and long enough that a client in vain doesn't take a good
 * part of a core from what it waits for.
 */
const PAUSE_MS = 10;
const TIMEOUT_MS = 1_000;

const [name = '', port = '', nameServer = ''] = process.argv.slice(2);
const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
resolver.setServers([nameServer]);
const told = new Set<string>();
let ending = false;
process.once('disconnect', () => {
  ending = true;
});

for (let count = 0; !ending; count += 1) {
  // A name server that doesn't answer is one write less; the next asks again.
  const [address] = await resolver.resolve4(name).catch(() => []);
  if (address !== undefined) {
    const id = `bench-${count}`;
    const { outcome, region } = await post({ address, port: Number(port), name, id, timeoutMs: TIMEOUT_MS });
    if (outcome === 'acked' && region !== undefined && !told.has(region)) {
      told.add(region);
      process.send?.({ region, atMs: Date.now() } satisfies FirstAccepted);
    }
  }
  await sleep(PAUSE_MS);
}
