import { closeSync, openSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { LabError } from '../servers/errors.ts';

/** Where a client sends its writes: to whatever the public name answers, or to one address whatever happens. */
export type ClientTarget =
  | { readonly kind: 'name'; readonly name: string; readonly port: number; readonly resolvers: readonly string[] }
  | { readonly kind: 'address'; readonly host: string; readonly port: number };

/**
 * What became of a write, as far as its client can know. `acked`: the service said it is committed. `failed`: it was
 * refused, or never sent. `unknown`: sent, and no answer that says either.
 */
export type Outcome = 'acked' | 'failed' | 'unknown';

/**
 * The ledger's lines, one JSON object each. `sent` is on disk before the write goes out, so that whatever a database
 * holds has its line even when the client dies. Times are milliseconds since the epoch.
 */
export type LedgerLine =
  | { readonly event: 'client'; readonly clientId: string; readonly target: ClientTarget; readonly atMs: number }
  | { readonly event: 'sent'; readonly id: string; readonly sentAtMs: number }
  | EndedLine;

export interface EndedLine {
  readonly event: 'ended';
  readonly id: string;
  readonly sentAtMs: number;
  /** For an acknowledged write, the time of its acknowledgement. */
  readonly endedAtMs: number;
  readonly outcome: Outcome;
  /** Where it was sent; absent when the name did not resolve. */
  readonly address?: string;
  /** The region that answered, as the service calls itself. */
  readonly region?: string;
  /** The WAL positions of the answering side that the commit lies between. */
  readonly lsnBefore?: string;
  readonly lsn?: string;
  /** HTTP status, when there was an answer. */
  readonly status?: number;
  /** Why it isn't acknowledged: a code, not a sentence. */
  readonly reason?: string;
}

/** One write from its first line to its last; `outcome` is `unknown` when the client never wrote the last. */
export interface Attempt extends Omit<EndedLine, 'event' | 'endedAtMs'> {
  readonly endedAtMs?: number;
}

export interface Ledger {
  readonly clientIds: readonly string[];
  readonly attempts: readonly Attempt[];
}

export interface LedgerWriter {
  readonly append: (line: LedgerLine) => void;
  readonly close: () => void;
}

/** Every line is handed to the kernel before `append` returns: a killed client loses none. */
export function openLedger(file: string): LedgerWriter {
  const handle = openSync(file, 'a');
  let open = true;
  return {
    append: (line) => {
      if (open) writeSync(handle, `${JSON.stringify(line)}\n`);
    },
    close: () => {
      if (open) closeSync(handle);
      open = false;
    },
  };
}

/** Read ledgers and join the lines of each write. A half last line is what a killed client leaves, and is passed over. */
export async function readLedgers(files: readonly string[]): Promise<Ledger> {
  const clientIds: string[] = [];
  const attempts = new Map<string, Attempt>();
  for (const file of files) {
    const lines = (await readFile(file, 'utf8')).split('\n');
    for (const [index, text] of lines.entries()) {
      const line = parseLine(text, index === lines.length - 1, `${file}:${index + 1}`);
      if (line?.event === 'client') clientIds.push(line.clientId);
      else if (line !== undefined) attempts.set(line.id, asAttempt(line));
    }
  }
  return { clientIds, attempts: [...attempts.values()] };
}

function asAttempt(line: Exclude<LedgerLine, { event: 'client' }>): Attempt {
  if (line.event === 'sent') return { id: line.id, sentAtMs: line.sentAtMs, outcome: 'unknown', reason: 'no-end' };
  const { event: _, ...attempt } = line;
  return attempt;
}

function parseLine(text: string, last: boolean, place: string): LedgerLine | undefined {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    if (last) return undefined;
    throw new LabError('bad-input', `${place}: not a line of a ledger`);
  }
}
