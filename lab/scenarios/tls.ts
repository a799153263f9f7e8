import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { connect } from 'node:tls';
import pg from 'pg';
import { REGION } from '../config.ts';
import { createAuthority } from '../pki.ts';
import type { LabCertificates } from '../platform/certificates.ts';
import { databaseHosts } from '../platform/certificates.ts';
import type { Platform } from '../platform.ts';
import { LabError } from '../servers/errors.ts';
import { query } from '../servers/postgres.ts';
import { giveToServer } from '../servers/postgres-primary.ts';
import { writeTlsFiles } from '../servers/postgres-settings.ts';
import { waitFor } from '../servers/wait.ts';
import { lookOn, type Scenario, status, untilFailedOver, untilQuiet } from './scenario.ts';

/** Longer than failoverd takes to look at its files again. */
const RENEWED_WITHIN_MS = 20_000;

export const tls: Scenario = {
  name: 'tls',
  says: 'everything by TLS of a private authority, with client certificates, SCRAM and IPv6; a password and a certificate are renewed, then region A dies: failover',
  expects: 'failover',
  twin: { of: 'tls-foreign-authority', but: 'what is renewed can prove itself, and the region dies' },
  options: { tls: true },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await renewPassword(platform);
    tell('the password of failoverd in PostgreSQL is another one, and its old connections are gone');
    await renewListener(platform, tell);
    await untilQuiet(platform);
    tell('all is well with the new ones; region A dies');
    await platform.regions.hypervisor.act(REGION.a, 'crash');
    await untilFailedOver(platform, tell);
  },
};

export const tlsForeignAuthority: Scenario = {
  name: 'tls-foreign-authority',
  says: 'as tls, but both databases show certificates of another authority: they count as unknown, the text says why, nothing happens',
  expects: 'nothing',
  twin: { of: 'tls', but: 'both databases show certificates of another authority' },
  options: { tls: true },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await showForeignCertificates(platform);
    tell('whoever answers now at the databases’ addresses can’t prove to be them');
    const said = await waitFor('failoverd says so', 15_000, async () => await saysWhy(platform));
    if (!said) throw new LabError('timeout', 'the status does not say that certificates are not trusted');
    await lookOn(platform);
    if (!(await saysWhy(platform))) throw new LabError('bad-input', 'the status stopped saying why');
  },
};

/** On the primary, from where it replicates; what is connected with the old one is cut off. */
async function renewPassword({ regions, folder }: Platform): Promise<void> {
  const { a, b } = regions.postgres;
  const password = randomBytes(18).toString('base64url');
  await query(a, `alter role failoverd password ${pg.escapeLiteral(password)}`);
  await folder.secret('postgres', password);
  for (const each of [a, b])
    await query(each, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'failoverd'");
}

/** The listener shows another certificate without having been started again. */
async function renewListener(platform: Platform, tell: (line: string) => void): Promise<void> {
  const certificates = certificatesOf(platform);
  const before = await shownBy(platform);
  await certificates.renewListener();
  const renewed = await waitFor(
    'another certificate',
    RENEWED_WITHIN_MS,
    async () => (await shownBy(platform)) !== before,
  );
  if (!renewed) throw new LabError('timeout', 'failoverd still shows the certificate of before');
  tell('failoverd shows its new certificate');
}

async function shownBy(platform: Platform): Promise<string> {
  const { hostname, port } = new URL(platform.daemons.url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = connect({ host, port: Number(port), ca: certificatesOf(platform).authority.certificate });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerX509Certificate()?.fingerprint256 ?? '';
  } finally {
    socket.destroy();
  }
}

/** The same names, by an authority that nobody trusts. */
async function showForeignCertificates({ regions, network }: Platform): Promise<void> {
  const foreign = await createAuthority('Another CA');
  const issued = await foreign.issue({ commonName: 'postgres', hosts: databaseHosts(network) });
  for (const each of [regions.postgres.a, regions.postgres.b]) {
    await writeFile(path.join(each.dataDir, 'server.key'), issued.key);
    await writeTlsFiles(each.dataDir, { ...issued, ca: foreign.certificate });
    await giveToServer(each);
    await query(each, 'select pg_reload_conf()');
    await query(each, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'failoverd'");
  }
}

/** Every sight of a database is unknown, with the certificate as the reason. */
async function saysWhy(platform: Platform): Promise<boolean> {
  const facts = (await status(platform))?.groups[0]?.facts ?? [];
  const sights = facts.filter(({ fact }) => fact === 'postgres.reachable');
  return (
    sights.length === 4 && sights.every(({ verdict, value }) => verdict === 'unknown' && /certificate/.test(value))
  );
}

function certificatesOf({ certificates }: Platform): LabCertificates {
  if (certificates === undefined) throw new LabError('bad-input', 'this lab has no certificates');
  return certificates;
}
