import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { EPOCH_NAME, PUBLIC_NAME, REGION, ZONE_ID } from '../lab/config.ts';
import type { Answer, Order } from './bare-promotion.ts';
import {
  type BenchOptions,
  type BenchResult,
  compare,
  interleaved,
  quantity,
  quartiles,
  type Sample,
} from './measure.ts';
import type { BenchPackage } from './package.ts';
import { raiseStage, type Scene, type Stage, withScene } from './stage.ts';
import { failOverWithFailoverd } from './with-failoverd.ts';

const LIMIT = 1.5;
const BARE = fileURLToPath(new URL('bare-promotion.ts', import.meta.url));
const ANSWER_TIMEOUT_MS = 30_000;
/** What failoverd's steps are called in the notes, in their order. */
const STEPS = ['assess', 'take-epoch', 'fence', 'promote', 'write-epoch-row', 'cutover-dns'];

/**
 * What failoverd's care costs: from the end of the hold to the client's first accepted write, against `pg_promote` and
 * the same DNS batch with nothing around them. The pair is put back to the same files before each round; the primary is
 * killed; the client, the name server and the API are the same.
 */
export async function failoverOverhead(pack: BenchPackage, options: BenchOptions): Promise<BenchResult> {
  const stage = await raiseStage(() => undefined);
  try {
    const samples = await interleaved(
      [
        {
          name: 'failoverd',
          measure: async () =>
            await withScene(stage, async (scene) => await failOverWithFailoverd(stage, scene, pack.launcher)),
        },
        { name: 'bare', measure: async () => await withScene(stage, async (scene) => await promoteBare(stage, scene)) },
      ],
      options,
    );
    const note = (side: string, name: string, says: string) => ({
      note: says,
      unit: 'ms' as const,
      measured: quartiles(quantity(samples, side, name)),
    });
    return {
      bench: 'failover',
      says: 'end of the hold to first accepted write, against bare pg_promote and the same DNS batch',
      findings: [
        compare(
          'failover overhead',
          'ms',
          quantity(samples, 'failoverd', 'total'),
          quantity(samples, 'bare', 'total'),
          LIMIT,
        ),
      ],
      notes: [
        ...STEPS.map((step) => note('failoverd', `${step} done`, `failoverd: ${step} proven, after the decision`)),
        note('bare', 'promoted', 'bare: pg_promote answered, after its start'),
        note('bare', 'changed', 'bare: DNS batch accepted, after its start'),
      ],
    };
  } finally {
    await stage.strike();
  }
}

async function promoteBare(stage: Stage, scene: Scene): Promise<Sample> {
  const { pair, credentials, hosts } = stage;
  const child = fork(BARE, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  try {
    await ask(child, {
      kind: 'prepare',
      postgres: {
        host: pair.b.host,
        port: pair.b.port,
        user: 'failoverd',
        password: pair.passwords.failoverd,
        database: 'app',
      },
      route53: { endpoint: scene.route53.endpoint, ...credentials },
      zoneId: ZONE_ID,
      // The batch that failoverd sends in its first run.
      batch: {
        Changes: [
          {
            Action: 'CREATE',
            ResourceRecordSet: {
              Name: EPOCH_NAME,
              Type: 'TXT',
              TTL: 1,
              ResourceRecords: [{ Value: '"failoverd epoch=1 run=run-platform-1"' }],
            },
          },
          {
            Action: 'UPSERT',
            ResourceRecordSet: { Name: PUBLIC_NAME, Type: 'A', TTL: 1, ResourceRecords: [{ Value: hosts.b }] },
          },
        ],
      },
    });
    await scene.killRegion();
    const done = await ask(child, { kind: 'go' });
    const acceptedAtMs = await scene.writer.firstAccepted(REGION.b, ANSWER_TIMEOUT_MS);
    if (done.kind !== 'done' || acceptedAtMs === undefined) throw new Error('the bare promotion led to no write');
    const { startedAtMs, promotedAtMs, changedAtMs } = done;
    return {
      total: acceptedAtMs - startedAtMs,
      promoted: promotedAtMs - startedAtMs,
      changed: changedAtMs - startedAtMs,
    };
  } finally {
    await endChild(child);
  }
}

async function ask(child: ChildProcess, order: Order): Promise<Answer> {
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`the bare promotion ended with ${code} at ${order.kind}`);
  });
  // The one that doesn't win ends later, when the child does.
  ended.catch(() => undefined);
  const answered = once(child, 'message', { signal });
  child.send(order);
  const [answer] = await Promise.race([answered, ended]);
  return answer as Answer;
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.send({ kind: 'end' } satisfies Order);
  const kill = setTimeout(() => child.kill('SIGKILL'), 2_000);
  await ended;
  clearTimeout(kill);
}
