/** The old side's own way from the fork to its end: mostly one stretch of one timeline, more if it was promoted since. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Lsn, lsnBytes } from '../../model/primitives.ts';
import { systemCodeOf, WalError } from './errors.ts';
import { historyName, segmentName, segmentsOf } from './segments.ts';
import { type Fork, stretchesOf } from './timeline.ts';

export type Way = { readonly timeline: number; readonly from: Lsn; readonly to: Lsn };

/** The history file of a timeline in that folder; null for the first, which has none. @throws WalError `wal-missing` */
export async function historyIn(folder: string, timeline: number): Promise<string | null> {
  return await readFile(join(folder, historyName(timeline)), 'utf8').catch((error: unknown) => {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
    if (timeline === 1) return null;
    throw new WalError('wal-missing', `the history of timeline ${timeline} is gone from ${folder}`);
  });
}

/** The stretches of log after the fork, oldest first; none when the old side has nothing of its own. */
export async function wayFrom(
  fork: Fork,
  end: { readonly timeline: number; readonly lsn: Lsn },
  folder: string,
): Promise<readonly Way[]> {
  const ways: Way[] = [];
  let from = fork.lsn;
  for (const { timeline, end: parted } of stretchesOf(end.timeline, await historyIn(folder, end.timeline))) {
    const to = parted ?? end.lsn;
    if (timeline < fork.timeline || lsnBytes(to) <= lsnBytes(from)) continue;
    ways.push({ timeline, from, to });
    from = to;
  }
  return ways;
}

export const segmentNamesOf = ({ timeline, from, to }: Way, segmentBytes: number): readonly string[] =>
  segmentsOf(from, to, segmentBytes).map((number) => segmentName({ timeline, number }, segmentBytes));
