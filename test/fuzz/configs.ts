/** Configurations as slips, templates and strangers leave them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { parseConfig } from '../../src/runtime/config/load.ts';
import { hostileText } from './hostile.ts';
import { type FuzzTarget, must } from './target.ts';

const TEXT = readFileSync(join(import.meta.dirname, '../../config/failover.yaml'), 'utf8');

const put = fc.oneof(
  hostileText.map((text) => text.slice(0, 200)),
  fc.constantFrom(
    '\n',
    '\t',
    ': ',
    '- ',
    '[',
    '{',
    '"',
    "'",
    '&a ',
    '*a',
    '!!js/function x ',
    '<<: *a',
    '? ',
    '---\n',
    '|',
    '%',
    '#',
  ),
  fc.constantFrom(
    '__proto__: 1\n',
    'null',
    '-1',
    '1e400',
    '.nan',
    '${env:HOME}',
    '${file:/etc/passwd}',
    '0x10',
    '1_000',
    '!!binary x',
  ),
  fc.integer({ min: 1, max: 2_000 }).map((depth) => '['.repeat(depth)),
);
const slips = fc.array(fc.tuple(fc.nat({ max: TEXT.length }), fc.nat({ max: 60 }), put), {
  minLength: 1,
  maxLength: 3,
});

export const configs: FuzzTarget = {
  name: 'configs',
  weight: 0.5,
  async prepare() {
    return {
      property: fc.property(slips, (slips) => {
        const text = slips.reduce((text, [at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut), TEXT);
        const result = parseConfig('failover.yaml', '/etc/failoverd', text);
        if (result.kind === 'loaded') return;
        must(result.problems.length > 0, () => 'refused without a reason');
        const lines = text.split('\n');
        for (const { line, column, message, remedy, value } of result.problems) {
          const there = lines[line - 1];
          must(
            there !== undefined && column >= 1 && column <= there.length + 1,
            () => `${line}:${column} is not in the file`,
          );
          must(message !== '' && remedy !== '' && value !== '', () => 'something is not said');
        }
      }),
      close: async () => undefined,
    };
  },
};
