/**
 * Where the valid log of a PostgreSQL that is down ends. The control file does not say: it is written at checkpoints, and was
 * 5,000 acknowledged rows short of the end (safety.md). So the log is read as a crash recovery would read it, without changing
 * anything: from the last checkpoint's redo, record by record, until one is not valid.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Lsn, lsnBytes } from '../../model/primitives.ts';
import { type ControlData, controlData } from './control-data.ts';
import { systemCodeOf, textOf, WalError } from './errors.ts';
import { historyIn } from './own-history.ts';
import { lsnText, segmentHolding, segmentName, segmentStart } from './segments.ts';
import { stretchesOf } from './timeline.ts';
import { type Programs, runTool } from './tool.ts';

export type EndOfWal = {
  readonly timeline: number;
  /**
   * The first byte after the last valid record, where recovery on this server would end. Every commit that was acknowledged is
   * before it: PostgreSQL acknowledges after the flush. A record torn by the crash is not part of it, and was never acknowledged.
   */
  readonly lsn: Lsn;
  /** Where the scan began. */
  readonly from: Lsn;
  readonly control: ControlData;
};

/**
 * Scans for the end. The server must be down: the log of one that runs grows while it is read.
 * @throws WalError `tool-missing`, `not-this-cluster`, `wal-missing`, `wal-damaged`, `aborted`
 */
export async function endOfWal(dataDir: string, programs: Programs, signal: AbortSignal): Promise<EndOfWal> {
  const control = await controlData(dataDir, programs, signal);
  const { checkpoint, minRecovery, timeline, segmentBytes } = control;
  const folder = join(dataDir, 'pg_wal');
  const from = await beginOf(control, folder);
  const upTo = await endOfSegments(folder, timeline, from, segmentBytes);
  const args = ['--stats', '--path', folder, '--timeline', String(timeline), '--start', from, '--end', upTo];
  const scan = await runTool('pg_waldump', args, programs, signal);
  // Whatever it says of the record it stopped at, an end of the log is printed with the statistics. Where a file could not be
  // read, there are none: that is no end.
  const [, , lsn] = /^WAL statistics between (\S+) and ([0-9A-F]+\/[0-9A-F]+):/m.exec(scan.output) ?? [];
  if (lsn === undefined)
    throw new WalError('wal-damaged', `the log of ${dataDir} can't be read from ${from} on: ${scan.complaint}`);
  const needed = [
    ...(checkpoint.timeline === timeline ? [{ what: 'its last checkpoint', at: lsnBytes(checkpoint.lsn) + 1n }] : []),
    ...(minRecovery?.timeline === timeline ? [{ what: 'what its data needs', at: lsnBytes(minRecovery.lsn) }] : []),
  ];
  for (const { what, at } of needed) {
    if (lsnBytes(lsn) < at)
      throw new WalError('wal-damaged', `the log of ${dataDir} ends at ${lsn}, before ${what}: ${scan.complaint}`);
  }
  return { timeline, lsn, from, control };
}

/** The redo of the last checkpoint; after a promotion without one since, the beginning of the new timeline. */
async function beginOf({ checkpoint, timeline }: ControlData, folder: string): Promise<Lsn> {
  if (checkpoint.timeline === timeline) return checkpoint.redo;
  const history = await historyIn(folder, timeline);
  const begin = stretchesOf(timeline, history).at(-2)?.end ?? checkpoint.redo;
  return lsnBytes(begin) > lsnBytes(checkpoint.redo) ? begin : checkpoint.redo;
}

/** The end of the unbroken row of segments from there on: reading on beyond it, pg_waldump would wait for a file to appear. */
async function endOfSegments(folder: string, timeline: number, from: Lsn, segmentBytes: number): Promise<Lsn> {
  const names = new Set(
    await readdir(folder).catch((error: unknown) => {
      const code = systemCodeOf(error) === 'ENOENT' ? 'wal-missing' : 'wal-damaged';
      throw new WalError(code, `${folder} can't be read: ${textOf(error)}`);
    }),
  );
  const first = segmentHolding(from, segmentBytes);
  let number = first;
  while (names.has(segmentName({ timeline, number }, segmentBytes))) number += 1n;
  if (number === first)
    throw new WalError(
      'wal-missing',
      `the segment ${segmentName({ timeline, number }, segmentBytes)} is gone from ${folder}`,
    );
  const end = segmentStart(number, segmentBytes);
  // A position past the last one there is: the log of a cluster never gets near it.
  return lsnBytes(end) === 0n ? lsnText(0xffff_ffff_ffff_ffffn) : end;
}
