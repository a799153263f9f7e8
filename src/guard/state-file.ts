/**
 * What a guard must not forget, on disk: whole or not at all. It is written beside, synced, renamed, and its folder synced,
 * before anything that rests on it (invariants 3 and 6). A file that is torn, or of another guard, is nobody's to guess from.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import canonicalize from 'canonicalize';
import Type from 'typebox';
import Value from 'typebox/value';
import { FRESH_DURABLE, GuardDurable } from '../model/guard.ts';

const FILE = 'guard.json';

/** Whose state it is. */
export type GuardName = { readonly group: string; readonly component: string; readonly region: string };

const Envelope = Type.Object(
  {
    of: Type.Object(
      { group: Type.String(), component: Type.String(), region: Type.String() },
      { additionalProperties: false },
    ),
    durable: GuardDurable,
    /** Of the other two: a disk that lost a part of the file is found out. */
    sha256: Type.String(),
  },
  { additionalProperties: false },
);

/** The state on disk can't be used; nothing may be started on it. */
export class StateRefused extends Error {
  readonly remedy: string;
  constructor(message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StateRefused';
    this.remedy = remedy;
  }
}

export type StateFile = {
  readonly path: string;
  /** `fresh`: nothing was there. Throws {@link StateRefused}. */
  read(): Promise<{ readonly durable: GuardDurable; readonly fresh: boolean }>;
  /** Resolves once it survives a power cut; rejects where it may not have been written. */
  write(durable: GuardDurable): Promise<void>;
};

const KEEP = 'keep the file for evidence, and see docs/guard.md, "When the state of a guard is lost"';

const hashOf = (of: GuardName, durable: GuardDurable): string =>
  createHash('sha256')
    .update(canonicalize({ of, durable }) ?? '')
    .digest('hex');

export function createStateFile(folder: string, of: GuardName): StateFile {
  const path = join(folder, FILE);
  const { group, component, region } = of;
  const name: GuardName = { group, component, region };
  return {
    path,
    async read() {
      const text = await textOf(path);
      if (text === null) return { durable: FRESH_DURABLE, fresh: true };
      return { durable: parse(path, text, name), fresh: false };
    },
    async write(durable) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const beside = `${path}.new`;
      const handle = await open(beside, 'w', 0o600);
      try {
        await handle.writeFile(`${JSON.stringify({ of: name, durable, sha256: hashOf(name, durable) }, null, 2)}\n`);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(beside, path);
      await syncFolder(dirname(path));
    },
  };
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw new StateRefused(`${path} can't be read`, 'let the user who runs the guard read it', { cause: error });
  }
}

function parse(path: string, text: string, name: GuardName): GuardDurable {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new StateRefused(`${path} is torn: it is no JSON`, KEEP, { cause: error });
  }
  if (!Value.Check(Envelope, content)) {
    const [fault] = Value.Errors(Envelope, content);
    throw new StateRefused(
      `${path} is not what this version writes: ${fault?.instancePath || '/'} ${fault?.message ?? 'does not fit'}`,
      `start the version that wrote it, or ${KEEP}`,
    );
  }
  const { of, durable, sha256 } = content;
  if (hashOf(of, durable) !== sha256) throw new StateRefused(`${path} is damaged: its hash does not fit`, KEEP);
  if (of.group !== name.group || of.component !== name.component || of.region !== name.region)
    throw new StateRefused(
      `${path} is of the guard ${of.group}/${of.component} in ${of.region}, and this is ${name.group}/${name.component} in ${name.region}`,
      'give this guard a stateDir of its own',
    );
  return durable;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
