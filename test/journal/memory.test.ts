import t from 'tap';
import { crashMemoryDisk, type MemoryFault, memoryDisk, openMemoryJournal } from '../../src/journal/memory.ts';
import { toEntry, toRow } from '../../src/journal/row.ts';
import { type JournalStore, StoreError } from '../../src/journal/store.ts';
import { holdsTheContract } from './contract.ts';
import { batchOf, behind } from './entries.ts';

t.test('the journal in memory', async (t) => {
  holdsTheContract(t, 300, async () => {
    const disk = memoryDisk();
    return {
      open: () => openMemoryJournal({ disk }),
      tamper(edit) {
        const rows = edit(disk.rows.map(toEntry)).map(toRow);
        disk.rows.splice(0, disk.rows.length, ...rows);
      },
      crash: async () => crashMemoryDisk(disk),
      end: async () => undefined,
    };
  });
});

const codeOf = async (call: Promise<unknown>): Promise<string> => {
  try {
    await call;
    return 'done';
  } catch (error) {
    return error instanceof StoreError ? error.code : String(error);
  }
};

/** A store whose next append meets a fault, then none. */
async function faulty(next: MemoryFault) {
  const disk = memoryDisk();
  let fault: MemoryFault | null = next;
  const asked: number[] = [];
  const store = await openMemoryJournal({
    disk,
    fault: (entries) => {
      asked.push(entries.length);
      const now = fault;
      fault = null;
      return now;
    },
  });
  return { disk, store, asked };
}

const entries = behind([], batchOf(0, 2));
const reopened = async (disk: ReturnType<typeof memoryDisk>): Promise<JournalStore> => {
  crashMemoryDisk(disk);
  return openMemoryJournal({ disk });
};

t.test('a journal can start from entries of another', async (t) => {
  const store = await openMemoryJournal({ disk: memoryDisk(entries) });
  t.same(await store.load(), entries);
});

t.test('a full disk refuses, writes nothing, and may be tried again', async (t) => {
  const { store, asked } = await faulty({ kind: 'fail', code: 'full' });
  t.equal(await codeOf(store.append(entries)), 'full');
  t.same(await store.load(), []);
  t.equal(await codeOf(store.append(entries)), 'done');
  t.same(asked, [2, 2]);
});

t.test('a disk that failed is done for until it is opened again', async (t) => {
  const { disk, store } = await faulty({ kind: 'fail', code: 'io' });
  t.equal(await codeOf(store.append(entries)), 'io');
  t.equal(await codeOf(store.append(entries)), 'io');
  t.equal(await codeOf(store.load()), 'io');
  t.same(await (await reopened(disk)).load(), []);
});

t.test('a disk that wrote and failed holds what its writer must not count on', async (t) => {
  const { disk, store } = await faulty({ kind: 'apply-then-fail' });
  t.equal(await codeOf(store.append(entries)), 'io');
  t.equal(await codeOf(store.append(entries)), 'io');
  t.same(await (await reopened(disk)).load(), entries);
});

for (const applied of [true, false]) {
  t.test(
    `a disk that hangs (${applied ? 'having' : 'not having'} written) answers nobody before it goes on`,
    async (t) => {
      const until = Promise.withResolvers<void>();
      const { disk, store } = await faulty({ kind: 'hang', applied, until: until.promise });
      const order: string[] = [];
      const appended = store.append(entries).then(() => order.push('appended'));
      const after = store.append(behind(entries, batchOf(1, 1))).then(() => order.push('after'));
      await new Promise((resolve) => setImmediate(resolve));
      t.same(order, []);
      t.equal(disk.rows.length, applied ? 2 : 0);
      until.resolve();
      await Promise.all([appended, after]);
      t.same(order, ['appended', 'after']);
      t.equal(disk.rows.length, 3);
    },
  );

  t.test(
    `a process that died on a disk that hangs (${applied ? 'having' : 'not having'} written) writes no more`,
    async (t) => {
      const until = Promise.withResolvers<void>();
      const { disk, store } = await faulty({ kind: 'hang', applied, until: until.promise });
      const appended = codeOf(store.append(entries));
      await new Promise((resolve) => setImmediate(resolve));
      const next = await reopened(disk);
      until.resolve();
      t.equal(await appended, 'io');
      t.equal(await codeOf(store.append(entries)), 'io', 'nor later');
      t.same(await next.load(), applied ? entries : []);
    },
  );
}
