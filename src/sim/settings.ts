/** The group that the simulator runs: the strategy's, with holds and budgets short enough for many histories. */
import type { Config, GroupConfig } from '../model/config.ts';
import { type Settings, settingsOf } from '../model/settings.ts';
import type { Chosen } from './contract.ts';
import { A, B, W } from './platform.ts';
import { CONTROL, GROUP, METRIC, PROMETHEUS } from './vantages.ts';

/** The row that fails over. */
export const FAILOVER_ROW = 40;
export const WATCHDOG_WITHIN_MS = 8000;

/** What a history is drawn from. */
export type Setup = {
  readonly holdsMs: readonly number[];
  readonly probeTimeoutsMs: readonly number[];
  /** How often the group acts by itself. */
  readonly autoShare: number;
  readonly rtoMs: number;
  readonly cooldownMs: number;
  readonly group: Pick<
    GroupConfig,
    'quorum' | 'budgets' | 'cooldown' | 'attempts' | 'holdGap' | 'standbyStreamedWithin' | 'authority'
  >;
};

export const OWN_SETUP: Setup = {
  holdsMs: [1000, 2000, 5000, 5000],
  probeTimeoutsMs: [500, 1000, 2000],
  autoShare: 0.7,
  rtoMs: 60_000,
  cooldownMs: 20_000,
  group: {
    budgets: { rto: '60s', phases: { assessment: '15s', database: '15s', dns: '15s', verification: '15s' } },
    cooldown: '20s',
    attempts: { most: 3, within: '10m' },
    holdGap: '10s',
    standbyStreamedWithin: '3s',
  },
};

/** No history waits longer than this for a hold. */
const LONGEST_HOLD_MS = 3_600_000;

/** Where the world can't stand for this group, each with what would have to change. */
export function refuses({ config, group }: Chosen): readonly string[] {
  const path = `groups.${group}`;
  const chosen = config.groups[group];
  if (chosen === undefined)
    return [`${path}: there is no such group; name one of ${Object.keys(config.groups).join(', ')} with --group`];
  const settings = settingsOf(config).groups[group];
  const row = settings?.rows.find(({ kind, action }) => kind === 'decide' && action === 'failover');
  const databases = Object.entries(chosen.components).filter(([, { kind }]) => kind === 'postgres');
  const vantages = settings?.vantages.length ?? 0;
  return [
    ...(chosen.autonomy === undefined || chosen.autonomy === 'observe'
      ? [`${path}.autonomy: observe does nothing that could be tried; simulate gated or auto`]
      : []),
    ...(row === undefined ? [`${path}.matrix: no row proposes a failover; add one (row 40 of the strategy)`] : []),
    ...(row !== undefined && row.when !== 'bad(active.reachable)'
      ? [`${path}.matrix: row ${row.id} asks for ${row.when}; the simulated world knows bad(active.reachable) alone`]
      : []),
    ...(row !== undefined && row.forMs > LONGEST_HOLD_MS
      ? [`${path}.matrix: row ${row.id} holds for ${row.forMs / 60_000} min; the simulator takes up to 60`]
      : []),
    ...(databases.length === 1
      ? []
      : [`${path}.components: ${databases.length} are PostgreSQL; the simulated platform has one of two servers`]),
    ...(chosen.fence === undefined || chosen.fence.driver === 'none'
      ? [`${path}.fence: none; the simulated platform is fenced by a command: write driver: command`]
      : []),
    ...(vantages === 2 ? [] : [`vantages: ${vantages}; the simulated world has two, the daemon’s and a witness’s`]),
  ];
}

/** The user's times, quorum, budgets and limits in the place of ours; throws what {@link refuses} says. */
export function setupOf(chosen: Chosen): Setup {
  const problems = refuses(chosen);
  const group = chosen.config.groups[chosen.group];
  const settings = settingsOf(chosen.config).groups[chosen.group];
  const row = settings?.rows.find(({ kind, action }) => kind === 'decide' && action === 'failover');
  if (problems.length > 0 || group === undefined || settings === undefined || row === undefined)
    throw new RangeError(problems.join('\n'));
  const database = settings.components.find(({ kind }) => kind === 'postgres');
  const { quorum, budgets, cooldown, attempts, holdGap, standbyStreamedWithin, authority } = group;
  const phases = budgets?.phases;
  return {
    holdsMs: [row.forMs],
    probeTimeoutsMs: [Math.min(2000, database === undefined ? 2000 : timeoutOf(database.freshMs))],
    autoShare: group.autonomy === 'auto' && row.auto ? 1 : 0,
    rtoMs: settings.rtoMs,
    cooldownMs: settings.cooldownMs,
    group: {
      ...(quorum === undefined ? {} : { quorum }),
      budgets: {
        ...budgets,
        ...(phases === undefined
          ? {}
          : {
              // The world has these phases and no others.
              phases: Object.fromEntries(
                Object.entries(phases).filter(([name]) =>
                  ['assessment', 'database', 'dns', 'verification'].includes(name),
                ),
              ),
            }),
      },
      ...(cooldown === undefined ? {} : { cooldown }),
      ...(attempts === undefined ? {} : { attempts }),
      ...(holdGap === undefined ? {} : { holdGap }),
      ...(standbyStreamedWithin === undefined ? {} : { standbyStreamedWithin }),
      ...(authority === undefined ? {} : { authority }),
    },
  };
}

const PROBE_INTERVAL_MS = 1000;
const timeoutOf = (freshMs: number): number => Math.max(100, freshMs - 3 * PROBE_INTERVAL_MS);

const made = new Map<string, Settings>();

/** The same settings object for the same values: what is looked up in them is found once. */
export function simSettings(
  setup: Setup,
  autonomy: 'auto' | 'gated',
  holdMs: number,
  probeTimeoutMs: number,
): Settings {
  const key = `${autonomy} ${holdMs} ${probeTimeoutMs} ${setup === OWN_SETUP ? '' : JSON.stringify(setup)}`;
  const known = made.get(key) ?? settingsOf(configOf(setup, autonomy, holdMs, probeTimeoutMs));
  made.set(key, known);
  return known;
}

function configOf(setup: Setup, autonomy: 'auto' | 'gated', holdMs: number, probeTimeoutMs: number): Config {
  const probe = { interval: `${PROBE_INTERVAL_MS}ms`, timeout: `${probeTimeoutMs}ms` };
  return {
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
      watchdogWithin: `${WATCHDOG_WITHIN_MS}ms`,
      facts: [
        { match: ['alertname="RegionDown"'], fact: 'region-unreachable', group: GROUP, region: A },
        { match: ['alertname="Watchdog"'], fact: 'watchdog', group: GROUP, region: A },
      ],
      // Work that is planned suppresses words to people, and never the loss of a region.
      silences: [{ match: ['work="planned"'], group: GROUP, causes: ['row 85'] }],
    },
    prometheus: { [PROMETHEUS]: { url: 'http://prometheus.test/', region: W, scrapeInterval: '2s', timeout: '1s' } },
    groups: {
      [GROUP]: {
        ...setup.group,
        autonomy,
        primary: A,
        secondary: B,
        components: {
          db: {
            kind: 'postgres',
            tier: 1,
            probe,
            database: 'app',
            user: 'failoverd',
            instances: { [A]: 'a.test:5432', [B]: 'b.test:5432' },
          },
          api: {
            kind: 'http',
            tier: 1,
            probe,
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
          {
            id: FAILOVER_ROW,
            kind: 'decide',
            when: 'bad(active.reachable)',
            for: `${holdMs}ms`,
            action: 'failover',
            auto: true,
          },
          { id: 85, kind: 'decide', when: `bad(metrics.${METRIC})`, for: '5s', action: 'speak-up' },
        ],
      },
    },
  };
}
