import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../binaries/missing.ts';
import type { Tool } from '../binaries/tools.ts';
import { type RunningDaemon, startDaemon } from './daemon.ts';
import { LabError } from './errors.ts';

const START_TIMEOUT_MS = 30_000;

export interface ScrapeTarget {
  readonly job: string;
  /** `host:port` each; they answer `/metrics`. */
  readonly targets: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** A rule as Prometheus writes it. */
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface PrometheusOptions {
  readonly tool: Tool;
  /** For its configuration, data and log; made if need be. */
  readonly dir: string;
  readonly host: string;
  readonly port: number;
  readonly scrapes: readonly ScrapeTarget[];
  /** Rules written here, beside those in `ruleFiles`. */
  readonly rules?: readonly AlertRule[];
  /** Absolute paths. */
  readonly ruleFiles?: readonly string[];
  /** `host:port` each. */
  readonly alertmanagers: readonly string[];
  readonly externalLabels?: Readonly<Record<string, string>>;
  /** Scrape and rule evaluation; `1s` by default. */
  readonly interval?: string;
  readonly log: Log;
}

export interface RunningServer extends RunningDaemon {
  readonly url: string;
}

/** A real Prometheus that scrapes every second. Its files are JSON, which is YAML. */
export async function startPrometheus(options: PrometheusOptions): Promise<RunningServer> {
  const { dir, host, port, tool } = options;
  const interval = options.interval ?? '1s';
  await mkdir(dir, { recursive: true });
  const ownRules = path.join(dir, 'rules.json');
  await writeJson(ownRules, { groups: [{ name: 'failoverd-lab', interval, rules: options.rules ?? [] }] });
  const config = path.join(dir, 'prometheus.json');
  await writeJson(config, {
    global: {
      scrape_interval: interval,
      scrape_timeout: interval,
      evaluation_interval: interval,
      external_labels: options.externalLabels ?? {},
    },
    rule_files: [ownRules, ...(options.ruleFiles ?? [])],
    alerting: { alertmanagers: [{ static_configs: [{ targets: options.alertmanagers }] }] },
    scrape_configs: options.scrapes.map(({ job, targets, labels }) => ({
      job_name: job,
      static_configs: [{ targets, labels: labels ?? {} }],
    })),
  });
  const url = `http://${host}:${port}`;
  const running = await startDaemon({
    name: `Prometheus ${tool.version} on ${host}:${port}`,
    argv: [
      tool.path,
      `--config.file=${config}`,
      `--storage.tsdb.path=${path.join(dir, 'data')}`,
      '--storage.tsdb.retention.time=6h',
      `--web.listen-address=${host}:${port}`,
      // Alertmanager forgets an alert that isn't repeated; repeats show faster here than once a minute.
      '--rules.alert.resend-delay=1s',
      '--log.level=warn',
    ],
    cwd: tool.cwd ?? dir,
    env: { PATH: process.env['PATH'] ?? '' },
    logFile: path.join(dir, 'prometheus.log'),
    ready: async () => await answersOk(`${url}/-/ready`),
    startTimeoutMs: START_TIMEOUT_MS,
    log: options.log,
  });
  return { ...running, url };
}

/** Where webhooks go, and what proves them: a token, or a certificate. */
export type Webhook = { readonly url: string } & (
  | { readonly bearerToken: string }
  | { readonly certificates: { readonly ca: string; readonly cert: string; readonly key: string } }
);

/** As Alertmanager writes it. */
function httpConfigOf(hook: Webhook): object {
  if ('bearerToken' in hook) return { authorization: { type: 'Bearer', credentials: hook.bearerToken } };
  const { ca, cert, key } = hook.certificates;
  return { tls_config: { ca_file: ca, cert_file: cert, key_file: key } };
}

/** How a sender that has no certificate proves who it is. Throws where only a certificate would do. */
export function bearerHeader(webhook: Webhook): { readonly authorization: string } {
  if (!('bearerToken' in webhook)) throw new LabError('bad-input', `${webhook.url} takes certificates, not tokens`);
  return { authorization: `Bearer ${webhook.bearerToken}` };
}

export interface AlertmanagerOptions {
  readonly tool: Tool;
  readonly dir: string;
  readonly host: string;
  readonly port: number;
  readonly webhooks: readonly Webhook[];
  /** Default `0s`: the first message of a group goes at once. */
  readonly groupWait?: string;
  /** Default `1s`. */
  readonly groupInterval?: string;
  /** Default `10s`: a firing alert is told again that often. */
  readonly repeatInterval?: string;
  readonly log: Log;
}

/** A real Alertmanager, each alert a group of its own, every group sent to all webhooks. */
export async function startAlertmanager(options: AlertmanagerOptions): Promise<RunningServer> {
  const { dir, host, port, tool } = options;
  await mkdir(dir, { recursive: true });
  const config = path.join(dir, 'alertmanager.json');
  await writeJson(config, {
    route: {
      receiver: 'failoverd',
      group_by: ['...'],
      group_wait: options.groupWait ?? '0s',
      group_interval: options.groupInterval ?? '1s',
      repeat_interval: options.repeatInterval ?? '10s',
      // A rule that always fires is heard of every other second, so that its silence is known soon.
      routes: [{ receiver: 'failoverd', matchers: ['alertname="Watchdog"'], repeat_interval: '1s' }],
    },
    receivers: [
      {
        name: 'failoverd',
        webhook_configs: options.webhooks.map((hook) => ({
          url: hook.url,
          send_resolved: true,
          http_config: httpConfigOf(hook),
        })),
      },
    ],
  });
  const url = `http://${host}:${port}`;
  const running = await startDaemon({
    name: `Alertmanager ${tool.version} on ${host}:${port}`,
    argv: [
      tool.path,
      `--config.file=${config}`,
      `--storage.path=${path.join(dir, 'data')}`,
      `--web.listen-address=${host}:${port}`,
      '--cluster.listen-address=',
      '--log.level=warn',
    ],
    cwd: tool.cwd ?? dir,
    env: { PATH: process.env['PATH'] ?? '' },
    logFile: path.join(dir, 'alertmanager.log'),
    ready: async () => await answersOk(`${url}/-/ready`),
    startTimeoutMs: START_TIMEOUT_MS,
    log: options.log,
  });
  return { ...running, url };
}

async function writeJson(file: string, value: unknown): Promise<void> {
  // The bearer token stands in one of them.
  await writeFile(file, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
}

async function answersOk(url: string): Promise<boolean> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await answer.body?.cancel();
  return answer.ok;
}
