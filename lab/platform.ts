import type { Log } from './binaries/missing.ts';
import { type LabVariant, PUBLIC_NAME, REGION } from './config.ts';
import { createCertificates, type LabCertificates } from './platform/certificates.ts';
import { type Clients, startClients } from './platform/clients.ts';
import { type DaemonNode, type Daemons, prepareDaemons } from './platform/daemons.ts';
import { createEndings, type Endings } from './platform/endings.ts';
import { createFolder, type LabFolder } from './platform/folder.ts';
import { type GuardedLab, startGuards } from './platform/guards.ts';
import { type Monitoring, prepareMonitoring } from './platform/monitoring.ts';
import { createNetwork, type Network, textOfAddress } from './platform/network.ts';
import { type Outside, startOutside } from './platform/outside.ts';
import { type Regions, startRegions } from './platform/regions.ts';
import { textOf } from './servers/errors.ts';

export const SABOTAGES = [
  'no-failoverd',
  'no-fence',
  'drop-acks',
  'no-veto',
  'no-reconciliation',
  'direct-control',
  'group-kill',
] as const;
export type Sabotage = (typeof SABOTAGES)[number];

export interface PlatformOptions {
  readonly log: Log;
  readonly autonomy?: 'auto' | 'gated';
  readonly variant?: LabVariant;
  readonly sabotage?: Sabotage | null;
  /** Everything that failoverd speaks to, and itself, by TLS of a private authority; without it nothing is. */
  readonly tls?: boolean;
  /** A Patroni in each region owns its PostgreSQL. */
  readonly patroni?: boolean;
  /** A guard beside each PostgreSQL, and failoverd with the lease in the third region. */
  readonly guarded?: GuardedLab;
  /** Where Prometheus and Alertmanager come from; `installed` by default. */
  readonly monitoring?: 'installed' | 'fetch' | 'none';
  /** Told the lab's folder, since a crash leaves its note there. */
  readonly daemonNode?: (folder: LabFolder) => DaemonNode;
  /** Takes everything down at once, however far it is. */
  readonly interrupted?: AbortSignal | undefined;
}

/** The whole lab: two regions and a witness on loopback. */
export interface Platform {
  readonly folder: LabFolder;
  readonly network: Network;
  readonly certificates: LabCertificates | undefined;
  readonly regions: Regions;
  readonly outside: Outside;
  readonly monitoring: Monitoring;
  readonly daemons: Daemons;
  readonly clients: Clients;
  /** For people: what stands where. */
  readonly addresses: Readonly<Record<string, string>>;
  /** End everything that runs, and remove the folder, or all of it but what a report names. */
  readonly down: (keep: 'nothing' | 'reports') => Promise<void>;
}

/** Raise it. What was begun is taken down again, and nothing is left, when that fails or is interrupted. */
export async function raise(options: PlatformOptions): Promise<Platform> {
  options.interrupted?.throwIfAborted();
  const endings = createEndings();
  const folder = await createFolder();
  const end: Platform['down'] = async (keep) => {
    try {
      await endings.close();
    } finally {
      await folder.clear(keep);
    }
  };
  // Whatever is being waited for meanwhile loses its server, and fails soon.
  const interrupt = (): void => {
    end('nothing').catch((error: unknown) => options.log(`taking the lab down: ${textOf(error)}`));
  };
  options.interrupted?.addEventListener('abort', interrupt, { once: true });
  const down: Platform['down'] = async (keep) => {
    options.interrupted?.removeEventListener('abort', interrupt);
    await end(keep);
  };
  try {
    return { ...(await build(options, folder, endings)), down };
  } catch (error) {
    await down('nothing');
    // What failed because its server was taken away says nothing.
    throw options.interrupted?.aborted === true ? options.interrupted.reason : error;
  }
}

async function build(options: PlatformOptions, folder: LabFolder, endings: Endings): Promise<Omit<Platform, 'down'>> {
  const { log, sabotage } = options;
  const network = await createNetwork(endings);
  const certificates = options.tls === true ? await createCertificates(folder, network) : undefined;
  const regions = await startRegions({
    folder,
    network,
    endings,
    certificates,
    patroni: options.patroni === true,
    guarded: options.guarded,
    lie: sabotage === 'no-fence',
    groupKill: sabotage === 'group-kill',
    log,
  });
  const outside = await startOutside(network, endings, certificates);
  const serviceA = { host: network.inner.a, port: network.publicPort };
  const monitoring = await prepareMonitoring({
    folder,
    endings,
    host: network.monitoring,
    target: textOfAddress(await network.over('W->A', serviceA)),
    source: options.monitoring ?? 'installed',
    log,
  });
  const daemons = await prepareDaemons({
    folder,
    endings,
    network,
    regions,
    outside,
    certificates,
    autonomy: options.autonomy ?? 'auto',
    alertmanagerApis: sabotage === 'no-reconciliation' ? [] : monitoring.apis,
    variant: options.variant ?? {},
    withoutVetoes: sabotage === 'no-veto',
    directControl: sabotage === 'direct-control',
    guarded: options.guarded,
    log,
  });
  await monitoring.start(daemons.webhook);
  // The store of a lease is failoverd: without it no guard opens anything.
  if (sabotage !== 'no-failoverd' || options.guarded !== undefined) await daemons.start(options.daemonNode?.(folder));
  if (options.guarded !== undefined) {
    const secret = (name: string): string => folder.at('secrets', name);
    await startGuards(regions, {
      lab: options.guarded,
      network,
      store: daemons.at,
      secrets: { a: secret('guard-a'), b: secret('guard-b'), replicator: secret('replicator') },
    });
  }
  const { resolvers } = outside;
  const clients = await startClients({
    folder,
    endings,
    publicPort: network.publicPort,
    resolvers,
    beside: serviceA,
    database: { host: network.inner.a, port: network.postgresPort, password: regions.passwords.app },
    dropAcks: sabotage === 'drop-acks',
  });
  await clients.public.waitForAcks(REGION.a, 20, 15_000);
  const addresses = {
    'public name': `http://${PUBLIC_NAME}:${network.publicPort} (resolvers ${resolvers.join(', ')})`,
    'failoverd status': `${daemons.url}/status`,
    'failoverd process': String(daemons.running().failoverd?.pid ?? 'none'),
    // As somebody who tries `failoverd init` on it needs them: straight, and with a role that can do nothing but look.
    'PostgreSQL A': textOfAddress(regions.postgres.a),
    'PostgreSQL B': textOfAddress(regions.postgres.b),
    'read-only role': `failoverd_ro, database app, password in ${folder.at('secrets', 'postgres-ro')}`,
    // Nobody to ask where the lab posts the webhooks itself.
    ...(monitoring.apis.length === 0
      ? {}
      : { Prometheus: monitoring.real().prometheus.url, Alertmanager: monitoring.apis.join(', ') }),
    hypervisor: regions.hypervisor.url,
    'route 53': outside.route53.endpoint,
    'region A': textOfAddress(serviceA),
    'region B': textOfAddress({ host: network.inner.b, port: network.publicPort }),
    folder: folder.dir,
  };
  return { folder, network, certificates, regions, outside, monitoring, daemons, clients, addresses };
}
