/** Timelines: where histories part. PURE. Source of the rules: PostgreSQL's `NNNNNNNN.history` files. */
import { type Lsn, lsnBytes } from '../../model/primitives.ts';
import { WalError } from './errors.ts';

/** One stretch of a history: it is on `timeline` until `end`, or to this day. */
export type Stretch = { readonly timeline: number; readonly end: Lsn | null };

/**
 * The stretches of a history, oldest first, the last being `timeline` itself. `text` is its history file; timeline 1 has
 * none, and takes null.
 * @throws WalError `no-fork` for text that is no history of that timeline
 */
export function stretchesOf(timeline: number, text: string | null): readonly Stretch[] {
  const bad = (why: string): never => {
    throw new WalError('no-fork', `the history of timeline ${timeline} can't be read: ${why}`);
  };
  if (text === null && timeline !== 1) bad('its history file is missing');
  const stretches: Stretch[] = [];
  for (const line of (text ?? '').split('\n')) {
    // As the server does: empty lines and comments are skipped, what follows the position is for people.
    if (/^\s*(#|$)/.test(line)) continue;
    const match = /^\s*(\d+)\s+([0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8})(\s|$)/.exec(line);
    if (match === null) return bad(`“${line.slice(0, 80)}”`);
    const [, id, end = ''] = match;
    const before = stretches.at(-1);
    if (before !== undefined && (before.timeline >= Number(id) || lsnBytes(before.end ?? '0/0') > lsnBytes(end)))
      return bad('timelines and positions must grow');
    stretches.push({ timeline: Number(id), end });
  }
  if ((stretches.at(-1)?.timeline ?? 0) >= timeline) bad(`it names timeline ${stretches.at(-1)?.timeline}`);
  return [...stretches, { timeline, end: null }];
}

export type Fork = { readonly timeline: number; readonly lsn: Lsn };

/**
 * Where two histories part: both have the log up to `lsn`, which is on `timeline`; what either has after it, the other has
 * not. For an old primary whose standby was promoted this is the position in the new primary's history file.
 * @throws WalError `no-fork` when one is the beginning of the other with no end (nothing parted), or they share nothing
 */
export function forkPoint(
  ours: { readonly timeline: number; readonly history: string | null },
  theirs: { readonly timeline: number; readonly history: string | null },
): Fork {
  const a = stretchesOf(ours.timeline, ours.history);
  const b = stretchesOf(theirs.timeline, theirs.history);
  let fork: Fork | null = null;
  for (const [index, stretch] of a.entries()) {
    const other = b[index];
    if (other?.timeline !== stretch.timeline) break;
    const ends = [stretch.end, other.end].filter((end) => end !== null);
    const end = ends.reduce<Lsn | null>(
      (least, one) => (least === null || lsnBytes(one) < lsnBytes(least) ? one : least),
      null,
    );
    if (end === null)
      throw new WalError(
        'no-fork',
        `both sides are on timeline ${stretch.timeline}: nobody was promoted, nothing parted`,
      );
    fork = { timeline: stretch.timeline, lsn: end };
    if (stretch.end !== other.end) break;
  }
  if (fork === null)
    throw new WalError('no-fork', `timelines ${ours.timeline} and ${theirs.timeline} have no beginning in common`);
  return fork;
}
