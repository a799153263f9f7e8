/** The group that the simulator runs: the strategy's, with holds and budgets short enough for many histories. */
import type { Config } from '../model/config.ts';
import { type Settings, settingsOf } from '../model/settings.ts';
import { A, B, W } from './platform.ts';
import { CONTROL, GROUP, METRIC, PROMETHEUS } from './vantages.ts';

export const RTO_MS = 60_000;
export const COOLDOWN_MS = 20_000;
/** Within this a standby that streamed stands against a failover. */
export const STREAMED_MS = 3000;

export function simSettings(autonomy: 'auto' | 'gated', holdMs: number): Settings {
  const config: Config = {
    version: 1,
    daemon: { stateDir: 'state' },
    regions: { [A]: { role: 'primary' }, [B]: { role: 'secondary' }, [W]: { role: 'witness' } },
    vantages: {
      daemon: { region: B, controlTargets: [CONTROL] },
      witness: { region: W, controlTargets: [CONTROL] },
    },
    alertmanager: {
      region: W,
      bearer: '${env:TOKEN}',
      facts: [{ match: ['alertname="RegionDown"'], fact: 'region-unreachable', group: GROUP, region: A }],
    },
    prometheus: { [PROMETHEUS]: { url: 'http://prometheus.test/', region: W, scrapeInterval: '2s', timeout: '1s' } },
    groups: {
      [GROUP]: {
        autonomy,
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
            instances: { [A]: 'http://a.test/', [B]: 'http://b.test/' },
            public: { url: 'http://app.test/', canaryWrite: { path: '/writes', body: '{"id":"${ID}"}' } },
          },
          name: {
            kind: 'dns',
            tier: 1,
            provider: 'route53',
            zoneId: 'Z',
            name: 'app.test',
            records: { [A]: ['192.0.2.1'], [B]: ['192.0.2.2'] },
            epochName: '_failoverd.app.test',
            resolvers: ['127.0.0.1:53'],
          },
        },
        fence: { driver: 'command', fence: ['off'], verify: ['status'], timeout: '5s' },
        facts: { [METRIC]: { promql: METRIC, type: 'verdict', bad: '> 0', every: '2s' } },
        matrix: [
          { id: 10, kind: 'veto', when: 'bad(reports.corruption)', against: ['failover'] },
          { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: `${holdMs}ms`, action: 'failover', auto: true },
          { id: 85, kind: 'decide', when: `bad(metrics.${METRIC})`, for: '5s', action: 'speak-up' },
        ],
        budgets: {
          rto: `${RTO_MS}ms`,
          phases: { assessment: '15s', database: '15s', dns: '15s', verification: '15s' },
        },
        cooldown: `${COOLDOWN_MS}ms`,
        attempts: { most: 3, within: '10m' },
        holdGap: '10s',
        standbyStreamedWithin: `${STREAMED_MS}ms`,
      },
    },
  };
  return settingsOf(config);
}
