import { rm } from 'node:fs/promises';
import { describeMissing, type Log } from '../binaries/missing.ts';
import { findTool, type Tool } from '../binaries/tools.ts';
import { ALERTS, REGION } from '../config.ts';
import { LabError } from '../servers/errors.ts';
import { type FakeRule, startFakeMonitoring } from '../servers/fake-monitoring.ts';
import {
  type AlertRule,
  type RunningServer,
  startAlertmanager,
  startPrometheus,
  type Webhook,
} from '../servers/monitoring.ts';
import { freePort } from '../servers/ports.ts';
import type { Endings } from './endings.ts';
import type { LabFolder } from './folder.ts';
import { type Signal, type Signals, startSignals } from './signals.ts';

/** What watches the platform from outside both regions, and tells failoverd. */
export interface Monitoring {
  readonly signals: Signals;
  /** Addresses of Alertmanager's API; none where the lab posts the webhooks itself. */
  readonly apis: readonly string[];
  readonly start: (webhook: Webhook) => Promise<void>;
  /** All of it goes away, for good. */
  readonly stop: () => Promise<void>;
  /** The real servers. Throws `not-reachable` where there are none: what a scenario shows of them can't be shown. */
  readonly real: () => RealMonitoring;
}

export interface RealMonitoring {
  readonly prometheus: RunningServer;
  /** The one that runs now. */
  readonly alertmanager: () => RunningServer;
  /** Killed, its data removed, and started again: it knows of nothing until it is told. */
  readonly restartAlertmanager: () => Promise<void>;
}

export interface MonitoringOptions {
  readonly folder: LabFolder;
  readonly endings: Endings;
  readonly host: string;
  /** A's service, as monitoring sees it. */
  readonly target: string;
  /** `none`: the lab posts the webhooks, whatever the machine has. `fetch`: what is missing may come from Debian. */
  readonly source: 'installed' | 'fetch' | 'none';
  readonly log: Log;
}

/** One rule, as Prometheus and as the stand-in write it. */
interface LabRule extends Pick<FakeRule, 'bad'> {
  readonly alert: string;
  readonly expr: string;
  readonly from: 'service' | 'signals';
  readonly forMs: number;
  readonly severity: 'critical' | 'warning' | 'none';
}

function rulesOf(signals: Signals): readonly LabRule[] {
  const signal = (alert: string, name: Signal, severity: LabRule['severity']): LabRule => ({
    alert,
    expr: `${signals.metricOf(name)} > 0`,
    from: 'signals',
    bad: (scrape) => (scrape?.get(signals.metricOf(name)) ?? 0) > 0,
    forMs: 0,
    severity,
  });
  return [
    {
      alert: ALERTS.region,
      expr: 'up{job="app"} == 0',
      from: 'service',
      bad: (scrape) => scrape === null,
      forMs: 2_000,
      severity: 'critical',
    },
    signal(ALERTS.corruption, 'corruption', 'critical'),
    signal(ALERTS.pods, 'pods', 'warning'),
    signal(ALERTS.maintenance, 'maintenance', 'none'),
    signal(ALERTS.watchdog, 'watchdog', 'none'),
  ];
}

const labelsOf = ({ severity }: LabRule) => ({ region: REGION.a, severity });

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

/** Real Prometheus and Alertmanager where the machine has them, otherwise the lab's own webhooks, which says so. */
export async function prepareMonitoring(options: MonitoringOptions): Promise<Monitoring> {
  const signals = await startSignals(options.host, options.endings);
  const prometheus = await findOrFetch('prometheus', options);
  const alertmanager = await findOrFetch('alertmanager', options);
  options.endings.stillOpen();
  return prometheus === undefined || alertmanager === undefined
    ? standIn(options, signals)
    : await real(options, signals, { prometheus, alertmanager });
}

async function real(
  { folder, endings, host, target, log }: MonitoringOptions,
  signals: Signals,
  tools: { readonly prometheus: Tool; readonly alertmanager: Tool },
): Promise<Monitoring> {
  const port = await freePort(host);
  const dir = folder.at('alertmanager');
  let manager: RunningServer | undefined;
  let prometheus: RunningServer | undefined;
  let hook: Webhook | undefined;
  const startManager = async (): Promise<void> => {
    endings.stillOpen();
    const webhooks = hook === undefined ? [] : [hook];
    manager = await startAlertmanager({ tool: tools.alertmanager, dir, host, port, webhooks, log });
  };
  const running = (): RealMonitoring => {
    if (manager === undefined || prometheus === undefined) throw new LabError('not-reachable', 'not started yet');
    return {
      prometheus,
      alertmanager: () => manager as RunningServer,
      restartAlertmanager: async () => {
        await manager?.stop(0);
        await rm(dir, { recursive: true, force: true });
        await startManager();
      },
    };
  };
  const stop = async (): Promise<void> => {
    await prometheus?.stop();
    await manager?.stop();
  };
  await endings.add('Prometheus and Alertmanager', stop);
  return {
    signals,
    apis: [`http://${host}:${port}`],
    start: async (webhook) => {
      hook = webhook;
      await startManager();
      endings.stillOpen();
      prometheus = await startPrometheus({
        tool: tools.prometheus,
        dir: folder.at('prometheus'),
        host,
        port: await freePort(host),
        scrapes: [
          { job: 'app', targets: [target] },
          { job: 'signals', targets: [signals.target] },
        ],
        rules: rulesOf(signals).map(
          (rule): AlertRule => ({ alert: rule.alert, expr: rule.expr, for: `${rule.forMs}ms`, labels: labelsOf(rule) }),
        ),
        alertmanagers: [`${host}:${port}`],
        log,
      });
    },
    stop,
    real: running,
  };
}

function standIn({ endings, host, target, log }: MonitoringOptions, signals: Signals): Monitoring {
  let stop = async (): Promise<void> => undefined;
  return {
    signals,
    apis: [],
    start: async (webhook) => {
      const fake = startFakeMonitoring({
        rules: rulesOf(signals).map((rule) => ({
          alert: rule.alert,
          labels: labelsOf(rule),
          metricsUrl: `http://${rule.from === 'service' ? target : signals.target}/metrics`,
          bad: rule.bad,
          forMs: rule.forMs,
        })),
        webhooks: [webhook],
        externalUrl: `http://${host}`,
        repeatMs: 2_000,
        log,
      });
      stop = fake.stop;
      await endings.add('stand-in for monitoring', stop);
    },
    stop: async () => await stop(),
    real: () => {
      throw new LabError('not-reachable', 'this scenario needs Prometheus and Alertmanager', 'see lab/README.md');
    },
  };
}
