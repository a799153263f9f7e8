/**
 * The other side of the overhead bench: what a runbook's script does, `pg_promote` and the change of the name, and
 * nothing else. A process of its own, as failoverd is, with its connections open and its libraries loaded before the
 * clock starts. Told what to do and when by its parent:
 *
 *   { kind: 'prepare', ... }  answered by { kind: 'prepared' }
 *   { kind: 'go' }            answered by { kind: 'done', startedAtMs, promotedAtMs, changedAtMs } (wall clock)
 *   { kind: 'end' }
 */
import type { ChangeBatch } from '@aws-sdk/client-route-53';
import {
  ChangeResourceRecordSetsCommand,
  ListResourceRecordSetsCommand,
  Route53Client,
} from '@aws-sdk/client-route-53';
import pg from 'pg';

export interface Preparation {
  readonly postgres: pg.ClientConfig;
  readonly route53: {
    readonly endpoint: string;
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
  };
  readonly zoneId: string;
  readonly batch: ChangeBatch;
}

export type Order = ({ readonly kind: 'prepare' } & Preparation) | { readonly kind: 'go' } | { readonly kind: 'end' };
export type Answer =
  | { readonly kind: 'prepared' }
  | {
      readonly kind: 'done';
      readonly startedAtMs: number;
      readonly promotedAtMs: number;
      readonly changedAtMs: number;
    };

type Ready = { readonly go: () => Promise<Answer>; readonly end: () => Promise<void> };

async function prepare({ postgres, route53, zoneId, batch }: Preparation): Promise<Ready> {
  const client = new pg.Client(postgres);
  await client.connect();
  await client.query('select 1');
  const { endpoint, ...credentials } = route53;
  const zones = new Route53Client({ region: 'us-east-1', endpoint, credentials, maxAttempts: 1 });
  await zones.send(new ListResourceRecordSetsCommand({ HostedZoneId: zoneId }));
  return {
    go: async () => {
      const startedAtMs = Date.now();
      await client.query('select pg_promote()');
      const promotedAtMs = Date.now();
      await zones.send(new ChangeResourceRecordSetsCommand({ HostedZoneId: zoneId, ChangeBatch: batch }));
      return { kind: 'done', startedAtMs, promotedAtMs, changedAtMs: Date.now() };
    },
    end: async () => {
      zones.destroy();
      await client.end();
    },
  };
}

let ready: Ready | null = null;
const answer = (message: Answer): void => void process.send?.(message);

async function follow(order: Order): Promise<void> {
  switch (order.kind) {
    case 'prepare':
      ready = await prepare(order);
      return answer({ kind: 'prepared' });
    case 'go':
      if (ready === null) throw new Error('go before prepare');
      return answer(await ready.go());
    case 'end':
      await ready?.end();
      process.disconnect?.();
      return;
    default:
      order satisfies never;
  }
}

process.on('message', (order: Order) => {
  follow(order).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
