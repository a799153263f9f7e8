/**
 * Autonomy and the people behind it: who is asked, whether there are enough of them, and whether they hear of it
 * (dr-strategy §4.1).
 */
import { addressOfUrl, isLoopback } from '../address.ts';
import type { KeyPath } from '../problem.ts';
import { meant } from '../words.ts';
import { asksPeople, type Check, eachGroup, type GroupSubject, type Subject } from './context.ts';

export const checkAutonomy: Check = eachGroup((subject) => {
  const { group, path, config } = subject;
  if (group.autonomy === 'auto' && (group.fence ?? { driver: 'none' }).driver === 'none')
    subject.error({
      code: 'auto-without-fence',
      path: [...path, 'autonomy'],
      message: 'without a fence nothing proves that the old primary is stopped before the new one takes writes',
      remedy: 'add fence: with driver: command, or write autonomy: gated',
    });
  if (!asksPeople(group)) return;
  if (config.pager === undefined)
    subject.error({
      code: 'pager-missing',
      path: [...path, 'autonomy'],
      message: 'people must be told of proposals and runs, and there is no pager',
      remedy: 'add pager: with its url and secret, or write autonomy: observe',
    });
  checkApprovers(subject);
});

function checkApprovers(subject: GroupSubject): void {
  const { filled, path, group, config } = subject;
  for (const when of ['businessHours', 'otherwise'] as const) {
    const needed = filled.approvals[when];
    const lacking = lackOf(subject, needed);
    if (lacking === null) continue;
    subject.error({
      code: 'people-missing',
      path: config.people === undefined ? [...path, 'autonomy'] : ['people'],
      on: config.people === undefined ? 'value' : 'key',
      message: `approvals of ${path.join('.')} ${when === 'businessHours' ? 'in business hours' : 'at other times'} need ${needed.join(' and ')}, each a person of their own; ${lacking}`,
      remedy: `declare them under people, with the roles ${needed.join(' and ')}`,
    });
    break;
  }
  if (group.authority !== undefined && new Set(filled.approvals.businessHours).size < 2)
    subject.warn({
      code: 'approvals-single',
      path: [...path, 'authority', 'approvals', 'businessHours'],
      message: 'in business hours one role alone approves; the strategy asks for the on-call SRE and the VP',
      remedy: 'write [sre, vp]',
    });
}

/** What lacks for one person per role; null = enough. By Hall's condition over the two roles. */
function lackOf(subject: GroupSubject, needed: readonly ('sre' | 'vp')[]): string | null {
  const people = Object.values(subject.config.people ?? {}).map((person) => person.roles);
  const have = {
    sre: people.filter((roles) => roles.includes('sre')).length,
    vp: people.filter((roles) => roles.includes('vp')).length,
    either: people.filter((roles) => roles.includes('sre') || roles.includes('vp')).length,
  };
  for (const role of ['sre', 'vp'] as const) {
    const count = needed.filter((one) => one === role).length;
    if (have[role] < count) return `${have[role]} of ${count} with the role ${role} declared`;
  }
  return have.either < needed.length ? `${have.either} of ${needed.length} persons declared` : null;
}

export const checkAuthority: Check = eachGroup((subject) => {
  const { authority } = subject.group;
  if (authority === undefined) return;
  const path = [...subject.path, 'authority'];
  checkTimeZone(subject, authority.timeZone, [...path, 'timeZone']);
  const { from, to } = authority.businessHours;
  if (from === to)
    subject.error({
      code: 'hours-empty',
      path: [...path, 'businessHours', 'to'],
      message: `business hours begin and end at ${from}, so there are none`,
      remedy: 'write another time; "00:00" to "24:00" is the whole day',
    });
  else if (from > to)
    subject.warn({
      code: 'hours-over-midnight',
      path: [...path, 'businessHours', 'to'],
      message: `business hours go from ${from} over midnight to ${to} on the next day`,
      remedy: 'write a later time if that is not meant',
    });
});

export function checkTimeZone(subject: Subject, zone: string, path: KeyPath): void {
  // Offsets such as +02:00 are zones to Intl and know no summer time.
  if (/^[A-Za-z]/.test(zone) && isTimeZone(zone)) return;
  const near = meant(zone, Intl.supportedValuesOf('timeZone'));
  subject.error({
    code: 'bad-time-zone',
    path,
    message: 'there is no such time zone in the IANA database',
    remedy: near === null ? 'write a name such as America/New_York' : `did you mean ${near}?`,
  });
}

function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

export const checkPager: Check = ({ config, warn }) => {
  if (config.pager === undefined || !config.pager.url.startsWith('http://')) return;
  if (isLoopback(addressOfUrl(config.pager.url)?.host ?? '')) return;
  warn({
    code: 'pager-plain-http',
    path: ['pager', 'url'],
    message: 'pages are signed and not encrypted: who listens in reads them',
    remedy: 'use https',
  });
};

/** Two who share a token are one to the daemon (invariant 22). */
export const checkTokens: Check = ({ config, error }) => {
  const holders: { path: KeyPath; reference: string }[] = Object.entries(config.people ?? {}).map(([id, person]) => ({
    path: ['people', id, 'token'],
    reference: person.token,
  }));
  const { bearer, basic } = config.alertmanager ?? {};
  if (bearer !== undefined) holders.unshift({ path: ['alertmanager', 'bearer'], reference: bearer });
  if (basic !== undefined) holders.unshift({ path: ['alertmanager', 'basic', 'password'], reference: basic.password });
  // A guard shows its token to the lease store.
  for (const [group, { components }] of Object.entries(config.groups))
    for (const [id, component] of Object.entries(components))
      if (component.kind === 'postgres')
        for (const [region, { token }] of Object.entries(component.guards ?? {}))
          holders.push({ path: ['groups', group, 'components', id, 'guards', region, 'token'], reference: token });
  const known = new Map<string, string>();
  for (const { path, reference } of holders) {
    const other = known.get(reference);
    if (other !== undefined)
      error({
        code: 'token-twice',
        path,
        message: `${other} has the same token, so the two can’t be told apart`,
        remedy: 'give each a token of its own',
      });
    known.set(reference, path.slice(0, path.length - 1).join('.'));
  }
};
