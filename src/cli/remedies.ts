/** What helps when a server could not be asked: the one table for `init` and `doctor`. */
import type { Failure } from '../probes/failure.ts';

export type Remedy = { readonly remedy: string; readonly sql: readonly string[] };

/** Identifiers as SQL takes them, quoted only where they must be. */
export const sqlName = (name: string): string =>
  /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;

/** SQLSTATE, as the messages of the probes end with it; '' where there is none. */
const sqlStateOf = ({ message }: Failure): string => /\(SQLSTATE ([0-9A-Z]{5})\)$/.exec(message)?.[1] ?? '';

export type Login = { readonly user: string; readonly database: string };

/** For a PostgreSQL that did not let us in, or did not let us read. */
export function postgresRemedy(failure: Failure, { user, database }: Login): Remedy {
  const plain = (remedy: string, ...sql: string[]): Remedy => ({ remedy, sql });
  switch (failure.code) {
    case 'refused':
      return plain('start PostgreSQL, or correct the port; listen_addresses must hold that address');
    case 'unreachable':
    case 'timeout':
      return plain('check the address, routes and firewalls: failoverd must reach it on the way that clients take');
    case 'reset':
      return plain('look at the log of the server, and of what stands before it');
    case 'starting':
      return plain('wait until the server lets clients in; on a standby set hot_standby = on');
    case 'auth':
      if (sqlStateOf(failure) === '28000')
        return plain(`let ${user} in by pg_hba.conf from this address, then: select pg_reload_conf();`);
      return plain(
        `set the password that ${user} has, or make the role on the primary`,
        `create role ${sqlName(user)} login password '...' connection limit 10;`,
        `grant pg_monitor to ${sqlName(user)};`,
      );
    case 'denied':
      return plain(
        `grant ${user} what it lacks, on the primary`,
        `grant connect on database ${sqlName(database)} to ${sqlName(user)};`,
        `grant pg_monitor to ${sqlName(user)};`,
      );
    case 'failed':
      if (sqlStateOf(failure) === '3D000') return plain(`name a database that is there, not ${database}`);
      if (sqlStateOf(failure).startsWith('53'))
        return plain('free connections on the server, or raise max_connections');
      return plain('look at the log of the server');
    case 'tls':
      return plain(
        'have the certificate signed for that name by an authority this machine trusts, or weigh tls: require',
      );
    case 'protocol':
      return plain('correct the address: something else than PostgreSQL answers there');
    case 'foreign':
      return plain('correct the address, or the pinned systemIdentifier');
    case 'read-only':
    case 'status':
    case 'missing':
    case 'query':
    case 'several':
    case 'empty':
    case 'no-number':
    case 'stale':
    case 'internal':
      return plain('look at the message; if this machine resolves the name, it is a defect of failoverd');
    default:
      return failure.code satisfies never;
  }
}

/** The SQL that gives what a probe of ours named as missing. */
export function grantsFor(missing: readonly string[], user: string): string[] {
  const to = sqlName(user);
  return [
    ...new Set(
      missing.map((need) => {
        if (need === 'pg_read_all_stats') return `grant pg_monitor to ${to};`;
        if (need.endsWith(')')) return `grant execute on function pg_catalog.${need} to ${to};`;
        return `grant select on pg_catalog.${need} to ${to};`;
      }),
    ),
  ];
}
