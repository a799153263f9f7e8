import { randomInt } from 'node:crypto';
import { createLinks, type Links } from '../links/index.ts';
import { freePort } from '../servers/ports.ts';
import type { Endings } from './endings.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What the standby streams over: of its own, so that it can live on while clients are cut off, and the reverse. */
export const REPLICATION = 'replication:B->A';
/** Every way on which anybody but a client sees A. */
export const WAYS_TO_A = ['B->A', 'W->A', REPLICATION] as const;
/** Where guards are: what A's guard says to others goes over ways of its own. */
export const WAYS_FROM_A = ['A->W', 'A->B'] as const;
/** What Alertmanager's webhooks take. */
export const WEBHOOKS = 'alerts:W->B';

/** Where things stand. What crosses from one place to another goes through a link, and nothing else does. */
export interface Network {
  readonly links: Links;
  /** How clients on the internet reach a region: what the public name answers. */
  readonly publicHost: { readonly a: string; readonly b: string };
  /** The same in both regions, as behind a load balancer. */
  readonly publicPort: number;
  /** The same, by https. */
  readonly publicTlsPort: number;
  /** Inside a region. */
  readonly inner: { readonly a: string; readonly b: string; readonly w: string };
  /** Neither region: DNS, the pager, the hypervisor, and the near ends of links. */
  readonly outside: string;
  /** Of its own: ports that are chosen there long before a server takes them stay free. */
  readonly monitoring: string;
  readonly postgresPort: number;
  /** A way over the link of that name to an address, such as A's database as seen from B. */
  readonly over: (name: `${string}->${string}`, target: Address) => Promise<Address>;
}

/** A loopback network of its own for each lab, so that two may stand side by side. */
export async function createNetwork(endings: Endings): Promise<Network> {
  const net = `127.${randomInt(10, 250)}`;
  const publicHost = { a: `${net}.1.1`, b: `${net}.2.1` };
  const inner = { a: `${net}.1.2`, b: `${net}.2.2`, w: `${net}.3.2` };
  const outside = `${net}.9.1`;
  const monitoring = `${net}.9.2`;
  const links = createLinks();
  await endings.add('links', async () => await links.close());
  const publicPort = await freePort(publicHost.a);
  let publicTlsPort = publicPort;
  while (publicTlsPort === publicPort) publicTlsPort = await freePort(publicHost.a);
  const over: Network['over'] = async (name, { host, port }) => {
    const made = await links.link(name).forward({ listenHost: outside, targetHost: host, targetPort: port });
    return { host: made.host, port: made.port };
  };
  for (const [side, name] of [
    ['a', 'internet->A'],
    ['b', 'internet->B'],
  ] as const) {
    for (const port of [publicPort, publicTlsPort])
      await links.link(name).forward({
        listenHost: publicHost[side],
        listenPort: port,
        targetHost: inner[side],
        targetPort: port,
      });
  }
  const postgresPort = await freePort(inner.a);
  return { links, publicHost, publicPort, publicTlsPort, inner, outside, monitoring, postgresPort, over };
}

export const textOfAddress = ({ host, port }: Address): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;
