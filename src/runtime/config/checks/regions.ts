/**
 * Regions and vantages: who stands where, and whether what they see can be believed.
 */
import { Buffer } from 'node:buffer';
import type { ComponentConfig } from '../../../model/config.ts';
import { type Address, addressOf, addressOfUrl, addressText } from '../address.ts';
import type { KeyPath } from '../problem.ts';
import { choose } from '../words.ts';
import { type Check, eachGroup, type GroupSubject, type Subject } from './context.ts';

export const checkRegionRoles: Check = (subject) => {
  for (const role of ['primary', 'secondary'] as const) {
    const holders = Object.entries(subject.config.regions).filter(([, region]) => region.role === role);
    for (const [id] of holders.slice(1))
      subject.error({
        code: 'region-roles',
        path: ['regions', id, 'role'],
        message: `${holders[0]?.[0]} is the ${role} region already`,
        remedy: 'give exactly one region the role primary and one the role secondary; the others are witness',
      });
    if (holders.length === 0)
      subject.error({
        code: 'region-roles',
        path: ['regions'],
        on: 'key',
        message: `no region has the role ${role}`,
        remedy: `write role: ${role} in one of them`,
      });
  }
};

/** Tells of a region that is not declared; true where it is. */
export function isRegion(subject: Subject, name: string, path: KeyPath, on: 'key' | 'value' = 'value'): boolean {
  if (Object.hasOwn(subject.config.regions, name)) return true;
  subject.error({
    code: 'unknown-region',
    path,
    on,
    ...(on === 'key' ? { value: name } : {}),
    message: 'no such region is declared',
    remedy: choose(name, Object.keys(subject.config.regions)),
  });
  return false;
}

/** Whether a group's two sides can be used to judge what else it names; what is wrong with them is told elsewhere. */
export function sidesAreRight({ config, group }: Pick<GroupSubject, 'config' | 'group'>): boolean {
  const { primary, secondary } = group;
  const holdsData = (id: string): boolean =>
    Object.hasOwn(config.regions, id) && config.regions[id]?.role !== 'witness';
  return primary !== secondary && holdsData(primary) && holdsData(secondary);
}

export const checkGroupRegions: Check = eachGroup((subject) => {
  const { group, path, config } = subject;
  for (const side of ['primary', 'secondary'] as const) {
    if (!isRegion(subject, group[side], [...path, side])) continue;
    const role = config.regions[group[side]]?.role;
    if (role === 'witness')
      subject.error({
        code: 'region-is-witness',
        path: [...path, side],
        message: 'a witness region holds no data and can’t be a side of a group',
        remedy: 'name a region with the role primary or secondary',
      });
  }
  if (group.primary === group.secondary)
    subject.error({
      code: 'same-region',
      path: [...path, 'secondary'],
      message: 'the group can’t move to the region it stands in',
      remedy: 'name the other region',
    });
  else if (config.regions[group.primary]?.role === 'secondary')
    subject.warn({
      code: 'group-homed-elsewhere',
      path: [...path, 'primary'],
      message: 'the group is at home in the region whose role is secondary',
      remedy: 'leave it if that is meant; otherwise swap primary and secondary',
    });
});

export const checkVantages: Check = (subject) => {
  const { vantages } = subject.config;
  if (!Object.hasOwn(vantages, 'daemon'))
    subject.error({
      code: 'vantage-daemon-missing',
      path: ['vantages'],
      on: 'key',
      message: 'the daemon itself is a vantage and must be declared',
      remedy: 'add a vantage named daemon, with the region this process runs in',
    });
  const keys = new Map<string, string>();
  const places = new Map<string, string>();
  for (const [id, vantage] of Object.entries(vantages)) {
    const path = ['vantages', id];
    if (isRegion(subject, vantage.region, [...path, 'region'])) {
      const other = places.get(vantage.region);
      if (other !== undefined)
        subject.warn({
          code: 'vantages-same-region',
          path: [...path, 'region'],
          message: `${other} stands in the same region: the two see over one path`,
          remedy: 'put one of them in another failure domain',
        });
      places.set(vantage.region, id);
    }
    checkKey(subject, id, vantage.publicKey, keys);
  }
};

const KEY_BYTES = 32;
function checkKey(subject: Subject, id: string, key: string | undefined, known: Map<string, string>): void {
  const path = ['vantages', id, 'publicKey'];
  if (id === 'daemon') {
    if (key !== undefined)
      subject.error({
        code: 'vantage-key-unexpected',
        path,
        message: 'the daemon does not sign what it tells itself',
        remedy: 'leave publicKey out, or give the witness another name',
      });
    return;
  }
  if (key === undefined) {
    subject.error({
      code: 'vantage-key-missing',
      path,
      value: 'missing',
      message: 'without its public key nothing this witness reports can be believed',
      remedy: 'add publicKey: the Ed25519 public key of the witness, 32 bytes in base64',
    });
    return;
  }
  // Decoding skips what is no base64; only a text that encodes back to itself was one.
  const bytes = Buffer.from(key, 'base64');
  if (bytes.length !== KEY_BYTES || bytes.toString('base64') !== key)
    subject.error({
      code: 'vantage-key-bad',
      path,
      message: `a public key is ${KEY_BYTES} bytes in base64; this is not`,
      remedy: 'write the 44 characters of the raw Ed25519 public key, the last one being =',
    });
  const other = known.get(key);
  if (other !== undefined)
    subject.error({
      code: 'vantage-key-twice',
      path,
      message: `${other} has the same key: one witness could speak for both`,
      remedy: 'make a key for each witness',
    });
  known.set(key, id);
}

/** A control target that dies with the region would make every witness look isolated when it is needed. */
export const checkControlTargets: Check = (subject) => {
  const watched = new Map<string, string>();
  for (const [groupId, group] of Object.entries(subject.config.groups))
    for (const [id, component] of Object.entries(group.components))
      for (const address of addressesOf(component)) watched.set(addressText(address), `${groupId}/${id}`);
  for (const [id, vantage] of Object.entries(subject.config.vantages))
    for (const [index, target] of vantage.controlTargets.entries()) {
      const address = target.startsWith('tcp://') ? addressOf(target.slice('tcp://'.length)) : addressOfUrl(target);
      const component = address === null ? undefined : watched.get(addressText(address));
      if (component !== undefined)
        subject.error({
          code: 'control-target-is-component',
          path: ['vantages', id, 'controlTargets', index],
          message: `this is ${component}: were it down, the vantage would take itself for isolated`,
          remedy: 'name an address that has nothing to do with what is watched',
        });
    }
};

function addressesOf(component: ComponentConfig): Address[] {
  const parse = component.kind === 'http' ? addressOfUrl : addressOf;
  const instances = component.kind === 'dns' ? [] : Object.values(component.instances ?? {});
  return instances.map((text) => parse(text)).filter((address) => address !== null);
}

export const checkQuorum: Check = eachGroup((subject) => {
  const count = Object.keys(subject.config.vantages).length;
  const { quorum } = subject.group;
  const path = [...subject.path, 'quorum'];
  const majority = Math.floor(count / 2) + 1;
  if (quorum === undefined) return;
  if (quorum > count)
    subject.error({
      code: 'quorum-too-large',
      path,
      message: `there are only ${count} vantages, so this many never agree`,
      remedy: majority === count ? `write ${count}` : `write ${majority} to ${count}`,
    });
  else if (quorum < majority)
    subject.error({
      code: 'quorum-not-majority',
      path,
      message: `of ${count} vantages, two sets of this size could say opposite things`,
      remedy: majority === count ? `write ${count}` : `write ${majority} to ${count}`,
    });
});
