import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { generateKeys } from '../../src/probes/report.ts';
import type { Log } from '../binaries/missing.ts';
import { type LabConfigInput, type LabVariant, labConfig, PEOPLE } from '../config.ts';
import { type RunningDaemon, startDaemon } from '../servers/daemon.ts';
import type { Webhook } from '../servers/monitoring.ts';
import { freePort } from '../servers/ports.ts';
import type { LabCertificates } from './certificates.ts';
import type { Endings } from './endings.ts';
import type { LabFolder } from './folder.ts';
import { type GuardedLab, leaseOf } from './guards.ts';
import { type Address, type Network, textOfAddress, WEBHOOKS } from './network.ts';
import type { Outside } from './outside.ts';
import type { Regions } from './regions.ts';

const BIN = fileURLToPath(new URL('../../bin/failoverd.mjs', import.meta.url));
const POWER = fileURLToPath(new URL('../region/power.ts', import.meta.url));
const START_TIMEOUT_MS = 30_000;

/** Words for the daemon's Node, and environment: how a crash is put into it. */
export interface DaemonNode {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** failoverd in B and its witness in W, or the other way round where it keeps a lease: one group, two vantages, two sets of paths. */
export interface Daemons {
  readonly url: string;
  readonly at: Address;
  readonly stateDir: string;
  /** failoverd's own configuration file. */
  readonly config: string;
  readonly logs: { readonly failoverd: string; readonly witness: string };
  /** Of people, by name. */
  readonly tokens: Readonly<Record<string, string>>;
  readonly webhook: Webhook;
  readonly running: () => {
    readonly failoverd: RunningDaemon | undefined;
    readonly witness: RunningDaemon | undefined;
  };
  readonly start: (node?: DaemonNode) => Promise<void>;
  /** failoverd alone, again: same configuration, same state. It must have ended. */
  readonly restart: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface DaemonsOptions {
  readonly folder: LabFolder;
  readonly endings: Endings;
  readonly network: Network;
  readonly regions: Regions;
  readonly outside: Outside;
  readonly certificates?: LabCertificates | undefined;
  readonly autonomy: 'auto' | 'gated';
  readonly alertmanagerApis: readonly string[];
  readonly variant: LabVariant;
  readonly withoutVetoes: boolean;
  /** Both PostgreSQL have a guard each, and the lease stands with failoverd. */
  readonly guarded?: GuardedLab | undefined;
  /** Sabotage: pg_promote is called, whoever owns the servers. */
  readonly directControl: boolean;
  readonly log: Log;
}

export async function prepareDaemons(options: DaemonsOptions): Promise<Daemons> {
  const { folder, endings, network, certificates, log } = options;
  // A lease store stands in neither region (safety.md): then failoverd is in W, and its witness in B.
  const place = options.guarded === undefined ? 'b' : 'w';
  const host = certificates === undefined ? network.inner[place] : '::1';
  const scheme = certificates === undefined ? 'http' : 'https';
  const at: Address = { host, port: await freePort(host) };
  const url = `${scheme}://${textOfAddress(at)}`;
  const fromWitness = `${scheme}://${textOfAddress(await network.over(place === 'b' ? 'W->B' : 'B->W', at))}`;
  const fromAlertmanager = `${scheme}://${textOfAddress(await network.over(WEBHOOKS, at))}`;
  const stateDir = folder.at('state');
  const logs = { failoverd: folder.out('failoverd.log'), witness: folder.out('witness.log') };
  const keys = generateKeys();
  const keyFile = await folder.secret('witness.pem', keys.privateKeyPem);
  const secrets = await writeSecrets(options);
  const config = await writeConfigs(options, { listen: textOfAddress(at), stateDir, witnessKey: keys.publicKey });

  const running: { failoverd: RunningDaemon | undefined; witness: RunningDaemon | undefined } = {
    failoverd: undefined,
    witness: undefined,
  };
  const startFailoverd = async (node: DaemonNode = { argv: [], env: {} }): Promise<void> => {
    endings.stillOpen();
    running.failoverd = await startDaemon({
      name: 'failoverd',
      argv: [process.execPath, ...node.argv, BIN, 'run', '--config', config.daemon],
      cwd: folder.dir,
      env: { ...process.env, ...node.env },
      logFile: logs.failoverd,
      ready: async () => (await fetch(`${url}/-/ready`, { signal: AbortSignal.timeout(2_000) })).ok,
      startTimeoutMs: START_TIMEOUT_MS,
      log,
    });
  };
  const startWitness = async (): Promise<void> => {
    endings.stillOpen();
    const words = ['--config', config.witness, '--vantage', 'witness', '--key', keyFile, '--daemon', fromWitness];
    const trust = certificates === undefined ? [] : ['--ca', certificates.caFile];
    running.witness = await startDaemon({
      name: 'the witness',
      argv: [process.execPath, BIN, 'witness', ...words, ...trust],
      cwd: folder.dir,
      logFile: logs.witness,
      ready: async () => await allConnected(url),
      startTimeoutMs: START_TIMEOUT_MS,
      log,
    });
  };
  const stop = async (): Promise<void> => {
    await running.witness?.stop();
    await running.failoverd?.stop();
  };
  await endings.add('failoverd and its witness', stop);
  return {
    url,
    at,
    stateDir,
    config: config.daemon,
    logs,
    tokens: secrets,
    webhook: {
      url: `${fromAlertmanager}/webhooks/alertmanager`,
      ...(certificates === undefined
        ? { bearerToken: secrets['alertmanager'] ?? '' }
        : { certificates: { ca: certificates.caFile, ...certificates.alertmanager } }),
    },
    running: () => running,
    start: async (node) => {
      await startFailoverd(node);
      await startWitness();
    },
    restart: async () => await startFailoverd(),
    stop,
  };
}

/** Tokens and keys, each in a file of its own; by name. */
async function writeSecrets(options: DaemonsOptions): Promise<Readonly<Record<string, string>>> {
  const drawn = [...PEOPLE, 'alertmanager', 'pager'].map((name) => [name, randomBytes(24).toString('base64url')]);
  const { accessKeyId, secretAccessKey } = options.outside.credentials;
  const secrets: Record<string, string> = {
    ...Object.fromEntries(drawn),
    postgres: options.regions.passwords.failoverd,
    replicator: options.regions.passwords.replicator,
    ...(options.regions.guards === undefined
      ? {}
      : { 'guard-a': options.regions.guards.a.token, 'guard-b': options.regions.guards.b.token }),
    'postgres-ro': options.regions.passwords.failoverd_ro,
    'aws-key-id': accessKeyId,
    'aws-secret': secretAccessKey,
    ...Object.fromEntries(
      Object.entries(options.regions.managers ?? {}).map(([side, { rest }]) => [`patroni-${side}`, rest.password]),
    ),
  };
  for (const [name, value] of Object.entries(secrets)) await options.folder.secret(name, value);
  return secrets;
}

/** The same group twice, as each vantage reaches it. */
async function writeConfigs(
  {
    folder,
    network,
    regions,
    outside,
    certificates,
    autonomy,
    alertmanagerApis,
    variant,
    withoutVetoes,
    directControl,
    guarded,
  }: DaemonsOptions,
  own: Pick<LabConfigInput, 'listen' | 'stateDir' | 'witnessKey'>,
): Promise<{ readonly daemon: string; readonly witness: string }> {
  const { inner, postgresPort } = network;
  const publicPort = certificates === undefined ? network.publicPort : network.publicTlsPort;
  const over = async (name: `${string}->${string}`, target: Address): Promise<string> =>
    textOfAddress(await network.over(name, target));
  const power = (act: string): string[] => [
    process.execPath,
    POWER,
    act,
    `$\{REGION}`,
    '--hypervisor',
    regions.hypervisor.url,
  ];
  const shared = {
    ...own,
    autonomy,
    variant,
    withoutVetoes,
    ...(alertmanagerApis.length === 0 ? {} : { alertmanagerApis }),
    certificates,
    controlTargets: {
      daemon: `http://${await over(guarded === undefined ? 'B->control' : 'W->control', outside.control)}`,
      witness: `http://${await over(guarded === undefined ? 'W->control' : 'B->control', outside.control)}`,
    },
    place: guarded === undefined ? ('b' as const) : ('w' as const),
    secretFile: (name: string) => folder.at('secrets', name),
    pagerUrl: outside.pagerUrl,
    records: network.publicHost,
    resolvers: outside.resolvers,
    publicPort,
    route53Endpoint: outside.route53.endpoint,
    fence: { off: power('off'), status: power('status') },
  };
  const [databaseA, databaseB, serviceA, serviceB] = [
    { host: inner.a, port: postgresPort },
    { host: inner.b, port: postgresPort },
    { host: inner.a, port: publicPort },
    { host: inner.b, port: publicPort },
  ] as const;
  // Whether the region is up and whether its database answers are two things only where a row tells them apart.
  const edgeOf = (service: LabConfigInput['service']) =>
    variant.rows?.includes('postgres-down') === true ? { edge: service } : {};
  const { managers, guards } = regions;
  const managed = async (from: 'B' | 'W') =>
    managers === undefined || directControl
      ? {}
      : { patroni: { a: await over(`${from}->A`, managers.a.rest), b: await toB(from, managers.b.rest) } };
  const guardedFrom = async (from: 'B' | 'W') =>
    guards === undefined || guarded === undefined
      ? {}
      : {
          guards: {
            a: await over(`${from}->A`, guards.a),
            b: await toB(from, guards.b),
            lease: leaseOf(guarded),
            fence: guarded.fence ?? ('guard' as const),
          },
        };
  const toB = async (from: 'B' | 'W', at: Address): Promise<string> =>
    from === 'B' ? textOfAddress(at) : await over('W->B', at);
  const seenFrom = async (from: 'B' | 'W'): Promise<string> => {
    const service = { a: await over(`${from}->A`, serviceA), b: await toB(from, serviceB) };
    const besideB = certificates === undefined ? databaseB : { ...databaseB, host: '::1' };
    return labConfig({
      ...shared,
      postgres: {
        a: await over(`${from}->A`, databaseA),
        b: from === 'B' ? textOfAddress(besideB) : await over('W->B', databaseB),
      },
      service,
      ...edgeOf(service),
      ...(await managed(from)),
      ...(await guardedFrom(from)),
    });
  };
  const [ownPlace, other] = guarded === undefined ? (['B', 'W'] as const) : (['W', 'B'] as const);
  const [daemon, witness] = [await seenFrom(ownPlace), await seenFrom(other)];
  const files = { daemon: folder.at('failover.yaml'), witness: folder.at('witness.yaml') };
  await writeFile(files.daemon, daemon);
  await writeFile(files.witness, witness);
  return files;
}

/** failoverd has heard from every vantage that it is connected. */
async function allConnected(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/api/v1/status`, { signal: AbortSignal.timeout(2_000) });
  const document = (await answer.json()) as { groups: { vantages: { id: string; connected: string }[] }[] };
  return document.groups.every(({ vantages }) => vantages.every(({ connected }) => connected === 'ok'));
}
