/**
 * Addresses in a configuration, taken apart without asking any name server.
 */
import { isIPv4, isIPv6 } from 'node:net';

export type Address = { readonly host: string; readonly port: number };

/** host:port, with IPv6 in brackets. Null for text of another form. */
export function addressOf(text: string): Address | null {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  return { host: (match[1] ?? match[2] ?? '').toLowerCase(), port: Number(match[3]) };
}

/** host and port that a URL leads to. Null where the URL can't be read. */
export function addressOfUrl(text: string): Address | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  return { host: url.hostname.replace(/^\[|\]$/g, '').toLowerCase(), port };
}

export const addressText = ({ host, port }: Address): string =>
  isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;
/** A DNS name, with or without the dot at its end. */
export function isDnsName(text: string): boolean {
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  return name.length > 0 && name.length <= 253 && name.split('.').every((label) => LABEL.test(label));
}

/** An IP address or a host name; what is made of digits and dots alone must be an IPv4 address. */
export function isHost(host: string): boolean {
  if (host.includes(':')) return isIPv6(host);
  if (/^[\d.]+$/.test(host)) return isIPv4(host);
  return isDnsName(host);
}

export const sameDnsName = (a: string, b: string): boolean => plainDnsName(a) === plainDnsName(b);
export const plainDnsName = (name: string): string => name.replace(/\.$/, '').toLowerCase();

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
