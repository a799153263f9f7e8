// What a row may say, what its answers mean when something is unknown, and what is refused.
import fc from 'fast-check';
import t from 'tap';
import { compileExpression, expressionOf, type RowValues } from '../../src/model/expression.ts';
import { FORMER_NAMES } from '../../src/model/matrix.ts';
import { apartFrom, exampleOf, turnsOf } from '../../src/model/row-examples.ts';
import { ROW_FACTS } from '../../src/model/row-facts.ts';

const answer = (text: string, values: RowValues) => expressionOf(text).answer(values);

t.test('what is unknown makes a row one that can’t tell, unless the rest decides alone', async (t) => {
  const down = 'bad(postgres.reachable) && ok(services.reachable)';
  t.equal(answer(down, { 'postgres.reachable': 'bad', 'services.reachable': 'ok' }), 'yes');
  t.equal(answer(down, { 'postgres.reachable': 'bad' }), 'unknown');
  t.equal(answer(down, { 'postgres.reachable': 'ok' }), 'no', 'one no is enough for a no');
  t.equal(answer(down, { 'postgres.reachable': 'unknown', 'services.reachable': 'ok' }), 'unknown');
  const either = 'bad(postgres.reachable) || replication.replay_lag_seconds > 300';
  t.equal(answer(either, { 'replication.replay_lag_seconds': 301 }), 'yes', 'one yes is enough for a yes');
  t.equal(answer(either, { 'replication.replay_lag_seconds': 300 }), 'unknown');
  t.equal(answer(either, { 'replication.replay_lag_seconds': 300, 'postgres.reachable': 'ok' }), 'no');
});

t.test('a number that is missing, or is none, is unknown and never a small one', async (t) => {
  for (const value of [null, Number.NaN, Number.POSITIVE_INFINITY]) {
    const values = { 'replication.replay_lag_seconds': value };
    t.equal(answer('replication.replay_lag_seconds > 300', values), 'unknown', String(value));
    t.equal(answer('replication.replay_lag_seconds < 300', values), 'unknown', String(value));
  }
});

t.test('unknown() is the one reader that an unknown fact answers', async (t) => {
  t.equal(answer('unknown(active.reachable)', {}), 'yes');
  t.equal(answer('unknown(active.reachable)', { 'active.reachable': 'bad' }), 'no');
});

t.test('more knowledge never turns a yes into a no: Kleene’s law, for any row and any values', async (t) => {
  const verdicts = ROW_FACTS.filter(({ type }) => type === 'verdict').map(({ name }) => name);
  const atom = fc.oneof(
    fc.tuple(fc.constantFrom('ok', 'bad'), fc.constantFrom(...verdicts)).map(([reader, fact]) => `${reader}(${fact})`),
    fc.integer({ min: -5, max: 5 }).map((number) => `replication.replay_lag_seconds > ${number}`),
  );
  const { row } = fc.letrec<{ row: string }>((tie) => ({
    row: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      atom,
      fc.tuple(tie('row'), fc.constantFrom('&&', '||'), tie('row')).map(([a, op, b]) => `(${a} ${op} ${b})`),
    ),
  }));
  const values = fc.record(
    Object.fromEntries(
      ROW_FACTS.map(({ name, type }) => [
        name,
        type === 'verdict' ? fc.constantFrom('ok' as const, 'bad' as const) : fc.integer({ min: -6, max: 6 }),
      ]),
    ),
  );
  const hidden = fc.uniqueArray(fc.constantFrom(...ROW_FACTS.map(({ name }) => name)));
  fc.assert(
    fc.property(row, values, hidden, (text, whole, hide) => {
      if (compileExpression(text).kind === 'refused') return text.length > 500;
      const partly = Object.fromEntries(Object.entries(whole).filter(([fact]) => !hide.some((name) => name === fact)));
      const less = answer(text, partly);
      return less === 'unknown' || less === answer(text, whole);
    }),
    { numRuns: 500 },
  );
  t.pass();
});

t.test('what rows don’t need is refused, each with a code and a remedy', async (t) => {
  const refused: Readonly<Record<string, string>> = {
    '!bad(active.reachable)': 'negated-fact',
    'bad(active.reachable) == false': 'negated-fact',
    'bad(active.reachable) != ok(active.reachable)': 'negated-fact',
    'bad(active.reachable) ? ok(active.reachable) : true': 'negated-fact',
    'bad(active.reachable) && !ok(standby.reachable)': 'negated-fact',
    'has(active.reachable)': 'not-in-rows',
    '[true].exists(x, x)': 'not-in-rows',
    true: 'not-in-rows',
    '"a".matches("(a+)+$")': 'not-in-rows',
    'bad(active.reachable, active.reachable)': 'not-in-rows',
    'replication.replay_lag_seconds > replication.receive_gap_bytes': 'not-in-rows',
    'replication.replay_lag_seconds + 1 > 3': 'not-in-rows',
    'bad(active)': 'unknown-fact',
    'bad(constructor.prototype)': 'unknown-fact',
    'bad(active["reachable"])': 'not-in-rows',
    'active.reachable': 'bad-expression',
    'replication.replay_lag_seconds': 'bad-expression',
    'replication.replay_lag_seconds > "300"': 'not-in-rows',
    'bad(replication.replay_lag_seconds)': 'bad-expression',
    'bad(active.reachable': 'bad-expression',
    '': 'bad-expression',
    [`${'('.repeat(200)}bad(active.reachable)${')'.repeat(200)}`]: 'bad-expression',
  };
  for (const [text, code] of Object.entries(refused)) {
    const compiled = compileExpression(text);
    t.equal(compiled.kind === 'refused' ? compiled.code : 'taken', code, text.slice(0, 80));
    if (compiled.kind === 'refused') t.ok(compiled.remedy !== '' && compiled.message !== '');
  }
});

t.test('whatever is written, it is compiled or refused, and nothing throws', async (t) => {
  const word = fc.constantFrom(
    'bad',
    'ok',
    '(',
    ')',
    'active.reachable',
    '&&',
    '||',
    '!',
    '>',
    '3',
    '"',
    '[',
    '{',
    '?',
    ':',
    '.',
    '\\',
    '\u0000',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 80 }),
        fc.array(word).map((w) => w.join(' ')),
      ),
      (text) => {
        const compiled = compileExpression(text);
        return compiled.kind === 'expression' || (compiled.start >= 0 && compiled.end >= compiled.start);
      },
    ),
    { numRuns: 2000 },
  );
  t.pass();
});

t.test('a row has an example, or can never match', async (t) => {
  t.strictSame(exampleOf(expressionOf('bad(postgres.reachable) && ok(services.reachable)')), {
    'services.reachable': 'ok',
    'postgres.reachable': 'bad',
  });
  t.equal(exampleOf(expressionOf('ok(active.reachable) && bad(active.reachable)')), null);
  t.equal(exampleOf(expressionOf('replication.replay_lag_seconds > 5 && replication.replay_lag_seconds < 3')), null);
});

t.test('of two rows it can be told whether one lies within the other', async (t) => {
  const wide = expressionOf('bad(active.reachable) || bad(postgres.reachable)');
  const narrow = expressionOf('bad(postgres.reachable) && ok(services.reachable)');
  t.equal(apartFrom(narrow, wide), null);
  t.ok(apartFrom(wide, narrow));
});

t.test('what would change an answer is named', async (t) => {
  const row = expressionOf('bad(postgres.reachable) && ok(services.reachable)');
  t.strictSame(turnsOf(row, { 'postgres.reachable': 'bad', 'services.reachable': null }), [
    { fact: 'postgres.reachable', to: 'ok' },
    { fact: 'services.reachable', to: 'ok' },
  ]);
});

t.test('every name that rows took before has an expression that says the same', async (t) => {
  for (const [name, text] of Object.entries(FORMER_NAMES)) t.equal(compileExpression(text).kind, 'expression', name);
});
