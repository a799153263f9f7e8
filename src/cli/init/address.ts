/** Addresses of databases as people give them: `host:port`, or a URL without a password. */
import { UsageError } from '../command.ts';

export type DatabaseAddress = {
  readonly host: string;
  readonly port: number;
  readonly user: string | null;
  readonly database: string | null;
};

const DEFAULT_PORT = 5432;
const EXAMPLE = 'give host:port, or postgres://USER@HOST:PORT/DATABASE';

/** Throws a {@link UsageError}; one that holds a password is never repeated. */
export function databaseAddress(text: string): DatabaseAddress {
  if (/^postgres(?:ql)?:\/\//.test(text)) return fromUrl(text);
  const [, six, host, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:/@\s[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const name = six ?? host;
  const number = port === undefined ? DEFAULT_PORT : Number(port);
  // Keywords and values of libpq may hold a password too.
  if (name === undefined || text.includes('=')) throw new UsageError('an address of a database is none', EXAMPLE);
  if (number < 1 || number > 65_535) throw new UsageError(`${text} has no such port`, EXAMPLE);
  return { host: name, port: number, user: null, database: null };
}

function fromUrl(text: string): DatabaseAddress {
  if (!URL.canParse(text)) throw new UsageError('an address of a database is no URL', EXAMPLE);
  const url = new URL(text);
  if (url.password !== '' || url.searchParams.has('password'))
    throw new UsageError(
      `the address of ${url.host} holds a password, which stays in the history of your shell`,
      'change that password, and set FAILOVERD_PG_PASSWORD instead; --password takes a reference such as ${file:PATH}',
    );
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === '') throw new UsageError('an address of a database names no host', EXAMPLE);
  return {
    host,
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    user: url.username === '' ? null : decodeURIComponent(url.username),
    database: url.pathname.length > 1 ? decodeURIComponent(url.pathname.slice(1)) : null,
  };
}
