/**
 * Components as the configuration describes them: one schema per kind, told apart by `kind`.
 */
import Type, { type Static } from 'typebox';
import {
  argv,
  described,
  digits,
  hostPort,
  named,
  pemFile,
  perRegion,
  reference,
  says,
  secret,
  span,
  spanWithoutDefault,
  tlsClient,
  url,
  urlPath,
} from './forms.ts';
import { Tier } from './primitives.ts';

const KIND = says('What it is');

const common = {
  tier: Type.Unsafe<Static<typeof Tier>>({
    ...Tier,
    description: 'Service tier, which gives the targets: 1 = 5m and 10s, 2 = 15m and 1m, 3 = 1h and 1h (RTO and RPO)',
  }),
  targets: Type.Optional(
    Type.Object(
      {
        rto: spanWithoutDefault('Recovery time objective'),
        rpo: spanWithoutDefault('Recovery point objective'),
      },
      described('Overrides the targets of the tier'),
    ),
  ),
  lagTarget: spanWithoutDefault('How far its copy may be behind in ordinary times'),
  residency: Type.Optional(
    Type.Array(reference('A region'), {
      minItems: 1,
      description: 'The only regions its data may stand in (declared; not supported yet)',
    }),
  ),
  probe: Type.Optional(
    Type.Object(
      {
        interval: span('1s', 'How often it is probed'),
        timeout: span('2s', 'How long an answer may take'),
      },
      described('How it is probed'),
    ),
  ),
  note: Type.Optional(Type.String(says('Words for people'))),
};

export const GuardAddress = Type.Object(
  {
    url: url('Where its API listens'),
    token: secret(
      'Opens the API of this guard, and is what it shows to the lease store; each guard has one of its own',
    ),
    tls: Type.Optional(tlsClient('it, by https')),
  },
  described('A guard: failoverd guard, beside the PostgreSQL of one region'),
);
export type GuardAddress = Static<typeof GuardAddress>;

export const PatroniAddress = Type.Object(
  {
    urls: Type.Array(url('Address of one member'), {
      minItems: 1,
      maxItems: 16,
      description: 'REST API of every member of the cluster in this region',
    }),
    username: Type.Optional(
      Type.String({ minLength: 1, description: 'User that the REST API asks for; with password' }),
    ),
    password: Type.Optional(secret('Password of that user; with username')),
    tls: Type.Optional(tlsClient('the members, by https')),
    streamFrom: Type.Optional(
      hostPort('Where the other region’s Patroni streams from this one; its address in instances by default'),
    ),
  },
  described('The Patroni cluster of one region'),
);
export type PatroniAddress = Static<typeof PatroniAddress>;

export const CommandControl = Type.Object(
  {
    check: argv('What reads whether it may be promoted'),
    promote: argv('What asks for the promotion'),
    verify: argv('What reads back whether it is promoted'),
    fence: Type.Optional(argv('What has the old side stop taking writes; with fenceVerify')),
    fenceVerify: Type.Optional(argv('What reads back that the old side takes no writes; with fence')),
    rejoin: Type.Optional(argv('What has the old side follow the new one')),
    timeout: span('60s', 'How long one of them may take; after that the answer is unknown'),
  },
  described(
    'Programs that promote by whatever manages the servers: exit 0 it may be, is asked for, is promoted; 1 it is not, and nothing was done; anything else unknown',
  ),
);
export type CommandControl = Static<typeof CommandControl>;

export const PostgresComponent = Type.Object(
  {
    kind: Type.Literal('postgres', KIND),
    ...common,
    database: Type.String({ minLength: 1, description: 'Database to connect to' }),
    user: Type.String({ minLength: 1, description: 'Role to connect as; a member of pg_monitor' }),
    password: Type.Optional(secret('Password of that role')),
    tls: Type.Optional(
      Type.Enum(['disable', 'require', 'verify-full'], {
        default: 'verify-full',
        description: 'How the connection is secured; only verify-full knows whom it talks to',
      }),
    ),
    ca: Type.Optional(pemFile('Certificates to trust instead of the system’s (PEM), with verify-full')),
    cert: Type.Optional(pemFile('Client certificate of the role, with its chain (PEM); with key')),
    key: Type.Optional(secret('Private key of that certificate (PEM); with cert')),
    systemIdentifier: Type.Optional(
      digits('Pins the cluster; without it the first answer both sides agree on is pinned'),
    ),
    instances: perRegion(hostPort('host:port'), 'Address of the PostgreSQL of each region, as clients reach it'),
    control: Type.Optional(
      Type.Enum(['direct', 'guard', 'patroni', 'command'], {
        default: 'direct',
        description:
          'Who promotes it. direct: failoverd calls pg_promote, only where no manager owns the servers; guard: the guard beside it, which needs lease; patroni: its REST API; command: programs',
      }),
    ),
    guards: Type.Optional(perRegion(GuardAddress, 'The guard of each region, with control: guard')),
    patroni: Type.Optional(perRegion(PatroniAddress, 'The Patroni cluster of each region, with control: patroni')),
    command: Type.Optional(CommandControl),
    canarySchema: Type.Optional(
      Type.String({
        minLength: 1,
        default: 'failoverd',
        description: 'Schema that holds the canary and the epoch table',
      }),
    ),
  },
  described('A PostgreSQL cluster: one writable side, one streaming standby'),
);

const statuses = (fallback: readonly number[], description: string) =>
  Type.Optional(
    Type.Array(Type.Integer({ minimum: 100, maximum: 599 }), { minItems: 1, default: [...fallback], description }),
  );

export const HttpComponent = Type.Object(
  {
    kind: Type.Literal('http', KIND),
    ...common,
    instances: perRegion(url('An http or https URL'), 'Health URL of the service in each region'),
    expectStatus: statuses([200], 'Statuses that count as healthy'),
    tls: Type.Optional(tlsClient('it, by https')),
    public: Type.Optional(
      Type.Object(
        {
          url: url('Health URL by the public name'),
          canaryWrite: Type.Optional(
            Type.Object(
              {
                path: urlPath('Where the write goes, on the public name'),
                method: Type.Optional(Type.Enum(['POST', 'PUT'], { default: 'POST', description: 'HTTP method' })),
                body: Type.String(says('Sent as JSON; ${ID} becomes an id made for this write')),
                expectStatus: statuses([200, 201], 'Statuses that acknowledge the write'),
              },
              described('A write that proves that clients are served again'),
            ),
          ),
        },
        described('The service as clients reach it, by its public name'),
      ),
    ),
  },
  described('An HTTP service that runs in both regions'),
);

export const TcpComponent = Type.Object(
  {
    kind: Type.Literal('tcp', KIND),
    ...common,
    instances: perRegion(hostPort('host:port'), 'Address that must take connections in each region'),
    tls: Type.Optional(
      Type.Enum(['disable', 'require', 'verify-full'], {
        default: 'disable',
        description: 'Whether a TLS handshake must come to its end as well; only verify-full knows whom it talks to',
      }),
    ),
    ca: Type.Optional(pemFile('Certificates to trust instead of the system’s (PEM), with verify-full')),
    cert: Type.Optional(pemFile('Certificate that is shown, with its chain (PEM); with key')),
    key: Type.Optional(secret('Private key of that certificate (PEM); with cert')),
  },
  described(
    'Anything that listens on a port. It is watched and shown; a port that takes connections says too little of a region to count for its reach',
  ),
);

export const DnsComponent = Type.Object(
  {
    kind: Type.Literal('dns', KIND),
    ...common,
    provider: Type.Enum(['route53', 'cloudflare'], {
      description: 'Who serves the zone; cloudflare is declared and not supported yet',
    }),
    zoneId: Type.String({ minLength: 1, description: 'The provider’s id of the zone' }),
    name: Type.String({ minLength: 1, description: 'The public name that clients resolve' }),
    type: Type.Optional(Type.Enum(['A', 'AAAA', 'CNAME'], { default: 'A', description: 'Type of its records' })),
    ttl: span('30s', 'Time to live of its records, in whole seconds; part of the DNS budget'),
    records: perRegion(
      Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'Answers, such as 203.0.113.10' }),
      'What the name answers while a region is active; never empty',
    ),
    epochName: Type.String({
      minLength: 1,
      description: 'TXT record that holds the epoch; a writer that is behind fails on it',
    }),
    resolvers: Type.Array(hostPort('host:port'), {
      minItems: 1,
      description: 'Resolvers that are asked whether the cut-over has arrived',
    }),
    endpoint: Type.Optional(url('Another address of the provider’s API')),
    region: Type.Optional(
      Type.String({ minLength: 1, default: 'us-east-1', description: 'AWS region the requests are signed for' }),
    ),
    accessKeyId: Type.Optional(secret('AWS access key; with secretAccessKey')),
    secretAccessKey: Type.Optional(secret('AWS secret key; with accessKeyId')),
    sessionToken: Type.Optional(secret('AWS session token, where the key is a temporary one')),
    apiToken: Type.Optional(secret('Cloudflare API token (declared; not supported yet)')),
  },
  described('The public name, and where it points while a region is active'),
);

const declared = <K extends string>(kind: K, description: string) =>
  Type.Object(
    {
      kind: Type.Literal(kind, KIND),
      ...common,
      instances: Type.Optional(named(Type.String({ minLength: 1 }), 'Address in each region')),
    },
    described(`${description} (declared; not supported yet)`),
  );

export const ComponentConfig = Type.Union(
  [
    PostgresComponent,
    HttpComponent,
    TcpComponent,
    DnsComponent,
    declared('clickhouse', 'A ClickHouse cluster'),
    declared('nats', 'A NATS JetStream stream and its mirror'),
    declared('workload', 'Workloads on Kubernetes'),
    declared('bucket', 'An object store bucket'),
    declared('cache', 'A cache, rebuilt after a failover'),
  ],
  { 'x-discriminator': 'kind' },
);

/** Every kind of component. */
export const COMPONENT_KINDS = [
  'postgres',
  'http',
  'dns',
  'clickhouse',
  'nats',
  'workload',
  'bucket',
  'cache',
] as const satisfies readonly ComponentConfig['kind'][];
export type ComponentKind = ComponentConfig['kind'];

export type ComponentConfig = Static<typeof ComponentConfig>;
export type PostgresComponent = Static<typeof PostgresComponent>;
export type HttpComponent = Static<typeof HttpComponent>;
export type TcpComponent = Static<typeof TcpComponent>;
export type DnsComponent = Static<typeof DnsComponent>;
