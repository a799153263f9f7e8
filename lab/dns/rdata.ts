import { isIPv4, isIPv6 } from 'node:net';
import type { RecordType } from './model.ts';
import { nameProblem, wireName } from './names.ts';

/** Record data as a DNS message carries it; the field names are those of the codec (`dns2`). */
export interface Rdata {
  readonly address?: string;
  readonly domain?: string;
  readonly ns?: string;
  readonly exchange?: string;
  readonly priority?: number;
  readonly weight?: number;
  readonly port?: number;
  readonly target?: string;
  readonly data?: string[];
  readonly flags?: number;
  readonly tag?: string;
  readonly value?: string;
  readonly primary?: string;
  readonly admin?: string;
  readonly serial?: number;
  readonly refresh?: number;
  readonly retry?: number;
  readonly expiration?: number;
  readonly minimum?: number;
}

export type ParsedRdata =
  | { readonly ok: true; readonly rdata: Rdata }
  | { readonly ok: false; readonly problem: string };

const maxCharacterStringOctets = 255;
const good = (rdata: Rdata): ParsedRdata => ({ ok: true, rdata });
const bad = (problem: string): ParsedRdata => ({ ok: false, problem });

function withName(value: string, build: (name: string) => Rdata): ParsedRdata {
  const problem = nameProblem(value);
  if (problem !== null) return bad(`${problem} (Domain name is not valid) encountered with '${value}'`);
  return good(build(wireName(value)));
}

function unsigned(text: string | undefined, max: number): number | null {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return null;
  const number = Number(text);
  return number <= max ? number : null;
}

/** `"one" "two\"quoted"`: one or more character-strings in quotation marks, escapes undone. */
function characterStrings(value: string): string[] | null {
  const strings: string[] = [];
  const pattern = /\s*"((?:[^"\\]|\\[0-3][0-7]{2}|\\.)*)"/gy;
  let end = 0;
  for (let match = pattern.exec(value); match !== null; match = pattern.exec(value)) {
    strings.push(unescapeText(match[1] ?? ''));
    end = pattern.lastIndex;
  }
  return strings.length > 0 && value.slice(end).trim() === '' ? strings : null;
}

function unescapeText(escaped: string): string {
  const octets: Buffer[] = [];
  for (const [, octal, character, plain] of escaped.matchAll(/\\([0-3][0-7]{2})|\\(.)|([^\\]+)/gs)) {
    octets.push(octal === undefined ? Buffer.from(character ?? plain ?? '') : Buffer.of(Number.parseInt(octal, 8)));
  }
  return Buffer.concat(octets).toString('utf8');
}

function text(value: string): ParsedRdata {
  const strings = characterStrings(value);
  if (strings === null) {
    return bad(`InvalidCharacterString (Value should be enclosed in quotation marks) encountered with '${value}'`);
  }
  if (strings.some((string) => Buffer.byteLength(string) > maxCharacterStringOctets)) {
    return bad(`CharacterStringTooLong (Value is too long) encountered with '${value}'`);
  }
  return good({ data: strings });
}

function mailExchange(value: string): ParsedRdata {
  const [preference, exchange, ...rest] = value.trim().split(/\s+/);
  const priority = unsigned(preference, 0xffff);
  if (priority === null || exchange === undefined || rest.length > 0) {
    return bad(`MXRRDATAIllegalFormat (Value is not a preference and a domain name) encountered with '${value}'`);
  }
  return withName(exchange, (name) => ({ priority, exchange: name }));
}

function service(value: string): ParsedRdata {
  const [first, second, third, target, ...rest] = value.trim().split(/\s+/);
  const [priority, weight, port] = [first, second, third].map((field) => unsigned(field, 0xffff));
  if (priority == null || weight == null || port == null || target === undefined || rest.length > 0) {
    return bad(`SRVRRDATAIllegalFormat (Value is not priority, weight, port and target) encountered with '${value}'`);
  }
  return withName(target, (name) => ({ priority, weight, port, target: name }));
}

function startOfAuthority(value: string): ParsedRdata {
  const [primary, admin, ...numbers] = value.trim().split(/\s+/);
  const [serial, refresh, retry, expiration, minimum] = numbers.map((field) => unsigned(field, 0xffffffff));
  const fields = [serial, refresh, retry, expiration, minimum];
  if (primary === undefined || admin === undefined || numbers.length !== 5 || fields.some((field) => field == null)) {
    return bad(`SOARRDATAIllegalFormat (Value is not a start of authority) encountered with '${value}'`);
  }
  return good({
    primary: wireName(primary),
    admin: wireName(admin),
    serial: serial ?? 0,
    refresh: refresh ?? 0,
    retry: retry ?? 0,
    expiration: expiration ?? 0,
    minimum: minimum ?? 0,
  });
}

function certificationAuthority(value: string): ParsedRdata {
  const match = /^\s*(\d{1,3})\s+([a-z0-9]+)\s+"([^"]*)"\s*$/.exec(value);
  const flags = unsigned(match?.[1], 255);
  if (match === null || flags === null) {
    return bad(`CAARRDATAIllegalFormat (Value is not flags, tag and quoted value) encountered with '${value}'`);
  }
  return good({ flags, tag: match[2] ?? '', value: match[3] ?? '' });
}

/** Reads one value of a record set, as Route 53 does when it is written: `problem` is Route 53's own kind of complaint. */
export function parseRdata(type: RecordType, value: string): ParsedRdata {
  switch (type) {
    case 'A':
      return isIPv4(value)
        ? good({ address: value })
        : bad(`ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with '${value}'`);
    case 'AAAA':
      return isIPv6(value) && !value.includes('.') && !value.includes('%')
        ? good({ address: value })
        : bad(`AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address) encountered with '${value}'`);
    case 'CNAME':
    case 'PTR':
      return withName(value, (domain) => ({ domain }));
    case 'NS':
      return withName(value, (ns) => ({ ns }));
    case 'TXT':
    case 'SPF':
      return text(value);
    case 'MX':
      return mailExchange(value);
    case 'SRV':
      return service(value);
    case 'SOA':
      return startOfAuthority(value);
    case 'CAA':
      return certificationAuthority(value);
    default:
      return type satisfies never;
  }
}
