/** Divergence as people read it: where the histories parted, what is archived, and what changed there. PURE. */
import { bytesText, counted, lossText, utcText } from '../daemon/text.ts';
import type { ArchiveManifest } from '../guard/wal/manifest.ts';
import type { Divergence, DivergentRelation, FoundDivergence } from '../model/divergence.ts';
import { lsnGapBytes } from '../model/primitives.ts';
import type { ReviewedRun } from '../model/review.ts';
import { table } from './table.ts';
import { labelled, type Paint, printable, wrap } from './terminal.ts';

/** Rows of the table; `--json` has them all. */
const MOST_SHOWN = 20;

export function runLines(run: ReviewedRun, paint: Paint): string[] {
  const found = Object.values(run.divergence ?? {});
  const head = [paint('bold', `${run.id}: ${run.from} to ${run.to}`), ...labelled('lost', lossText(run.loss), 12)];
  if (found.length === 0)
    return [
      ...head,
      ...labelled('basis', run.loss.basis, 12),
      '',
      ...wrap(
        `What ${run.from} alone has is not counted yet: its guard does so once it is back, before it is rebuilt.`,
      ),
    ];
  return [...head, ...found.flatMap((one) => ['', ...foundLines(one, paint)])];
}

const foundLines = (found: FoundDivergence, paint: Paint): string[] => [
  paint('bold', found.component),
  ...countLines(found),
  ...labelled('archive', found.archive, 12),
  ...relationLines(found.relations, found.moreRelations, paint),
];

export function archiveLines(folder: string, manifest: ArchiveManifest, found: Divergence, paint: Paint): string[] {
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  return [
    paint('bold', `cluster ${manifest.systemIdentifier}`),
    ...countLines(found),
    ...labelled('archive', `${folder}: ${counted(manifest.files.length, 'file')}, ${bytesText(bytes)}, verified`, 12),
    ...manifest.missing.flatMap((name) => labelled('missing', name, 12)),
    ...relationLines(found.relations, 0, paint),
  ];
}

type Counted = Omit<Divergence, 'relations'>;

function countLines(found: Counted): string[] {
  const { timeline, forkLsn, endLsn, commits, prepared, firstCommitAt, lastCommitAt, complete } = found;
  const bytes = bytesText(Math.max(0, lsnGapBytes(endLsn, forkLsn)));
  const between =
    firstCommitAt === null || lastCommitAt === null
      ? ''
      : `, from ${utcText(firstCommitAt)} to ${utcText(lastCommitAt)} by its own clock`;
  return [
    ...labelled('parted', `at ${forkLsn} on timeline ${timeline}`, 12),
    ...labelled('its log', `ends at ${endLsn}: ${bytes} more`, 12),
    ...labelled('commits', `${complete ? '' : 'at least '}${commits}${between}`, 12),
    ...(prepared === 0 ? [] : labelled('prepared', `${counted(prepared, 'transaction')} left open`, 12)),
    ...(complete ? [] : labelled('incomplete', 'parts of its log were recycled before it was archived', 12)),
  ];
}

function relationLines(relations: readonly DivergentRelation[], more: number, paint: Paint): string[] {
  if (relations.length === 0) return [];
  const shown = relations.slice(0, MOST_SHOWN);
  const rest = relations.length - shown.length + more;
  const [first = '', ...rows] = table([
    ['rows changed', 'relation'],
    ...shown.map(({ file, name, changes }) => [String(changes), printable(name ?? `file ${file}`)]),
  ]);
  return ['', paint('dim', first), ...rows, ...(rest === 0 ? [] : [`  and ${counted(rest, 'relation')} more`])];
}
