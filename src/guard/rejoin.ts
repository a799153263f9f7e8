/**
 * Brings a deposed PostgreSQL home by the guard's configuration: whom it follows, as which role, and where what diverged is
 * kept (`wal/rejoin.ts`; invariant 21).
 */
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import type { GuardConfig } from '../model/guard-config.ts';
import type { RegionId } from '../model/primitives.ts';
import { addressOf } from '../runtime/config/address.ts';
import { postgresDriver } from '../runtime/postgres-driver.ts';
import type { Certificates } from '../runtime/tls.ts';
import { replaceFile } from './postgres/files.ts';
import { type Prover, textOf } from './postgres/proof.ts';
import { baseBackup } from './wal/clone.ts';
import { WalError } from './wal/errors.ts';
import type { Ask } from './wal/new-primary.ts';
import { rejoin } from './wal/rejoin.ts';
import type { Stopped } from './wal/stopped.ts';
import type { Programs } from './wal/tool.ts';

export type RejoinOptions = {
  readonly config: GuardConfig;
  readonly dataDir: string;
  readonly programs: Programs;
  readonly prover: () => Prover;
  /** Of PostgreSQL's user, inside of the guard's: the password file goes there. */
  readonly folder: string;
  readonly stateDir: string;
  /** The region whose guard has the lease, as the store said last. */
  readonly holder: () => RegionId | null;
  readonly password: () => string | null;
  /** Path of the authorities as PostgreSQL's programs open it. */
  readonly caFile: string | null;
  readonly certificates: Certificates | null;
  /** Where `postgresql.conf` is, if not in the data directory. */
  readonly configFile: string | null;
  /** A clone takes the place of the old directory: whoever holds that one has to take hold of the new one. */
  readonly replaced: () => void;
};

type Source = { readonly host: string; readonly port: number };

const CONNECT_WITHIN_MS = 10_000;
/** Belong to this server, and would be the other one's after a copy. */
const OWN_FILES = ['server.crt', 'server.key', 'root.crt', 'ca.crt', 'pg_ident.conf'];

export function rejoinBy(
  options: RejoinOptions,
): (within: { readonly signal: AbortSignal }) => Promise<{ readonly ok: boolean; readonly message: string }> {
  const { config, dataDir, programs, stateDir, folder } = options;
  return async ({ signal }) => {
    const { replication } = config;
    const holder = options.holder();
    const address = holder === null ? undefined : config.peers[holder]?.postgres;
    const source = address === undefined ? null : addressOf(address);
    if (replication === undefined || source === null)
      return no(
        holder === null
          ? 'nobody is known to have the lease'
          : `replication, or peers.${holder}.postgres, is not in the configuration: bring it home by hand`,
      );
    const env = { PGPASSFILE: join(folder, 'pgpass') };
    replaceFile(env.PGPASSFILE, passwordLine(source, replication.user, options.password() ?? ''));
    const conninfo = conninfoOf(options, source, env.PGPASSFILE);
    const database = replication.database ?? 'postgres';
    try {
      const { method, archive } = await rejoin(
        {
          dataDir,
          programs,
          stopped: stoppedBy(options.prover),
          archives: join(stateDir, 'divergent'),
          recordFile: join(stateDir, 'rejoin.json'),
          keep: OWN_FILES,
          acceptMissing: false,
          newPrimary: {
            ask: askOf(options, source, database),
            rewindFrom: { conninfo: `${conninfo} dbname=${quoted(database)}`, env, configFile: options.configFile },
            clone: baseBackup(programs, conninfo, env),
            upstream: { conninfo, slot: replication.slot ?? null },
          },
        },
        signal,
      );
      return { ok: true, message: `came home by ${method}; what diverged is in ${archive.folder}` };
    } catch (error) {
      const remedy = error instanceof WalError && error.remedy !== null ? ` (${error.remedy})` : '';
      return no(`${textOf(error)}${remedy}`);
    } finally {
      options.replaced();
    }
  };
}

const no = (why: string): { readonly ok: false; readonly message: string } => ({
  ok: false,
  message: `not rejoined: ${why}`,
});

const stoppedBy =
  (prover: RejoinOptions['prover']): Stopped =>
  async () => {
    const proof = prover().prove();
    if (proof.kind === 'stopped') return { stopped: true, why: 'no process works in it' };
    if (proof.kind === 'running') return { stopped: false, why: `processes ${proof.pids.join(', ')} work in it` };
    return { stopped: null, why: proof.why };
  };

/** Inside a connection string a quote is escaped by a backslash (PostgreSQL manual, "Keyword/Value Connection Strings"). */
const quoted = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function conninfoOf({ config, caFile }: RejoinOptions, { host, port }: Source, passfile: string): string {
  const { replication, region } = config;
  const tls = replication?.tls ?? 'verify-full';
  const parts: Record<string, string> = {
    host,
    port: String(port),
    user: replication?.user ?? '',
    passfile,
    application_name: region,
    sslmode: tls,
    ...(tls === 'verify-full' ? { sslrootcert: caFile ?? 'system' } : {}),
    connect_timeout: '5',
  };
  return Object.entries(parts)
    .map(([name, value]) => `${name}=${quoted(value)}`)
    .join(' ');
}

/** In a password file a colon and a backslash are escaped (PostgreSQL manual, "The Password File"). */
function passwordLine({ host, port }: Source, user: string, password: string): string {
  const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll(':', '\\:');
  return `${escaped(host)}:${port}:*:${escaped(user)}:${escaped(password)}\n`;
}

function askOf({ config, password, certificates }: RejoinOptions, { host, port }: Source, database: string): Ask {
  const { replication } = config;
  const tls = replication?.tls ?? 'verify-full';
  const ssl: false | ConnectionOptions =
    tls === 'disable'
      ? false
      : {
          host,
          rejectUnauthorized: tls === 'verify-full',
          ...(certificates === null ? {} : { secureContext: certificates.secureContext() }),
        };
  return async (sql, values = []) => {
    const client = new (postgresDriver().Client)({
      ...{ host, port, database, ssl },
      user: replication?.user ?? '',
      password: () => password() ?? '',
      application_name: 'failoverd guard',
      connectionTimeoutMillis: CONNECT_WITHIN_MS,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return (await client.query<Record<string, unknown>>(sql, [...values])).rows;
    } catch (error) {
      throw new WalError('unreachable', `the new primary on ${host}:${port}: ${textOf(error)}`);
    } finally {
      client.end().catch(() => undefined);
    }
  };
}
