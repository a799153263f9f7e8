import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMissing, type Log } from '../binaries/missing.ts';
import { findPatroni, type PatroniInstall } from '../binaries/patroni.ts';
import { findPostgres } from '../binaries/postgres.ts';
import { REGION } from '../config.ts';
import type { RegionMachines, ServiceConfig } from '../region/config.ts';
import { type Hypervisor, startHypervisor } from '../region/hypervisor-client.ts';
import { LabError } from '../servers/errors.ts';
import { startEtcd } from '../servers/etcd.ts';
import { describeGuard, type GuardNode } from '../servers/guard.ts';
import {
  allowRewind,
  clearNode,
  type PatroniNode,
  prepareNode,
  settle,
  startNode,
  type Upstream,
  untilRole,
  writeClusterConfig,
} from '../servers/patroni.ts';
import { freePort } from '../servers/ports.ts';
import {
  createPrimary,
  createStandby,
  generatePasswords,
  type LabPasswords,
  type PostgresInstance,
  type PostgresTls,
  startPostgres,
  stopPostgres,
} from '../servers/postgres.ts';
import { giveToServer } from '../servers/postgres-primary.ts';
import { writeInstanceSettings } from '../servers/postgres-settings.ts';
import type { LabCertificates } from './certificates.ts';
import type { Endings } from './endings.ts';
import type { LabFolder } from './folder.ts';
import type { GuardedLab } from './guards.ts';
import { type Network, REPLICATION } from './network.ts';

const GROUP_KILL = fileURLToPath(new URL('../sabotage/group-kill.mjs', import.meta.url));

/** The two regions: a PostgreSQL and a service each, and the hypervisor that owns their machines. */
export interface Regions {
  readonly hypervisor: Hypervisor;
  readonly postgres: { readonly a: PostgresInstance; readonly b: PostgresInstance };
  readonly passwords: LabPasswords;
  /** What owns both, where something does. */
  readonly managers: { readonly a: PatroniNode; readonly b: PatroniNode } | undefined;
  /** Where both have a guard: they are left stopped until `guards.ts` has the store to speak to. */
  readonly guards: { readonly a: GuardNode; readonly b: GuardNode } | undefined;
}

export interface RegionsOptions {
  readonly folder: LabFolder;
  readonly network: Network;
  readonly endings: Endings;
  readonly certificates: LabCertificates | undefined;
  /** Both PostgreSQL belong to a Patroni each: a primary cluster in A, a standby cluster in B. */
  readonly patroni: boolean;
  /** Both PostgreSQL have a guard each. */
  readonly guarded: GuardedLab | undefined;
  /** Sabotage: the hypervisor claims a power-off without doing it. */
  readonly lie: boolean;
  /** Sabotage: guards take the end of the postmaster's process group for the proof of stop. */
  readonly groupKill: boolean;
  readonly log: Log;
}

export async function startRegions(options: RegionsOptions): Promise<Regions> {
  const { folder, network, endings, certificates, log } = options;
  const tls = databaseTls(certificates);
  const install = await findPostgres({ log });
  if (isMissing(install)) throw new LabError('start-failed', install.why, install.remedy);
  log(`PostgreSQL ${install.versionText} (${install.source === 'embedded' ? 'npm package' : install.source})`);
  const passwords = generatePasswords();
  const { inner, postgresPort: port } = network;
  endings.stillOpen();
  const a = await createPrimary({ install, dir: folder.at('pg', 'a'), host: inner.a, port, passwords, tls, log });
  endings.stillOpen();
  await startPostgres(a, { log });
  const managed = options.patroni ? await managePrimary(options, a, passwords) : undefined;
  const upstream = await network.over(REPLICATION, { host: inner.a, port });
  endings.stillOpen();
  const b = await createStandby({
    primary: a,
    upstream,
    dir: folder.at('pg', 'b'),
    host: inner.b,
    port,
    passwords,
    tls,
    log,
  });
  if (managed !== undefined) await settle(b);
  const managers =
    managed === undefined
      ? undefined
      : { a: managed, b: await manageStandby(options, b, upstream, managed, passwords) };
  const guards = options.guarded === undefined ? undefined : await guardBoth(options.guarded, options.groupKill, a, b);
  const machines = (side: 'a' | 'b', postgres: PostgresInstance): RegionMachines => ({
    postgres,
    manager: managers?.[side] ?? guards?.[side],
    service: {
      dir: folder.at(side),
      config: {
        region: REGION[side],
        host: inner[side],
        port: network.publicPort,
        postgres: { host: postgres.host, port, user: 'app', password: passwords.app, database: 'app' },
        ...(certificates === undefined ? {} : { tls: serviceTls(certificates, network.publicTlsPort) }),
      },
    },
  });
  endings.stillOpen();
  const hypervisor = await startHypervisor(
    {
      host: network.outside,
      port: await freePort(network.outside),
      stateDir: folder.at('hv'),
      regions: { [REGION.a]: machines('a', a), [REGION.b]: machines('b', b) },
      lie: options.lie,
      endWithParent: true,
    },
    log,
  );
  await endings.add('hypervisor', async () => await hypervisor.stop());
  await hypervisor.act(REGION.a, 'start', 'service');
  if (guards === undefined) await hypervisor.act(REGION.b, 'on');
  else await hypervisor.act(REGION.b, 'start', 'service');
  return { hypervisor, postgres: { a, b }, passwords, managers, guards };
}

/** A guard alone starts PostgreSQL: whatever of it ran to be made is stopped, and listens to nobody until then. */
async function guardBoth(
  { deadMan }: GuardedLab,
  groupKill: boolean,
  a: PostgresInstance,
  b: PostgresInstance,
): Promise<{ readonly a: GuardNode; readonly b: GuardNode }> {
  await stopPostgres(a, 'fast');
  await writeInstanceSettings(a, '');
  await giveToServer(a);
  const node = async (postgres: PostgresInstance): Promise<GuardNode> =>
    describeGuard(postgres, {
      port: await freePort(postgres.host),
      token: randomBytes(24).toString('base64url'),
      deadMan: deadMan !== 'none',
      preload: groupKill ? GROUP_KILL : null,
    });
  return { a: await node(a), b: await node(b) };
}

/** Running when Patroni takes it over, it goes on as the primary that it is. */
async function managePrimary(
  options: RegionsOptions,
  postgres: PostgresInstance,
  passwords: LabPasswords,
): Promise<PatroniNode> {
  const { endings, log } = options;
  const install = await findPatroni({ fetch: true, log });
  if (isMissing(install)) throw new LabError('start-failed', install.why, install.remedy);
  await allowRewind(postgres, passwords);
  const node = await describeNode(install, postgres, 'a');
  endings.stillOpen();
  await endings.add('Patroni of A', async () => await clearNode(node));
  await startEtcd(node.etcd, { log });
  await prepareNode(node, passwords);
  await writeClusterConfig(node.etcd, node.scope, undefined);
  await startNode(node, { log });
  await untilRole(node, ['master', 'primary']);
  return node;
}

/** Left stopped but for its etcd: the hypervisor starts it. */
async function manageStandby(
  { endings, log }: RegionsOptions,
  postgres: PostgresInstance,
  upstream: Upstream,
  { install }: PatroniNode,
  passwords: LabPasswords,
): Promise<PatroniNode> {
  const node = await describeNode(install, postgres, 'b');
  endings.stillOpen();
  await endings.add('Patroni of B', async () => await clearNode(node));
  await startEtcd(node.etcd, { log });
  await prepareNode(node, passwords);
  await writeClusterConfig(node.etcd, node.scope, upstream);
  return node;
}

async function describeNode(
  install: PatroniInstall,
  postgres: PostgresInstance,
  side: 'a' | 'b',
): Promise<PatroniNode> {
  const { host, dir } = postgres;
  const [port, peerPort, restPort] = [await freePort(host), await freePort(host), await freePort(host)];
  const password = randomBytes(18).toString('base64url');
  return {
    install,
    scope: `app-${side}`,
    name: `${side}1`,
    postgres,
    dir: path.join(dir, 'patroni'),
    etcd: { install, dir: path.join(dir, 'etcd'), host, port, peerPort },
    rest: { host, port: restPort, username: 'failoverd', password },
  };
}

function databaseTls(certificates: LabCertificates | undefined): PostgresTls | undefined {
  return certificates === undefined ? undefined : { ...certificates.database, ca: certificates.authority.certificate };
}

const serviceTls = ({ service, authority }: LabCertificates, port: number): ServiceConfig['tls'] => ({
  port,
  ...service,
  ca: authority.certificate,
});
