/** The targets of one vantage, from the configuration. */
import type {
  ComponentConfig,
  Config,
  DnsComponent,
  HttpComponent,
  PostgresComponent,
  TcpComponent,
} from '../model/config.ts';
import { type ComponentId, durationMs, type GroupId, type RegionId, type VantageId } from '../model/primitives.ts';
import type { Secrets } from '../runtime/config/secrets.ts';
import { type FindCertificates, NO_CERTIFICATES } from '../runtime/tls.ts';
import {
  addressOf,
  type ControlTarget,
  type DnsTarget,
  type HttpTarget,
  type PostgresTarget,
  type Target,
  type TcpTarget,
} from './target.ts';

export type TargetOptions = {
  /** Whether this vantage may write canaries at all. A group that is configured to observe gets none in any case. */
  readonly canary: boolean;
  readonly certificates?: FindCertificates;
};

/** Whether a secret or certificate of the config, by its place, is one that probes use. A witness is given no others. */
export const isProbeSecret = (path: readonly (string | number)[]): boolean =>
  path[0] === 'groups' && PROBED.has(String(path.at(-1))) && !CONTROLLED.has(String(path[4]));
/** What a PostgreSQL is promoted by is the daemon's alone: `groups.NAME.components.NAME.guards...`. */
const CONTROLLED: ReadonlySet<string> = new Set(['guards', 'patroni']);
const PROBED: ReadonlySet<string> = new Set(['password', 'ca', 'cert', 'key']);

/** As often as a component with the usual interval: whether we are the isolated one has to be known as quickly. */
const CONTROL_SCHEDULE = { intervalMs: 1_000, timeoutMs: 2_000 };

type Place = { readonly group: GroupId; readonly component: ComponentId };

/**
 * Every PostgreSQL, HTTP and TCP instance of every region, the public names at each resolver, and the control targets of the
 * vantage. Throws a RangeError where the vantage isn't declared, or an address isn't one: `failoverd check` finds both.
 */
export function targetsOf(
  config: Config,
  secrets: Pick<Secrets, 'of'>,
  vantage: VantageId,
  options: TargetOptions,
): readonly Target[] {
  const from = config.vantages[vantage];
  if (from === undefined) throw new RangeError(`no vantage named ${vantage} in the configuration`);
  const control = from.controlTargets.map((target): ControlTarget => {
    return { kind: 'control', key: `control/${target}`, target, ...CONTROL_SCHEDULE };
  });
  const { certificates = NO_CERTIFICATES } = options;
  const subjects = Object.entries(config.groups).flatMap(([group, { autonomy, components }]) => {
    const canary = options.canary && (autonomy ?? 'observe') !== 'observe';
    return Object.entries(components).flatMap(([component, declared]) =>
      componentTargets({ group, component }, declared, { canary, secrets, certificates, region: from.region }),
    );
  });
  return [...control, ...subjects];
}

type Means = {
  readonly canary: boolean;
  readonly secrets: Pick<Secrets, 'of'>;
  readonly certificates: FindCertificates;
  readonly region: RegionId;
};

function componentTargets(place: Place, component: ComponentConfig, means: Means): readonly Target[] {
  switch (component.kind) {
    case 'postgres':
      return postgresTargets(place, component, means);
    case 'http':
      return httpTargets(place, component, means);
    case 'tcp':
      return tcpTargets(place, component, means);
    case 'dns':
      return dnsTargets(place, component, means.region);
    case 'clickhouse':
    case 'nats':
    case 'workload':
    case 'bucket':
    case 'cache':
      // Declared and not probed yet: unknown, which keeps the group at observe (design §5).
      return [];
    default:
      return component satisfies never;
  }
}

const scheduleOf = ({ probe }: ComponentConfig): { intervalMs: number; timeoutMs: number } => ({
  intervalMs: durationMs(probe?.interval ?? '1s'),
  timeoutMs: durationMs(probe?.timeout ?? '2s'),
});

function postgresTargets(place: Place, component: PostgresComponent, means: Means): readonly PostgresTarget[] {
  const password = component.password === undefined ? null : means.secrets.of(component.password);
  return Object.entries(component.instances).map(([region, address]) => ({
    kind: 'postgres',
    key: `${place.group}/${place.component}/${region}`,
    ...place,
    region,
    ...addressOf(address),
    ...scheduleOf(component),
    database: component.database,
    user: component.user,
    password,
    tls: component.tls ?? 'verify-full',
    certificates: means.certificates(component),
    systemIdentifier: component.systemIdentifier ?? null,
    canarySchema: component.canarySchema ?? 'failoverd',
    canary: means.canary,
  }));
}

function httpTargets(place: Place, component: HttpComponent, means: Means): readonly HttpTarget[] {
  return Object.entries(component.instances).map(([region, url]) => ({
    kind: 'http',
    key: `${place.group}/${place.component}/${region}`,
    ...place,
    region,
    ...scheduleOf(component),
    url,
    expectStatus: component.expectStatus ?? [200],
    certificates: means.certificates(component.tls),
  }));
}

function tcpTargets(place: Place, component: TcpComponent, means: Means): readonly TcpTarget[] {
  return Object.entries(component.instances).map(([region, address]) => ({
    kind: 'tcp',
    key: `${place.group}/${place.component}/${region}`,
    ...place,
    region,
    ...addressOf(address),
    ...scheduleOf(component),
    tls: component.tls ?? 'disable',
    certificates: means.certificates(component),
  }));
}

/** A DNS answer belongs to its resolver; the region is the one it was asked from. */
function dnsTargets(place: Place, component: DnsComponent, region: RegionId): readonly DnsTarget[] {
  return component.resolvers.map((resolver) => ({
    kind: 'dns',
    key: `${place.group}/${place.component}/${region}@${resolver}`,
    ...place,
    region,
    ...scheduleOf(component),
    name: component.name,
    type: component.type ?? 'A',
    resolver,
  }));
}
