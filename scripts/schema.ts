/** Writes config/failover.schema.json, the published form of the configuration's schema. */
import { join } from 'node:path';
import { Config } from '../src/model/config.ts';
import { generate, ROOT } from './generated.ts';

export const SCHEMA_FILE = join(ROOT, 'config/failover.schema.json');

/** Our own annotations mean nothing to the editors and validators the schema is for. */
const published = (key: string, value: unknown): unknown => (key.startsWith('x-') ? undefined : value);

export const schemaText = (): string =>
  `${JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...Config }, published, 2)}\n`;

if (import.meta.main) generate(SCHEMA_FILE, schemaText(), 'scripts/schema.ts');
