import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { PostgresInstall } from '../binaries/postgres.ts';

/** One PostgreSQL of the lab. Plain data: it goes into the hypervisor's configuration as it is. */
export interface PostgresInstance {
  readonly install: PostgresInstall;
  /** The folder of this instance; everything below is inside. */
  readonly dir: string;
  readonly dataDir: string;
  /** Holds the unix socket, where `postgres` is trusted; closed to others. */
  readonly socketDir: string;
  readonly logFile: string;
  readonly host: string;
  readonly port: number;
}

/** The passwords of one lab's roles. */
export interface LabPasswords {
  readonly replicator: string;
  readonly app: string;
  readonly failoverd: string;
  readonly failoverd_ro: string;
}

/** What a server shows, and trusts clients by; all PEM. */
export interface PostgresTls {
  readonly certificate: string;
  readonly key: string;
  readonly ca: string;
}

export const DATABASE = 'app';

/** The bytes of `sun_path` less its end mark: a longer socket name makes the server refuse to start. */
const SOCKET_PATH_LIMIT = 107;

export function generatePasswords(): LabPasswords {
  const one = (): string => randomBytes(18).toString('base64url');
  return { replicator: one(), app: one(), failoverd: one(), failoverd_ro: one() };
}

export function describeInstance(install: PostgresInstall, dir: string, host: string, port: number): PostgresInstance {
  return {
    install,
    dir,
    dataDir: path.join(dir, 'data'),
    socketDir: path.join(dir, 's'),
    logFile: path.join(dir, 'postgres.log'),
    host,
    port,
  };
}

/** Why the socket of this instance can't be made, or undefined. */
export function socketTooLong(instance: PostgresInstance): string | undefined {
  const name = path.join(instance.socketDir, `.s.PGSQL.${instance.port}`);
  return Buffer.byteLength(name) > SOCKET_PATH_LIMIT ? `${name} is longer than ${SOCKET_PATH_LIMIT} bytes` : undefined;
}

/**
 * What every PostgreSQL of the lab runs with. Durability is the real thing (`fsync`, `synchronous_commit`); replication
 * is asynchronous, as in dr-strategy §1.2; the rest makes faults show within seconds.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  wal_level: 'replica',
  hot_standby: 'on',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  wal_log_hints: 'on',
  max_wal_senders: '10',
  max_replication_slots: '10',
  // Enough for a standby behind a link that was cut for minutes to catch up without a slot.
  wal_keep_size: '256MB',
  // With the default of 5 s one promotion in ten takes over five seconds.
  wal_retrieve_retry_interval: '100ms',
  wal_receiver_status_interval: '1s',
  // An idle stream shows a sign of life at half of these; a cut one is noticed and tried again after the whole.
  wal_receiver_timeout: '5s',
  wal_sender_timeout: '5s',
  // A start after a crash syncs the file system once, not a thousand files one by one: ten times as fast.
  recovery_init_sync_method: 'syncfs',
  max_connections: '60',
  shared_buffers: '32MB',
  // In the data directory, so that a power cut leaves nothing of it in /dev/shm.
  dynamic_shared_memory_type: 'mmap',
  max_wal_size: '1GB',
  checkpoint_timeout: '5min',
  password_encryption: 'scram-sha-256',
  log_line_prefix: '%m [%p] %u@%d ',
  log_checkpoints: 'off',
  lc_messages: 'C',
  timezone: 'GMT',
  log_timezone: 'GMT',
  jit: 'off',
};

const SETTINGS_FILE = 'failoverd-lab.conf';
const INSTANCE_FILE = 'failoverd-lab-instance.conf';

/** Lines for the end of `postgresql.conf`: what is there before them is the version's own. */
export const INCLUDES = `\ninclude '${SETTINGS_FILE}'\ninclude '${INSTANCE_FILE}'\n`;

/** The superuser is let in on the socket alone; roles with a password from loopback alone. */
const HBA = `local all postgres trust
local all all scram-sha-256
host replication replicator 127.0.0.0/8 scram-sha-256
host ${DATABASE} app,failoverd,failoverd_ro 127.0.0.0/8 scram-sha-256
host postgres failoverd,failoverd_ro 127.0.0.0/8 scram-sha-256
`;

/** With a certificate of its own name besides the password (SCRAM), by TLS alone, also by IPv6. */
const TLS_HBA = `local all postgres trust
local all all scram-sha-256
host replication replicator 127.0.0.0/8 scram-sha-256
host ${DATABASE} app 127.0.0.0/8 scram-sha-256
hostssl ${DATABASE},postgres failoverd,failoverd_ro 127.0.0.0/8 scram-sha-256 clientcert=verify-full
hostssl ${DATABASE},postgres failoverd,failoverd_ro ::1/128 scram-sha-256 clientcert=verify-full
`;
const TLS_FILES = { ssl_cert_file: 'server.crt', ssl_key_file: 'server.key', ssl_ca_file: 'ca.crt' } as const;

/** What clients of this server trust it by. */
export const caFileOf = (dataDir: string): string => path.join(dataDir, TLS_FILES.ssl_ca_file);

export async function writeTlsFiles(dataDir: string, tls: PostgresTls): Promise<void> {
  const mode = 0o600;
  await writeFile(path.join(dataDir, TLS_FILES.ssl_cert_file), tls.certificate, { mode });
  await writeFile(path.join(dataDir, TLS_FILES.ssl_key_file), tls.key, { mode });
  await writeFile(caFileOf(dataDir), tls.ca, { mode });
}

export async function writeSharedSettings(dataDir: string, tls?: PostgresTls): Promise<void> {
  if (tls !== undefined) await writeTlsFiles(dataDir, tls);
  const secure: Readonly<Record<string, string>> =
    tls === undefined ? {} : { ssl: 'on', ssl_min_protocol_version: 'TLSv1.2', ...TLS_FILES };
  const lines = Object.entries({ ...SETTINGS, ...secure }).map(([name, value]) => `${name} = ${quoted(value)}`);
  await writeFile(path.join(dataDir, SETTINGS_FILE), `${lines.join('\n')}\n`);
  await writeFile(path.join(dataDir, 'pg_hba.conf'), tls === undefined ? HBA : TLS_HBA);
}

/**
 * What differs between instances: address, socket, name, and for a standby where it streams from.
 * `listenAddresses` is empty for a server that must be out of everyone's reach.
 */
export async function writeInstanceSettings(
  instance: PostgresInstance,
  listenAddresses: string,
  extra: Readonly<Record<string, string>> = {},
): Promise<void> {
  const all: Record<string, string> = {
    listen_addresses: listenAddresses,
    port: String(instance.port),
    unix_socket_directories: instance.socketDir,
    unix_socket_permissions: '0700',
    cluster_name: path.basename(instance.dir),
    ...extra,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${quoted(value)}`);
  await writeFile(path.join(instance.dataDir, INSTANCE_FILE), `${lines.join('\n')}\n`);
}

/** A value as `postgresql.conf` reads it, where a backslash escapes too. */
function quoted(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
