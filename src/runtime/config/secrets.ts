/**
 * Secrets and certificates that a configuration refers to, fetched at the start and again when their files change. The
 * configuration itself keeps the references, so it may be shown, logged and hashed; the values stay wrapped (invariant 24).
 */
import { resolve } from 'node:path';
import type { Environment } from '../environment.ts';
import { SecretValue } from '../secret.ts';
import { isBearerToken } from '../token.ts';
import { type FileError, type FileRead, readBounded } from './bounded-file.ts';
import type { Source } from './document.ts';
import { MOST_PEM_BYTES, pemFaults } from './pem.ts';
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
  /**
   * The value behind a reference of the configuration; it reveals the newest one from each renewal on. Throws a RangeError
   * for text that is none of its references.
   */
  of(reference: string): SecretValue;
  /** Every value that was fetched, for the log to keep out of its lines. */
  all(): readonly SecretValue[];
  /** The text of a PEM file as it was read last. Throws a RangeError for a path that the configuration does not name. */
  file(path: string): string;
  /**
   * Reads every file again, and takes over what has changed. What can't be had, or does not fit together, leaves the value
   * of before in force and is in the result. Never rejects.
   */
  renew(): Promise<Renewal>;
  /** Calls at each renewal that changed something, once all of it is in force. */
  onRenewed(call: () => void): void;
};

export type Renewal = {
  /** Places in the configuration whose value is another one. */
  readonly renewed: readonly string[];
  readonly problems: readonly Problem[];
};

export type SecretsResult =
  | { readonly kind: 'resolved'; readonly secrets: Secrets; readonly count: number }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] };

export const secretSources = (environment: Pick<Environment, 'variable'>): SecretSources => ({
  variable: (name) => environment.variable(name),
  readFile: readBounded,
});

/** A file whose shape was checked, of whatever schema. */
export type Referring = {
  readonly file: string;
  /** What relative paths in it are relative to. */
  readonly folder: string;
  readonly config: unknown;
  readonly source: Source;
};

/** A place that leads to a secret, or to a PEM file; `kind` and reference together name the value. */
type Use = { readonly path: KeyPath; readonly reference: string; readonly kind: 'secret' | 'file' };
const nameOf = ({ kind, reference }: Pick<Use, 'kind' | 'reference'>): string => `${kind} ${reference}`;

/**
 * Fetches every secret and certificate, or those that are wanted: a process gets no secret that it has no use for. Never
 * rejects: what can't be had is in the result, without any value.
 */
export async function resolveSecrets(
  loaded: Referring,
  sources: SecretSources,
  wanted: (path: KeyPath) => boolean = () => true,
): Promise<SecretsResult> {
  const uses: Use[] = [...leavesOf(loaded.config, loaded.source.schema)].flatMap(({ path, schema, value }) => {
    const kind = schema['x-secret'] === true ? 'secret' : schema['x-file'] === true ? 'file' : null;
    return kind === null || !wanted(path) ? [] : [{ path, reference: String(value), kind } as const];
  });
  const { values, problems } = await fetchAll(loaded, uses, sources);
  problems.push(...faultsOf(loaded, uses, values).map(({ problem }) => problem));
  if (problems.length > 0) return { kind: 'refused', problems: inOrder(problems) };
  const count = uses.filter((use, index) => use.kind === 'secret' && firstOf(uses, use) === index).length;
  return { kind: 'resolved', count, secrets: liveSecrets(loaded, uses, sources, values) };
}

const firstOf = (uses: readonly Use[], use: Use): number => uses.findIndex((other) => nameOf(other) === nameOf(use));

type Values = Map<string, string>;

async function fetchAll(
  loaded: Referring,
  uses: readonly Use[],
  sources: SecretSources,
): Promise<{ readonly values: Values; readonly problems: Problem[] }> {
  const values: Values = new Map();
  const problems: Problem[] = [];
  for (const use of uses) {
    if (values.has(nameOf(use))) continue;
    const fetched =
      use.kind === 'secret'
        ? await fetchSecret(loaded, use.reference, sources)
        : await fetchPem(resolve(loaded.folder, use.reference), sources);
    if (typeof fetched === 'string') values.set(nameOf(use), fetched);
    else problems.push(problemOf(loaded, use, fetched));
  }
  return { values, problems };
}

/** What holds from now on, and what of it is renewed later. */
function liveSecrets(loaded: Referring, uses: readonly Use[], sources: SecretSources, first: Values): Secrets {
  const secrets = new Map<string, SecretValue>();
  for (const use of uses)
    if (use.kind === 'secret' && !secrets.has(use.reference))
      secrets.set(use.reference, new SecretValue(first.get(nameOf(use)) ?? ''));
  const told: (() => void)[] = [];
  let values = first;
  return {
    of(reference) {
      const value = secrets.get(reference);
      if (value === undefined) throw new RangeError('not a reference of this configuration');
      return value;
    },
    all: () => [...secrets.values()],
    file(path) {
      const text = values.get(nameOf({ kind: 'file', reference: path }));
      if (text === undefined) throw new RangeError(`not a file of this configuration: ${path}`);
      return text;
    },
    async renew() {
      const { values: fetched, problems } = await fetchAll(loaded, uses, sources);
      const next: Values = new Map([...values, ...fetched]);
      // What is taken back may be what another was renewed to, so it is looked at again; all of before was in order.
      for (let faults = faultsOf(loaded, uses, next); faults.length > 0; faults = faultsOf(loaded, uses, next)) {
        const before = new Map(next);
        for (const { problem, uses: concerned } of faults) {
          problems.push(problem);
          // A certificate without its key, or a token that two share, is worth less than the ones of before.
          for (const use of concerned) next.set(nameOf(use), values.get(nameOf(use)) ?? '');
        }
        if (uses.every((use) => next.get(nameOf(use)) === before.get(nameOf(use)))) break;
      }
      const changed = uses.filter((use) => next.get(nameOf(use)) !== values.get(nameOf(use)));
      values = next;
      for (const use of changed)
        if (use.kind === 'secret') secrets.get(use.reference)?.renew(next.get(nameOf(use)) ?? '');
      if (changed.length > 0) for (const call of told) call();
      return { renewed: changed.map(({ path }) => pathText(path)), problems: inOrder(problems) };
    },
    onRenewed: (call) => void told.push(call),
  };
}

type Fault = { readonly problem: Problem /** Whose values it speaks of. */; readonly uses: readonly Use[] };

function faultsOf(loaded: Referring, uses: readonly Use[], values: Values): Fault[] {
  return [...tokenFaults(loaded, uses, values), ...certificateFaults(loaded, uses, values)];
}

/** The files and the key of one connection stand side by side in the configuration. */
function certificateFaults(loaded: Referring, uses: readonly Use[], values: Values): Fault[] {
  const connections = Map.groupBy(uses.filter(isOfCertificate), ({ path }) => pathText(path.slice(0, -1)));
  return [...connections.values()].flatMap((concerned) => {
    const there = concerned.flatMap((use) => {
      const text = values.get(nameOf(use));
      return text === undefined ? [] : [{ path: use.path, text }];
    });
    return pemFaults(there).flatMap(({ path, ...words }) => {
      const use = concerned.find((one) => one.path === path);
      return use === undefined ? [] : [{ problem: problemOf(loaded, use, words), uses: concerned }];
    });
  });
}

const isOfCertificate = ({ kind, path }: Use): boolean => kind === 'file' || path.at(-1) === 'key';

type Missing = { readonly code: ProblemCode; readonly message: string; readonly remedy: string };

async function fetchSecret(loaded: Referring, reference: string, sources: SecretSources): Promise<string | Missing> {
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

async function fetchPem(path: string, sources: SecretSources): Promise<string | Missing> {
  const read = await sources.readFile(path, MOST_PEM_BYTES);
  if (read.kind === 'read') return read.bytes.toString('utf8');
  return {
    code: 'pem-unreadable',
    message: read.code === 'too-large' ? `the file is larger than ${MOST_PEM_BYTES} bytes` : UNREADABLE[read.code],
    remedy: 'name a PEM file that the user who runs failoverd can read; relative paths begin at the config file',
  };
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

const problemOf = (loaded: Referring, { path, reference }: Use, missing: Missing): Problem => ({
  file: loaded.file,
  ...loaded.source.valueAt(path),
  path: pathText(path),
  value: reference,
  ...missing,
});

/** Presented to us: two holders that can't be told apart would be one. */
const provesHolder = (path: KeyPath): boolean =>
  (path[0] === 'people' && path.at(-1) === 'token') ||
  // A guard shows its own to the lease store; in its own file it stands at the top.
  (path.at(-1) === 'token' && (path.includes('guards') || path[0] === 'peers' || path.length === 1)) ||
  (path[0] === 'alertmanager' && (path[1] === 'bearer' || path[1] === 'basic'));
/** Sent as it is in a header, by others or by us. */
const isBearer = (path: KeyPath): boolean =>
  provesHolder(path)
    ? path[1] !== 'basic'
    : path.at(-1) === 'apiBearer' || (path[0] === 'prometheus' && path.at(-1) === 'bearer');

/** Two references may lead to one value; two persons with one token would be one (invariant 22). A token that can't be sent is nobody's. */
function tokenFaults(loaded: Referring, uses: readonly Use[], values: Values): Fault[] {
  const holders = new Map<string, Use>();
  const faults: Fault[] = [];
  for (const use of uses) {
    const token = provesHolder(use.path) || isBearer(use.path) ? values.get(nameOf(use)) : undefined;
    if (token === undefined) continue;
    if (isBearer(use.path) && !isBearerToken(token)) {
      const problem = problemOf(loaded, use, {
        code: 'token-form',
        message: 'it holds characters that can’t be sent as a bearer token, so nobody could ever present it',
        remedy: 'use letters, digits and - . _ ~ + / = alone, without spaces or line ends',
      });
      faults.push({ problem, uses: [use] });
      continue;
    }
    if (!provesHolder(use.path)) continue;
    const other = holders.get(token);
    if (other !== undefined) {
      const problem = problemOf(loaded, use, {
        code: 'token-twice',
        message: `${pathText(other.path)} leads to the same token, so the two can’t be told apart`,
        remedy: 'give each a token of its own',
      });
      faults.push({ problem, uses: [other, use] });
    }
    holders.set(token, use);
  }
  return faults;
}
