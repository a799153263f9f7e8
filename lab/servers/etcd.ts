import { mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../binaries/missing.ts';
import { type PatroniInstall, patroniEnv } from '../binaries/patroni.ts';
import { mustRun } from './command.ts';
import { LabError } from './errors.ts';
import { killAll, scanProcesses } from './processes.ts';
import { spawnAway } from './spawn-away.ts';
import { serverUser } from './user.ts';
import { until } from './wait.ts';

const START_TIMEOUT_MS = 30_000;
const KILL_TIMEOUT_MS = 10_000;
const CALL_TIMEOUT_MS = 3_000;

/** The one etcd of a region. Plain data: it goes into the hypervisor's configuration as it is. */
export interface EtcdNode {
  readonly install: PatroniInstall;
  /** Its process works here, and is recognised by that. */
  readonly dir: string;
  readonly host: string;
  readonly port: number;
  readonly peerPort: number;
}

export const etcdUrl = ({ host, port }: EtcdNode): string => `http://${host}:${port}`;

/** Start it and wait until it serves, or do nothing where it runs. It outlives the process that called this. */
export async function startEtcd(
  node: EtcdNode,
  options: { readonly log: Log; readonly giveUp?: () => string | undefined },
): Promise<void> {
  if ((await scanProcesses([node.dir])).pids.length > 0) return;
  await ownFolder(node.dir);
  const peer = `http://${node.host}:${node.peerPort}`;
  const words = ['--name', 'one', '--data-dir', path.join(node.dir, 'data'), '--initial-cluster', `one=${peer}`];
  const client = ['--listen-client-urls', etcdUrl(node), '--advertise-client-urls', etcdUrl(node)];
  const peers = ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer];
  const log = await open(path.join(node.dir, 'etcd.log'), 'a');
  const child = await spawnAway([node.install.etcd, ...words, ...client, ...peers], {
    cwd: node.dir,
    env: patroniEnv(node.install),
    log,
  });
  await until(
    {
      what: `etcd on ${node.host}:${node.port}`,
      timeoutMs: START_TIMEOUT_MS,
      code: 'start-timeout',
      giveUp: () => child.ended() ?? options.giveUp?.(),
    },
    async () => ((await healthy(node)) ? true : undefined),
  );
  options.log(`etcd ${node.install.versions.etcd} on ${node.host}:${node.port} is ready`);
}

export const killEtcd = async (node: EtcdNode): Promise<void> => await killAll([node.dir], KILL_TIMEOUT_MS);

/** A folder that the servers' user owns. */
export async function ownFolder(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const user = serverUser();
  if (user !== undefined) await mustRun(['chown', `${user.uid}:${user.gid}`, dir], { timeoutMs: 10_000 });
}

async function healthy(node: EtcdNode): Promise<boolean> {
  try {
    const answer = await fetch(`${etcdUrl(node)}/health`, { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
    return ((await answer.json()) as { health?: unknown }).health === 'true';
  } catch {
    // Not started yet.
    return false;
  }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function call<T>(node: EtcdNode, act: string, body: object): Promise<T> {
  const answer = await fetch(`${etcdUrl(node)}/v3/kv/${act}`, {
    method: 'POST',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
  });
  if (!answer.ok) throw new LabError('command-failed', `etcd ${act}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

export async function putKey(node: EtcdNode, key: string, value: string): Promise<void> {
  await call(node, 'put', { key: base64(key), value: base64(value) });
}

export async function readKey(node: EtcdNode, key: string): Promise<string | undefined> {
  const { kvs } = await call<{ kvs?: { value: string }[] }>(node, 'range', { key: base64(key) });
  const [found] = kvs ?? [];
  return found === undefined ? undefined : Buffer.from(found.value, 'base64').toString('utf8');
}
