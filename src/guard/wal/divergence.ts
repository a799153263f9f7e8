/** Counts what the archived log of the old side holds beyond the fork: commits, and the rows they changed, by relation. */
import { readdir } from 'node:fs/promises';
import type { Divergence, DivergentRelation } from '../../model/divergence.ts';
import { type Lsn, lsnBytes } from '../../model/primitives.ts';
import { WalError } from './errors.ts';
import type { ArchiveManifest } from './manifest.ts';
import { type Way, wayFrom } from './own-history.ts';
import { readRecord, type WalRecord } from './record.ts';
import { segmentName, segmentStart, segmentsOf } from './segments.ts';
import { linesOf, type Programs } from './tool.ts';

/** Names of relations by their files `tablespace/database/relation`; what is not known is left out. */
export type NamesOf = (files: readonly string[]) => Promise<ReadonlyMap<string, string>>;

/** Nobody can be asked. */
export const NO_NAMES: NamesOf = async () => new Map();

/**
 * Counts from the archive, never from the data directory, which may have been rewound since. Only changes of transactions that
 * committed count; what was cut off or rolled back was never promised to anybody. Read as a stream: what is held at a time are
 * the relations of transactions that are open there.
 * @throws WalError `tool-missing`, `wal-damaged`, `aborted`
 */
export async function divergence(
  folder: string,
  manifest: ArchiveManifest,
  programs: Programs,
  namesOf: NamesOf,
  signal: AbortSignal,
): Promise<Divergence> {
  const { forkTimeline, forkLsn, endTimeline, endLsn, segmentBytes, missing } = manifest;
  const count = new Count();
  const ways = await wayFrom({ timeline: forkTimeline, lsn: forkLsn }, { timeline: endTimeline, lsn: endLsn }, folder);
  const there = new Set(await readdir(folder));
  for (const way of ways) {
    for (const whole of wholeParts(way, there, segmentBytes)) {
      for await (const record of recordsOf(folder, whole, programs, signal)) count.take(record);
    }
  }
  const files = count.relations();
  const names = await namesOf(files.map(({ file }) => file));
  return {
    timeline: forkTimeline,
    forkLsn,
    endLsn,
    ...count.commits(),
    relations: files.map(({ file, changes }) => ({ file, name: names.get(file) ?? null, changes })),
    complete: missing.length === 0,
  };
}

/** The parts of a way that no missing segment interrupts. */
function wholeParts(way: Way, there: ReadonlySet<string>, segmentBytes: number): readonly Way[] {
  const parts: Way[] = [];
  const later = (a: Lsn, b: Lsn): Lsn => (lsnBytes(a) > lsnBytes(b) ? a : b);
  let from: Lsn | null = null;
  for (const number of segmentsOf(way.from, way.to, segmentBytes)) {
    const start = segmentStart(number, segmentBytes);
    if (there.has(segmentName({ timeline: way.timeline, number }, segmentBytes))) from ??= later(way.from, start);
    else if (from !== null) {
      parts.push({ ...way, from, to: start });
      from = null;
    }
  }
  return from === null ? parts : [...parts, { ...way, from }];
}

async function* recordsOf(
  folder: string,
  way: Way,
  programs: Programs,
  signal: AbortSignal,
): AsyncGenerator<WalRecord> {
  const kinds = ['--rmgr=Transaction', '--rmgr=Heap', '--rmgr=Heap2'];
  const range = ['--path', folder, '--timeline', String(way.timeline), '--start', way.from, '--end', way.to];
  const lines = linesOf('pg_waldump', [...kinds, ...range], programs, signal);
  for (;;) {
    const next = await lines.next();
    if (next.done !== true) {
      yield readRecord(next.value);
      continue;
    }
    // It ends in order at `--end`, which the scan for the end has found valid: anything else is a file that changed since.
    if (next.value.exit === 0) return;
    throw new WalError(
      'wal-damaged',
      `the log in ${folder} can't be read from ${way.from} to ${way.to}: ${next.value.complaint}`,
    );
  }
}

class Count {
  #commits = 0;
  #first: number | null = null;
  #last: number | null = null;
  readonly #prepared = new Set<string>();
  /** By transaction that has not ended, the rows it changed by relation. */
  readonly #open = new Map<string, Map<string, number>>();
  readonly #changes = new Map<string, number>();

  take(record: WalRecord): void {
    switch (record.kind) {
      case 'change': {
        const rows = this.#open.get(record.transaction) ?? new Map<string, number>();
        this.#open.set(record.transaction, rows.set(record.file, (rows.get(record.file) ?? 0) + record.rows));
        return;
      }
      case 'commit':
        this.#commits += 1;
        if (record.at !== null) {
          this.#first = Math.min(this.#first ?? record.at, record.at);
          this.#last = Math.max(this.#last ?? record.at, record.at);
        }
        for (const transaction of record.transactions) this.#end(transaction, true);
        return;
      case 'abort':
        for (const transaction of record.transactions) this.#end(transaction, false);
        return;
      case 'prepare':
        this.#prepared.add(record.transaction);
        return;
      case 'other':
        return;
      default:
        record satisfies never;
    }
  }

  #end(transaction: string, committed: boolean): void {
    this.#prepared.delete(transaction);
    const rows = this.#open.get(transaction);
    this.#open.delete(transaction);
    if (!committed || rows === undefined) return;
    for (const [file, count] of rows) this.#changes.set(file, (this.#changes.get(file) ?? 0) + count);
  }

  commits(): Pick<Divergence, 'commits' | 'prepared' | 'firstCommitAt' | 'lastCommitAt'> {
    const prepared = this.#prepared.size;
    return { commits: this.#commits, prepared, firstCommitAt: this.#first, lastCommitAt: this.#last };
  }

  /** Most changed first. */
  relations(): readonly Pick<DivergentRelation, 'file' | 'changes'>[] {
    return [...this.#changes]
      .map(([file, changes]) => ({ file, changes }))
      .sort((a, b) => b.changes - a.changes || (a.file < b.file ? -1 : 1));
  }
}
