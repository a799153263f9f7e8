import { randomBytes, randomInt } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateKeys } from '../src/probes/report.ts';
import { isMissing, type Log } from './binaries/missing.ts';
import { findPostgres } from './binaries/postgres.ts';
import { findTool } from './binaries/tools.ts';
import { startClient, type TrafficClient } from './client/client.ts';
import { labConfig, PUBLIC_NAME, REGION, ZONE_ID } from './config.ts';
import { startAuthority, startResolver } from './dns/index.ts';
import { createLinks, type Links } from './links/index.ts';
import { closeServer, listen, readJson } from './region/http.ts';
import { type Hypervisor, startHypervisor } from './region/hypervisor-client.ts';
import { type Route53Lab, startRoute53 } from './route53/index.ts';
import { type RunningDaemon, startDaemon } from './servers/daemon.ts';
import { LabError } from './servers/errors.ts';
import { startFakeMonitoring } from './servers/fake-monitoring.ts';
import { startAlertmanager, startPrometheus } from './servers/monitoring.ts';
import { freePort } from './servers/ports.ts';
import {
  createPrimary,
  createStandby,
  generatePasswords,
  type PostgresInstance,
  startPostgres,
} from './servers/postgres.ts';
import { until } from './servers/wait.ts';

const BIN = fileURLToPath(new URL('../bin/failoverd.mjs', import.meta.url));
const POWER = fileURLToPath(new URL('region/power.ts', import.meta.url));
const START_TIMEOUT_MS = 30_000;

export const SABOTAGES = ['no-failoverd', 'no-fence', 'drop-acks'] as const;
export type Sabotage = (typeof SABOTAGES)[number];

export interface PlatformOptions {
  readonly log: Log;
  readonly autonomy?: 'auto' | 'gated';
  readonly sabotage?: Sabotage | undefined;
  /** May missing monitoring be fetched from Debian? */
  readonly fetch?: boolean;
  /** Fake monitoring, whatever the machine has. */
  readonly fakeMonitoring?: boolean;
  /** Extra words for Node and environment of the daemon: crash injection. */
  readonly daemonNode?: { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> };
}

export interface LabPage {
  readonly atMs: number;
  readonly body: unknown;
}

export interface Platform {
  readonly dir: string;
  readonly links: Links;
  readonly hypervisor: Hypervisor;
  readonly postgres: { readonly a: PostgresInstance; readonly b: PostgresInstance };
  readonly serviceA: { readonly host: string; readonly port: number };
  readonly records: { readonly a: string; readonly b: string };
  readonly route53: Route53Lab;
  readonly resolvers: readonly string[];
  readonly pages: readonly LabPage[];
  readonly client: TrafficClient;
  readonly daemonUrl: string;
  readonly stateDir: string;
  readonly tokens: Readonly<Record<string, string>>;
  readonly addresses: Readonly<Record<string, string>>;
  readonly pids: () => readonly number[];
  readonly daemon: () => RunningDaemon | undefined;
  readonly restartDaemon: (node?: PlatformOptions['daemonNode']) => Promise<void>;
  /** A further client, at one address whatever the name says. */
  readonly localClient: (clientId: string) => TrafficClient;
  readonly stopDaemons: () => Promise<void>;
  readonly stopClients: () => Promise<void>;
  readonly ledgers: () => readonly string[];
  /** What the name server answers for the public name now. */
  readonly publicAnswer: () => Promise<readonly string[]>;
  readonly down: () => Promise<void>;
}

/** Raise the whole lab: two regions and a witness on loopback. What it began is taken down again when it fails. */
export async function raise(options: PlatformOptions): Promise<Platform> {
  const endings: (() => Promise<unknown>)[] = [];
  const down = async (): Promise<void> => {
    for (const end of endings.splice(0).reverse()) await end();
  };
  try {
    return await build(options, endings, down);
  } catch (error) {
    await down();
    throw error;
  }
}

async function build(
  options: PlatformOptions,
  endings: (() => Promise<unknown>)[],
  down: () => Promise<void>,
): Promise<Platform> {
  const { log } = options;
  const install = await findPostgres({ log });
  if (isMissing(install)) throw new LabError('start-failed', install.why, install.remedy);
  const dir = await mkdtemp(path.join(tmpdir(), 'fl-'));
  await chmod(dir, 0o711);
  endings.push(async () => {
    if (process.env['FAILOVERD_LAB_KEEP'] === undefined)
      await rm(path.join(dir, 'pg'), { recursive: true, force: true });
  });
  for (const name of ['pg', 'hv', 'a', 'b', 'secrets', 'out']) await mkdir(path.join(dir, name));
  await chmod(path.join(dir, 'pg'), 0o711);

  // A network of its own for each lab, so that two may stand side by side.
  const net = `127.${randomInt(10, 250)}`;
  const host = { a: `${net}.1.1`, b: `${net}.2.1`, w: `${net}.3.1`, out: `${net}.9.1` };
  const port = await freePort(host.a);
  const inner = { a: `${net}.1.2`, b: `${net}.2.2` };
  const links = createLinks();
  endings.push(async () => await links.close());
  const forward = async (name: `${string}->${string}`, targetHost: string, targetPort: number): Promise<string> => {
    const made = await links.link(name).forward({ listenHost: host.out, targetHost, targetPort });
    return `${made.host}:${made.port}`;
  };

  // PostgreSQL, the service of each region, and the hypervisor that owns them.
  const passwords = generatePasswords();
  const at = { passwords, log };
  const pgPort = await freePort(inner.a);
  const a = await createPrimary({ install, dir: path.join(dir, 'pg', 'a'), host: inner.a, port: pgPort, ...at });
  await startPostgres(a, { log });
  endings.push(async () => await hypervisor?.stop());
  let hypervisor: Hypervisor | undefined;
  const upstream = splitAddress(await forward('B->A', inner.a, pgPort));
  const b = await createStandby({
    primary: a,
    upstream,
    dir: path.join(dir, 'pg', 'b'),
    host: inner.b,
    port: pgPort,
    ...at,
  });
  const machine = (region: 'a' | 'b', instance: PostgresInstance) => ({
    postgres: instance,
    service: {
      dir: path.join(dir, region),
      config: {
        region: REGION[region],
        host: inner[region],
        port,
        postgres: { host: instance.host, port: pgPort, user: 'app', password: passwords.app, database: 'app' },
      },
    },
  });
  const hv = await startHypervisor(
    {
      host: host.out,
      port: await freePort(host.out),
      stateDir: path.join(dir, 'hv'),
      regions: { [REGION.a]: machine('a', a), [REGION.b]: machine('b', b) },
      lie: options.sabotage === 'no-fence',
      endWithParent: true,
    },
    log,
  );
  hypervisor = hv;
  await hv.act(REGION.a, 'start', 'service');
  await hv.act(REGION.b, 'on');

  // Clients on the internet reach a region by its public address.
  for (const [region, name] of [
    ['a', 'internet->A'],
    ['b', 'internet->B'],
  ] as const) {
    await links
      .link(name)
      .forward({ listenHost: host[region], listenPort: port, targetHost: inner[region], targetPort: port });
  }

  // DNS.
  const credentials = { accessKeyId: 'AKIALABFAILOVERD0001', secretAccessKey: randomBytes(20).toString('hex') };
  const route53 = await startRoute53({
    ...credentials,
    host: host.out,
    zones: [
      {
        id: ZONE_ID,
        name: 'lab.test',
        records: [{ name: PUBLIC_NAME, type: 'A', ttlSeconds: 1, values: [host.a] }],
      },
    ],
    propagationMs: 300,
  });
  endings.push(async () => await route53.close());
  const authority = await startAuthority({ host: host.out, source: route53.nameServer(0) });
  endings.push(async () => await authority.close());
  const resolvers: string[] = [];
  for (const _ of [1, 2]) {
    const resolver = await startResolver({ host: host.out, upstream: authority, respectTtl: true });
    endings.push(async () => await resolver.close());
    resolvers.push(resolver.address);
  }

  // What has nothing to do with either region, and the pager.
  const control = createTcpServer((socket) => socket.end());
  await new Promise<void>((resolve) => control.listen(0, host.out, resolve));
  endings.push(async () => control.close());
  const controlAddress = control.address();
  const controlPort = typeof controlAddress === 'object' && controlAddress !== null ? controlAddress.port : 0;
  const pages: LabPage[] = [];
  const pager = createHttpServer((request, response) => {
    readJson(request).then(
      (body) => {
        pages.push({ atMs: Date.now(), body });
        response.writeHead(204).end();
      },
      () => response.writeHead(400).end(),
    );
  });
  const pagerPort = await freePort(host.out);
  await listen(pager, host.out, pagerPort);
  endings.push(async () => await closeServer(pager));

  // failoverd in B, the witness in W: one group, two vantages, two sets of paths.
  const keys = generateKeys();
  const keyFile = path.join(dir, 'secrets', 'witness.pem');
  await writeFile(keyFile, keys.privateKeyPem, { mode: 0o600 });
  const tokens = {
    'sre-first': randomBytes(24).toString('base64url'),
    'vp-engineering': randomBytes(24).toString('base64url'),
  };
  const secrets: Record<string, string> = {
    ...tokens,
    postgres: passwords.failoverd,
    alertmanager: randomBytes(24).toString('base64url'),
    pager: randomBytes(24).toString('base64url'),
    'aws-key-id': credentials.accessKeyId,
    'aws-secret': credentials.secretAccessKey,
  };
  const secretFile = (name: string): string => path.join(dir, 'secrets', name);
  for (const [name, value] of Object.entries(secrets)) await writeFile(secretFile(name), value, { mode: 0o600 });
  const daemonAt = { host: inner.b, port: await freePort(inner.b) };
  const daemonUrl = `http://${daemonAt.host}:${daemonAt.port}`;
  const stateDir = path.join(dir, 'state');
  const power = (act: string): string[] => [process.execPath, POWER, act, `$\{REGION}`, '--hypervisor', hv.url];
  const shared = {
    autonomy: options.autonomy ?? 'auto',
    listen: `${daemonAt.host}:${daemonAt.port}`,
    stateDir,
    controlTargets: {
      daemon: `tcp://${await forward('B->control', host.out, controlPort)}`,
      witness: `tcp://${await forward('W->control', host.out, controlPort)}`,
    },
    witnessKey: keys.publicKey,
    secretFile,
    pagerUrl: `http://${host.out}:${pagerPort}/pages`,
    records: { a: host.a, b: host.b },
    resolvers,
    publicPort: port,
    route53Endpoint: route53.endpoint,
    fence: { off: power('off'), status: power('status') },
  };
  const daemonConfig = path.join(dir, 'failover.yaml');
  const witnessConfig = path.join(dir, 'witness.yaml');
  const inB = { pg: `${upstream.host}:${upstream.port}`, api: await forward('B->A', inner.a, port) };
  await writeFile(
    daemonConfig,
    labConfig({
      ...shared,
      postgres: { a: inB.pg, b: `${inner.b}:${pgPort}` },
      service: { a: inB.api, b: `${inner.b}:${port}` },
    }),
  );
  await writeFile(
    witnessConfig,
    labConfig({
      ...shared,
      postgres: { a: await forward('W->A', inner.a, pgPort), b: await forward('W->B', inner.b, pgPort) },
      service: { a: await forward('W->A', inner.a, port), b: await forward('W->B', inner.b, port) },
    }),
  );
  const daemonFromW = await forward('W->B', daemonAt.host, daemonAt.port);

  let daemon: RunningDaemon | undefined;
  let witness: RunningDaemon | undefined;
  const restartDaemon = async (node: PlatformOptions['daemonNode'] = { argv: [], env: {} }): Promise<void> => {
    daemon = await startDaemon({
      name: 'failoverd',
      argv: [process.execPath, ...node.argv, BIN, 'run', '--config', daemonConfig],
      cwd: dir,
      env: { ...process.env, ...node.env },
      logFile: path.join(dir, 'failoverd.log'),
      ready: async () => (await fetch(`${daemonUrl}/-/ready`, { signal: AbortSignal.timeout(2_000) })).ok,
      startTimeoutMs: START_TIMEOUT_MS,
      log,
    });
  };
  const stopDaemons = async (): Promise<void> => {
    await witness?.stop();
    await daemon?.stop();
  };
  endings.push(stopDaemons);
  if (options.sabotage !== 'no-failoverd') {
    await restartDaemon(options.daemonNode);
    witness = await startDaemon({
      name: 'the witness',
      argv: [
        process.execPath,
        BIN,
        'witness',
        '--config',
        witnessConfig,
        '--vantage',
        'witness',
        '--key',
        keyFile,
        '--daemon',
        `http://${daemonFromW}`,
      ],
      cwd: dir,
      logFile: path.join(dir, 'witness.log'),
      ready: async () => await connectedWitness(daemonUrl),
      startTimeoutMs: START_TIMEOUT_MS,
      log,
    });
  }
  await monitoring(options, endings, {
    dir,
    host: host.out,
    target: await forward('W->A', inner.a, port),
    webhook: { url: `http://${daemonFromW}/webhooks/alertmanager`, bearerToken: secrets['alertmanager'] ?? '' },
  });

  const stopClients = async (): Promise<void> => {
    for (const each of clients) await each.stop();
  };
  const drop = options.sabotage === 'drop-acks';
  const clients: TrafficClient[] = [];
  endings.push(stopClients);
  const client = startClient({
    clientId: 'public',
    target: { kind: 'name', name: PUBLIC_NAME, port, resolvers },
    ledgerFile: path.join(dir, 'out', 'ledger-public.jsonl'),
    ratePerSecond: 40,
    dropAcks: drop,
  });
  clients.push(client);
  await client.waitForAcks(REGION.a, 20, 15_000);
  return {
    dir,
    links,
    hypervisor: hv,
    postgres: { a, b },
    serviceA: { host: inner.a, port },
    records: shared.records,
    route53,
    resolvers,
    pages,
    client,
    daemonUrl,
    stateDir,
    tokens,
    addresses: {
      'public name': `http://${PUBLIC_NAME}:${port} (resolvers ${resolvers.join(', ')})`,
      'failoverd status': `${daemonUrl}/status`,
      hypervisor: hv.url,
      'route 53': route53.endpoint,
      'region A': `${inner.a}:${port}`,
      'region B': `${inner.b}:${port}`,
      folder: dir,
    },
    pids: () => [process.pid, hv.pid, ...[daemon?.pid, witness?.pid].filter((pid) => pid !== undefined)],
    daemon: () => daemon,
    restartDaemon,
    localClient: (clientId) => {
      const made = startClient({
        clientId,
        target: { kind: 'address', host: inner.a, port },
        ledgerFile: path.join(dir, 'out', `ledger-${clientId}.jsonl`),
        ratePerSecond: 20,
        dropAcks: drop,
      });
      clients.push(made);
      return made;
    },
    stopDaemons,
    stopClients,
    ledgers: () => clients.map((each) => each.ledgerFile),
    publicAnswer: async () => {
      const asker = new Resolver({ timeout: 1_000, tries: 2 });
      asker.setServers([authority.address]);
      return await asker.resolve4(PUBLIC_NAME).catch(() => []);
    },
    down,
  };
}

function splitAddress(text: string): { readonly host: string; readonly port: number } {
  const [host = '', port = ''] = text.split(':');
  return { host, port: Number(port) };
}

/** The daemon is told by the witness that it is connected. */
async function connectedWitness(daemonUrl: string): Promise<boolean> {
  const answer = await fetch(`${daemonUrl}/api/v1/status`, { signal: AbortSignal.timeout(2_000) });
  const document = (await answer.json()) as { groups: { vantages: { id: string; connected: string }[] }[] };
  return document.groups.every(({ vantages }) => vantages.every(({ connected }) => connected === 'ok'));
}

interface MonitoringPlace {
  readonly dir: string;
  readonly host: string;
  readonly target: string;
  readonly webhook: { readonly url: string; readonly bearerToken: string };
}

/** Real Prometheus and Alertmanager where the machine has them, otherwise the lab's own webhooks, which says so. */
async function monitoring(
  options: PlatformOptions,
  endings: (() => Promise<unknown>)[],
  place: MonitoringPlace,
): Promise<void> {
  const { log } = options;
  const find = { fetch: options.fetch === true, log };
  const prometheus = options.fakeMonitoring === true ? undefined : await findTool('prometheus', find);
  const alertmanager = options.fakeMonitoring === true ? undefined : await findTool('alertmanager', find);
  const labels = { region: REGION.a, severity: 'critical' };
  if (prometheus?.kind !== 'found' || alertmanager?.kind !== 'found') {
    const fake = startFakeMonitoring({
      rules: [
        {
          alert: 'RegionUnreachable',
          labels,
          metricsUrl: `http://${place.target}/metrics`,
          bad: (scrape) => scrape === null,
          forMs: 2_000,
        },
      ],
      webhooks: [place.webhook],
      externalUrl: `http://${place.host}`,
      log,
    });
    endings.push(async () => await fake.stop());
    return;
  }
  const manager = await startAlertmanager({
    tool: alertmanager,
    dir: path.join(place.dir, 'alertmanager'),
    host: place.host,
    port: await freePort(place.host),
    webhooks: [place.webhook],
    log,
  });
  endings.push(async () => await manager.stop());
  const server = await startPrometheus({
    tool: prometheus,
    dir: path.join(place.dir, 'prometheus'),
    host: place.host,
    port: await freePort(place.host),
    scrapes: [{ job: 'app', targets: [place.target] }],
    rules: [{ alert: 'RegionUnreachable', expr: 'up{job="app"} == 0', for: '2s', labels }],
    alertmanagers: [new URL(manager.url).host],
    log,
  });
  endings.push(async () => await server.stop());
}

/** Poll until the condition is true; the scenario's bounded wait. */
export async function waitFor(what: string, timeoutMs: number, ask: () => Promise<boolean>): Promise<boolean> {
  return await until({ what, timeoutMs, intervalMs: 200 }, async () => ((await ask()) ? true : undefined)).catch(
    (error: unknown) => {
      if (error instanceof LabError && error.code === 'timeout') return false;
      throw error;
    },
  );
}
