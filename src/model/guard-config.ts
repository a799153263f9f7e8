/**
 * The configuration of one guard, `config/guard.yaml`: a file of its own, because it stands beside a PostgreSQL and has to
 * say what only that machine knows. What it shares with the group's configuration is the lease, compared by its hash.
 */
import Type, { type Static } from 'typebox';
import { ListenTls } from './config.ts';
import {
  absolutePath,
  argv,
  closed,
  described,
  hostPort,
  Name,
  pemFile,
  perRegion,
  says,
  secret,
  span,
  tlsClient,
  url,
} from './forms.ts';
import { LeaseConfig } from './lease-config.ts';

const DRIVER = says('What starts and stops it');

const server = {
  binDir: absolutePath(
    'Folder of postgres, pg_ctl, pg_controldata, pg_waldump and pg_rewind, of the server’s own version',
  ),
  dataDir: absolutePath('Its data directory'),
  port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535, default: 5432, description: 'Its port' })),
  listenAddresses: Type.String({
    minLength: 1,
    description: 'listen_addresses while it is open; while it is fenced it listens nowhere',
  }),
  socketDir: absolutePath('Folder of its socket, which the guard alone may enter (mode 0700)'),
  hba: absolutePath('The pg_hba.conf in force while it is open; while it is fenced the guard has one of its own'),
  database: Type.Optional(
    Type.String({ minLength: 1, default: 'postgres', description: 'Database the guard connects to, over the socket' }),
  ),
  superuser: Type.Optional(
    Type.String({ minLength: 1, default: 'postgres', description: 'Role the guard connects as, over the socket' }),
  ),
};

export const GuardedPostgres = Type.Union(
  [
    Type.Object(
      {
        driver: Type.Literal('pg_ctl', DRIVER),
        ...server,
        osUser: Type.Optional(
          Type.String({
            minLength: 1,
            description: 'User of the system it runs as; without it the guard’s own, which may not be root',
          }),
        ),
      },
      described('PostgreSQL as the guard’s own child'),
    ),
    Type.Object(
      {
        driver: Type.Literal('systemd', DRIVER),
        ...server,
        unit: Type.String({
          pattern: '^[A-Za-z0-9:_.@\\\\-]+\\.service$',
          description:
            'Its unit, such as postgresql@15-main.service; disabled, with Restart=no: the guard alone starts it',
        }),
      },
      described('PostgreSQL as a unit of systemd, in the cgroup of that unit'),
    ),
    Type.Object(
      {
        driver: Type.Literal('command', DRIVER),
        ...server,
        start: argv('What starts it'),
        stop: argv('What stops it fast; the guard kills what is left, and proves the stop by itself'),
        timeout: span('60s', 'How long one of the two may take; after that the answer is unknown'),
      },
      described('PostgreSQL by programs: exit 0 done, 1 not, anything else unknown'),
    ),
  ],
  { 'x-discriminator': 'driver', description: 'The PostgreSQL that this guard alone starts, promotes and stops' },
);
export type GuardedPostgres = Static<typeof GuardedPostgres>;

const DEAD_MAN = says('Which dead-man; it must be of the kind that lease.deadMan names');

export const DeadManConfig = Type.Union(
  [
    Type.Object(
      {
        driver: Type.Literal('process', DEAD_MAN),
        startedBy: Type.Optional(
          Type.Enum(['guard', 'service'], {
            default: 'guard',
            description:
              'service: a unit or container of its own, which no freeze of guard or PostgreSQL holds; guard: the guard starts it, and then it counts only in a cgroup of its own',
          }),
        ),
        socket: Type.Optional(absolutePath('Socket on which it takes pets; without it deadman.sock in stateDir')),
        cgroup: Type.Optional(
          absolutePath(
            'Cgroup that the guard starts it in, with startedBy: guard; neither the guard’s nor PostgreSQL’s',
          ),
        ),
      },
      described('absolute: a process apart, on CLOCK_BOOTTIME, whose deadline is the send of a renewal + deadManAfter'),
    ),
    Type.Object(
      {
        driver: Type.Literal('watchdog', DEAD_MAN),
        device: Type.Optional(
          Type.Unsafe<string>({
            ...absolutePath('The kernel’s watchdog, which resets the machine'),
            default: '/dev/watchdog',
          }),
        ),
      },
      described('relative: the kernel’s watchdog, petted at each good renewal before the next is sent'),
    ),
    Type.Object(
      { driver: Type.Literal('none', DEAD_MAN) },
      described('none: nothing ends PostgreSQL when the guard is frozen, and the end of its lease proves nothing'),
    ),
  ],
  { 'x-discriminator': 'driver', description: 'What ends PostgreSQL when the guard doesn’t' },
);
export type DeadManConfig = Static<typeof DeadManConfig>;

export const PeerConfig = Type.Object(
  {
    url: url('Where the API of its guard listens'),
    token: secret('Opens that API: the token of that guard'),
    tls: Type.Optional(tlsClient('it, by https')),
    postgres: Type.Optional(
      Type.Unsafe<string>({
        ...hostPort('Its PostgreSQL, to stream, rewind or clone from; needed for rejoining'),
      }),
    ),
  },
  described('The guard of the other side'),
);

export const ReplicationConfig = Type.Object(
  {
    user: Type.String({
      minLength: 1,
      description: 'Role with REPLICATION that may also do what pg_rewind does (its documentation lists the functions)',
    }),
    password: Type.Optional(secret('Password of that role')),
    database: Type.Optional(
      Type.String({ minLength: 1, default: 'postgres', description: 'Database pg_rewind connects to' }),
    ),
    tls: Type.Optional(
      Type.Enum(['disable', 'require', 'verify-full'], {
        default: 'verify-full',
        description: 'How the connection is secured; only verify-full knows whom it talks to',
      }),
    ),
    ca: Type.Optional(pemFile('Certificates to trust instead of the system’s (PEM), with verify-full')),
    slot: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9_]{1,63}$',
        description: 'Physical replication slot on the other side that this one streams from',
      }),
    ),
  },
  described('How this PostgreSQL follows the other one: streaming, pg_rewind, pg_basebackup'),
);

export const GuardConfig = Type.Object(
  {
    version: Type.Literal(1, says('Version of this format')),
    group: Type.Unsafe<string>({
      ...Name,
      description: 'The failover group, as the controller’s configuration names it',
    }),
    component: Type.Unsafe<string>({ ...Name, description: 'The PostgreSQL component of that group' }),
    region: Type.Unsafe<string>({ ...Name, description: 'The region this guard stands in' }),
    role: Type.Enum(['primary', 'standby'], {
      description:
        'What this PostgreSQL is when guards are first set up; only the one that says primary may make the lease record. Means nothing later',
    }),
    listen: Type.Optional(Type.Unsafe<string>({ ...hostPort('Where its API listens'), default: '127.0.0.1:8432' })),
    tls: Type.Optional(ListenTls),
    token: secret('Opens its API, and is what it shows to the lease store; each guard has its own'),
    stateDir: Type.String({
      minLength: 1,
      description: 'Folder of what it must not forget, on a disk that keeps what was fsynced; relative to this file',
    }),
    logLevel: Type.Optional(
      Type.Enum(['debug', 'info', 'warn', 'error'], { default: 'info', description: 'Least level that is logged' }),
    ),
    store: Type.Object(
      { url: url('The controller, which keeps the lease'), tls: Type.Optional(tlsClient('it, by https')) },
      described('The lease store'),
    ),
    peers: perRegion(PeerConfig, 'Guards of the other regions, by region'),
    postgres: GuardedPostgres,
    replication: Type.Optional(ReplicationConfig),
    cgroup: Type.Optional(
      absolutePath(
        'Cgroup (version 2) that PostgreSQL runs in and nothing else; killing it is the last way of stopping. Under /sys/fs/cgroup',
      ),
    ),
    deadMan: DeadManConfig,
    nftables: Type.Optional(
      Type.Object(
        {
          table: Type.Optional(
            Type.String({
              pattern: '^[A-Za-z][A-Za-z0-9_]{0,31}$',
              default: 'failoverd',
              description: 'Table that the guard makes; another one of this name is replaced',
            }),
          ),
        },
        described('Cut clients off when the lease ends, by an element that expires. A help, and no proof'),
      ),
    ),
    lease: LeaseConfig,
  },
  { ...closed, title: 'failoverd guard configuration', $id: 'https://failoverd.dev/schema/guard.schema.json' },
);
export type GuardConfig = Static<typeof GuardConfig>;

/** The dead-man kind that each driver is. */
export const DEAD_MAN_OF = {
  process: 'absolute',
  watchdog: 'relative',
  none: 'none',
} as const satisfies Record<DeadManConfig['driver'], LeaseConfig['deadMan']>;
