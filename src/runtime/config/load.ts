/**
 * A configuration file, read and judged. Nothing is coerced and nothing is guessed: either all of it is right, or every
 * mistake is told with its place, the value and a remedy.
 *
 * First the text, then the shape, then how it hangs together: each is judged once the one before it is right.
 */
import { isUtf8 } from 'node:buffer';
import { dirname, resolve } from 'node:path';
import Value from 'typebox/value';
import { Config } from '../../model/config.ts';
import { type Settings, settingsOf } from '../../model/settings.ts';
import { type FileError, readBounded } from './bounded-file.ts';
import { checkConfig } from './checks/index.ts';
import { readYaml, type Source } from './document.ts';
import { inOrder, type Problem, type ProblemCode } from './problem.ts';
import { CONFIG_FORMAT } from './schema.ts';
import { shapeProblems } from './shape.ts';
import { type NotSupported, notSupportedIn } from './support.ts';

/** A thousand groups need about 2 MiB. */
export const MOST_BYTES = 4 * 1024 * 1024;

export type Loaded = {
  readonly kind: 'loaded';
  /** The file as it was named. */
  readonly file: string;
  /** What relative paths in the file are relative to. */
  readonly folder: string;
  /** Holds references to secrets, never a secret: may be shown, logged and hashed. */
  readonly config: Config;
  readonly settings: Settings;
  readonly source: Source;
  readonly warnings: readonly Problem[];
  readonly notSupported: readonly NotSupported[];
};
export type Refused = {
  readonly kind: 'refused';
  readonly file: string;
  /** At least one. */
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
};
export type LoadResult = Loaded | Refused;

/** Reads and judges a file. Never rejects for what is wrong with the file: that is in the result. */
export async function loadConfig(
  file: string,
  workingDirectory: string,
  options: { readonly unsafe?: 'refused' | 'told' } = {},
): Promise<LoadResult> {
  const read = await readText(file, workingDirectory);
  return read.kind === 'refused' ? read : parseConfig(file, read.folder, read.text, options);
}

export type Text = { readonly kind: 'text'; readonly folder: string; readonly text: string };

/** Reads a file that is to be a configuration. Never rejects: what is wrong with it is in the result. */
export async function readText(file: string, workingDirectory: string): Promise<Text | Refused> {
  const path = resolve(workingDirectory, file);
  const read = await readBounded(path, MOST_BYTES);
  if (read.kind === 'failed') return refused(file, [unreadable(file, read.code)]);
  if (!isUtf8(read.bytes))
    return refused(file, [
      fileProblem(file, 'not-utf8', 'bytes that are no UTF-8', 'the file is not UTF-8 text', 'save it as UTF-8'),
    ]);
  return { kind: 'text', folder: dirname(path), text: read.bytes.toString('utf8') };
}

/** What makes a lease unsafe and nothing else: a simulator can run such a configuration, and show what comes of it. */
const UNSAFE: readonly ProblemCode[] = [
  'timing-attempt',
  'timing-demote',
  'timing-dead-man',
  'timing-lease',
  'timing-wait',
  'auto-without-proof',
];

/**
 * Judges the text of a configuration. `file` is what it is called in messages. With `unsafe: 'told'`, for a simulation alone,
 * what makes its lease unsafe is a warning; such settings must never reach a daemon (invariant 25).
 */
export function parseConfig(
  file: string,
  folder: string,
  text: string,
  { unsafe = 'refused' }: { readonly unsafe?: 'refused' | 'told' } = {},
): LoadResult {
  const reading = readYaml(file, text, CONFIG_FORMAT);
  if (reading.kind === 'refused') return refused(file, reading.problems);
  const { source } = reading;
  const config: unknown = source.value;
  if (!Value.Check(Config, config)) return refused(file, shapeProblems(source));
  const checked = checkConfig(config, source);
  const told = (code: ProblemCode): boolean => unsafe === 'told' && UNSAFE.includes(code);
  const problems = checked.problems.filter(({ code }) => !told(code));
  const warnings = inOrder([...checked.warnings, ...checked.problems.filter(({ code }) => told(code))]);
  if (problems.length > 0) return refused(file, problems, warnings);
  const notSupported = notSupportedIn(config, source);
  return { kind: 'loaded', file, folder, config, settings: settingsOf(config), source, warnings, notSupported };
}

export const refused = (file: string, problems: readonly Problem[], warnings: readonly Problem[] = []): Refused => ({
  kind: 'refused',
  file,
  problems: inOrder(problems),
  warnings,
});

const fileProblem = (file: string, code: ProblemCode, value: string, message: string, remedy: string): Problem => ({
  file,
  line: 1,
  column: 1,
  path: '',
  value,
  message,
  remedy,
  code,
});

const UNREADABLE: Readonly<Record<Exclude<FileError, 'too-large'>, readonly [value: string, remedy: string]>> = {
  missing: ['no such file', 'check its name, and the folder you are in'],
  denied: ['permission denied', 'let the user who runs failoverd read it'],
  folder: ['a folder', 'name the file in it'],
  'not-a-file': ['no regular file', 'write the configuration into a file'],
  failed: ['an error of the file system', 'check the disk it is on'],
};

function unreadable(file: string, code: FileError): Problem {
  if (code === 'too-large')
    return fileProblem(
      file,
      'file-too-large',
      `more than ${MOST_BYTES} bytes`,
      'the file is larger than any configuration should be',
      'check that it is the right file; split very many groups over daemons',
    );
  const [value, remedy] = UNREADABLE[code];
  return fileProblem(file, 'file-unreadable', value, 'the file can’t be read', remedy);
}
