import { createServer, type Server } from 'node:http';
import path from 'node:path';
import t from 'tap';
import { describeMissing, isMissing, type Missing } from '../../lab/binaries/missing.ts';
import { findTool, type Tool, type ToolName } from '../../lab/binaries/tools.ts';
import { startFakeMonitoring } from '../../lab/servers/fake-monitoring.ts';
import { type AlertRule, startAlertmanager, startPrometheus } from '../../lab/servers/monitoring.ts';
import { freePort } from '../../lab/servers/ports.ts';
import { until } from '../../lab/servers/wait.ts';
import { log, scratch } from './real-servers.ts';

const HOST = '127.0.84.10';
const TOKEN = 'lab-token';

interface Payload {
  readonly version: string;
  readonly status: string;
  readonly truncatedAlerts: number;
  readonly groupKey: string;
  readonly alerts: readonly {
    readonly status: string;
    readonly fingerprint: string;
    readonly startsAt: string;
    readonly labels: Readonly<Record<string, string>>;
  }[];
}

interface Receiver {
  readonly url: string;
  readonly bearerToken: string;
  readonly got: Payload[];
  readonly authorization: Set<string>;
  /** What it answers next, first to last; 200 when empty. */
  readonly answers: number[];
}

async function listen(server: Server): Promise<number> {
  const port = await freePort(HOST);
  await new Promise<void>((resolve) => server.listen(port, HOST, resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return port;
}

async function receiver(): Promise<Receiver> {
  const got: Payload[] = [];
  const authorization = new Set<string>();
  const answers: number[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const status = answers.shift() ?? 200;
      authorization.add(request.headers.authorization ?? '');
      if (status === 200) got.push(JSON.parse(Buffer.concat(chunks).toString('utf8')));
      response.writeHead(status).end();
    });
  });
  return { url: `http://${HOST}:${await listen(server)}/`, bearerToken: TOKEN, got, authorization, answers };
}

/** A target whose one metric the test turns. */
async function target(): Promise<{ hostPort: string; set: (value: number) => void }> {
  let value = 1;
  const server = createServer((_, response) => response.end(`# TYPE pg_up gauge\npg_up{region="a"} ${value}\n`));
  const hostPort = `${HOST}:${await listen(server)}`;
  return {
    hostPort,
    set: (next) => {
      value = next;
    },
  };
}

const told = async (hook: Receiver, alert: string, status: string): Promise<Payload> =>
  await until({ what: `${alert} ${status}`, timeoutMs: 30_000 }, async () =>
    hook.got.find((each) => each.status === status && each.alerts[0]?.labels['alertname'] === alert),
  );

const RULES: readonly AlertRule[] = [
  { alert: 'PostgresDown', expr: 'pg_up == 0', for: '1s', labels: { severity: 'critical' } },
  { alert: 'Watchdog', expr: 'vector(1)' },
];

async function tool(name: ToolName): Promise<Tool | Missing> {
  return await findTool(name, { fetch: true, log });
}

const prometheus = await tool('prometheus');
const alertmanager = await tool('alertmanager');
const missing = [prometheus, alertmanager].flatMap((each) => (isMissing(each) ? [describeMissing(each)] : []));
// On a developer's machine a server that can't be had is named and passed over; in CI it is a failure.
const skip = missing.length > 0 && process.env['CI'] === undefined ? missing.join('; ') : false;

t.test('a real Prometheus and Alertmanager tell a webhook, with its token', { skip }, async (t) => {
  if (isMissing(prometheus) || isMissing(alertmanager)) throw new Error(missing.join('; '));
  const place = await scratch(t);
  const hook = await receiver();
  const watched = await target();
  const am = await startAlertmanager({
    tool: alertmanager,
    dir: path.join(place, 'am'),
    host: HOST,
    port: await freePort(HOST),
    webhooks: [hook],
    repeatInterval: '2s',
    log,
  });
  t.teardown(async () => await am.stop());
  const prom = await startPrometheus({
    tool: prometheus,
    dir: path.join(place, 'prom'),
    host: HOST,
    port: await freePort(HOST),
    scrapes: [{ job: 'service', targets: [watched.hostPort], labels: { region: 'a' } }],
    rules: RULES,
    alertmanagers: [new URL(am.url).host],
    log,
  });
  t.teardown(async () => {
    await prom.stop();
  });
  const watchdog = await told(hook, 'Watchdog', 'firing');
  t.equal(watchdog.version, '4');
  t.equal(watchdog.truncatedAlerts, 0);
  watched.set(0);
  const firing = await told(hook, 'PostgresDown', 'firing');
  watched.set(1);
  const resolved = await told(hook, 'PostgresDown', 'resolved');
  t.equal(resolved.alerts[0]?.fingerprint, firing.alerts[0]?.fingerprint, 'one alert');
  t.equal(resolved.alerts[0]?.startsAt, firing.alerts[0]?.startsAt, 'of one time');
  t.same([...hook.authorization], [`Bearer ${TOKEN}`]);
  await prom.stop();
  await am.stop();
  t.same([prom.exited(), am.exited()], [true, true], 'both end when told');
});

t.test('where they are not to be had, the lab posts the same webhooks', async (t) => {
  const hook = await receiver();
  const watched = await target();
  const lines: string[] = [];
  // The first message finds a receiver in trouble: it is tried again, as Alertmanager does.
  hook.answers.push(503);
  const fake = startFakeMonitoring({
    rules: [
      { alert: 'Watchdog', labels: {}, bad: () => true, forMs: 0 },
      {
        alert: 'PostgresDown',
        labels: { severity: 'critical', region: 'a' },
        metricsUrl: `http://${watched.hostPort}/metrics`,
        bad: (scrape) => scrape?.get('pg_up{region="a"}') !== 1,
        forMs: 100,
      },
    ],
    webhooks: [hook],
    externalUrl: `http://${HOST}`,
    intervalMs: 50,
    repeatMs: 200,
    log: (line) => lines.push(line),
  });
  t.teardown(fake.stop);
  t.match(lines, [/itself posts/], 'and says so');
  const watchdog = await told(hook, 'Watchdog', 'firing');
  t.match(watchdog, { version: '4', truncatedAlerts: 0, groupKey: String });
  watched.set(0);
  const firing = await told(hook, 'PostgresDown', 'firing');
  await until({ what: 'a repeat', timeoutMs: 5_000 }, async () => {
    const same = hook.got.filter((each) => each.alerts[0]?.fingerprint === firing.alerts[0]?.fingerprint);
    return same.length > 1 ? true : undefined;
  });
  watched.set(1);
  const resolved = await told(hook, 'PostgresDown', 'resolved');
  t.equal(resolved.alerts[0]?.startsAt, firing.alerts[0]?.startsAt);
  t.same([...hook.authorization], [`Bearer ${TOKEN}`]);
  t.ok(fake.delivered() >= 4);
});
