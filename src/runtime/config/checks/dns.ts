/**
 * DNS components: records that fit their type, never the same for both regions, gone from caches within the budget.
 */
import { isIPv4, isIPv6 } from 'node:net';
import type { DnsComponent } from '../../../model/config.ts';
import { durationMs, durationText } from '../../../model/primitives.ts';
import { isDnsName, plainDnsName, sameDnsName } from '../address.ts';
import type { KeyPath } from '../problem.ts';
import { checkRegionKeys } from './components.ts';
import { type Check, eachGroup, type GroupSubject, type Subject } from './context.ts';

export const checkDns: Check = eachGroup((subject) => {
  for (const [id, component] of Object.entries(subject.group.components)) {
    if (component.kind !== 'dns') continue;
    const path = [...subject.path, 'components', id];
    checkRecords(subject, component, path);
    checkNames(subject, component, path);
    checkTtl(subject, component, path);
    checkKeys(subject, component, path);
  }
});

function checkRecords(subject: GroupSubject, component: DnsComponent, path: KeyPath): void {
  const { primary, secondary } = subject.group;
  const regionsAreRight = checkRegionKeys(subject, Object.keys(component.records), [...path, 'records']);
  for (const [region, records] of Object.entries(component.records))
    for (const [index, record] of records.entries())
      checkRecord(subject, component, record, [...path, 'records', region, index]);
  for (const [region, records] of Object.entries(component.records))
    if (component.type === 'CNAME' && records.length > 1)
      subject.error({
        code: 'dns-record',
        path: [...path, 'records', region, 1],
        message: 'a CNAME has exactly one target',
        remedy: 'keep one of them',
      });
  if (!regionsAreRight) return;
  for (const region of [primary, secondary])
    if (!Object.hasOwn(component.records, region))
      subject.error({
        code: 'records-missing',
        path: [...path, 'records', region],
        value: 'missing',
        message: `there are no records for ${region}, so the name could not be pointed there`,
        remedy: `add ${region} with the addresses of its entry point`,
      });
  const [here, there] = [component.records[primary], component.records[secondary]];
  if (here !== undefined && there !== undefined && sameSet(here, there))
    subject.error({
      code: 'records-same',
      path: [...path, 'records', secondary],
      value: there.join(', '),
      message: 'both regions have the same records, so the cut-over would change nothing',
      remedy: 'write the addresses of each region’s own entry point',
    });
}

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  [...a].map(plainDnsName).sort().join(' ') === [...b].map(plainDnsName).sort().join(' ');

const RECORDS = {
  A: { fits: isIPv4, remedy: 'write an IPv4 address, such as 203.0.113.10' },
  AAAA: { fits: isIPv6, remedy: 'write an IPv6 address, such as 2001:db8::10' },
  CNAME: {
    fits: (text: string) => isDnsName(text) && !isIPv4(text),
    remedy: 'write a host name, such as eu.example.com',
  },
} as const;

function checkRecord(subject: Subject, component: DnsComponent, record: string, path: KeyPath): void {
  const type = component.type ?? 'A';
  if (RECORDS[type].fits(record)) return;
  subject.error({ code: 'dns-record', path, message: `this is no ${type} record`, remedy: RECORDS[type].remedy });
}

function checkNames(subject: Subject, component: DnsComponent, path: KeyPath): void {
  for (const key of ['name', 'epochName'] as const)
    if (!isDnsName(component[key]))
      subject.error({
        code: 'dns-name',
        path: [...path, key],
        message: 'this is no DNS name',
        remedy: 'write a full name, such as api.example.com',
      });
  if (component.type === 'CNAME' && sameDnsName(component.name, component.epochName))
    subject.error({
      code: 'dns-epoch-name',
      path: [...path, 'epochName'],
      message: 'no other record may stand beside a CNAME',
      remedy: 'give the epoch a name of its own, such as _failoverd.example.com',
    });
}

/** Caches keep the old answer for a whole time to live after the change. */
const MOST_TTL_MS = 60_000;
function checkTtl(subject: GroupSubject, component: DnsComponent, path: KeyPath): void {
  const ttlMs = durationMs(component.ttl ?? '30s');
  const budgetMs = subject.filled.phaseBudgetMs.dns;
  const mostMs = Math.min(MOST_TTL_MS, budgetMs);
  if (ttlMs > mostMs)
    subject.error({
      code: 'dns-ttl',
      path: [...path, 'ttl'],
      message:
        ttlMs > budgetMs
          ? `resolvers keep the old answer longer than the DNS phase may take (${durationText(budgetMs)})`
          : 'resolvers keep the old answer longer than 60 s',
      remedy: `write ${durationText(mostMs)} or less`,
    });
  if (ttlMs % 1000 !== 0)
    subject.error({
      code: 'dns-ttl-fraction',
      path: [...path, 'ttl'],
      message: 'a time to live is made of whole seconds',
      remedy: `write ${durationText(Math.max(1000, Math.floor(ttlMs / 1000) * 1000))}`,
    });
}

function checkKeys(subject: Subject, component: DnsComponent, path: KeyPath): void {
  const { accessKeyId, secretAccessKey } = component;
  if ((accessKeyId === undefined) === (secretAccessKey === undefined)) return;
  const [has, lacks] =
    accessKeyId === undefined ? ['secretAccessKey', 'accessKeyId'] : ['accessKeyId', 'secretAccessKey'];
  subject.error({
    code: 'key-half',
    path: [...path, has ?? ''],
    on: 'key',
    message: `${has} is there and ${lacks} is not`,
    remedy: `add ${lacks}, or leave both out to use the credentials of the machine`,
  });
}

/** Two components that write one record would undo each other, over groups too. */
export const checkDnsNames: Check = (subject) => {
  const known = new Map<string, string>();
  for (const [groupId, group] of Object.entries(subject.config.groups))
    for (const [id, component] of Object.entries(group.components)) {
      if (component.kind !== 'dns') continue;
      const { provider, zoneId, type = 'A' } = component;
      for (const [key, name, code] of [
        ['name', `${plainDnsName(component.name)} ${type}`, 'dns-name-twice'],
        ['epochName', `${plainDnsName(component.epochName)} TXT`, 'dns-epoch-name'],
      ] as const) {
        const record = `${provider} ${zoneId} ${name}`;
        const other = known.get(record);
        if (other !== undefined)
          subject.error({
            code,
            path: ['groups', groupId, 'components', id, key],
            message: `${other} writes the same record`,
            remedy: key === 'name' ? 'keep one of the two' : 'give each component an epoch record of its own',
          });
        known.set(record, `${groupId}/${id}`);
      }
    }
};
