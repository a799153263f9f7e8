/**
 * The fence by programs of the configuration: one that stops the old side, and one that reads back that it is stopped.
 * Exit 0 is confirmed off, 1 is not off, anything else says nothing (design §10). Nothing but exit 0 is ever taken for
 * off: everything after it rests on that (safety.md).
 *
 * A program is run without a shell. Its environment is PATH, HOME and LANG of failoverd, and FAILOVERD_OPERATION
 * (`fence` or `verify`), FAILOVERD_REGION (the region to be off), FAILOVERD_GROUP, FAILOVERD_EPOCH, FAILOVERD_RUN;
 * `${REGION}`, `${GROUP}`, `${EPOCH}` and `${RUN}` in its arguments are replaced by the same values.
 */
import type { GroupConfig } from '../model/config.ts';
import type { OperationResult, Perform } from '../model/loop.ts';
import { durationMs } from '../model/primitives.ts';
import type { ActionCode } from './codes.ts';
import { no, type OperationContext, ok, type ResultFacts, remainingMs, type StepActions, unknown } from './context.ts';
import { findProgram, type ProgramRun, runProgram } from './program.ts';

/** Left for the answer to be made of what the program did. */
const MARGIN_MS = 20;
const LINE_CHARS = 1000;
const JSON_CHARS = 4000;

type CommandFence = Extract<NonNullable<GroupConfig['fence']>, { driver: 'command' }>;
type Which = 'fence' | 'verify';

export const fence: StepActions = { check: checkFence, do: doFence, verify: verifyFence };

const commandFence = (group: GroupConfig): CommandFence | null =>
  group.fence?.driver === 'command' ? group.fence : null;
const noDriver = (): OperationResult => no('unsupported', 'the group has no fence driver');

async function checkFence(_operation: Perform, context: OperationContext): Promise<OperationResult> {
  const driver = commandFence(context.group);
  if (driver === null) return noDriver();
  for (const [program = ''] of [driver.fence, driver.verify]) {
    const found = await findProgram(program, context.variable('PATH'));
    if (found !== 'found') return no(found, `fence program ${program}: ${found.replace('-', ' ')}`);
  }
  return ok('both fence programs are there', { driver: 'command' });
}

async function doFence(operation: Perform, context: OperationContext): Promise<OperationResult> {
  const driver = commandFence(context.group);
  if (driver === null) return noDriver();
  const run = await runFence('fence', driver, operation, context);
  const answer = judge('fence', driver, operation, context, run);
  // A program that never ran stopped nothing, for certain.
  return run.end.kind === 'not-started' ? { ...answer, kind: 'no' } : answer;
}

/** Reads back that the old side is off, now. A promotion asks this again right before it acts (invariant 4). */
export async function verifyFence(operation: Perform, context: OperationContext): Promise<OperationResult> {
  const driver = commandFence(context.group);
  if (driver === null) return unknown('unsupported', 'the group has no fence driver to read back with');
  return judge('verify', driver, operation, context, await runFence('verify', driver, operation, context));
}

function runFence(
  which: Which,
  driver: CommandFence,
  operation: Perform,
  context: OperationContext,
): Promise<ProgramRun> {
  const values: Readonly<Record<string, string>> = {
    REGION: operation.from,
    GROUP: operation.group,
    EPOCH: String(operation.epoch),
    RUN: operation.run,
  };
  const argv = driver[which].map((argument) =>
    argument.replaceAll(/\$\{(REGION|GROUP|EPOCH|RUN)\}/g, (whole, name: string) => values[name] ?? whole),
  );
  const env: Record<string, string> = { FAILOVERD_OPERATION: which };
  for (const name of ['PATH', 'HOME', 'LANG']) {
    const value = context.variable(name);
    if (value !== undefined) env[name] = value;
  }
  for (const [name, value] of Object.entries(values)) env[`FAILOVERD_${name}`] = value;
  return runProgram(argv, {
    env,
    timeoutMs: Math.min(durationMs(driver.timeout ?? '20s'), Math.max(1, remainingMs(context) - MARGIN_MS)),
    signal: context.signal,
    timers: context.timers,
  });
}

function judge(
  which: Which,
  driver: CommandFence,
  operation: Perform,
  context: OperationContext,
  run: ProgramRun,
): OperationResult {
  const program = driver[which][0] ?? '';
  const facts: ResultFacts = {
    driver: 'command',
    operation: which,
    program,
    region: operation.from,
    exit: run.end.kind === 'exit' ? run.end.exit : null,
    output: firstLine(run.stdout),
    at: context.clock.wall(),
  };
  const said = lastWords(run);
  const message = (what: string): string => `${which} program ${program} ${what}${said === '' ? '' : `: ${said}`}`;
  switch (run.end.kind) {
    case 'exit': {
      const { exit } = run.end;
      if (exit === 0) return ok(message(`confirms that ${operation.from} is off`), facts);
      if (exit === 1) return no('not-off', message(`says that ${operation.from} is not off`), facts);
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
