// The matrix of the strategy, dumped: a change of what failoverd would do shows up as a change of this file.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { expressionOf } from '../../src/model/expression.ts';
import { exampleOf, turnsOf } from '../../src/model/row-examples.ts';
import type { GroupSettings, Row } from '../../src/model/settings.ts';
import { loadConfig } from '../../src/runtime/config/load.ts';
import { repositoryRoot } from '../support/repository.ts';

const GOLDEN = join(repositoryRoot, 'test/fixtures/matrix.golden.txt');

function dump(row: Row, metrics: GroupSettings['metrics']): string[] {
  const expression = expressionOf(row.when, metrics);
  const example = exampleOf(expression) ?? {};
  const stands = row.against.length > 0 ? ` against ${row.against.join(', ')}` : '';
  return [
    `${row.id} ${row.kind} ${row.action}${row.scope === 'group' ? '' : ` for each ${row.scope}`}${stands}, for ${row.forMs / 1000} s, unknown: ${row.unknown}`,
    `    when  ${row.when}`,
    `    e.g.  ${Object.entries(example)
      .map(([fact, value]) => `${fact} = ${value ?? 'unknown'}`)
      .join(', ')}`,
    `    not   ${turnsOf(expression, example)
      .map(({ fact, to }) => `${fact} = ${to}`)
      .join(', or ')}`,
    `    blind ${expression.answer({})}`,
  ];
}

t.test('the matrix of config/failover.yaml is the one that was agreed on', async (t) => {
  const loaded = await loadConfig('config/failover.yaml', repositoryRoot);
  if (loaded.kind === 'refused') throw new Error('it does not load');
  const text = `${Object.values(loaded.settings.groups)
    .flatMap((group) => group.rows.flatMap((row) => dump(row, group.metrics)))
    .join('\n')}\n`;
  if (process.env['FAILOVERD_WRITE_GOLDEN'] !== undefined) writeFileSync(GOLDEN, text);
  t.equal(text, readFileSync(GOLDEN, 'utf8'));
});
