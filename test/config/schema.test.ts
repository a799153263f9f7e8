// The schema is written once: what is published, what is documented and what checks a file are the same.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import Validate from 'typebox/schema';
import { parse } from 'yaml';
import { GUARD_REFERENCE_FILE, guardReferenceText, REFERENCE_FILE, referenceText } from '../../scripts/reference.ts';
import { GUARD_SCHEMA_FILE, guardSchemaText, SCHEMA_FILE, schemaText } from '../../scripts/schema.ts';
import { compileExpression } from '../../src/model/expression.ts';
import { exampleOf } from '../../src/model/row-examples.ts';
import { DEFAULT_ROWS } from '../../src/model/settings.ts';
import { CONFIG_SCHEMA, GUARD_SCHEMA, type Schema } from '../../src/runtime/config/schema.ts';
import { FIXTURES, ROOT } from './support.ts';

t.test('the published schemas are the ones that check', async (t) => {
  t.equal(readFileSync(SCHEMA_FILE, 'utf8'), schemaText(), 'run node scripts/schema.ts');
  t.equal(readFileSync(GUARD_SCHEMA_FILE, 'utf8'), guardSchemaText(), 'run node scripts/schema.ts');
});

t.test('the references are made from the schemas that check', async (t) => {
  t.equal(readFileSync(REFERENCE_FILE, 'utf8'), referenceText(), 'run node scripts/reference.ts');
  t.equal(readFileSync(GUARD_REFERENCE_FILE, 'utf8'), guardReferenceText(), 'run node scripts/reference.ts');
});

const published = JSON.parse(readFileSync(SCHEMA_FILE, 'utf8'));
const publishedOfGuard = JSON.parse(readFileSync(GUARD_SCHEMA_FILE, 'utf8'));
const accepts = (file: string, schema = published): boolean =>
  Validate.Check(schema, parse(readFileSync(file, 'utf8')));

t.test('an editor that knows the published schema agrees on what is right and what is not', async (t) => {
  t.ok(accepts(join(ROOT, 'config/failover.yaml')));
  t.ok(accepts(join(ROOT, 'config/minimal.yaml')));
  t.ok(accepts(join(FIXTURES, 'valid.yaml')));
  t.ok(accepts(join(FIXTURES, 'valid-guard.yaml')));
  for (const file of ['config/guard.yaml', 'test/fixtures/config/valid-guard-file.yaml'])
    t.ok(accepts(join(ROOT, file), publishedOfGuard), file);
  for (const name of ['unknown-key', 'relative-path', 'driver', 'key-of-another-driver', 'plain-token', 'unit'])
    t.notOk(accepts(join(FIXTURES, `invalid-guard-${name}.yaml`), publishedOfGuard), name);
  for (const file of readdirSync(FIXTURES).filter((name) => /^unsafe-.*\.yaml$/.test(name)))
    t.ok(accepts(join(FIXTURES, file)), `${file} breaks a rule that no schema knows`);
  for (const name of ['unknown-key', 'missing-kind', 'tier', 'plain-secret', 'bad-name', 'duration', 'unknown-action'])
    t.notOk(accepts(join(FIXTURES, `invalid-${name}.yaml`)), name);
});

function* propertiesOf(schema: Schema, path: string): Generator<readonly [string, Schema]> {
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    yield [`${path}.${key}`, property];
    yield* propertiesOf(property, `${path}.${key}`);
  }
  for (const inner of [
    ...Object.values(schema.patternProperties ?? {}),
    ...(schema.anyOf ?? []),
    schema.items ?? [],
  ].flat())
    yield* propertiesOf(inner, `${path}.*`);
}

t.test('every key says what it means', async (t) => {
  const keys = [...propertiesOf(CONFIG_SCHEMA, ''), ...propertiesOf(GUARD_SCHEMA, 'guard')];
  t.ok(keys.length > 100);
  t.same(
    keys.filter(([, schema]) => (schema.description ?? '') === '').map(([path]) => path),
    [],
  );
});

t.test('every mapping refuses keys it does not know', async (t) => {
  const open = [...propertiesOf(CONFIG_SCHEMA, ''), ...propertiesOf(GUARD_SCHEMA, 'guard')].filter(
    ([, schema]) =>
      schema.type === 'object' && !('additionalProperties' in schema && schema.additionalProperties === false),
  );
  t.same(
    open.map(([path]) => path),
    [],
  );
});

t.test('the rows in force where a config names none can match', async (t) => {
  for (const row of DEFAULT_ROWS) {
    const compiled = compileExpression(row.when);
    t.equal(compiled.kind, 'expression', row.when);
    if (compiled.kind === 'expression') t.ok(exampleOf(compiled.expression), `row ${row.id}`);
  }
});
