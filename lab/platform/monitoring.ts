import { describeMissing, type Log } from '../binaries/missing.ts';
import { findTool, type Tool } from '../binaries/tools.ts';
import { REGION } from '../config.ts';
import { startFakeMonitoring } from '../servers/fake-monitoring.ts';
import { startAlertmanager, startPrometheus, type Webhook } from '../servers/monitoring.ts';
import { freePort } from '../servers/ports.ts';
import type { Endings } from './endings.ts';
import type { LabFolder } from './folder.ts';

export interface MonitoringOptions {
  readonly folder: LabFolder;
  readonly endings: Endings;
  readonly host: string;
  /** A's service, as monitoring sees it. */
  readonly target: string;
  readonly webhook: Webhook;
  /** `none`: the lab posts the webhooks, whatever the machine has. `fetch`: what is missing may come from Debian. */
  readonly source: 'installed' | 'fetch' | 'none';
  readonly log: Log;
}

/** Where the real ones listen; null where the lab posts the webhooks itself. */
export interface MonitoringAddresses {
  readonly prometheus: string;
  readonly alertmanager: string;
}

const ALERT = 'RegionUnreachable';
const LABELS = { region: REGION.a, severity: 'critical' };

/** What could not be fetched once is not tried again by this process: a series of labs would wait for it every time. */
let fetchable = true;

async function findOrFetch(name: 'alertmanager' | 'prometheus', { source, log }: MonitoringOptions) {
  if (source === 'none') return undefined;
  const found = await findTool(name, { fetch: source === 'fetch' && fetchable, log });
  if (found.kind === 'found') return found;
  if (source === 'fetch' && fetchable) log(describeMissing(found));
  fetchable &&= source !== 'fetch';
  return undefined;
}

/** Real Prometheus and Alertmanager where the machine has them, otherwise the lab's own webhooks, and null. */
export async function startMonitoring(options: MonitoringOptions): Promise<MonitoringAddresses | null> {
  const prometheus = await findOrFetch('prometheus', options);
  const alertmanager = await findOrFetch('alertmanager', options);
  options.endings.stillOpen();
  if (prometheus !== undefined && alertmanager !== undefined) return await real(options, prometheus, alertmanager);
  await standIn(options);
  return null;
}

async function real(options: MonitoringOptions, prometheus: Tool, alertmanager: Tool): Promise<MonitoringAddresses> {
  const { folder, endings, host, log } = options;
  const manager = await startAlertmanager({
    tool: alertmanager,
    dir: folder.at('alertmanager'),
    host,
    port: await freePort(host),
    webhooks: [options.webhook],
    log,
  });
  await endings.add('Alertmanager', async () => await manager.stop());
  const server = await startPrometheus({
    tool: prometheus,
    dir: folder.at('prometheus'),
    host,
    port: await freePort(host),
    scrapes: [{ job: 'app', targets: [options.target] }],
    rules: [
      { alert: ALERT, expr: 'up{job="app"} == 0', for: '2s', labels: LABELS },
      { alert: 'Watchdog', expr: 'vector(1)', labels: { severity: 'none' } },
    ],
    alertmanagers: [new URL(manager.url).host],
    log,
  });
  await endings.add('Prometheus', async () => await server.stop());
  return { prometheus: server.url, alertmanager: manager.url };
}

async function standIn(options: MonitoringOptions): Promise<void> {
  const metricsUrl = `http://${options.target}/metrics`;
  const fake = startFakeMonitoring({
    rules: [{ alert: ALERT, labels: LABELS, metricsUrl, bad: (scrape) => scrape === null, forMs: 2_000 }],
    webhooks: [options.webhook],
    externalUrl: `http://${options.host}`,
    log: options.log,
  });
  await options.endings.add('stand-in for monitoring', async () => await fake.stop());
}
