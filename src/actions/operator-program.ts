/**
 * Programs of the configuration that act for failoverd: exit 0 is done or confirmed, 1 is not, anything else says nothing
 * (design §10).
 *
 * A program is run without a shell. Its environment is PATH, HOME and LANG of failoverd, FAILOVERD_OPERATION, and each of
 * its values as FAILOVERD_NAME; `${NAME}` in its arguments is replaced by the same value.
 */
import type { OperationResult } from '../model/loop.ts';
import { durationMs } from '../model/primitives.ts';
import type { ActionCode } from './codes.ts';
import { no, type OperationContext, ok, type ResultFacts, remainingMs, unknown } from './context.ts';
import { findProgram, type ProgramRun, runProgram } from './program.ts';

/** Left for the answer to be made of what the program did. */
const MARGIN_MS = 20;
const LINE_CHARS = 1000;
const JSON_CHARS = 4000;

export type OperatorProgram = {
  /** What it is called for a person, such as `fence program`. */
  readonly what: string;
  readonly argv: readonly string[];
  readonly operation: string;
  readonly values: Readonly<Record<string, string>>;
  readonly timeout: string;
};

/** Null when each of the programs is there and may be executed; otherwise what to answer. */
export async function missingProgram(
  programs: readonly { readonly what: string; readonly argv: readonly string[] }[],
  context: OperationContext,
): Promise<OperationResult | null> {
  for (const { what, argv } of programs) {
    const [program = ''] = argv;
    const found = await findProgram(program, context.variable('PATH'));
    if (found !== 'found') return no(found, `${what} ${program}: ${found.replace('-', ' ')}`);
  }
  return null;
}

export function runOperator(program: OperatorProgram, context: OperationContext): Promise<ProgramRun> {
  const { values } = program;
  const argv = program.argv.map((argument) =>
    argument.replaceAll(/\$\{([A-Z]+)\}/g, (whole, name: string) => values[name] ?? whole),
  );
  const env: Record<string, string> = { FAILOVERD_OPERATION: program.operation };
  for (const name of ['PATH', 'HOME', 'LANG']) {
    const value = context.variable(name);
    if (value !== undefined) env[name] = value;
  }
  for (const [name, value] of Object.entries(values)) env[`FAILOVERD_${name}`] = value;
  return runProgram(argv, {
    env,
    timeoutMs: Math.min(durationMs(program.timeout), Math.max(1, remainingMs(context) - MARGIN_MS)),
    signal: context.signal,
    timers: context.timers,
  });
}

/** What exit 0 and 1 say, in words, and the code of a 1. */
export type Meaning = { readonly yes: string; readonly no: string; readonly noCode: ActionCode };

export function judgeOperator(
  program: OperatorProgram,
  run: ProgramRun,
  meaning: Meaning,
  more: ResultFacts,
  context: OperationContext,
): OperationResult {
  const file = program.argv[0] ?? '';
  const facts: ResultFacts = {
    driver: 'command',
    operation: program.operation,
    program: file,
    ...more,
    exit: run.end.kind === 'exit' ? run.end.exit : null,
    output: firstLine(run.stdout),
    at: context.clock.wall(),
  };
  const said = lastWords(run);
  const message = (what: string): string => `${program.what} ${file} ${what}${said === '' ? '' : `: ${said}`}`;
  switch (run.end.kind) {
    case 'exit': {
      const { exit } = run.end;
      if (exit === 0) return ok(message(meaning.yes), facts);
      if (exit === 1) return no(meaning.noCode, message(meaning.no), facts);
      return unknown(exit === 75 ? 'exit-75' : 'exit-other', message(`ended with ${exit}`), facts);
    }
    case 'signal':
      return unknown('signal', message(`was ended by ${run.end.signal}`), facts);
    case 'timeout':
      return unknown('timeout', message('did not end in time and was killed'), facts);
    case 'not-started':
      return unknown(spawnCode(run.end.code), message(`did not start: ${run.end.message}`), facts);
    default:
      return run.end satisfies never;
  }
}

function spawnCode(code: string | null): ActionCode {
  if (code === 'ENOENT') return 'not-found';
  return code === 'EACCES' ? 'not-executable' : 'spawn';
}

/** The first line as what it is when it is JSON (a driver's own proof), otherwise as text; null when there is none. */
function firstLine(stdout: string): unknown {
  const line = stdout.split('\n', 1)[0]?.trim() ?? '';
  if (line === '') return null;
  if (line.length <= JSON_CHARS) {
    try {
      // A number beyond what can be told (1e999) is parsed, and is no JSON any more: the text says what was meant.
      return JSON.parse(line, (_key, value: unknown) =>
        value === Infinity || value === -Infinity ? `${value}` : value,
      );
    } catch {
      // Plain text, which is as welcome.
    }
  }
  return line.slice(0, LINE_CHARS);
}

const lastWords = (run: ProgramRun): string =>
  (run.stderr.trim() || run.stdout.trim()).slice(-400).replaceAll(/\s*\n\s*/g, ' | ');
