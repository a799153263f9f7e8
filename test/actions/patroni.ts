// Real Patroni clusters for the tests of what is done through them: a primary cluster, and standby clusters of it, each
// with an etcd of its own.
import path from 'node:path';
import { describeMissing, isMissing } from '../../lab/binaries/missing.ts';
import { findPatroni, type PatroniInstall } from '../../lab/binaries/patroni.ts';
import { startEtcd } from '../../lab/servers/etcd.ts';
import {
  allowRewind,
  clearNode,
  killNode,
  type PatroniNode,
  prepareNode,
  settle,
  startNode,
  untilRole,
  writeClusterConfig,
} from '../../lab/servers/patroni.ts';
import { freePort } from '../../lab/servers/ports.ts';
import {
  createStandby,
  type LabPasswords,
  type PostgresInstance,
  query,
  startPostgres,
} from '../../lab/servers/postgres.ts';
import { until } from '../../lab/servers/wait.ts';
import type { PostgresComponent } from '../../src/model/config.ts';
import { log, onePostgres, primaryIn, scratch } from '../lab-parts/real-servers.ts';
import { caughtUp, componentOf } from './database.ts';
import { A, B, type Tap } from './world.ts';

export type PatroniClusters = {
  readonly primary: PatroniNode;
  readonly passwords: LabPasswords;
  readonly systemIdentifier: string;
  /** A standby cluster of the primary's that streams: its leader first. */
  standbyCluster(name: string, members?: number): Promise<readonly [PatroniNode, ...PatroniNode[]]>;
};

async function onePatroni(): Promise<PatroniInstall> {
  const found = await findPatroni({ fetch: true, log });
  if (isMissing(found)) throw new Error(describeMissing(found));
  return found;
}

export async function patroniClusters(test: Tap, hostA: string, hostB: string): Promise<PatroniClusters> {
  const install = await onePatroni();
  const place = await scratch(test);
  const { primary, passwords } = await primaryIn(place, await onePostgres(), hostA);
  const nodes: PatroniNode[] = [];
  // Made after the folder's own teardown, so it runs before it; every process first, or one would restart another.
  test.teardown(async () => {
    await Promise.all(nodes.map(killNode));
    for (const node of nodes) await clearNode(node);
  });

  async function nodeOf(
    postgres: PostgresInstance,
    of: { readonly scope: string; readonly name: string; readonly etcd?: PatroniNode['etcd'] },
  ): Promise<PatroniNode> {
    const { host, dir } = postgres;
    const ports = [await freePort(host), await freePort(host), await freePort(host)] as const;
    const etcd = of.etcd ?? { install, dir: path.join(dir, 'etcd'), host, port: ports[0], peerPort: ports[1] };
    const rest = { host, port: ports[2], username: 'failoverd', password: 'patroni-secret' };
    const node = { install, scope: of.scope, name: of.name, postgres, dir: path.join(dir, 'patroni'), etcd, rest };
    nodes.push(node);
    await startEtcd(node.etcd, { log });
    await prepareNode(node, passwords);
    return node;
  }

  // Running when Patroni takes it over, it goes on as the primary that it is.
  await startPostgres(primary, { log });
  await allowRewind(primary, passwords);
  const first = await nodeOf(primary, { scope: 'app-a', name: 'a1' });
  await writeClusterConfig(first.etcd, first.scope, undefined);
  await startNode(first, { log });
  await untilRole(first, ['master', 'primary']);
  const [control] = await query<{ id: string }>(
    primary,
    'select system_identifier::text as id from pg_control_system()',
  );
  return {
    primary: first,
    passwords,
    systemIdentifier: control?.id ?? '',
    async standbyCluster(name, members = 1) {
      const made: PatroniNode[] = [];
      for (let number = 1; number <= members; number += 1) {
        const dir = path.join(place, `${name}${number}`);
        const port = await freePort(hostB);
        const standby = await createStandby({ primary, upstream: primary, dir, host: hostB, port, passwords, log });
        await settle(standby);
        const etcd = made[0]?.etcd;
        const node = await nodeOf(standby, {
          scope: `app-${name}`,
          name: `${name}${number}`,
          ...(etcd === undefined ? {} : { etcd }),
        });
        if (number === 1) await writeClusterConfig(node.etcd, node.scope, { host: primary.host, port: primary.port });
        await startNode(node, { log });
        await untilRole(node, [number === 1 ? 'standby_leader' : 'replica']);
        await streams(standby);
        await caughtUp(primary, standby);
        made.push(node);
      }
      const [leader, ...others] = made;
      if (leader === undefined) throw new RangeError('a cluster has at least one member');
      return [leader, ...others];
    },
  };
}

async function streams(standby: PostgresInstance): Promise<void> {
  await until({ what: `${standby.dir} streams`, timeoutMs: 20_000, intervalMs: 50 }, async () => {
    const [row] = await query<{ status: string }>(standby, 'select status from pg_stat_wal_receiver');
    return row?.status === 'streaming' ? true : undefined;
  });
}

export const restUrl = ({ rest }: PatroniNode): string => `http://${rest.host}:${rest.port}`;

/** The component as it is configured for these clusters; `changes` last. */
export function managedBy(
  primary: PatroniNode,
  standby: PatroniNode,
  changes: Partial<PostgresComponent> = {},
): PostgresComponent {
  const access = { username: standby.rest.username, password: '${env:PATRONI}' };
  return componentOf(primary.postgres, standby.postgres, {
    control: 'patroni',
    patroni: {
      [A]: { urls: [restUrl(primary)], ...access },
      [B]: { urls: [restUrl(standby)], ...access },
    },
    ...changes,
  });
}
