/**
 * The lease of a group and who promotes its PostgreSQL (safety.md, "The lease" and "Fence proofs"; invariant 25).
 */

import type { LeaseTimings } from '../../../model/lease.ts';
import type { LeaseConfig } from '../../../model/lease-config.ts';
import { profileOf, termsOf } from '../../../model/lease-config.ts';
import { noProofByGuard } from '../../../model/lease-settings.ts';
import { durationText } from '../../../model/primitives.ts';
import { type JudgedRule, judgeTimings } from '../../../model/timings.ts';
import { criticalPathOf, phasesOf } from '../phases.ts';
import type { KeyPath } from '../problem.ts';
import { checkRegionKeys } from './components.ts';
import { type Check, eachGroup, type GroupSubject, type Telling } from './context.ts';

const KEYS: Readonly<Record<keyof LeaseTimings, string>> = {
  renewMs: 'renew',
  attemptMs: 'attemptTimeout',
  electionGapMs: 'electionGap',
  demoteAfterMs: 'demoteAfter',
  stopWithinMs: 'stopWithin',
  deadManAfterMs: 'deadManAfter',
  leaseMs: 'lease',
  waitMs: 'wait',
};

/** Every timing rule of a lease, wherever it is written. */
export function checkTimings({ error }: Telling, lease: LeaseConfig, path: KeyPath): void {
  const { timings, deadMan } = termsOf(lease);
  const custom = profileOf(lease) === 'custom';
  const at = (key: keyof LeaseTimings): KeyPath => [...path, 'timings', ...(custom ? [KEYS[key]] : [])];
  // Of what takes no time no rule says anything.
  const nothing = (Object.keys(KEYS) as (keyof LeaseTimings)[]).filter((key) => timings[key] <= 0);
  for (const key of nothing)
    error({
      code: 'timing-zero',
      path: at(key),
      message: 'this takes no time, which nothing does',
      remedy: 'write what it takes at most, such as 2s',
    });
  if (nothing.length > 0) return;
  for (const rule of judgeTimings(timings, deadMan))
    if (!rule.holds)
      error({
        code: rule.id,
        path: at(rule.of),
        message: `${rule.formula} does not hold: ${durationText(rule.leftMs)} ${rule.strictly ? '>=' : '>'} ${durationText(rule.rightMs)}; ${rule.says}`,
        remedy: remedyOf(rule),
      });
}

/** The timing that a rule is about stands alone on one of its sides, but for the dead-man's share of a lease. */
const remedyOf = ({ id, leftMs, rightMs }: JudgedRule): string =>
  id === 'timing-attempt'
    ? `write less than ${durationText(rightMs)}`
    : `write ${durationText(leftMs)} or more, or shorten what it must cover`;

export const checkLease: Check = eachGroup((subject) => {
  const { group, path, filled } = subject;
  for (const [id, component] of Object.entries(group.components))
    if (component.kind === 'postgres') checkControl(subject, component, [...path, 'components', id]);
  const guarded = filled.components.some(({ control }) => control === 'guard');
  if (group.lease === undefined) {
    if (guarded)
      subject.error({
        code: 'lease-missing',
        path: [...path, 'lease'],
        value: 'missing',
        message: 'a guard lets its PostgreSQL be writable by a lease, and the group has none',
        remedy: 'add lease: with deadMan: absolute, relative or none; the same as in config/guard.yaml',
      });
  } else {
    checkTimings(subject, group.lease, [...path, 'lease']);
    if (!guarded)
      subject.error({
        code: 'lease-unused',
        path: [...path, 'lease'],
        on: 'key',
        value: 'lease',
        message: 'no PostgreSQL of the group has a guard that would keep it',
        remedy: 'write control: guard and guards: in the component, or leave the lease out',
      });
  }
  const unguarded = filled.components.find(({ control }) => control !== null && control !== 'guard');
  if (group.fence?.driver === 'guard' && unguarded !== undefined)
    subject.error({
      code: 'fence-without-guard',
      path: [...path, 'fence', 'driver'],
      message: `${unguarded.id} has no guard that could stop it`,
      remedy: 'write control: guard and guards: in the component, or driver: command',
    });
  checkProof(subject);
  checkWait(subject);
  if (guarded) checkIsolation(subject);
});

type Postgres = Extract<GroupSubject['group']['components'][string], { kind: 'postgres' }>;
/** What each control needs, and takes from no other. */
const SETTINGS_OF = { guard: 'guards', patroni: 'patroni', command: 'command' } as const;

function checkControl(subject: GroupSubject, component: Postgres, path: KeyPath): void {
  const control = component.control ?? 'direct';
  for (const [driver, key] of Object.entries(SETTINGS_OF) as [
    keyof typeof SETTINGS_OF,
    'guards' | 'patroni' | 'command',
  ][]) {
    const there = component[key] !== undefined;
    if (driver === control && !there)
      subject.error({
        code: 'control-missing',
        path: [...path, key],
        value: 'missing',
        message: `control: ${control} needs ${key}`,
        remedy: key === 'command' ? 'add command: with check, promote and verify' : `add ${key}: with each region`,
      });
    if (driver !== control && there)
      subject.error({
        code: 'control-unused',
        path: [...path, key],
        on: 'key',
        value: key,
        message: `${key} is used with control: ${driver}, and this is control: ${control}`,
        remedy: `write control: ${driver}, or leave ${key} out`,
      });
  }
  if (control === 'guard') checkSides(subject, component.guards, [...path, 'guards']);
  const { fence, fenceVerify } = component.command ?? {};
  if ((fence === undefined) !== (fenceVerify === undefined)) {
    const [there, lacking] = fence === undefined ? ['fenceVerify', 'fence'] : ['fence', 'fenceVerify'];
    subject.error({
      code: 'key-half',
      path: [...path, 'command', there],
      on: 'key',
      value: there,
      message: `nothing is off that was not read back, and the other way round: it goes with ${lacking}`,
      remedy: `add ${lacking}:, or leave ${there}: out`,
    });
  }
  if (control === 'patroni') {
    checkSides(subject, component.patroni, [...path, 'patroni']);
    for (const [region, { username, password }] of Object.entries(component.patroni ?? {}))
      if ((username === undefined) !== (password === undefined)) {
        const [there, lacking] = username === undefined ? ['password', 'username'] : ['username', 'password'];
        subject.error({
          code: 'key-half',
          path: [...path, 'patroni', region, there],
          on: 'key',
          value: there,
          message: `the REST API takes it together with its ${lacking}, and none is named`,
          remedy: `add ${lacking}:, or leave ${there}: out`,
        });
      }
  }
}

function checkSides(subject: GroupSubject, given: Readonly<Record<string, unknown>> | undefined, path: KeyPath): void {
  if (given === undefined || !checkRegionKeys(subject, Object.keys(given), path)) return;
  for (const region of [subject.group.primary, subject.group.secondary])
    if (!Object.hasOwn(given, region))
      subject.error({
        code: 'instance-missing',
        path: [...path, region],
        value: 'missing',
        message: `nothing is named in ${region}, so it can be neither stopped nor promoted there`,
        remedy: `add ${region}`,
      });
}

/** Invariant 25: what proves nothing never reaches auto. */
function checkProof(subject: GroupSubject): void {
  const { group, filled, path } = subject;
  if (group.autonomy !== 'auto' || filled.fence !== 'guard' || filled.lease === null) return;
  for (const why of noProofByGuard(filled.lease))
    subject.error({
      code: 'auto-without-proof',
      path: [...path, 'autonomy'],
      message: `where the region itself is gone ${why}`,
      remedy: 'mend it, or add a fence by driver: command, or write autonomy: gated',
    });
}

/**
 * What W is longer than the hold is waited for after the decision, inside the RTO. By a fence of another driver nobody waits
 * for the lease, but where that driver fails.
 */
function checkWait({ group, filled, path, error }: GroupSubject): void {
  const { lease, fence, rtoMs } = filled;
  if (lease === null || group.lease === undefined || fence !== 'guard') return;
  const { waitMs, renewMs, attemptMs } = lease.timings;
  const needMs = criticalPathOf(phasesOf(group));
  const holds = filled.rows.filter(({ kind, action }) => kind === 'decide' && action === 'failover');
  for (const { id, forMs } of holds) {
    const overMs = Math.max(0, waitMs + renewMs + attemptMs - forMs);
    if (needMs > rtoMs || needMs + overMs <= rtoMs) continue;
    error({
      code: 'wait-over-rto',
      path: [...path, 'lease', 'timings'],
      value: profileOf(group.lease),
      message: `when row ${id} has held for ${durationText(forMs)}, the lease of ${durationText(waitMs)} is waited for ${durationText(overMs)} more, and with the phases’ ${durationText(needMs)} that is over the RTO of ${durationText(rtoMs)}`,
      remedy: `write timings: strict, a longer hold, or an RTO of ${durationText(needMs + overMs)}`,
    });
  }
}

/** Stopping an isolated primary costs; it is worth it only where the end of its lease then proves something. */
function checkIsolation({ filled: { lease }, path, warn }: GroupSubject): void {
  if (lease === null || lease.isolation !== 'stop' || lease.expiredIsNoProof.length === 0) return;
  for (const why of lease.expiredIsNoProof)
    warn({
      code: 'isolation-for-nothing',
      path: [...path, 'lease', 'isolation'],
      message: `an isolated primary stops after ${durationText(lease.timings.demoteAfterMs)}, and that proves nothing: ${why}`,
      remedy: 'mend it, or write isolation: serve',
    });
}
