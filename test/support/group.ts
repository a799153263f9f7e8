/**
 * A small group for tests of the core: two regions, a witness region, one PostgreSQL, one service, one name.
 */
import type { Config, GroupConfig } from '../../src/model/config.ts';
import { type Settings, settingsOf } from '../../src/model/settings.ts';

export const A = 'us-east-1';
export const B = 'eu-central-1';
export const W = 'eu-west-1';
export const GROUP = 'platform';
export const CLUSTER = '7300000000000000001';

export const GROUP_CONFIG: GroupConfig = {
  autonomy: 'auto',
  primary: A,
  secondary: B,
  components: {
    db: {
      kind: 'postgres',
      tier: 1,
      database: 'app',
      user: 'failoverd',
      instances: { [A]: 'a.test:5432', [B]: 'b.test:5432' },
    },
    api: {
      kind: 'http',
      tier: 1,
      instances: { [A]: 'http://a.test/healthz', [B]: 'http://b.test/healthz' },
      public: { url: 'http://app.test/healthz', canaryWrite: { path: '/writes', body: '{"id":"${ID}"}' } },
    },
    name: {
      kind: 'dns',
      tier: 1,
      provider: 'route53',
      zoneId: 'Z1',
      name: 'app.test',
      records: { [A]: ['192.0.2.1'], [B]: ['192.0.2.2'] },
      epochName: '_failoverd.app.test',
      resolvers: ['127.0.0.1:53'],
    },
  },
  fence: { driver: 'command', fence: ['off'], verify: ['status'] },
  matrix: [
    { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '5s', action: 'failover', auto: true },
    { id: 80, kind: 'decide', when: 'bad(workloads.healthy)', for: '10s', action: 'speak-up' },
  ],
  authority: {
    timeZone: 'America/New_York',
    businessHours: { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '09:00', to: '18:00' },
    approvals: { businessHours: ['sre', 'vp'], otherwise: ['sre'] },
  },
};

export const CONFIG: Config = {
  version: 1,
  daemon: { stateDir: 'state' },
  regions: { [A]: { role: 'primary' }, [B]: { role: 'secondary' }, [W]: { role: 'witness' } },
  vantages: {
    daemon: { region: B, controlTargets: ['tcp://192.0.2.53:53'] },
    dublin: { region: W, controlTargets: ['tcp://192.0.2.53:53'], publicKey: 'x' },
  },
  alertmanager: {
    region: B,
    bearer: '${env:TOKEN}',
    facts: [
      { match: ['alertname="RegionDown"', `region="${A}"`], fact: 'region-unreachable', group: GROUP, region: A },
      { match: ['alertname="PodFailing"'], fact: 'workload-degraded', group: GROUP, region: A },
    ],
  },
  groups: { [GROUP]: GROUP_CONFIG },
};

export const settingsWith = (change: Partial<GroupConfig> = {}, config: Config = CONFIG): Settings =>
  settingsOf({ ...config, groups: { [GROUP]: { ...GROUP_CONFIG, ...change } } });
