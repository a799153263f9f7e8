import { writeFile } from 'node:fs/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { ALERTMANAGER_NAME, PUBLIC_NAME } from '../config.ts';
import { type Authority, createAuthority, type Issued } from '../pki.ts';
import type { LabFolder } from './folder.ts';
import type { Network } from './network.ts';

/** Where a certificate and its key stand. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** The certificates of a lab in which every connection of failoverd is made by TLS. */
export interface LabCertificates {
  readonly authority: Authority;
  readonly caFile: string;
  /** What failoverd's listener shows. */
  readonly listener: CertificateFiles;
  /** What failoverd shows wherever it connects; its common name is its role in PostgreSQL. */
  readonly failoverd: CertificateFiles;
  readonly alertmanager: CertificateFiles;
  readonly database: Issued;
  readonly service: Issued;
  readonly pager: Issued;
  /** Issues the listener another certificate, in the same files. */
  readonly renewListener: () => Promise<void>;
}

export async function createCertificates(folder: LabFolder, network: Network): Promise<LabCertificates> {
  const { inner, outside } = network;
  const authority = await createAuthority('Lab CA');
  const caFile = folder.at('ca.pem');
  await writeFile(caFile, authority.certificate);
  // For the lab's own requests to failoverd.
  setDefaultCACertificates([...getCACertificates('default'), authority.certificate]);
  const keep = async (name: string, issued: Issued): Promise<CertificateFiles> => {
    const cert = folder.at(`${name}.pem`);
    await writeFile(cert, issued.certificate);
    return { cert, key: await folder.secret(`${name}.key`, issued.key) };
  };
  const listener = { commonName: 'failoverd', hosts: ['::1', outside] };
  return {
    authority,
    caFile,
    listener: await keep('listener', await authority.issue(listener)),
    failoverd: await keep('failoverd', await authority.issue({ commonName: 'failoverd' })),
    alertmanager: await keep(
      'alertmanager',
      await authority.issue({ commonName: 'alertmanager', hosts: [ALERTMANAGER_NAME] }),
    ),
    database: await authority.issue({ commonName: 'postgres', hosts: databaseHosts(network) }),
    service: await authority.issue({ commonName: 'app', hosts: [inner.a, inner.b, outside, PUBLIC_NAME] }),
    pager: await authority.issue({ commonName: 'pager', hosts: ['::1'] }),
    renewListener: async () => void (await keep('listener', await authority.issue(listener))),
  };
}

/** By all of these the databases are reached: from inside, over links, and by IPv6. */
export const databaseHosts = ({ inner, outside }: Network): string[] => [inner.a, inner.b, outside, '::1'];
