// A short slice of `npm run fuzz`, always the same; and that it would find something.
import fc from 'fast-check';
import t from 'tap';
import { fuzz, TARGETS } from './fuzz/run.ts';
import { type FuzzTarget, must } from './fuzz/target.ts';

t.test('hostile inputs: answered, refused, shown as text, and nothing else', async (t) => {
  const results = await fuzz({ inputs: 600, seed: 20_260_112 });
  t.same(
    results.map(({ target }) => target),
    TARGETS.map(({ name }) => name),
  );
  for (const { target, inputs, violation } of results) {
    t.equal(violation, null, target);
    t.ok(inputs > 0, `${target}: ${inputs} inputs`);
  }
});

t.test('what does not hold is found, told with its input, and found again by its seed', async (t) => {
  const planted: FuzzTarget = {
    name: 'planted',
    weight: 1,
    prepare: async () => ({
      property: fc.property(fc.nat({ max: 1_000 }), (number) => must(number < 900, () => `${number} is too much`)),
      close: async () => undefined,
    }),
  };
  const run = () => fuzz({ inputs: 500, seed: 7, targets: [planted] });
  const [first] = await run();
  const [second] = await run();
  t.match(first?.violation, /900 is too much/, 'and made as small as it goes');
  t.equal(first?.violation, second?.violation);
});
