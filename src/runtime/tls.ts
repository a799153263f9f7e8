/**
 * Certificates of connections that failoverd opens: which to trust, and which to show. Asked for at each connection, so
 * that renewed files are used from the next one on.
 */
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Secrets } from './config/secrets.ts';

/** Files and key as the configuration names them. */
export type TlsFiles = {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
};

export type Certificates = {
  /** Of the newest files; made anew only where they changed. */
  secureContext(): SecureContext;
};

/** Finds the certificates of a connection; null where it names none, and trusts what the system trusts. */
export type FindCertificates = (files: TlsFiles | undefined) => Certificates | null;

export const NO_CERTIFICATES: FindCertificates = () => null;

const OLDEST = 'TLSv1.2';

export function createCertificates(secrets: Pick<Secrets, 'of' | 'file'>): FindCertificates {
  const known = new Map<string, Certificates>();
  return (files) => {
    const { ca, cert, key } = files ?? {};
    if (ca === undefined && cert === undefined) return null;
    const name = JSON.stringify([ca, cert, key]);
    const found = known.get(name) ?? certificatesOf({ ca, cert, key }, secrets);
    known.set(name, found);
    return found;
  };
}

function certificatesOf({ ca, cert, key }: TlsFiles, secrets: Pick<Secrets, 'of' | 'file'>): Certificates {
  let made: { readonly of: string; readonly context: SecureContext } | null = null;
  return {
    secureContext() {
      const texts = {
        ...(ca === undefined ? {} : { ca: secrets.file(ca) }),
        ...(cert === undefined ? {} : { cert: secrets.file(cert) }),
        ...(key === undefined ? {} : { key: secrets.of(key).reveal() }),
      };
      const of = JSON.stringify(texts);
      if (made?.of !== of) made = { of, context: createSecureContext({ ...texts, minVersion: OLDEST }) };
      return made.context;
    },
  };
}
