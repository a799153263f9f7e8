import { randomBytes } from 'node:crypto';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../lab/servers/ports.ts';
import { writeFirstHourConfig } from './first-hour.ts';
import {
  type BenchOptions,
  type BenchResult,
  compare,
  interleaved,
  quantity,
  quartiles,
  type Sample,
} from './measure.ts';
import type { BenchPackage } from './package.ts';
import { cpuMs } from './probes.ts';
import { end, start } from './start.ts';
import { sendWebhooks } from './webhook-load.ts';

const HOST = '127.0.0.1';
const BARE = fileURLToPath(new URL('bare-webhooks.ts', import.meta.url));
const CONNECTIONS = 64;
const ALERTS = [1, 100] as const;
const FOR_MS = 2_000;
/** From profiles; alerts that are all new, 20 posts or so gathered into one turn while the disk synced. */
const WHY_OVER = [
  'One alert: the core spends some 35 µs of its own on a post, 29 of them on the turn (alerts taken in, folded, judged anew, sealed). Of what the main thread does for all of it, turns are 25 %, the heap 18, writing answers to sockets 14, and the message to the journal’s thread 4. Of the processor time of the process, a quarter is the heap’s and the compiler’s helper threads, and 8 % the journal’s thread.',
  'A hundred alerts: reading takes 80 µs and validating 65, which the bare side does too. The turn takes some 900, or 9 for each new alert: taking in 35 % of it, folding 29, canonical JSON and its hash 18, judging 17. Across those, 27 % is copying of the records by key, since a state is never changed in place.',
];
/** Fewer rounds than the others get: each of them is thousands of requests. */
const MOST_ROUNDS = 4;
const LIMIT_TIME = 2;
const LIMIT_P99 = 4;

/**
 * Webhooks that are durable when they are answered, against Fastify as it comes with the same schema, which keeps nothing.
 * Both are started once and stay; what they are sent is news each time.
 */
export async function durableWebhooks(pack: BenchPackage, options: BenchOptions): Promise<BenchResult> {
  const folder = await mkdtemp(path.join(tmpdir(), 'failoverd-bench-webhooks-'));
  const bearer = randomBytes(24).toString('base64url');
  const ports = { failoverd: await freePort(HOST), bare: await freePort(HOST) };
  const config = await writeFirstHourConfig(pack.home, folder, `${HOST}:${ports.failoverd}`);
  await appendFile(
    config,
    `alertmanager:
  region: eu-central-1
  bearer: \${env:FAILOVERD_BENCH_BEARER}
  facts:
    - { match: ['severity="critical"'], fact: workload-degraded, group: main, region: us-east-1 }
`,
  );
  const env = { FAILOVERD_PG_PASSWORD: 'none', FAILOVERD_BENCH_BEARER: bearer };
  const failoverd = await start([pack.launcher, 'run', '--config', config], ports.failoverd, env);
  try {
    const bare = await start([BARE, String(ports.bare)], ports.bare, {});
    try {
      const side = (name: keyof typeof ports) => ({
        name,
        measure: async (): Promise<Sample> => {
          const sample: Record<string, number> = {};
          for (const alerts of ALERTS) {
            const load = { host: HOST, port: ports[name], bearer, connections: CONNECTIONS, alerts, forMs: FOR_MS };
            const pid = { failoverd, bare }[name].child.pid ?? 0;
            const before = await cpuMs(pid);
            const sent = await sendWebhooks(load);
            for (const [what, value] of Object.entries(sent)) sample[`${alerts} ${what}`] = value;
            sample[`${alerts} cpu`] = (((await cpuMs(pid)) - before) * 1_000) / (sent['requests'] ?? 1);
          }
          return sample;
        },
      });
      const rounds = Math.min(options.rounds, MOST_ROUNDS);
      const samples = await interleaved([side('failoverd'), side('bare')], { ...options, rounds });
      const both = (what: string) => [quantity(samples, 'failoverd', what), quantity(samples, 'bare', what)] as const;
      return {
        bench: 'webhooks',
        says: `durable webhooks over ${CONNECTIONS} connections, against bare Fastify with the same schema and no durability: time for each (a ratio of 2 is half as many a second) and 99th percentile`,
        findings: ALERTS.flatMap((alerts) => [
          compare(`webhook with ${alerts} alerts, for each`, 'µs', ...both(`${alerts} for each`), LIMIT_TIME),
          compare(`webhook with ${alerts} alerts, p99`, 'µs', ...both(`${alerts} p99`), LIMIT_P99),
        ]),
        whyOver: WHY_OVER,
        // What is not this is waiting: for the disk, and for whoever else wants the processors.
        notes: ALERTS.flatMap((alerts) =>
          (['failoverd', 'bare'] as const).map((name) => ({
            note: `${name}: processor time of a webhook with ${alerts} alerts, all threads`,
            unit: 'µs' as const,
            measured: quartiles(quantity(samples, name, `${alerts} cpu`)),
          })),
        ),
      };
    } finally {
      await end(bare.child);
    }
  } finally {
    await end(failoverd.child);
    await rm(folder, { recursive: true, force: true });
  }
}
