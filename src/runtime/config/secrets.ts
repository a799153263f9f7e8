/**
 * Secrets that a configuration refers to, fetched at start. The configuration itself keeps the references, so it may be
 * shown, logged and hashed; the values stay wrapped (invariant 24).
 */
import { resolve } from 'node:path';
import type { Environment } from '../environment.ts';
import { SecretValue } from '../secret.ts';
import { isBearerToken } from '../token.ts';
import { type FileError, type FileRead, readBounded } from './bounded-file.ts';
import type { Loaded } from './load.ts';
import { inOrder, type KeyPath, type Problem, type ProblemCode, pathText } from './problem.ts';
import { leavesOf } from './schema.ts';

/** A key or a token; more than this is another file. */
const MOST_SECRET_BYTES = 64 * 1024;

export type SecretSources = {
  /** A variable of the environment; undefined where it is not set. */
  variable(name: string): string | undefined;
  /** A file, at most `mostBytes` long. Never rejects. */
  readFile(path: string, mostBytes: number): Promise<FileRead>;
};

export type Secrets = {
  /** The value behind a reference of the configuration. Throws a RangeError for text that is none of its references. */
  of(reference: string): SecretValue;
  /** Every value that was fetched, for the log to keep out of its lines. */
  all(): readonly SecretValue[];
};

export type SecretsResult =
  | { readonly kind: 'resolved'; readonly secrets: Secrets; readonly count: number }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] };

export const secretSources = (environment: Pick<Environment, 'variable'>): SecretSources => ({
  variable: (name) => environment.variable(name),
  readFile: readBounded,
});

type Use = { readonly path: KeyPath; readonly reference: string };

/**
 * Fetches every secret once, or those that are wanted: a process gets no secret that it has no use for. Never rejects:
 * what can't be had is in the result, without any value.
 */
export async function resolveSecrets(
  loaded: Loaded,
  sources: SecretSources,
  wanted: (path: KeyPath) => boolean = () => true,
): Promise<SecretsResult> {
  const uses: Use[] = [...leavesOf(loaded.config)]
    .filter((leaf) => leaf.schema['x-secret'] === true && wanted(leaf.path))
    .map((leaf) => ({ path: leaf.path, reference: String(leaf.value) }));
  const values = new Map<string, SecretValue>();
  const problems: Problem[] = [];
  for (const use of uses) {
    if (values.has(use.reference)) continue;
    const fetched = await fetchSecret(loaded, use.reference, sources);
    if (typeof fetched === 'string') values.set(use.reference, new SecretValue(fetched));
    else problems.push(problemOf(loaded, use, fetched));
  }
  problems.push(...tokenFaults(loaded, uses, values));
  if (problems.length > 0) return { kind: 'refused', problems: inOrder(problems) };
  return {
    kind: 'resolved',
    count: values.size,
    secrets: {
      of(reference) {
        const value = values.get(reference);
        if (value === undefined) throw new RangeError('not a reference of this configuration');
        return value;
      },
      all: () => [...values.values()],
    },
  };
}

type Missing = { readonly code: ProblemCode; readonly message: string; readonly remedy: string };

async function fetchSecret(loaded: Loaded, reference: string, sources: SecretSources): Promise<string | Missing> {
  const [, kind, name = ''] = /^\$\{(env|file):(.+)\}$/.exec(reference) ?? [];
  if (kind === 'env') {
    const value = sources.variable(name);
    if (value === undefined)
      return {
        code: 'secret-unset',
        message: 'the environment variable is not set',
        remedy: `set ${name} in the environment of failoverd`,
      };
    if (value === '')
      return { code: 'secret-empty', message: 'the environment variable is empty', remedy: `give ${name} its value` };
    return value;
  }
  return fromFile(resolve(loaded.folder, name), name, sources);
}

const UNREADABLE: Readonly<Record<FileError, string>> = {
  missing: 'there is no such file',
  denied: 'the file may not be read',
  folder: 'this is a folder',
  'not-a-file': 'this is no regular file',
  'too-large': `the file is larger than ${MOST_SECRET_BYTES} bytes`,
  failed: 'the file can’t be read',
};

async function fromFile(path: string, name: string, sources: SecretSources): Promise<string | Missing> {
  const read = await sources.readFile(path, MOST_SECRET_BYTES);
  if (read.kind === 'failed')
    return {
      code: 'secret-unreadable',
      message: UNREADABLE[read.code],
      remedy: `make ${name} a file of its own that the user who runs failoverd can read`,
    };
  // Editors and `echo` end a file with a line end that is no part of the secret.
  const value = read.bytes.toString('utf8').replace(/\r?\n$/, '');
  if (value !== '') return value;
  return { code: 'secret-empty', message: 'the file is empty', remedy: `write the secret into ${name}` };
}

const problemOf = (loaded: Loaded, { path, reference }: Use, missing: Missing): Problem => ({
  file: loaded.file,
  ...loaded.source.valueAt(path),
  path: pathText(path),
  value: reference,
  ...missing,
});

/** Presented to us: two holders that can't be told apart would be one. */
const provesHolder = (path: KeyPath): boolean =>
  (path[0] === 'people' && path.at(-1) === 'token') ||
  (path[0] === 'alertmanager' && (path[1] === 'bearer' || path[1] === 'basic'));
/** Sent as it is in a header, by others or by us. */
const isBearer = (path: KeyPath): boolean =>
  provesHolder(path)
    ? path[1] !== 'basic'
    : path.at(-1) === 'apiBearer' || (path[0] === 'prometheus' && path.at(-1) === 'bearer');

/** Two references may lead to one value; two persons with one token would be one (invariant 22). A token that can't be sent is nobody's. */
function tokenFaults(loaded: Loaded, uses: readonly Use[], values: ReadonlyMap<string, SecretValue>): Problem[] {
  const holders = new Map<string, KeyPath>();
  const problems: Problem[] = [];
  for (const use of uses) {
    const token = provesHolder(use.path) || isBearer(use.path) ? values.get(use.reference)?.reveal() : undefined;
    if (token === undefined) continue;
    if (isBearer(use.path) && !isBearerToken(token)) {
      problems.push(
        problemOf(loaded, use, {
          code: 'token-form',
          message: 'it holds characters that can’t be sent as a bearer token, so nobody could ever present it',
          remedy: 'use letters, digits and - . _ ~ + / = alone, without spaces or line ends',
        }),
      );
      continue;
    }
    if (!provesHolder(use.path)) continue;
    const other = holders.get(token);
    if (other !== undefined)
      problems.push(
        problemOf(loaded, use, {
          code: 'token-twice',
          message: `${pathText(other)} leads to the same token, so the two can’t be told apart`,
          remedy: 'give each a token of its own',
        }),
      );
    holders.set(token, use.path);
  }
  return problems;
}
