import { stringify } from 'yaml';
import type { LabCertificates } from './platform/certificates.ts';

/** What one vantage's configuration depends on: the same group, seen over that vantage's own paths. */
export interface LabConfigInput {
  readonly autonomy: 'auto' | 'gated';
  readonly listen: string;
  readonly stateDir: string;
  readonly controlTargets: { readonly daemon: string; readonly witness: string };
  readonly witnessKey: string;
  /** Secrets stand in files of their own, by name. */
  readonly secretFile: (name: string) => string;
  readonly pagerUrl: string;
  readonly postgres: { readonly a: string; readonly b: string };
  readonly service: { readonly a: string; readonly b: string };
  readonly records: { readonly a: string; readonly b: string };
  readonly resolvers: readonly string[];
  readonly publicPort: number;
  readonly route53Endpoint: string;
  /** Everything by TLS, with these certificates; without it nothing is. */
  readonly certificates?: LabCertificates | undefined;
  readonly fence: { readonly off: readonly string[]; readonly status: readonly string[] };
  /** APIs of Alertmanagers that are asked for what a webhook missed; none where only webhooks can be had. */
  readonly alertmanagerApis?: readonly string[];
  /** Addresses of the regions' services that answer as long as the service runs, whatever its database does. */
  readonly edge?: { readonly a: string; readonly b: string };
  /** REST APIs of the Patroni that owns each side's PostgreSQL; without them nothing does. */
  readonly patroni?: { readonly a: string; readonly b: string };
  /** APIs of the guards, as this vantage reaches them, and the lease they share; without it nobody guards anything. */
  readonly guards?: {
    readonly a: string;
    readonly b: string;
    readonly lease: object;
    readonly fence: 'guard' | 'command';
  };
  /** Where failoverd stands; its witness stands in the other place. */
  readonly place?: 'b' | 'w';
  readonly variant?: LabVariant;
  /** Sabotage: without the rows and meanings that inhibit a failover. */
  readonly withoutVetoes?: boolean;
}

/** What a scenario may ask for that the others have no use for. */
export interface LabVariant {
  /** Rows that start a hold at the death of a region too: they stand only where they are what a scenario is about. */
  readonly rows?: readonly (keyof typeof ROWS_ON_REQUEST)[];
  /** Default `10s`. */
  readonly rpo?: string;
  /** Default `1m`: far longer than a loaded machine keeps the watchdog from being heard. */
  readonly watchdogWithin?: string;
}

export const REGION = { a: 'us-east-1', b: 'eu-central-1', w: 'eu-west-1' } as const;
export const PUBLIC_NAME = 'app.lab.test';
export const EPOCH_NAME = '_failoverd.app.lab.test';
export const ZONE_ID = 'Z0LABFAILOVERD000001';
/** In the certificate that Alertmanager shows. */
export const ALERTMANAGER_NAME = 'alertmanager.lab.test';
export const PEOPLE = ['sre-first', 'vp-engineering'] as const;

/** How far behind replay may be before a promotion waits for it, seconds. */
export const MOST_REPLAY_LAG_S = 5;

const ROWS_ON_REQUEST = {
  'gray-failure': {
    id: 42,
    kind: 'decide',
    when: 'bad(postgres.reachable) && bad(services.reachable) && ok(replication.streaming)',
    // Longer than the standby's word counts: where replication stops too, row 40 is first.
    for: '4s',
    action: 'speak-up',
    note: 'A gray failure: clients can’t use the region, and its replication flows. Nothing is promoted for it.',
  },
  'postgres-down': {
    id: 45,
    kind: 'decide',
    when: 'bad(postgres.reachable) && ok(services.reachable)',
    for: '8s',
    action: 'restart',
    auto: false,
  },
} as const;

/** What stands in the way of a failover, as in the strategy. */
const INHIBITING_ROWS = [
  { id: 10, kind: 'veto', when: 'bad(reports.corruption)', against: ['failover', 'partial', 'switchover', 'restart'] },
  {
    id: 20,
    kind: 'veto',
    when: 'bad(reports.deletion)',
    against: ['failover', 'partial', 'switchover'],
    action: 'freeze',
  },
  { id: 30, kind: 'gate', when: 'bad(maintenance.over)', against: ['partial', 'restart'], unknown: 'pass' },
  {
    id: 50,
    kind: 'gate',
    when: `replication.replay_lag_seconds > ${MOST_REPLAY_LAG_S}`,
    against: ['failover', 'switchover'],
    action: 'wait',
  },
] as const;

/** Alerts of the lab's rules, and what they mean. */
export const ALERTS = {
  region: 'RegionUnreachable',
  corruption: 'PostgresCorruption',
  maintenance: 'PlannedMaintenance',
  pods: 'KubePodCrashLooping',
  watchdog: 'Watchdog',
} as const;

/** The strategy of `config/failover.yaml` with the waits of a lab: seconds where production has minutes. */
export function labConfig(input: LabConfigInput): string {
  const file = (name: string): string => `\${file:${input.secretFile(name)}}`;
  const scheme = input.certificates === undefined ? 'http' : 'https';
  // The longer a probe may take, the more a busy machine may be late before it can't tell what would be lost.
  const probe = { interval: '500ms', timeout: '2s' };
  const auto = input.autonomy === 'auto';
  const tls = tlsOf(input);
  const sides = <T>(a: T, b: T): Record<string, T> => ({ [REGION.a]: a, [REGION.b]: b });
  const variant = input.variant ?? {};
  const patroniOf = ({ a, b }: { readonly a: string; readonly b: string }) => {
    const member = (side: 'a' | 'b', address: string) => ({
      urls: [`http://${address}`],
      username: 'failoverd',
      password: file(`patroni-${side}`),
    });
    return sides(member('a', a), member('b', b));
  };
  const controlOf = () => {
    const { guards, patroni } = input;
    if (guards !== undefined)
      return {
        control: 'guard',
        guards: sides(
          { url: `http://${guards.a}`, token: file('guard-a') },
          { url: `http://${guards.b}`, token: file('guard-b') },
        ),
      };
    return patroni === undefined ? { control: 'direct' } : { control: 'patroni', patroni: patroniOf(patroni) };
  };
  const [ownRegion, witnessRegion] = input.place === 'w' ? [REGION.w, REGION.b] : [REGION.b, REGION.w];
  const inhibits = input.withoutVetoes !== true;
  const edge = {
    edge: {
      kind: 'http',
      tier: 1,
      probe,
      instances: sides(`${scheme}://${input.edge?.a}/livez`, `${scheme}://${input.edge?.b}/livez`),
      expectStatus: [200],
    },
  };
  const components = {
    postgres: {
      kind: 'postgres',
      tier: 1,
      probe,
      database: 'app',
      user: 'failoverd',
      password: file('postgres'),
      ...(tls === null ? { tls: 'disable' } : { tls: 'verify-full', ...tls.client }),
      ...controlOf(),
      canarySchema: 'failoverd',
      instances: sides(input.postgres.a, input.postgres.b),
    },
    api: {
      kind: 'http',
      tier: 1,
      probe,
      instances: sides(`${scheme}://${input.service.a}/healthz`, `${scheme}://${input.service.b}/healthz`),
      expectStatus: [200],
      ...(tls === null ? {} : { tls: tls.client }),
      public: {
        url: `${scheme}://${PUBLIC_NAME}:${input.publicPort}/healthz`,
        // 409 is the lab's service for "that id is there already": what failoverd is told after a crash in between.
        canaryWrite: { path: '/writes', method: 'POST', body: '{"id": "${ID}"}', expectStatus: [201, 409] },
      },
    },
    ...(input.edge === undefined ? {} : edge),
    dns: {
      kind: 'dns',
      tier: 1,
      probe,
      provider: 'route53',
      zoneId: ZONE_ID,
      name: PUBLIC_NAME,
      type: 'A',
      ttl: '1s',
      records: sides([input.records.a], [input.records.b]),
      epochName: EPOCH_NAME,
      resolvers: input.resolvers,
      endpoint: input.route53Endpoint,
      accessKeyId: file('aws-key-id'),
      secretAccessKey: file('aws-secret'),
    },
  };
  return stringify({
    version: 1,
    daemon: {
      listen: input.listen,
      stateDir: input.stateDir,
      logLevel: 'info',
      ...(tls === null ? {} : { tls: tls.listener }),
    },
    regions: { [REGION.a]: { role: 'primary' }, [REGION.b]: { role: 'secondary' }, [REGION.w]: { role: 'witness' } },
    vantages: {
      daemon: { region: ownRegion, controlTargets: [input.controlTargets.daemon] },
      witness: {
        region: witnessRegion,
        controlTargets: [input.controlTargets.witness],
        publicKey: input.witnessKey,
      },
    },
    alertmanager: {
      region: REGION.w,
      ...(tls === null ? { bearer: file('alertmanager') } : { clientCertificate: tls.alertmanager }),
      ...(input.alertmanagerApis === undefined ? {} : { apis: input.alertmanagerApis }),
      expiry: '1m',
      watchdogWithin: variant.watchdogWithin ?? '1m',
      facts: [
        means(ALERTS.region, 'region-unreachable', `region="${REGION.a}"`),
        ...(inhibits ? [means(ALERTS.corruption, 'corruption-reported')] : []),
        ...(inhibits ? [means(ALERTS.maintenance, 'maintenance')] : []),
        means(ALERTS.pods, 'workload-degraded'),
        means(ALERTS.watchdog, 'watchdog'),
      ],
    },
    people: {
      'sre-first': { roles: ['sre'], token: file('sre-first') },
      'vp-engineering': { roles: ['vp', 'executive'], token: file('vp-engineering') },
    },
    pager: { url: input.pagerUrl, secret: file('pager'), timeout: '2s', ...(tls === null ? {} : { tls: tls.client }) },
    groups: {
      platform: {
        title: 'Lab platform',
        autonomy: input.autonomy,
        primary: REGION.a,
        secondary: REGION.b,
        quorum: 2,
        components,
        fence:
          input.guards?.fence === 'guard'
            ? { driver: 'guard' }
            : { driver: 'command', fence: input.fence.off, verify: input.fence.status, timeout: '8s' },
        ...(input.guards === undefined ? {} : { lease: input.guards.lease }),
        matrix: [
          ...(inhibits ? INHIBITING_ROWS : []),
          { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '2s', action: 'failover', auto },
          ...(variant.rows ?? []).map((name) => ROWS_ON_REQUEST[name]),
          { id: 80, kind: 'decide', when: 'bad(workloads.healthy)', for: '8s', action: 'speak-up', auto: false },
        ].toSorted((left, right) => left.id - right.id),
        budgets: {
          rto: '5m',
          rpo: variant.rpo ?? '10s',
          phases: { assessment: '20s', database: '40s', dns: '30s', verification: '30s' },
        },
        cooldown: '10m',
        attempts: { most: 2, within: '24h' },
        holdGap: '5s',
        standbyStreamedWithin: '3s',
        authority: {
          timeZone: 'UTC',
          businessHours: { days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], from: '00:00', to: '23:59' },
          approvals: { businessHours: ['sre', 'vp'], otherwise: ['sre', 'vp'] },
          approvalExpiry: '5m',
          notifyExecutivesWithin: '30m',
        },
      },
    },
  });
}

const means = (alertname: string, fact: string, ...more: readonly string[]) => ({
  match: [`alertname="${alertname}"`, ...more],
  fact,
  group: 'platform',
  region: REGION.a,
});

function tlsOf({ certificates }: LabConfigInput) {
  if (certificates === undefined) return null;
  const { caFile, listener, failoverd } = certificates;
  const secret = (path: string): string => `\${file:${path}}`;
  return {
    client: { ca: caFile, cert: failoverd.cert, key: secret(failoverd.key) },
    listener: { cert: listener.cert, key: secret(listener.key), clientCa: caFile },
    alertmanager: { commonName: 'alertmanager', dnsName: ALERTMANAGER_NAME },
  };
}
