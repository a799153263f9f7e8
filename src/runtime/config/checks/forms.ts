/**
 * What a form of text means beyond its pattern: ports, hosts, URLs, days, spans that a timer can hold, references out
 * of place.
 */
import { durationMs } from '../../../model/primitives.ts';
import { addressOf, addressOfUrl, isHost } from '../address.ts';
import { CONFIG_SCHEMA, type Leaf, leavesOf } from '../schema.ts';
import { FORMS } from '../words.ts';
import type { Check, Telling } from './context.ts';

export const LONGEST_MS = 400 * 86_400_000;

export const checkForms: Check = (subject) => checkLeaves(subject, leavesOf(subject.config, CONFIG_SCHEMA));

export function checkLeaves(subject: Telling, leaves: Iterable<Leaf>): void {
  for (const leaf of leaves) {
    if (typeof leaf.value !== 'string') continue;
    checkForm(subject, leaf, leaf.value);
    if (leaf.schema['x-secret'] !== true && /\$\{(?:env|file):/.test(leaf.value))
      subject.error({
        code: 'misplaced-reference',
        path: leaf.path,
        message: 'references are followed only where a secret is expected; this one would be taken literally',
        remedy: 'write the value itself',
      });
  }
}

function checkForm(subject: Telling, { path, schema }: Leaf, text: string): void {
  switch (schema['x-form']) {
    case 'host-port':
      return checkHostPort(subject, path, text, path.at(-1) === 'listen' ? 0 : 1);
    case 'control-target':
      if (text.startsWith('tcp://')) return checkHostPort(subject, path, text.slice('tcp://'.length), 1);
      return checkUrl(subject, path, text);
    case 'url':
      return checkUrl(subject, path, text);
    case 'duration':
      if (durationMs(text) > LONGEST_MS)
        subject.error({
          code: 'duration-too-long',
          path,
          message: 'this is longer than 400 days',
          remedy: 'write a shorter span, such as 24h or 90d',
        });
      return;
    case 'instant':
      if (instantMs(text) === null)
        subject.error({ ...FORMS.instant, path, message: 'no calendar or clock has this instant' });
      return;
    case 'date':
      if (!isDay(text)) subject.error({ ...FORMS.date, path, message: 'no calendar has this day' });
      return;
    default:
      return;
  }
}

function checkHostPort(subject: Telling, path: Leaf['path'], text: string, leastPort: number): void {
  const address = addressOf(text);
  if (address === null) {
    subject.error({ ...FORMS['host-port'], path });
    return;
  }
  if (address.port < leastPort || address.port > 65_535)
    subject.error({
      code: 'bad-port',
      path,
      message: `ports go from ${leastPort} to 65535`,
      remedy: 'write the port the server listens on',
    });
  checkHost(subject, path, address.host);
}

function checkHost(subject: Telling, path: Leaf['path'], host: string): void {
  if (isHost(host)) return;
  subject.error({
    code: 'bad-address',
    path,
    message: 'the host is neither an IP address nor a host name',
    remedy: 'write a name such as db.example.com, an IPv4 address, or an IPv6 address in brackets',
  });
}

function checkUrl(subject: Telling, path: Leaf['path'], text: string): void {
  const address = addressOfUrl(text);
  if (address === null) {
    subject.error({ ...FORMS.url, path });
    return;
  }
  const { username, password } = new URL(text);
  if (username !== '' || password !== '')
    subject.error({
      ...FORMS.secret,
      path,
      message: 'a URL must not hold credentials',
      remedy: 'leave out what stands before the @',
    });
  if (address.port === 0)
    subject.error({
      code: 'bad-port',
      path,
      message: 'ports go from 1 to 65535',
      remedy: 'write the port the server listens on',
    });
  checkHost(subject, path, address.host);
}

/** Milliseconds of an instant that is written as one, or null where there is no such day or time. */
export function instantMs(text: string): number | null {
  const at = Date.parse(text);
  return Number.isNaN(at) || !isDay(text.slice(0, 10)) ? null : at;
}

/** Whether the calendar has such a day. */
function isDay(text: string): boolean {
  const at = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
}
