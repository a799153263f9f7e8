import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { type DnsServer, startAuthority } from '../dns/authority.ts';
import type { DnsFault } from '../dns/model.ts';
import { startResolver } from '../dns/resolver.ts';
import type { AdminExtension } from './admin.ts';
import { type Route53Options, startRoute53 } from './server.ts';

/**
 * Route 53, its name servers and some resolvers as one process: `node lab/route53/main.ts --config FILE.json`.
 *
 * The file: `{"route53": Route53Options, "nameServers"?: [{"host", "port"?}], "resolvers"?: [{"host", "port"?,
 * "respectTtl"?, "minTtlSeconds"?, "nameServer"?: index}]}`. Prints one JSON line when ready, ends on SIGTERM or SIGINT.
 * Besides the paths of admin.ts it has `POST /_lab/dns-fault {"server": "ns" | "resolver", "index", "fault", "count"?}`.
 */

interface Address {
  readonly host: string;
  readonly port?: number;
}

interface ProcessConfig {
  readonly route53: Route53Options;
  readonly nameServers?: readonly Address[];
  readonly resolvers?: readonly (Address & {
    readonly respectTtl?: boolean;
    readonly minTtlSeconds?: number;
    readonly nameServer?: number;
  })[];
}

const dnsFaults: readonly DnsFault[] = ['hang', 'servfail', 'refuse'];

async function readConfig(argv: readonly string[]): Promise<ProcessConfig> {
  const file = argv[argv.indexOf('--config') + 1];
  if (!argv.includes('--config') || file === undefined) throw new Error('usage: main.ts --config FILE.json');
  return JSON.parse(await readFile(file, 'utf8')) as ProcessConfig;
}

function dnsFaultPath(servers: Readonly<Record<'ns' | 'resolver', readonly DnsServer[]>>): AdminExtension {
  return (method, path, body) => {
    if (`${method} ${path}` !== 'POST /_lab/dns-fault') return undefined;
    const { server, index, fault, count } = body;
    const kind = server === 'ns' || server === 'resolver' ? server : null;
    const target = kind === null ? undefined : servers[kind][Number(index ?? 0)];
    const known = fault === null ? null : dnsFaults.find((candidate) => candidate === fault);
    if (target === undefined || known === undefined) return undefined;
    target.fault(known, typeof count === 'number' ? { count } : {});
    return { server: target.address, fault: known };
  };
}

async function main(): Promise<void> {
  const config = await readConfig(process.argv);
  const servers = { ns: [] as DnsServer[], resolver: [] as DnsServer[] };
  const addresses = config.nameServers ?? [];
  const route53 = await startRoute53({
    ...config.route53,
    nameServers: Math.max(1, addresses.length),
    adminExtension: dnsFaultPath(servers),
  });
  for (const [index, address] of addresses.entries()) {
    servers.ns.push(await startAuthority({ ...address, source: route53.nameServer(index) }));
  }
  for (const { nameServer, ...resolver } of config.resolvers ?? []) {
    const upstream = servers.ns[nameServer ?? 0];
    if (upstream === undefined) throw new Error(`resolver: there is no name server ${nameServer ?? 0}`);
    servers.resolver.push(await startResolver({ respectTtl: true, ...resolver, upstream }));
  }
  const where = ({ host, port }: DnsServer) => ({ host, port });
  console.log(
    JSON.stringify({
      ready: true,
      pid: process.pid,
      endpoint: route53.endpoint,
      nameServers: servers.ns.map(where),
      resolvers: servers.resolver.map(where),
    }),
  );
  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    const all = [route53, ...servers.ns, ...servers.resolver].map((part) => part.close());
    void Promise.allSettled(all).then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

await main();
