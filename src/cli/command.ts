/** What every command is, and the shape of its arguments. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { distance } from 'fastest-levenshtein';
import type { Io } from './io.ts';

/** Exit codes (design §10). */
export const EXIT = { done: 0, failed: 1, usage: 2, blocked: 3 } as const;

/** The edge of the process, as commands see it. */
export type Shell = Io & {
  variable(name: string): string | undefined;
  /** Puts a question to the person at the terminal; null where there is none. */
  ask(question: string): Promise<string | null>;
  /** The same for what must not be seen on the screen. */
  askSecret(question: string): Promise<string | null>;
};

export type Command = (args: readonly string[], shell: Shell) => Promise<number>;

export type Options = NonNullable<ParseArgsConfig['options']>;
type Parsed<O extends Options> = ReturnType<
  typeof parseArgs<{ options: O; allowPositionals: true; strict: true; args: string[] }>
>;

/** Arguments that can't be understood, with the way out. Ends a command with exit code 2. */
export class UsageError extends Error {
  readonly remedy: string;
  constructor(message: string, remedy: string) {
    super(message);
    this.name = 'UsageError';
    this.remedy = remedy;
  }
}

/** Reads options and positionals; throws {@link UsageError} naming the one that is wrong. */
export function readArgs<const O extends Options>(args: readonly string[], options: O): Parsed<O> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    const wrong = args.find((arg) => arg.startsWith('-') && !Object.hasOwn(options, optionName(arg)));
    const known = Object.keys(options);
    const near = wrong === undefined ? null : nearest(optionName(wrong), known);
    const message = error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : String(error);
    const remedy = near === null ? `options are ${known.map((o) => `--${o}`).join(', ')}` : `did you mean --${near}?`;
    throw new UsageError(message, remedy);
  }
}

const optionName = (arg: string): string => arg.replace(/^-+/, '').split('=')[0] ?? '';

/** The word that a misspelt one most likely means, or null. */
export function nearest(word: string, known: readonly string[]): string | null {
  const ranked = known.map((one) => ({ one, apart: distance(word, one) })).sort((a, b) => a.apart - b.apart);
  const best = ranked[0];
  return best !== undefined && best.apart <= Math.max(2, Math.floor(word.length / 3)) ? best.one : null;
}
