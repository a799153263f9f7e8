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
}

export const REGION = { a: 'us-east-1', b: 'eu-central-1', w: 'eu-west-1' } as const;
export const PUBLIC_NAME = 'app.lab.test';
export const EPOCH_NAME = '_failoverd.app.lab.test';
export const ZONE_ID = 'Z0LABFAILOVERD000001';
/** In the certificate that Alertmanager shows. */
export const ALERTMANAGER_NAME = 'alertmanager.lab.test';
export const PEOPLE = ['sre-first', 'vp-engineering'] as const;

/** The strategy of `config/failover.yaml` with the waits of a lab: seconds where production has minutes. */
export function labConfig(input: LabConfigInput): string {
  const file = (name: string): string => `\${file:${input.secretFile(name)}}`;
  const scheme = input.certificates === undefined ? 'http' : 'https';
  const probe = { interval: '500ms', timeout: '1s' };
  const auto = input.autonomy === 'auto';
  const tls = tlsOf(input);
  const sides = <T>(a: T, b: T): Record<string, T> => ({ [REGION.a]: a, [REGION.b]: b });
  const components = {
    postgres: {
      kind: 'postgres',
      tier: 1,
      probe,
      database: 'app',
      user: 'failoverd',
      password: file('postgres'),
      ...(tls === null ? { tls: 'disable' } : { tls: 'verify-full', ...tls.client }),
      control: 'direct',
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
      daemon: { region: REGION.b, controlTargets: [input.controlTargets.daemon] },
      witness: {
        region: REGION.w,
        controlTargets: [input.controlTargets.witness],
        publicKey: input.witnessKey,
      },
    },
    alertmanager: {
      region: REGION.w,
      ...(tls === null ? { bearer: file('alertmanager') } : { clientCertificate: tls.alertmanager }),
      expiry: '1m',
      facts: [
        {
          match: ['alertname="RegionUnreachable"', `region="${REGION.a}"`],
          fact: 'region-unreachable',
          group: 'platform',
          region: REGION.a,
        },
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
        fence: { driver: 'command', fence: input.fence.off, verify: input.fence.status, timeout: '8s' },
        matrix: [
          { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '2s', action: 'failover', auto },
          { id: 80, kind: 'decide', when: 'bad(workloads.healthy)', for: '10s', action: 'speak-up', auto: false },
        ],
        budgets: {
          rto: '5m',
          rpo: '10s',
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
