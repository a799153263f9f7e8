/**
 * The configuration of a guard, read and judged as the controller's is (`load.ts`): all of it is right, or every mistake is
 * told with its place, the value and a remedy.
 */
import Value from 'typebox/value';
import { GuardConfig } from '../../model/guard-config.ts';
import { type LeaseTerms, termsOf, timingsHash } from '../../model/lease-config.ts';
import { checkGuard } from './checks/guard.ts';
import { readYaml, type Source } from './document.ts';
import { type Refused, readText, refused } from './load.ts';
import type { Problem } from './problem.ts';
import { GUARD_FORMAT, isMapping } from './schema.ts';
import { shapeProblems } from './shape.ts';

export type LoadedGuard = {
  readonly kind: 'guard';
  /** The file as it was named. */
  readonly file: string;
  /** What relative paths in the file are relative to. */
  readonly folder: string;
  /** Holds references to secrets, never a secret. */
  readonly config: GuardConfig;
  /** By which this guard counts; the hash is the one that the lease record carries. */
  readonly terms: LeaseTerms;
  readonly timingsHash: string;
  readonly source: Source;
  readonly warnings: readonly Problem[];
};

/** Reads and judges a file. Never rejects for what is wrong with the file: that is in the result. */
export async function loadGuardConfig(file: string, workingDirectory: string): Promise<LoadedGuard | Refused> {
  const read = await readText(file, workingDirectory);
  return read.kind === 'refused' ? read : parseGuardConfig(file, read.folder, read.text);
}

/** Judges the text of a guard's configuration. `file` is what it is called in messages. */
export function parseGuardConfig(file: string, folder: string, text: string): LoadedGuard | Refused {
  const reading = readYaml(file, text, GUARD_FORMAT);
  if (reading.kind === 'refused') return refused(file, reading.problems);
  const { source } = reading;
  const config: unknown = source.value;
  if (!Value.Check(GuardConfig, config)) return refused(file, shapeProblems(source));
  const { problems, warnings } = checkGuard(config, source);
  if (problems.length > 0) return refused(file, problems, warnings);
  const terms = termsOf(config.lease);
  return { kind: 'guard', file, folder, config, terms, timingsHash: timingsHash(terms), source, warnings };
}

/** Keys that only one of the two kinds of file has at its top. */
const OF_GUARD = ['component', 'peers', 'postgres', 'deadMan', 'store', 'role'];
const OF_DAEMON = ['daemon', 'groups', 'regions', 'vantages', 'people'];

/** Whether a text means to be the configuration of a guard, by the keys at its top. */
export function looksLikeGuard(text: string): boolean {
  const reading = readYaml('', text, GUARD_FORMAT);
  if (reading.kind === 'refused' || !isMapping(reading.source.value)) return false;
  const keys = Object.keys(reading.source.value);
  const count = (known: readonly string[]): number => known.filter((key) => keys.includes(key)).length;
  return count(OF_GUARD) > count(OF_DAEMON);
}
