import { isMissing, type Log } from '../binaries/missing.ts';
import { findPostgres } from '../binaries/postgres.ts';
import { REGION } from '../config.ts';
import type { RegionMachines, ServiceConfig } from '../region/config.ts';
import { type Hypervisor, startHypervisor } from '../region/hypervisor-client.ts';
import { LabError } from '../servers/errors.ts';
import { freePort } from '../servers/ports.ts';
import {
  createPrimary,
  createStandby,
  generatePasswords,
  type LabPasswords,
  type PostgresInstance,
  type PostgresTls,
  startPostgres,
} from '../servers/postgres.ts';
import type { LabCertificates } from './certificates.ts';
import type { Endings } from './endings.ts';
import type { LabFolder } from './folder.ts';
import { type Network, REPLICATION } from './network.ts';

/** The two regions: a PostgreSQL and a service each, and the hypervisor that owns their machines. */
export interface Regions {
  readonly hypervisor: Hypervisor;
  readonly postgres: { readonly a: PostgresInstance; readonly b: PostgresInstance };
  readonly passwords: LabPasswords;
}

export interface RegionsOptions {
  readonly folder: LabFolder;
  readonly network: Network;
  readonly endings: Endings;
  readonly certificates: LabCertificates | undefined;
  /** Sabotage: the hypervisor claims a power-off without doing it. */
  readonly lie: boolean;
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
  const machines = (side: 'a' | 'b', postgres: PostgresInstance): RegionMachines => ({
    postgres,
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
  await hypervisor.act(REGION.b, 'on');
  return { hypervisor, postgres: { a, b }, passwords };
}

function databaseTls(certificates: LabCertificates | undefined): PostgresTls | undefined {
  return certificates === undefined ? undefined : { ...certificates.database, ca: certificates.authority.certificate };
}

const serviceTls = ({ service, authority }: LabCertificates, port: number): ServiceConfig['tls'] => ({
  port,
  ...service,
  ca: authority.certificate,
});
