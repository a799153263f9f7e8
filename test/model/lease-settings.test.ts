// What a lease is worth where it stands: whether its end proves anything, and what that lets failoverd do (invariant 25).
import t from 'tap';
import type { Config, GroupConfig } from '../../src/model/config.ts';
import { type LeaseConfig, termsOf, timingsHash } from '../../src/model/lease-config.ts';
import { declaredAutonomy, type GroupSettings, settingsOf } from '../../src/model/settings.ts';
import { PROFILES } from '../../src/model/timings.ts';
import { A, B, CONFIG, GROUP, GROUP_CONFIG, W } from '../support/group.ts';

const LEASE: LeaseConfig = { deadMan: 'absolute', isolation: 'stop', partitionExposure: '135s' };
const { db } = GROUP_CONFIG.components;
if (db?.kind !== 'postgres') throw new Error('the group has a PostgreSQL');
const guard = (region: string) => ({ url: `http://${region}.test:8432`, token: `\${env:${region}}` });
const guards = { [A]: guard(A), [B]: guard(B) };
const GUARDED: GroupConfig = {
  ...GROUP_CONFIG,
  components: { ...GROUP_CONFIG.components, db: { ...db, control: 'guard', guards } },
  fence: { driver: 'guard' },
  lease: LEASE,
};
const at = (region: string): Config => ({
  ...CONFIG,
  vantages: {
    ...CONFIG.vantages,
    daemon: { region, controlTargets: ['tcp://192.0.2.53:53'] },
    frankfurt: { region: B, controlTargets: ['tcp://192.0.2.53:53'], publicKey: 'y' },
  },
});
const settings = (change: Partial<GroupConfig> = {}, config = at(W)): GroupSettings => {
  const one = settingsOf({ ...config, groups: { [GROUP]: { ...GUARDED, ...change } } }).groups[GROUP];
  if (one === undefined) throw new Error('no group');
  return one;
};
const lease = (change: Partial<LeaseConfig>): Partial<GroupConfig> => ({ lease: { ...LEASE, ...change } });

t.test('a guarded group with all that the end of a lease needs acts alone', async (t) => {
  const group = settings();
  t.same(group.lease?.expiredIsNoProof, []);
  t.equal(declaredAutonomy(group), 'auto');
  t.equal(group.fence, 'guard');
  t.same(group.lease?.guards, [A, B]);
  t.equal(group.components.find(({ id }) => id === 'db')?.control, 'guard');
  t.ok(group.components.every(({ supported }) => supported));
});

const LACKING: Readonly<Record<string, readonly [Partial<GroupConfig>, string | null, RegExp]>> = {
  'a primary that serves on': [lease({ isolation: 'serve' }), null, /serve/],
  'a lease that does not say': [{ lease: { deadMan: 'absolute', partitionExposure: '135s' } }, null, /serve/],
  'no dead-man': [lease({ deadMan: 'none' }), null, /deadMan is none/],
  'a store in the active region': [{}, A, new RegExp(A)],
  'a store in the other region': [{}, B, new RegExp(B)],
  'no consent': [{ lease: { deadMan: 'absolute', isolation: 'stop' } }, null, /consents to none/],
  'consent to less': [lease({ partitionExposure: '134999ms' }), null, /2m15s/],
  'consent to what an absolute dead-man needs, under a relative one': [lease({ deadMan: 'relative' }), null, /4m30s/],
};
for (const [name, [change, region, why]] of Object.entries(LACKING))
  t.test(`${name} proves nothing, and people decide`, async (t) => {
    const group = settings(change, at(region ?? W));
    t.equal(group.lease?.expiredIsNoProof.length, 1);
    t.match(group.lease?.expiredIsNoProof[0], why);
    t.equal(declaredAutonomy(group), 'gated');
    t.ok(
      group.caps.some((cap) => cap.autonomy === 'gated' && why.test(cap.why)),
      'and they are told why',
    );
    // Another driver proves it by itself; but the daemon still has to outlive the region it decides about.
    const fenced = settings(
      { ...change, fence: { driver: 'command', fence: ['off'], verify: ['is'] } },
      at(region ?? W),
    );
    t.equal(declaredAutonomy(fenced), region === A ? 'gated' : 'auto');
  });

t.test('the fence of guards without a lease proves nothing', async (t) => {
  const { lease: _, ...without } = GUARDED;
  const group = settingsOf({ ...at(W), groups: { [GROUP]: without } }).groups[GROUP];
  t.equal(group?.lease, null);
  t.equal(group === undefined ? null : declaredAutonomy(group), 'gated');
});

t.test('terms are the same terms under another name, and other ones have another hash', async (t) => {
  const spelled: LeaseConfig = {
    ...LEASE,
    onCrash: 'restart',
    crashRestarts: 3,
    timings: {
      renew: '3s',
      attemptTimeout: '2000ms',
      electionGap: '10s',
      demoteAfter: '2m8s',
      stopWithin: '7s',
      deadManAfter: '135s',
      lease: '4m30s',
      wait: '5m',
    },
  };
  t.same(termsOf(spelled), termsOf(LEASE));
  t.same(termsOf(LEASE).timings, PROFILES.patient);
  const hash = (change: Partial<LeaseConfig>): string => timingsHash(termsOf({ ...LEASE, ...change }));
  t.equal(timingsHash(termsOf(spelled)), hash({}));
  t.equal(hash({ partitionExposure: '1h' }), hash({}), 'consent is the controller’s alone');
  const others: Partial<LeaseConfig>[] = [
    { timings: 'strict' },
    { deadMan: 'relative' },
    { isolation: 'serve' },
    { onCrash: 'release' },
    { crashRestarts: 4 },
  ];
  t.equal(new Set([hash({}), ...others.map(hash)]).size, others.length + 1);
  t.equal(settings({ lease: spelled }).boundHash, settings().boundHash);
});

t.test('a yes is bound to the lease it was given for', async (t) => {
  const bound = settings().boundHash;
  for (const change of [
    lease({ timings: 'strict' }),
    lease({ isolation: 'serve' }),
    lease({ partitionExposure: '10m' }),
  ])
    t.not(settings(change).boundHash, bound);
  t.not(settings({}, at(B)).boundHash, bound, 'a store that stands elsewhere');
  const other = { ...guards, [A]: { ...guard(A), url: 'http://other.test:8432' } };
  t.not(
    settings({ components: { ...GUARDED.components, db: { ...db, control: 'guard', guards: other } } }).boundHash,
    bound,
  );
});

t.test('a fence by guards is given the time it takes to stop', async (t) => {
  t.equal(settings().fenceTimeoutMs, 7000 + 2 * 2000);
  t.equal(settings(lease({ timings: 'strict' })).fenceTimeoutMs, 6000 + 2 * 2000);
});
