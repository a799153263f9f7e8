/**
 * The log: one JSON object per line, on pino. Every line passes one last gate that takes secrets out, after serializers,
 * bindings and formatting have had their say: redaction by paths reaches a fixed depth and doesn't see what those make.
 */
import { type Logger, pino, stdSerializers } from 'pino';
import { type Clock, systemClock } from './clock.ts';
import { createRedactor, type Redactor } from './redact.ts';
import type { SecretValue } from './secret.ts';
import { standardSink } from './sink.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';
type Say = (fields: object, message: string) => void;

/** What a part of failoverd needs of a log. An error goes under `err`. */
export type Log = {
  readonly debug: Say;
  readonly info: Say;
  readonly warn: Say;
  readonly error: Say;
  readonly fatal: Say;
  /** A log whose lines all carry these fields. */
  child(fields: object): Log;
};

/** The log of a process: pino's whole interface (Fastify takes it as its own) and what the process's edge needs. */
export type ProcessLog = Logger & {
  /** From now on this value is taken out of every line. Lines written before are gone: protect before you log. */
  protect(secret: string | SecretValue): void;
  /** True once every line so far was handed over, false when that took longer. */
  flush(timeoutMs: number): Promise<boolean>;
  /** Hands over what can be without waiting, for a process that ends right now. */
  flushNow(): void;
};

export type LogOptions = {
  readonly level: LogLevel;
  /** For people at a terminal: one line of text with the fields behind it. */
  readonly pretty?: boolean;
  /** Where lines go; default is standard error, since standard output belongs to what a command answers. */
  readonly destination?: 'stdout' | 'stderr' | { write(line: string): void };
  /** Fields of every line. */
  readonly fields?: object;
  readonly clock?: Clock;
};

/** Fields that we write ourselves: a secret that happens to read `info` doesn't take the level away. */
const OURS = new Set(['level', 'time']);

type Line = Readonly<Record<string, unknown>>;

function withoutSecrets(redactor: Redactor, json: string, now: () => string): Line {
  let line: unknown;
  try {
    line = JSON.parse(json);
  } catch {
    line = null;
  }
  if (typeof line !== 'object' || line === null) {
    return { level: 'error', time: now(), msg: 'a log line was not JSON and was withheld' };
  }
  const clean = redactor.value(line) as Line;
  const ours = Object.entries(line).filter(([name]) => OURS.has(name));
  return { ...Object.fromEntries(ours), ...without(clean, OURS) };
}

const without = (line: Line, names: ReadonlySet<string>): Line =>
  Object.fromEntries(Object.entries(line).filter(([name]) => !names.has(name)));

const PRETTY_OURS = new Set(['level', 'time', 'msg', 'err']);
/** A log is read in terminals, and some of its texts come from strangers. */
const printable = (text: string): string =>
  text.replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);

/** One line for people; the stack of an error below it. */
function prettyLine(line: Line): string {
  const fields = Object.entries(without(line, PRETTY_OURS)).map(([name, value]) => {
    const text = typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
    return ` ${printable(name)}=${printable(text)}`;
  });
  const level = String(line['level']).toUpperCase().padEnd(5);
  const head = `${String(line['time']).slice(11, 23)} ${level} ${printable(String(line['msg'] ?? ''))}${fields.join('')}`;
  const error = line['err'];
  if (typeof error !== 'object' || error === null) return error === undefined ? head : `${head} err=${String(error)}`;
  const { stack, message } = error as { readonly stack?: unknown; readonly message?: unknown };
  const text = String(stack ?? message ?? '');
  return [head, ...text.split('\n').map((part) => `  ${printable(part)}`)].join('\n');
}

export function createLog(options: LogOptions): ProcessLog {
  const { level, pretty = false, destination = 'stderr', fields = {}, clock = systemClock } = options;
  const redactor = createRedactor();
  const now = (): string => new Date(clock.wall()).toISOString();
  const form = (line: Line): string => (pretty ? prettyLine(line) : JSON.stringify(line));
  const lostLine = (count: number): string =>
    form({ level: 'warn', time: now(), lines: count, msg: 'log lines were lost: they could not be written' });
  const sink = typeof destination === 'string' ? standardSink(destination, lostLine) : null;
  const target = sink ?? (destination as { write(line: string): void });

  const log = pino(
    {
      level,
      base: { ...fields },
      timestamp: () => `,"time":"${now()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: stdSerializers.err, error: stdSerializers.err, cause: stdSerializers.err },
    },
    { write: (json: string) => target.write(form(withoutSecrets(redactor, json, now))) },
  );
  return Object.assign(log, {
    protect: redactor.protect,
    flush: (timeoutMs: number) => sink?.flush(timeoutMs) ?? Promise.resolve(true),
    flushNow: () => sink?.flushNow(),
  });
}
