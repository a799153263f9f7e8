/** Writes config/failover.schema.json and config/guard.schema.json, the published forms of the schemas. */
import { join } from 'node:path';
import { Config } from '../src/model/config.ts';
import { GuardConfig } from '../src/model/guard-config.ts';
import { generate, ROOT } from './generated.ts';

export const SCHEMA_FILE = join(ROOT, 'config/failover.schema.json');
export const GUARD_SCHEMA_FILE = join(ROOT, 'config/guard.schema.json');

/** Our own annotations mean nothing to the editors and validators the schema is for. */
const published = (key: string, value: unknown): unknown => (key.startsWith('x-') ? undefined : value);

const textOf = (schema: object): string =>
  `${JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...schema }, published, 2)}\n`;
export const schemaText = (): string => textOf(Config);
export const guardSchemaText = (): string => textOf(GuardConfig);

if (import.meta.main) {
  generate(SCHEMA_FILE, schemaText(), 'scripts/schema.ts');
  generate(GUARD_SCHEMA_FILE, guardSchemaText(), 'scripts/schema.ts');
}
