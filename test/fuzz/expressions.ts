/** Conditions of rows: deep, wrong-typed, hostile; whatever is taken answers yes, no or unknown, and never throws. */
import fc from 'fast-check';
import { compileExpression } from '../../src/model/expression.ts';
import { ROW_FACTS } from '../../src/model/row-facts.ts';
import { hostileText } from './hostile.ts';
import { type FuzzTarget, must } from './target.ts';

const fact = fc.constantFrom(
  ...ROW_FACTS.map(({ name }) => name),
  'nothing.here',
  '__proto__',
  'constructor.constructor',
);
const word = fc.oneof(
  fact,
  fc.constantFrom(
    'ok(',
    'bad(',
    'unknown(',
    'has(',
    'type(',
    ')',
    '(',
    '&&',
    '||',
    '!',
    '?',
    ':',
    '==',
    '<',
    '>=',
    '+',
    '[',
    ']',
    '{',
    '}',
    '.',
  ),
  fc.constantFrom(
    'true',
    'null',
    '1',
    '-1',
    '1e308',
    '0x7fffffffffffffff',
    '9223372036854775808',
    '"a"',
    "b'\\xff'",
    'r"\\"',
    'duration("1s")',
  ),
  fc.constantFrom('.matches("(a+)+$")', '.map(x, x)', '.all(x, true)', '.exists(x, x)', 'dyn(', 'size(', 'timestamp('),
  hostileText.map((text) => text.slice(0, 60)),
);
const { sound } = fc.letrec<{ sound: string }>((tie) => ({
  sound: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.tuple(fc.constantFrom('ok', 'bad', 'unknown'), fact).map(([reader, fact]) => `${reader}(${fact})`),
    fc
      .tuple(fact, fc.constantFrom('>', '<=', '==', '!='), fc.double())
      .map(([fact, op, number]) => `${fact} ${op} ${number}`),
    fc.tuple(tie('sound'), fc.constantFrom('&&', '||'), tie('sound')).map(([a, op, b]) => `(${a} ${op} ${b})`),
  ),
}));
const text = fc.oneof(
  fc.array(word, { maxLength: 14 }).map((words) => words.join(' ')),
  sound,
  fc
    .tuple(fc.integer({ min: 1, max: 3_000 }), fc.constantFrom('(', '!', '[', '-', '{"a":'))
    .map(([depth, open]) => open.repeat(depth)),
);
const value = fc.oneof(
  fc.constantFrom('ok', 'bad', 'unknown', null, undefined),
  fc.double(),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY),
  fc.jsonValue({ maxDepth: 1 }),
);

export const expressions: FuzzTarget = {
  name: 'expressions',
  weight: 14,
  async prepare() {
    return {
      property: fc.property(text, fc.array(value, { minLength: 4, maxLength: 4 }), (text, values) => {
        const compiled = compileExpression(text);
        if (compiled.kind === 'refused') {
          const { start, end, message, remedy } = compiled;
          must(message !== '' && remedy !== '', () => `${text} is refused without words`);
          must(start >= 0 && end >= start && end <= text.length, () => `${start} to ${end} is not in ${text}`);
          return;
        }
        const { facts, answer } = compiled.expression;
        // Also what can't be there by the types: it comes from probes and servers.
        const known = Object.fromEntries(facts.map((fact, index) => [fact, values[index % values.length]]));
        must(['yes', 'no', 'unknown'].includes(answer(known as never)), () => `${text} does not answer`);
      }),
      close: async () => undefined,
    };
  },
};
