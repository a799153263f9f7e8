/** What is probed, as data: everything a probe needs to know of its target, and how often it is asked. */
import type { PostgresComponent, TcpComponent } from '../model/config.ts';
import type { ComponentId, GroupId, RegionId } from '../model/primitives.ts';
import type { BadWhen } from '../model/prometheus.ts';
import type { SecretValue } from '../runtime/secret.ts';
import type { Certificates } from '../runtime/tls.ts';

type Schedule = {
  /** Names the target for good within one vantage. */
  readonly key: string;
  readonly intervalMs: number;
  /** Deadline of one probe; after it nothing of that probe is left running. */
  readonly timeoutMs: number;
};
type Subject = { readonly group: GroupId; readonly component: ComponentId; readonly region: RegionId };

export type PostgresTarget = Schedule &
  Subject & {
    readonly kind: 'postgres';
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly user: string;
    /** null = the server is expected to let us in without one. */
    readonly password: SecretValue | null;
    readonly tls: NonNullable<PostgresComponent['tls']>;
    /** Without it what the system trusts, and none to show. */
    readonly certificates?: Certificates | null | undefined;
    /** The cluster this has to be; null = not pinned by the config. */
    readonly systemIdentifier: string | null;
    readonly canarySchema: string;
    /** Whether this vantage may write the canary there at all; the runner asks again before each probe. */
    readonly canary: boolean;
  };

/** What a connection is made with. */
export type PostgresPlace = Omit<PostgresTarget, 'kind'>;

export type HttpTarget = Schedule &
  Subject & {
    readonly kind: 'http';
    readonly url: string;
    readonly expectStatus: readonly number[];
    /** For https; without it what the system trusts, and none to show. */
    readonly certificates?: Certificates | null | undefined;
  };

export type TcpTarget = Schedule &
  Subject &
  Address & {
    readonly kind: 'tcp';
    readonly tls: NonNullable<TcpComponent['tls']>;
    /** Without it what the system trusts, and none to show. */
    readonly certificates?: Certificates | null | undefined;
  };

export type DnsTarget = Schedule &
  Subject & {
    readonly kind: 'dns';
    readonly name: string;
    readonly type: 'A' | 'AAAA' | 'CNAME';
    /** host:port of the resolver that is asked. */
    readonly resolver: string;
  };

export type ControlTarget = Schedule & {
  readonly kind: 'control';
  /** `tcp://host:port`, or an http or https URL. */
  readonly target: string;
};

export type MetricTarget = Schedule & {
  readonly kind: 'metric';
  readonly group: GroupId;
  /** Its name in the config. */
  readonly fact: string;
  readonly server: string;
  /** 0 = the server itself, more = its replicas. */
  readonly replica: number;
  /** Where the server stands. */
  readonly region: RegionId;
  readonly url: URL;
  /** Asked for at each request: a secret may have been renewed. */
  readonly authorization: () => string | null;
  readonly certificates?: Certificates | null | undefined;
  readonly promql: string;
  /** PromQL for the time of the oldest sample it looks at; null where it looks at none. */
  readonly oldestSample: string | null;
  /** Which numbers are bad; null for a number that is no verdict. */
  readonly bad: BadWhen | null;
  readonly freshMs: number;
};

/** The same server, asked seldom of how it is made. */
export type ReadinessTarget = Omit<PostgresTarget, 'kind'> & { readonly kind: 'readiness' };

type Monitor = Schedule & {
  readonly server: string;
  /** 0 = the server itself, more = its replicas. */
  readonly replica: number;
  /** Where it stands. */
  readonly region: RegionId;
  readonly url: URL;
  /** Asked for at each request: a secret may have been renewed. */
  readonly authorization: () => string | null;
  readonly certificates?: Certificates | null | undefined;
};
/** Servers that watch for us, and are watched themselves. They belong to no group. */
export type PrometheusTarget = Monitor & { readonly kind: 'prometheus' };
export type AlertmanagerTarget = Monitor & { readonly kind: 'alertmanager' };

export type Target =
  | PostgresTarget
  | HttpTarget
  | TcpTarget
  | DnsTarget
  | ControlTarget
  | MetricTarget
  | PrometheusTarget
  | AlertmanagerTarget
  | ReadinessTarget;
export type TargetOf<K extends Target['kind']> = Extract<Target, { kind: K }>;

export type Address = { readonly host: string; readonly port: number };

/** The parts of `host:port` or `[IPv6]:port`. Throws a RangeError on anything else: the config's schema keeps it out. */
export function addressOf(text: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const [, six, host] = match ?? [];
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) throw new RangeError(`not an address (host:port): ${text}`);
  return { host: six ?? host ?? '', port };
}

/** `host:port` for people, with brackets where the host is an IPv6 address. */
export const addressText = ({ host, port }: Address): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;
