import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { mustRun } from './servers/command.ts';

/** A certificate with its private key, both PEM. */
export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

export interface Names {
  readonly commonName: string;
  /** Host names and IP addresses it is for. */
  readonly hosts?: readonly string[];
  readonly uris?: readonly string[];
}

/** A private authority, made for one lab or test and forgotten with it. */
export interface Authority {
  /** What trusts it, PEM. */
  readonly certificate: string;
  /** For servers and clients alike; good for a day. */
  readonly issue: (names: Names) => Promise<Issued>;
}

const OPENSSL_TIMEOUT_MS = 20_000;
const NEW_KEY = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];

/** Makes it with the machine's own openssl (3.0 or newer), in a folder that is gone when it is made. */
export async function createAuthority(name: string): Promise<Authority> {
  const root = await inFolder(async (folder) => {
    const words = [...NEW_KEY, '-subj', `/CN=${name}`];
    return await made(folder, [
      ...[...words, '-addext', 'basicConstraints=critical,CA:TRUE'],
      ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    ]);
  });
  return {
    certificate: root.certificate,
    issue: async ({ commonName, hosts = [], uris = [] }) =>
      await inFolder(async (folder) => {
        const [ca, caKey] = [path.join(folder, 'ca.pem'), path.join(folder, 'ca.key')];
        await writeFile(ca, root.certificate);
        await writeFile(caKey, root.key, { mode: 0o600 });
        const names = [
          ...hosts.map((host) => `${isIP(host) === 0 ? 'DNS' : 'IP'}:${host}`),
          ...uris.map((uri) => `URI:${uri}`),
        ];
        return await made(folder, [
          ...[...NEW_KEY, '-CA', ca, '-CAkey', caKey, '-subj', `/CN=${commonName}`],
          ...['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'keyUsage=critical,digitalSignature'],
          ...['-addext', 'extendedKeyUsage=serverAuth,clientAuth'],
          ...(names.length === 0 ? [] : ['-addext', `subjectAltName=${names.join(',')}`]),
        ]);
      }),
  };
}

async function made(folder: string, words: readonly string[]): Promise<Issued> {
  const [certificate, key] = [path.join(folder, 'certificate.pem'), path.join(folder, 'key.pem')];
  await mustRun(['openssl', ...words, '-out', certificate, '-keyout', key], { timeoutMs: OPENSSL_TIMEOUT_MS });
  return { certificate: await readFile(certificate, 'utf8'), key: await readFile(key, 'utf8') };
}

async function inFolder<T>(act: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'failoverd-pki-'));
  try {
    return await act(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
