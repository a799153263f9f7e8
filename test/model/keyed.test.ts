// A record that has grown must read, print and compare like the plain object it stands for, whatever was done to it.
import fc from 'fast-check';
import t from 'tap';
import { byPart, type Keyed, sizeOf, withKey, withKeys, withoutKey } from '../../src/model/keyed.ts';

type Change = { readonly key: string; readonly value: number | null };

/** Few keys, so that they meet again; among them those that every object answers to. */
const key = fc.oneof(
  fc.integer({ min: 0, max: 400 }).map((n) => `group-${n}`),
  fc.constantFrom('__proto__', 'constructor', 'toString', 'toJSON', 'size', 'drawers', '', '7', 'then'),
);
const change: fc.Arbitrary<Change> = fc.record({ key, value: fc.option(fc.integer(), { nil: null, freq: 4 }) });

const apply = (record: Keyed<number>, { key, value }: Change): Keyed<number> =>
  value === null ? withoutKey(record, key) : withKey(record, key, value);
const contentOf = (record: object): string => JSON.stringify(Object.entries(record).sort());
const many = (count: number): Keyed<number> =>
  Array.from({ length: count }, (_, n) => `group-${n}`).reduce(
    (record, key, n) => withKey(record, key, n),
    {} as Keyed<number>,
  );

t.test('it holds what a map would hold after the same changes, and none before it is touched', async (t) => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(change, { maxLength: 400 }), (large, changes) => {
      let record: Keyed<number> = large ? many(150) : {};
      const model = new Map(Object.entries(record));
      const before: { readonly record: Keyed<number>; readonly content: string }[] = [];
      for (const each of changes) {
        before.push({ record, content: contentOf(record) });
        record = apply(record, each);
        if (each.value === null) model.delete(each.key);
        else model.set(each.key, each.value);
      }
      const content = JSON.stringify([...model].sort());
      for (const name of [...model.keys(), 'group-0', 'constructor', 'nobody']) {
        const own = Object.hasOwn(record, name);
        if (own !== model.has(name) || (own && record[name] !== model.get(name))) return false;
      }
      return (
        sizeOf(record) === model.size &&
        contentOf(record) === content &&
        contentOf(JSON.parse(JSON.stringify(record))) === content &&
        contentOf({ ...record }) === content &&
        before.every((each) => contentOf(each.record) === each.content)
      );
    }),
    { numRuns: 200 },
  );
  t.pass('in 200 series of changes');
});

t.test('many changes at once are the same as one after the other', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 300 }), fc.array(change, { maxLength: 300 }), (size, changes) => {
      const before = many(size);
      const content = contentOf(before);
      const atOnce = withKeys(before, new Map(changes.map((each) => [each.key, each.value])));
      const oneByOne = changes.reduce(apply, before);
      return (
        contentOf(atOnce) === contentOf(oneByOne) &&
        sizeOf(atOnce) === sizeOf(oneByOne) &&
        contentOf(before) === content
      );
    }),
    { numRuns: 200 },
  );
  t.pass('in 200 series of changes');
});

t.test('two that hold the same are equal to each other and to the plain object', async (t) => {
  const [one, other] = [
    many(300),
    [...Array(300).keys()].reverse().reduce((r, n) => withKey(r, `group-${n}`, n), {} as Keyed<number>),
  ];
  const plain = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`group-${n}`, n]));
  t.strictSame(one, plain);
  t.strictSame(other, one);
  t.notSame(withKey(one, 'group-7', -1), plain);
  t.notSame(withoutKey(one, 'group-7'), plain);
});

t.test('the same changes lead to the same text, as a replay needs', async (t) => {
  const changes = Array.from(
    { length: 500 },
    (_, n): Change => ({ key: `k${(n * 7919) % 211}`, value: n % 5 === 0 ? null : n }),
  );
  const replay = (): string => JSON.stringify(changes.reduce(apply, {} as Keyed<number>));
  t.equal(replay(), replay());
});

t.test('nobody can write into one that has grown', async (t) => {
  const record = many(200);
  t.throws(() => Object.assign(record, { 'group-1': 0 }), TypeError);
  t.throws(() => delete record['group-1'], TypeError);
  t.throws(() => Object.defineProperty(record, 'group-1', { value: 0 }), TypeError);
  t.equal(record['group-1'], 1);
});

t.test('after a change of one key, one part of it is looked through', async (t) => {
  let looks = 0;
  const sums = byPart<number, number>((part) => {
    looks += 1;
    return [...part.values()].reduce((sum, value) => sum + value, 0);
  });
  const total = (record: Keyed<number>): number => sums(record).reduce((sum, part) => sum + part, 0);
  const record = many(1_000);
  t.equal(total(record), 499_500);
  looks = 0;
  t.equal(total(record), 499_500);
  t.equal(looks, 0, 'nothing has changed');
  t.equal(total(withKey(record, 'group-1', 11)), 499_510);
  t.equal(total(withoutKey(record, 'group-9')), 499_491);
  t.equal(looks, 2);
});
