// What every journal store must do, whoever implements it. Each test gets a place of its own, where a store can be
// opened again and again, and where somebody may change what is on the disk behind the store's back.
import fc from 'fast-check';
import type { Test } from 'tap';
import { entryHash } from '../../src/journal/chain.ts';
import { type JournalStore, StoreError, type StoreErrorCode } from '../../src/journal/store.ts';
import type { EventBody, JournalEntry } from '../../src/model/events.ts';
import { anyEvent, batchOf, behind } from './entries.ts';

export type Place = {
  open(): Promise<JournalStore>;
  /** Gives every row to `edit` and keeps what it returns; no store is open meanwhile. */
  tamper(edit: (rows: readonly JournalEntry[]) => readonly JournalEntry[]): void;
  /** A process that has the journal open ends without a word. */
  crash(store: JournalStore): Promise<void>;
  /** Ends what is left. */
  end(): Promise<void>;
};

async function refused(t: Test, code: StoreErrorCode, call: Promise<unknown>): Promise<StoreError> {
  const outcome = await call.then(
    () => null,
    (error: unknown) => error,
  );
  if (!(outcome instanceof StoreError)) throw new Error(`${code} expected`, { cause: outcome });
  t.equal(outcome.code, code, outcome.message);
  return outcome;
}

const KINDS_OF_TAMPERING: readonly [what: string, seq: number, edit: (rows: JournalEntry[]) => JournalEntry[]][] = [
  [
    'an entry was changed',
    3,
    (rows) => rows.map((row) => (row.seq === 3 ? { ...row, body: { ...row.body, at: 7 } } : row)),
  ],
  [
    'an entry was changed and given its own new hash',
    4,
    (rows) =>
      rows.map((row) => {
        const body: EventBody = { ...row.body, at: 7 };
        return row.seq === 3 ? { ...row, body, hash: entryHash(3, row.previous, body) } : row;
      }),
  ],
  ['an entry was cut out', 3, (rows) => rows.filter(({ seq }) => seq !== 3)],
  ['the first entry was cut off', 1, (rows) => rows.slice(1)],
  [
    'an entry was cut out and the gap closed',
    3,
    (rows) => rows.filter(({ seq }) => seq !== 3).map((row, index) => ({ ...row, seq: index + 1 })),
  ],
  [
    'two entries changed places',
    2,
    (rows) => {
      const [one, two, three, ...rest] = rows as [JournalEntry, JournalEntry, JournalEntry, ...JournalEntry[]];
      return [one, { ...three, seq: 2 }, { ...two, seq: 3 }, ...rest];
    },
  ],
];

/** `histories`: how many random ones to go through. */
export function holdsTheContract(t: Test, histories: number, makePlace: () => Promise<Place>): void {
  const withPlace = (what: string, body: (t: Test, place: Place) => Promise<void>): void => {
    void t.test(what, async (t) => {
      const place = await makePlace();
      try {
        await body(t, place);
      } finally {
        await place.end();
      }
    });
  };
  const filled = async (place: Place, sizes: readonly number[]): Promise<JournalEntry[]> => {
    const store = await place.open();
    const entries: JournalEntry[] = [];
    for (const [batch, size] of sizes.entries()) {
      const next = behind(entries, batchOf(batch, size));
      await store.append(next);
      entries.push(...next);
    }
    await store.close();
    return entries;
  };
  const stored = async (place: Place): Promise<readonly JournalEntry[]> => {
    const store = await place.open();
    try {
      return await store.load();
    } finally {
      await store.close();
    }
  };

  withPlace('a new journal is empty', async (t, place) => {
    t.same(await stored(place), []);
  });

  withPlace('what was appended is there after closing and opening, in order', async (t, place) => {
    const entries = await filled(place, [1, 3, 2]);
    t.equal(entries.length, 6);
    t.same(await stored(place), entries);
    t.same(await stored(place), entries, 'and again');
  });

  withPlace('what was acknowledged is there after the process died', async (t, place) => {
    const store = await place.open();
    const entries = behind([], batchOf(0, 3));
    await store.append(entries);
    await place.crash(store);
    t.same(await stored(place), entries);
  });

  withPlace('a journal goes on where it ended', async (t, place) => {
    const entries = await filled(place, [2]);
    const store = await place.open();
    const loaded = await store.load();
    const next = behind(loaded, batchOf(1, 2));
    await store.append(next);
    t.same(await store.load(), [...entries, ...next], 'seen at once');
    await store.close();
    t.same(await stored(place), [...entries, ...next]);
  });

  withPlace('an append of nothing changes nothing', async (t, place) => {
    const entries = await filled(place, [2]);
    const store = await place.open();
    await store.append([]);
    await store.close();
    t.same(await stored(place), entries);
  });

  withPlace('appends that were not waited for are done in their order', async (t, place) => {
    const store = await place.open();
    const one = behind([], batchOf(0, 2));
    const two = behind(one, batchOf(1, 2));
    const three = behind(two, batchOf(2, 1));
    const order: number[] = [];
    await Promise.all([one, two, three].map((entries, i) => store.append(entries).then(() => order.push(i))));
    t.same(order, [0, 1, 2]);
    await store.close();
    t.same(await stored(place), [...one, ...two, ...three]);
  });

  withPlace('whoever changes what was handed over, or handed out, changes nothing in the journal', async (t, place) => {
    const store = await place.open();
    const entries = structuredClone(behind([], batchOf(0, 1)));
    const [mine] = entries as [{ -readonly [K in keyof JournalEntry]: JournalEntry[K] }];
    const done = store.append(entries);
    mine.body = { ...mine.body, at: 99 };
    await done;
    const loaded = (await store.load()) as JournalEntry[];
    loaded.pop();
    t.same(await store.load(), behind([], batchOf(0, 1)));
    await store.close();
  });

  withPlace('entries that do not follow the last one are refused, and nothing of them is written', async (t, place) => {
    const entries = await filled(place, [2, 2]);
    const [next, after] = behind(entries, batchOf(2, 2)) as [JournalEntry, JournalEntry];
    const stranger = behind(entries.slice(0, 3), batchOf(9, 2));
    const store = await place.open();
    const cases: readonly [what: string, entries: readonly JournalEntry[]][] = [
      ['the last one again', entries.slice(-1)],
      ['all again', entries],
      ['a gap', [after]],
      ['a gap behind a good one', [next, { ...after, seq: after.seq + 1 }]],
      ['the same one twice', [next, next]],
      ['another history', stranger],
      ['another history at our place', [{ ...(stranger[1] as JournalEntry), seq: next.seq }]],
      ['the first entry of an empty journal', behind([], batchOf(0, 1))],
    ];
    for (const [what, wrong] of cases) {
      const { message } = await refused(t, 'out-of-order', store.append(wrong));
      t.match(message, /\d/, what);
      t.same(await store.load(), entries, `${what}: nothing is written`);
    }
    await store.append([next, after]);
    await store.close();
    t.same(await stored(place), [...entries, next, after], 'and the right ones are still taken');
  });

  withPlace('an entry whose hash is not its own is never written', async (t, place) => {
    const store = await place.open();
    const [one, two] = behind([], batchOf(0, 2)) as [JournalEntry, JournalEntry];
    await refused(t, 'corrupt', store.append([one, { ...two, body: { ...two.body, at: 7 } }]));
    t.same(await store.load(), []);
    await store.append([one, two]);
    await store.close();
    t.same(await stored(place), [one, two]);
  });

  for (const [what, seq, edit] of KINDS_OF_TAMPERING) {
    withPlace(`a journal is not loaded when ${what}`, async (t, place) => {
      await filled(place, [2, 2, 2]);
      place.tamper((rows) => edit([...rows]));
      const store = await place.open();
      const { message } = await refused(t, 'corrupt', store.load());
      t.match(message, new RegExp(`\\b${seq}\\b`), 'the place is named');
      await store.close();
    });
  }

  withPlace('a second one is kept out until the first is closed', async (t, place) => {
    const first = await place.open();
    const entries = behind([], batchOf(0, 1));
    await refused(t, 'locked', place.open());
    await refused(t, 'locked', place.open());
    await first.append(entries);
    await first.close();
    t.same(await stored(place), entries);
  });

  withPlace('a second one is kept out no longer than the first one lives', async (t, place) => {
    const first = await place.open();
    await place.crash(first);
    t.same(await stored(place), []);
  });

  withPlace('a closed journal refuses everything, and may be closed again', async (t, place) => {
    const store = await place.open();
    await Promise.all([store.close(), store.close()]);
    await store.close();
    await refused(t, 'closed', store.load());
    await refused(t, 'closed', store.append(behind([], batchOf(0, 1))));
    await refused(t, 'closed', store.append([]));
    t.same(await stored(place), []);
  });

  withPlace('what was under way when it was closed is finished first', async (t, place) => {
    const store = await place.open();
    const entries = behind([], batchOf(0, 50));
    const appended = store.append(entries);
    await store.close();
    await appended;
    t.same(await stored(place), entries);
  });

  void t.test('every history of appends, mistakes, crashes and restarts ends with what was acknowledged', async (t) => {
    const held = await fc.check(
      fc.asyncProperty(fc.array(anyAct, { minLength: 1, maxLength: 12 }), async (acts) => {
        const place = await makePlace();
        try {
          const { expected, found } = await goThrough(t, place, acts);
          if (JSON.stringify(found) !== JSON.stringify(expected)) throw new Error('the journal holds something else');
        } finally {
          await place.end();
        }
      }),
      { numRuns: histories },
    );
    t.notOk(held.failed, fc.defaultReportMessage(held) ?? '');
  });
}

type Act =
  | { readonly kind: 'append' | 'stale'; readonly events: readonly EventBody[] }
  | { readonly kind: 'reopen' | 'crash' };

const anyAct: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('append'), events: fc.array(anyEvent, { maxLength: 4 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('stale'),
      events: fc.array(anyEvent, { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('reopen', 'crash') }) },
);

/** What a journal must hold after these acts, and what it holds. */
async function goThrough(t: Test, place: Place, acts: readonly Act[]) {
  let store = await place.open();
  let expected: JournalEntry[] = [];
  for (const act of acts) {
    switch (act.kind) {
      case 'append': {
        const next = behind(expected, act.events);
        await store.append(next);
        expected = [...expected, ...next];
        break;
      }
      case 'stale': {
        // A writer that missed the last entry, or comes before everybody.
        const before = expected.length > 0 ? expected.slice(0, -1) : behind([], act.events);
        await refused(t, 'out-of-order', store.append(behind(before, act.events)));
        break;
      }
      case 'reopen':
      case 'crash':
        if (act.kind === 'crash') await place.crash(store);
        else await store.close();
        store = await place.open();
        break;
      default:
        act satisfies never;
    }
  }
  const found = await store.load();
  await store.close();
  return { expected, found };
}
