import { randomBytes } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { EPOCH_NAME, PUBLIC_NAME, ZONE_ID } from '../config.ts';
import { startAuthority, startResolver } from '../dns/index.ts';
import { closeServer, listen, readJson } from '../region/http.ts';
import { type Route53Lab, startRoute53 } from '../route53/index.ts';
import { codeOf } from '../servers/errors.ts';
import { freePort } from '../servers/ports.ts';
import { nowMs } from '../servers/wait.ts';
import type { LabCertificates } from './certificates.ts';
import type { Endings } from './endings.ts';
import { type Address, type Network, textOfAddress } from './network.ts';

const QUERY = { timeout: 1_000, tries: 2 } as const;

/** One page as the pager received it; the same page may arrive more than once, by its id. */
export interface LabPage {
  readonly atMs: number;
  readonly id: string;
  readonly kind: string;
}

/** What belongs to no region: DNS, something that always answers, and the pager. */
export interface Outside {
  readonly route53: Route53Lab;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly resolvers: readonly string[];
  /** Answers HTTP whatever happens to the regions: a vantage that can't reach it is cut off itself. */
  readonly control: Address;
  readonly pagerUrl: string;
  readonly pages: readonly LabPage[];
  /** What the zone's name server answers now: addresses of the public name, and texts of the epoch's name. */
  readonly answers: () => Promise<{ readonly addresses: readonly string[]; readonly epochTexts: readonly string[] }>;
}

export async function startOutside(
  network: Network,
  endings: Endings,
  certificates?: LabCertificates,
): Promise<Outside> {
  const host = network.outside;
  const credentials = { accessKeyId: 'AKIALABFAILOVERD0001', secretAccessKey: randomBytes(20).toString('hex') };
  const record = { name: PUBLIC_NAME, type: 'A', ttlSeconds: 1, values: [network.publicHost.a] } as const;
  const route53 = await startRoute53({
    ...credentials,
    host,
    zones: [{ id: ZONE_ID, name: 'lab.test', records: [record] }],
    propagationMs: 300,
  });
  await endings.add('route 53', async () => await route53.close());
  const authority = await startAuthority({ host, source: route53.nameServer(0) });
  await endings.add('name server', async () => await authority.close());
  const resolvers: string[] = [];
  for (const which of ['first', 'second']) {
    const resolver = await startResolver({ host, upstream: authority, respectTtl: true });
    await endings.add(`${which} resolver`, async () => await resolver.close());
    resolvers.push(resolver.address);
  }
  const asker = new Resolver(QUERY);
  asker.setServers([authority.address]);
  return {
    route53,
    credentials,
    resolvers,
    control: await startControl(host, endings),
    ...(await startPager(host, endings, certificates)),
    answers: async () => ({
      addresses: await asker.resolve4(PUBLIC_NAME).catch(noRecord),
      epochTexts: (await asker.resolveTxt(EPOCH_NAME).catch(noRecord)).map((chunks) => chunks.join('')),
    }),
  };
}

/** No such record is an answer; anything else is none, and is thrown. */
function noRecord(error: unknown): never[] {
  const code = codeOf(error);
  if (code === 'ENOTFOUND' || code === 'ENODATA') return [];
  throw error;
}

/**
 * HTTP and not bare TCP: a link that drops everything still lets a connection begin, in the kernel (see `links/link.ts`),
 * and only an answer tells that somebody is there.
 */
async function startControl(host: string, endings: Endings): Promise<Address> {
  const server = createServer((_, response) => {
    response.writeHead(204, { connection: 'close' }).end();
  });
  const port = await freePort(host);
  await listen(server, host, port);
  await endings.add('control target', async () => await closeServer(server));
  return { host, port };
}

async function startPager(
  plainHost: string,
  endings: Endings,
  certificates: LabCertificates | undefined,
): Promise<Pick<Outside, 'pagerUrl' | 'pages'>> {
  const pages: LabPage[] = [];
  const take: RequestListener = (request, response) => {
    readJson(request).then(
      (body) => {
        const page = typeof body === 'object' && body !== null ? (body as { id?: unknown; kind?: unknown }) : {};
        pages.push({ atMs: nowMs(), id: String(page.id), kind: String(page.kind) });
        response.writeHead(204).end();
      },
      () => response.writeHead(400).end(),
    );
  };
  const host = certificates === undefined ? plainHost : '::1';
  const server = certificates === undefined ? createServer(take) : securePager(certificates, take);
  const port = await freePort(host);
  await listen(server, host, port);
  await endings.add('pager', async () => await closeServer(server));
  return {
    pagerUrl: `${certificates === undefined ? 'http' : 'https'}://${textOfAddress({ host, port })}/pages`,
    pages,
  };
}

/** By IPv6, and for clients with a certificate alone. */
function securePager({ pager, authority }: LabCertificates, take: RequestListener) {
  const { certificate: cert, key } = pager;
  return createSecureServer(
    { cert, key, ca: authority.certificate, requestCert: true, rejectUnauthorized: true },
    take,
  );
}
