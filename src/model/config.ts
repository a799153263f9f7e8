/**
 * The configuration as people write it. This one constant gives the type, the validation and the published
 * `config/failover.schema.json`. Units are in the text (`5m`); defaults stand beside the key they fill.
 *
 * What has a schema here and no support yet is listed in {@link NOT_SUPPORTED_YET}: `failoverd check` says so, and the
 * group it stands in is capped, because a thing declared and not watched is unknown (design §5).
 */
import Type, { type Static } from 'typebox';
import { ComponentConfig } from './components.ts';
import {
  argv,
  basic,
  CalendarDate,
  ControlTarget,
  closed,
  described,
  endOfHours,
  hostPort,
  Matcher,
  named,
  namedFacts,
  pemFile,
  reference,
  says,
  secret,
  span,
  timeOfDay,
  tlsClient,
  url,
} from './forms.ts';
import { LeaseConfig } from './lease-config.ts';
import { MaintenanceWindow, SilenceRule } from './maintenance.ts';
import { MatrixRow } from './matrix.ts';
import { Autonomy } from './primitives.ts';
import { MetricFactConfig, PrometheusConfig } from './prometheus.ts';

export { ComponentConfig, DnsComponent, HttpComponent, PostgresComponent, TcpComponent } from './components.ts';
export { MatrixRow } from './matrix.ts';
export { MetricFactConfig, PrometheusConfig } from './prometheus.ts';

export const RegionConfig = Type.Object(
  {
    role: Type.Enum(['primary', 'secondary', 'witness'], {
      description: 'One region is primary, one is secondary; a witness region holds no data',
    }),
    title: Type.Optional(Type.String(says('What people call it'))),
  },
  described('A region: a failure domain of its own'),
);

export const VantageConfig = Type.Object(
  {
    region: reference('Where this vantage stands; decides which network path its evidence shares'),
    controlTargets: Type.Array(ControlTarget, {
      minItems: 1,
      description: 'Addresses that always answer this vantage; when none does, the vantage is the isolated one',
    }),
    publicKey: Type.Optional(
      Type.String(says('Ed25519 public key (base64, raw 32 bytes) of a witness; the vantage named daemon has none')),
    ),
  },
  described('A place from which probes run: the daemon itself, or a witness in another failure domain'),
);

const DRIVER = says('Which fence');

export const FenceConfig = Type.Union(
  [
    Type.Object(
      {
        driver: Type.Literal('command', DRIVER),
        fence: argv('What stops the old side'),
        verify: argv('What reads back that the old side is stopped'),
        timeout: span('20s', 'How long one of the two may take; after that the answer is unknown'),
      },
      described(
        'Programs that stop the old side and read back that it is stopped: exit 0 confirmed off, 1 not off, anything else unknown',
      ),
    ),
    Type.Object(
      { driver: Type.Literal('guard', DRIVER) },
      described(
        'The guard of the old side gives up the lease once it has stopped PostgreSQL; or the lease ends, where that proves anything',
      ),
    ),
    Type.Object(
      { driver: Type.Literal('none', DRIVER) },
      described('No fence: auto is refused, and approvals say that the old primary may still take writes'),
    ),
  ],
  { 'x-discriminator': 'driver', description: 'How the old side is stopped, and that it is read back' },
);

const approvers = (when: string) =>
  Type.Array(Type.Enum(['sre', 'vp']), { minItems: 1, description: `Whose approvals are needed ${when}` });

export const AuthorityConfig = Type.Object(
  {
    timeZone: Type.String({ minLength: 1, description: 'IANA name, such as America/New_York' }),
    businessHours: Type.Object(
      {
        days: Type.Array(Type.Enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']), {
          minItems: 1,
          description: 'Days of the week',
        }),
        from: timeOfDay('Start of the business day, in the time zone above'),
        to: endOfHours(
          'End of the business day, in the time zone above; 24:00 is midnight. Earlier than from: on the next day, and the hours belong to the day they began on',
        ),
        holidays: Type.Optional(
          Type.Array(CalendarDate, { default: [], description: 'Days that are no business days' }),
        ),
      },
      described('When the approvals of business hours are needed'),
    ),
    approvals: Type.Object(
      { businessHours: approvers('in business hours'), otherwise: approvers('at all other times') },
      described('One person for each role listed; two roles are two persons'),
    ),
    approvalExpiry: span('10m', 'How long an approval counts'),
    notifyExecutivesWithin: span('30m', 'Executives are told of a run within this time'),
    escalation: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        description: 'Who is told next while nobody answers, in order (declared; not supported yet)',
      }),
    ),
  },
  described('Who may say yes, and when (dr-strategy §4.1)'),
);

const BESIDE = 'runs beside the database phase (declared; not supported yet)';

export const BudgetsConfig = Type.Object(
  {
    rto: span('5m', 'Decided to verified; what the phases that wait for each other take must fit in'),
    rpo: span('10s', 'Most seconds of writes an automatic failover may lose'),
    replicationLossBytes: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'Most WAL bytes an automatic failover may lose; without it only the RPO in seconds counts',
      }),
    ),
    phases: Type.Optional(
      Type.Object(
        {
          assessment: span('60s', 'Health checks, replication lag'),
          database: span('60s', 'Fencing the old side, promoting PostgreSQL'),
          clickhouse: span('30s', `ClickHouse; ${BESIDE}`),
          nats: span('30s', `NATS; ${BESIDE}`),
          apps: span('60s', `Scaling of workloads; ${BESIDE}`),
          dns: span('60s', 'The cut-over'),
          verification: span('60s', 'Health, a canary write, DNS answers'),
        },
        described('Budget of each phase (dr-strategy §2.2)'),
      ),
    ),
  },
  described('How long it may take and how much may be lost'),
);

export const GroupConfig = Type.Object(
  {
    title: Type.Optional(Type.String(says('What people call it'))),
    autonomy: Type.Optional(Type.Unsafe<Static<typeof Autonomy>>({ ...Autonomy, default: 'observe' })),
    primary: reference('Region that is active in ordinary times'),
    secondary: reference('Region to move to'),
    quorum: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'Vantages that must see a failure; more than half of all. Default: the least number that is',
      }),
    ),
    components: named(ComponentConfig, 'What moves together', 1),
    fence: Type.Optional(FenceConfig),
    lease: Type.Optional(LeaseConfig),
    facts: Type.Optional(namedFacts(MetricFactConfig, 'PromQL that is named as facts; rows read them as metrics.NAME')),
    matrix: Type.Optional(
      Type.Array(MatrixRow, {
        minItems: 1,
        description:
          'The decision matrix. Default: rows 10, 20, 40, 50 and 80 of dr-strategy §3 and §4.1, and 42 where there are PostgreSQL and an HTTP service',
      }),
    ),
    budgets: Type.Optional(BudgetsConfig),
    commitWindow: span(
      '60m',
      'After a run the old side stays fenced and intact for so long; its fence is read back all that time',
    ),
    cooldown: span('1h', 'Least time between the end of a run and the next automatic one'),
    attempts: Type.Optional(
      Type.Object(
        {
          most: Type.Optional(Type.Integer({ minimum: 1, default: 2, description: 'Runs' })),
          within: span('24h', 'The window they are counted in'),
        },
        described('Most automatic runs within a window; counted over restarts'),
      ),
    ),
    holdGap: span('30s', 'How long a hold may go without a sight of its condition before it starts anew'),
    standbyStreamedWithin: span(
      '10s',
      'A standby that heard from its primary this lately vetoes an unreachable verdict',
    ),
    authority: Type.Optional(AuthorityConfig),
    maintenance: Type.Optional(Type.Array(MaintenanceWindow, { default: [], description: 'Windows of planned work' })),
  },
  described('A failover group: components that move together; one region is active'),
);

export const PersonConfig = Type.Object(
  {
    roles: Type.Array(Type.Enum(['viewer', 'auditor', 'sre', 'dba', 'vp', 'executive']), {
      minItems: 1,
      description: 'What this person may do',
    }),
    token: secret('What this person proves to be that person with; kept hashed'),
  },
  described('A person who may use the API'),
);

/** What an alert may say. `watchdog` always fires: its silence means that monitoring is blind. */
export const ALERT_FACTS = [
  'region-unreachable',
  'workload-degraded',
  'clickhouse-failing',
  'nats-failing',
  'maintenance',
  'corruption-reported',
  'deletion-reported',
  'watchdog',
] as const;
export type AlertFact = (typeof ALERT_FACTS)[number];

export const AlertFactRule = Type.Object(
  {
    match: Type.Array(Matcher, { minItems: 1, description: 'Matchers; all must hold' }),
    fact: Type.Enum([...ALERT_FACTS], { description: 'What such an alert says' }),
    group: reference('The group it speaks of'),
    region: reference('The region it speaks of'),
    component: Type.Optional(reference('The component it speaks of')),
  },
  described('What an alert means'),
);

export const AlertmanagerConfig = Type.Object(
  {
    region: reference('Where Prometheus and Alertmanager stand; decides the path of their evidence'),
    bearer: Type.Optional(secret('Token that Alertmanager presents; this, basic or clientCertificate')),
    basic: Type.Optional(basic('User and password that Alertmanager presents; this, bearer or clientCertificate')),
    clientCertificate: Type.Optional(
      Type.Object(
        {
          commonName: Type.Optional(Type.String({ minLength: 1, description: 'Common name of its subject' })),
          dnsName: Type.Optional(Type.String({ minLength: 1, description: 'One of its DNS names, written out' })),
          uri: Type.Optional(Type.String({ minLength: 1, description: 'One of its URIs, such as a SPIFFE ID' })),
        },
        {
          ...described(
            'Certificate that Alertmanager presents, by daemon.tls.clientCa; all that is named must hold. This, bearer or basic',
          ),
          minProperties: 1,
        },
      ),
    ),
    apis: Type.Optional(
      Type.Array(url('Address of one Alertmanager, with its path prefix'), {
        minItems: 1,
        maxItems: 8,
        description: 'Every Alertmanager that sends webhooks; their API is asked for what a webhook missed',
      }),
    ),
    apiBearer: Type.Optional(secret('Token that is presented to the API')),
    apiBasic: Type.Optional(basic('User and password that are presented to the API')),
    apiTls: Type.Optional(tlsClient('the APIs, by https')),
    expiry: span('15m', 'How long a firing alert counts after it was last heard of'),
    watchdogWithin: span('5m', 'How long an alert mapped to watchdog may be silent before monitoring counts as blind'),
    facts: Type.Optional(Type.Array(AlertFactRule, { default: [], description: 'What alerts mean' })),
    silences: Type.Optional(
      Type.Array(SilenceRule, { default: [], description: 'What silences mean; they are asked for at the APIs' }),
    ),
  },
  described('Webhooks that are taken, and what their alerts mean'),
);
export type AlertmanagerConfig = Static<typeof AlertmanagerConfig>;

export const ListenTls = Type.Object(
  {
    cert: pemFile('Certificate of the listener, with its chain (PEM)'),
    key: secret('Private key of that certificate (PEM)'),
    clientCa: Type.Optional(pemFile('Certificates that client certificates are trusted by (PEM)')),
    requireClientCertificate: Type.Optional(
      Type.Boolean({ default: false, description: 'Whether every client must show one, whatever it asks for' }),
    ),
    minVersion: Type.Optional(
      Type.Enum(['TLSv1.2', 'TLSv1.3'], { default: 'TLSv1.2', description: 'Oldest version of TLS that is spoken' }),
    ),
  },
  described('TLS of the listener; without it the API speaks plain HTTP'),
);
export type ListenTls = Static<typeof ListenTls>;

export const Config = Type.Object(
  {
    version: Type.Literal(1, says('Version of this format')),
    daemon: Type.Object(
      {
        listen: Type.Optional(Type.Unsafe<string>({ ...hostPort('Where the API listens'), default: '127.0.0.1:8080' })),
        tls: Type.Optional(ListenTls),
        stateDir: Type.String({ minLength: 1, description: 'Folder of the journal; relative to the config file' }),
        logLevel: Type.Optional(
          Type.Enum(['debug', 'info', 'warn', 'error'], { default: 'info', description: 'Least level that is logged' }),
        ),
      },
      described('This process'),
    ),
    regions: named(RegionConfig, 'The regions, by name', 2),
    vantages: named(VantageConfig, 'Places from which probes run; the one named daemon is this process', 1),
    alertmanager: Type.Optional(AlertmanagerConfig),
    prometheus: Type.Optional(named(PrometheusConfig, 'Prometheus servers that are asked for facts, by name')),
    people: Type.Optional(named(PersonConfig, 'Who may use the API, by name')),
    pager: Type.Optional(
      Type.Object(
        {
          url: url('Where pages are posted'),
          secret: secret('Key of the signature'),
          timeout: span('5s', 'How long one try may take'),
          tls: Type.Optional(tlsClient('the pager, by https')),
        },
        described('Where pages are posted, signed with HMAC-SHA256'),
      ),
    ),
    groups: named(GroupConfig, 'Failover groups, by name', 1),
  },
  { ...closed, title: 'failoverd configuration', $id: 'https://failoverd.dev/schema/failover.schema.json' },
);
export type Config = Static<typeof Config>;
export type GroupConfig = Static<typeof GroupConfig>;

/**
 * What may be declared and is not probed, judged or moved yet: unknown, so the group stays at observe where it is a
 * component (design §5). Actions of rows that can't be carried out yet are those missing in `SUPPORTED_ACTIONS`.
 */
export const NOT_SUPPORTED_YET = {
  components: ['clickhouse', 'nats', 'workload', 'bucket', 'cache'] as const,
  dnsProviders: ['cloudflare'] as const,
  phases: ['clickhouse', 'nats', 'apps'] as const,
  authorityKeys: ['escalation'] as const,
};
