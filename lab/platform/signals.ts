import { createServer } from 'node:http';
import { closeServer, listen } from '../region/http.ts';
import { freePort } from '../servers/ports.ts';
import type { Endings } from './endings.ts';
import { type Address, textOfAddress } from './network.ts';

/** What exporters would measure, turned by a scenario: each is 0 until it is set. */
const METRICS = {
  corruption: 'pg_checksum_failures_total',
  pods: 'kube_pod_crash_looping',
  maintenance: 'lab_maintenance',
  /** 1 from the start: the rule that always fires, until a scenario silences it. */
  watchdog: 'lab_watchdog',
} as const;
export type Signal = keyof typeof METRICS;

export interface Signals {
  /** `host:port` that answers `/metrics`. */
  readonly target: string;
  readonly metricOf: (signal: Signal) => string;
  readonly set: (signal: Signal, value: 0 | 1) => void;
}

/** An exporter outside both regions: what only alerts tell begins here, and takes the real way from here on. */
export async function startSignals(host: string, endings: Endings): Promise<Signals> {
  const values: Record<Signal, 0 | 1> = { corruption: 0, pods: 0, maintenance: 0, watchdog: 1 };
  const metricOf = (signal: Signal): string => METRICS[signal];
  const server = createServer((_, response) => {
    const lines = (Object.keys(METRICS) as Signal[]).map((signal) => `${metricOf(signal)} ${values[signal]}`);
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(`${lines.join('\n')}\n`);
  });
  const at: Address = { host, port: await freePort(host) };
  await listen(server, at.host, at.port);
  await endings.add('exporter', async () => await closeServer(server));
  return {
    target: textOfAddress(at),
    metricOf,
    set: (signal, value) => {
      values[signal] = value;
    },
  };
}
