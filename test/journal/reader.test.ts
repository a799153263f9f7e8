// What is read of a journal beside the daemon that writes it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { seal } from '../../src/journal/chain.ts';
import { readGroupEvents } from '../../src/journal/reader.ts';
import { openSqliteJournal } from '../../src/journal/sqlite.ts';
import { type EventBody, GENESIS_HASH } from '../../src/model/events.ts';

const HELD = (at: number, heldMs: number, group = 'a'): EventBody => ({
  kind: 'hold.advanced',
  at,
  group,
  row: 40,
  heldMs,
});
const BODIES: readonly EventBody[] = [
  { kind: 'daemon.started', at: 1, incarnation: 'one', version: '1', configHash: 'x' },
  { kind: 'hold.started', at: 2, group: 'a', row: 40, region: 'r', impactAt: 1, sample: null },
  HELD(3, 1),
  HELD(4, 2),
  HELD(5, 3),
  HELD(6, 4),
  { kind: 'hold.started', at: 7, group: 'b', row: 40, region: 'r', impactAt: 1, sample: null },
  { kind: 'hold.ended', at: 8, group: 'a', row: 40, why: 'over' },
  { kind: 'hold.ended', at: 9, group: 'b', row: 40, why: 'over' },
];

t.test(
  'it reads one group while the journal is open, and of a long hold the checkpoint before the instant',
  async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'reader-'));
    t.teardown(async () => await rm(dir, { recursive: true, force: true }));
    const store = await openSqliteJournal({ dir });
    t.teardown(() => store.close());
    await store.append(seal(0, GENESIS_HASH, BODIES));
    const { events, firstAt, lastAt } = await readGroupEvents(dir, 'a', 4);
    t.strictSame(
      events.map(({ kind, at }) => `${kind} ${at}`),
      ['daemon.started 1', 'hold.started 2', 'hold.advanced 4', 'hold.advanced 6', 'hold.ended 8'],
    );
    t.strictSame([firstAt, lastAt], [1, 4]);
    t.strictSame((await readGroupEvents(dir, 'nobody', null)).events.length, 1);
    await t.rejects(readGroupEvents(join(dir, 'none'), 'a', null), { name: 'StoreError' });
  },
);

t.test('holds of two components that go on side by side are told of both', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'reader-'));
  t.teardown(async () => await rm(dir, { recursive: true, force: true }));
  const store = await openSqliteJournal({ dir });
  t.teardown(() => store.close());
  await store.append(
    seal(0, GENESIS_HASH, [
      { ...HELD(3, 1), component: 'web' } as EventBody,
      { ...HELD(3, 1), component: 'jobs' } as EventBody,
      { ...HELD(4, 2), component: 'web' } as EventBody,
    ]),
  );
  const { events } = await readGroupEvents(dir, 'a', null);
  t.match(events, [{ component: 'web' }, { component: 'jobs' }, { component: 'web', heldMs: 2 }]);
});
