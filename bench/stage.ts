import { randomBytes, randomInt } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Log } from '../lab/binaries/missing.ts';
import { PUBLIC_NAME, REGION, ZONE_ID } from '../lab/config.ts';
import { type DnsServer, startAuthority } from '../lab/dns/index.ts';
import { type Route53Lab, startRoute53 } from '../lab/route53/index.ts';
import { type RunningDaemon, startDaemon } from '../lab/servers/daemon.ts';
import { freePort } from '../lab/servers/ports.ts';
import { makePair, type Pair } from './pair.ts';
import { startWriter, type Writer } from './writer.ts';

const SERVICE = fileURLToPath(new URL('../lab/region/service.ts', import.meta.url));
const START_TIMEOUT_MS = 30_000;
const BEFORE_TIMEOUT_MS = 15_000;

/** What stands for the length of the bench, whichever side is measured. */
export interface Stage {
  readonly dir: string;
  readonly hosts: { readonly a: string; readonly b: string; readonly outside: string };
  readonly port: number;
  readonly pair: Pair;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly log: Log;
  readonly strike: () => Promise<void>;
}

/** What is made anew for a round: services, zone, name server and the client. */
export interface Scene {
  readonly route53: Route53Lab;
  readonly nameServer: DnsServer;
  readonly writer: Writer;
  /** Region A dies at once: its database and its service. */
  readonly killRegion: () => Promise<void>;
}

export async function raiseStage(log: Log): Promise<Stage> {
  const dir = await mkdtemp(path.join(tmpdir(), 'fb-'));
  await chmod(dir, 0o711);
  const net = `127.${randomInt(10, 250)}`;
  const hosts = { a: `${net}.1.1`, b: `${net}.2.1`, outside: `${net}.9.1` };
  const files = path.join(dir, 'pg');
  await mkdir(files);
  await chmod(files, 0o711);
  const remove = async (): Promise<void> => await rm(dir, { recursive: true, force: true });
  const pair = await freePort(hosts.a)
    .then(async (port) => await makePair({ dir: files, hosts, port, log }))
    .catch(async (error: unknown) => {
      await remove();
      throw error;
    });
  return {
    dir,
    hosts,
    port: await freePort(hosts.a),
    pair,
    // Names of nobody, for an API that runs here.
    credentials: { accessKeyId: 'AKIABENCHFAILOVERD01', secretAccessKey: randomBytes(20).toString('hex') },
    log,
    strike: async () => {
      await pair.destroy();
      await remove();
    },
  };
}

/** Runs one round on a fresh scene, and takes it down whatever comes of it. */
export async function withScene<T>(stage: Stage, act: (scene: Scene) => Promise<T>): Promise<T> {
  const { hosts, pair, credentials } = stage;
  const endings: (() => Promise<unknown>)[] = [];
  try {
    await pair.restore();
    const services = { a: await startService(stage, 'a'), b: await startService(stage, 'b') };
    endings.push(async () => await Promise.all([services.a.stop(), services.b.stop()]));
    const route53 = await startRoute53({
      ...credentials,
      host: hosts.outside,
      zones: [
        {
          id: ZONE_ID,
          name: 'lab.test',
          records: [{ name: PUBLIC_NAME, type: 'A', ttlSeconds: 1, values: [hosts.a] }],
        },
      ],
      // At once: whatever propagation takes it takes for both sides, and would only hide what differs.
      propagationMs: 0,
    });
    endings.push(async () => await route53.close());
    const nameServer = await startAuthority({ host: hosts.outside, source: route53.nameServer(0) });
    endings.push(async () => await nameServer.close());
    const writer = startWriter({ name: PUBLIC_NAME, port: stage.port, nameServer: nameServer.address });
    endings.push(async () => await writer.stop());
    if ((await writer.firstAccepted(REGION.a, BEFORE_TIMEOUT_MS)) === undefined)
      throw new Error('no write was accepted before the failure');
    const killRegion = async (): Promise<void> => {
      services.a.kill('SIGKILL');
      await pair.killPrimary();
    };
    return await act({ route53, nameServer, writer, killRegion });
  } finally {
    for (const end of endings.reverse()) await end();
  }
}

async function startService(stage: Stage, side: 'a' | 'b'): Promise<RunningDaemon> {
  const { pair, hosts, port, dir, log } = stage;
  const file = path.join(dir, `service-${side}.json`);
  const postgres = { host: pair[side].host, port: pair[side].port, user: 'app', password: pair.passwords.app };
  const config = { region: REGION[side], host: hosts[side], port, postgres: { ...postgres, database: 'app' } };
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  return await startDaemon({
    name: `service ${side}`,
    argv: [process.execPath, SERVICE, '--config', file],
    cwd: dir,
    logFile: path.join(dir, `service-${side}.log`),
    ready: async () => (await fetch(`http://${hosts[side]}:${port}/healthz`)).ok,
    startTimeoutMs: START_TIMEOUT_MS,
    log,
  });
}

/** Something outside of both regions that always answers: what a vantage tells its own isolation by. */
export async function startControl(host: string): Promise<{ readonly address: string; readonly close: () => void }> {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { address: `tcp://${host}:${port}`, close: () => void server.close() };
}
