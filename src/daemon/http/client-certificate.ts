/**
 * Who a client is by its TLS certificate: whether ours trust it, and the names in it. What a route asks of them is its own
 * affair; a certificate by itself opens nothing.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** The names of a certificate that `daemon.tls.clientCa` vouches for. */
export type ClientCertificate = {
  /** Of the subject; null where it has none, or several. */
  readonly commonName: string | null;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
};

/** What a certificate has to be; all that is given must hold. */
export type CertificateMatch = {
  readonly commonName?: string | undefined;
  readonly dnsName?: string | undefined;
  readonly uri?: string | undefined;
};

/** Null where the connection has no certificate, or none that holds at this instant. */
export function clientCertificate(socket: Socket): ClientCertificate | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return null;
  const common: unknown = certificate.toLegacyObject().subject?.CN;
  const names = alternativeNames(certificate.subjectAltName ?? '');
  const of = (kind: string): string[] => names.filter((name) => name.kind === kind).map(({ value }) => value);
  return { commonName: typeof common === 'string' ? common : null, dnsNames: of('DNS'), uris: of('URI') };
}

/** Names as Node prints them: `DNS:a, URI:b`, those with special characters quoted. Nothing is taken of what is unclear. */
export function alternativeNames(text: string): readonly { readonly kind: string; readonly value: string }[] {
  const names: { kind: string; value: string }[] = [];
  const one = /([A-Za-z][A-Za-z ]*):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;
  while (one.lastIndex < text.length) {
    const [, kind = '', value = ''] = one.exec(text) ?? [];
    if (kind === '') return [];
    names.push({ kind, value: value.startsWith('"') ? String(JSON.parse(value)) : value });
  }
  return names;
}

/** DNS names are compared without regard to case; a wildcard stands for nobody. */
export function isMatch(certificate: ClientCertificate, { commonName, dnsName, uri }: CertificateMatch): boolean {
  if (commonName === undefined && dnsName === undefined && uri === undefined) return false;
  if (commonName !== undefined && certificate.commonName !== commonName) return false;
  if (dnsName !== undefined && !certificate.dnsNames.some((name) => name.toLowerCase() === dnsName.toLowerCase()))
    return false;
  return uri === undefined || certificate.uris.includes(uri);
}
