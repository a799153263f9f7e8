/**
 * Certificates and keys that a configuration names: whether the files hold what they should, and belong together. Judged
 * when they are read, at the start and at each renewal, so that a slip shows then and not at the next handshake.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { KeyPath, ProblemCode } from './problem.ts';

/** Many times the size of a chain, or of a bundle of a company's roots. */
export const MOST_PEM_BYTES = 512 * 1024;

/** A file or secret of one place in the configuration, with what it leads to. */
export type PemUse = { readonly path: KeyPath; readonly text: string };
export type PemFault = {
  readonly path: KeyPath;
  readonly code: Extract<ProblemCode, 'pem-bad' | 'pem-pair'>;
  readonly message: string;
  readonly remedy: string;
};

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a text, or null where it holds none, or one that can't be read. */
export function certificatesOf(text: string): readonly X509Certificate[] | null {
  const blocks = text.match(BLOCK) ?? [];
  if (blocks.length === 0) return null;
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    // Whatever OpenSSL calls it: no certificate.
    return null;
  }
}

/** What is wrong with the certificates and the key of one connection. */
export function pemFaults(uses: readonly PemUse[]): PemFault[] {
  const faults: PemFault[] = [];
  for (const { path, text } of uses) {
    if (path.at(-1) === 'key' || certificatesOf(text) !== null) continue;
    faults.push({
      path,
      code: 'pem-bad',
      message: 'the file holds no certificate in PEM, or one that can’t be read',
      remedy: 'write certificates into it, each from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----',
    });
  }
  const key = uses.find(({ path }) => path.at(-1) === 'key');
  if (key === undefined) return faults;
  const privateKey = privateKeyOf(key.text);
  if (privateKey === null)
    faults.push({
      path: key.path,
      code: 'pem-bad',
      message: 'it is no private key in PEM, or one with a passphrase',
      remedy:
        'give it without a passphrase, such as `openssl pkey -in KEY` prints it, in a file that failoverd alone may read',
    });
  const [leaf] = certificatesOf(uses.find(({ path }) => path.at(-1) === 'cert')?.text ?? '') ?? [];
  if (privateKey !== null && leaf !== undefined && !leaf.checkPrivateKey(privateKey))
    faults.push({
      path: key.path,
      code: 'pem-pair',
      message: 'it does not belong to the first certificate of cert',
      remedy: 'name the key that the certificate was made for, and put that certificate first',
    });
  return faults;
}

function privateKeyOf(text: string): ReturnType<typeof createPrivateKey> | null {
  try {
    return createPrivateKey(text);
  } catch {
    // No PEM, encrypted, or of a kind that OpenSSL does not know.
    return null;
  }
}
