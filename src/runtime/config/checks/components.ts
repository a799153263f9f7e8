/**
 * Components: an address in both regions of the group, two different ones, and probes that can tell something in time.
 */
import type { ComponentConfig } from '../../../model/config.ts';
import { durationMs, durationText } from '../../../model/primitives.ts';
import { addressOf, addressOfUrl, addressText, sameDnsName } from '../address.ts';
import type { KeyPath } from '../problem.ts';
import { type Check, eachGroup, type GroupSubject } from './context.ts';
import { isRegion, sidesAreRight } from './regions.ts';

export const checkComponents: Check = eachGroup((subject) => {
  for (const [id, component] of Object.entries(subject.group.components)) {
    const path = [...subject.path, 'components', id];
    if (component.kind !== 'dns') checkInstances(subject, component, path);
    for (const [index, region] of (component.residency ?? []).entries())
      isRegion(subject, region, [...path, 'residency', index]);
    checkProbe(subject, component, path);
    if (component.kind === 'http') checkPublicName(subject, component, path);
  }
});

type Placed = Exclude<ComponentConfig, { kind: 'dns' }>;

function checkInstances(subject: GroupSubject, component: Placed, path: KeyPath): void {
  // What is not supported yet may be declared without addresses.
  if (component.instances === undefined) return;
  const { primary, secondary } = subject.group;
  const { instances } = component;
  if (!checkRegionKeys(subject, Object.keys(instances), [...path, 'instances'])) return;
  for (const region of [primary, secondary])
    if (!Object.hasOwn(instances, region) && !staysAway(component, region))
      subject.error({
        code: 'instance-missing',
        path: [...path, 'instances', region],
        value: 'missing',
        message: `there is no address in ${region}, so it can be neither watched nor moved there`,
        remedy: `add ${region} with the address there`,
      });
  const [here, there] = [instances[primary], instances[secondary]];
  if (here !== undefined && there !== undefined && plain(component.kind, here) === plain(component.kind, there))
    subject.error({
      code: 'instance-same',
      path: [...path, 'instances', secondary],
      message: 'both regions have the same address, so one of them is not watched',
      remedy: 'write the address of each region itself, not of what stands before both',
    });
}

/** A component that may not stand in a region has no address there; those that are moved already need both. */
const staysAway = ({ kind, residency }: Placed, region: string): boolean =>
  kind !== 'postgres' && kind !== 'http' && residency !== undefined && !residency.includes(region);

/**
 * Keys of a mapping per region: declared, and a side of the group. False where the sides or the keys are wrong in a way
 * that is told already, so that what else is missing follows from it.
 */
export function checkRegionKeys(subject: GroupSubject, regions: readonly string[], path: KeyPath): boolean {
  const { primary, secondary } = subject.group;
  const sides = sidesAreRight(subject);
  let declared = true;
  for (const region of regions) {
    if (!isRegion(subject, region, [...path, region], 'key')) declared = false;
    else if (sides && region !== primary && region !== secondary)
      subject.error({
        code: 'region-not-in-group',
        path: [...path, region],
        on: 'key',
        value: region,
        message: 'this region is neither side of the group',
        remedy: `keep ${primary} and ${secondary}`,
      });
  }
  return sides && declared;
}

/** One spelling for one address. */
function plain(kind: Placed['kind'], text: string): string {
  if (kind === 'http') return URL.canParse(text) ? new URL(text).href : text;
  const address = addressOf(text);
  return address === null ? text : addressText(address);
}

const LEAST_PROBE_MS = 10;
const MOST_INTERVALS = 10;
function checkProbe(subject: GroupSubject, component: ComponentConfig, path: KeyPath): void {
  const { interval, timeout } = component.probe ?? {};
  const intervalMs = durationMs(interval ?? '1s');
  const timeoutMs = durationMs(timeout ?? '2s');
  for (const [key, ms] of [
    ['interval', intervalMs],
    ['timeout', timeoutMs],
  ] as const)
    if (ms < LEAST_PROBE_MS)
      subject.error({
        code: 'probe-zero',
        path: [...path, 'probe', key],
        message: `this is shorter than ${LEAST_PROBE_MS}ms`,
        remedy: key === 'interval' ? 'write 1s or so' : 'write what a slow but healthy answer takes, such as 2s',
      });
  if (timeoutMs > MOST_INTERVALS * intervalMs && intervalMs >= LEAST_PROBE_MS)
    subject.error({
      code: 'probe-timeout',
      path: [...path, 'probe', timeout === undefined ? 'interval' : 'timeout'],
      message: `with a timeout of ${durationText(timeoutMs)} and an interval of ${durationText(intervalMs)}, more than ${MOST_INTERVALS} probes would wait for a target that hangs`,
      remedy: `write a timeout of at most ${durationText(MOST_INTERVALS * intervalMs)}, or a longer interval`,
    });
}

function checkPublicName(subject: GroupSubject, component: Extract<Placed, { kind: 'http' }>, path: KeyPath): void {
  if (component.public === undefined) return;
  const host = addressOfUrl(component.public.url)?.host ?? '';
  const names = Object.values(subject.group.components).flatMap((c) => (c.kind === 'dns' ? [c.name] : []));
  if (!names.some((name) => sameDnsName(name, host)))
    subject.warn({
      code: 'public-url-not-moved',
      path: [...path, 'public', 'url'],
      message: 'no DNS component of the group moves this name, so a failover would not show through it',
      remedy: 'use the name of a DNS component of the group',
    });
}

/** Two groups, or two components, that promote one server would do so twice. */
export const checkPostgresAddresses: Check = (subject) => {
  const known = new Map<string, string>();
  for (const [groupId, group] of Object.entries(subject.config.groups))
    for (const [id, component] of Object.entries(group.components)) {
      if (component.kind !== 'postgres') continue;
      const owner = `${groupId}/${id}`;
      for (const [region, text] of Object.entries(component.instances)) {
        const address = plain('postgres', text);
        const other = known.get(address);
        if (other !== undefined && other !== owner)
          subject.error({
            code: 'instance-twice',
            path: ['groups', groupId, 'components', id, 'instances', region],
            message: `${other} has this address too: one server can’t be promoted by two components`,
            remedy: 'keep it in one of them',
          });
        known.set(address, owner);
      }
    }
};
