/**
 * Keeps what only the old side has: the part of its log after the fork goes into an archive before anything starts, rewinds or
 * rebuilds that PostgreSQL (invariants 21 and 26). Started, it would go on writing over recycled segments; rewound, it would
 * lose them.
 */
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type Lsn, lsnBytes } from '../../model/primitives.ts';
import { controlData } from './control-data.ts';
import { copyWhole, type Digest, digestOf, makeFolder, writeWhole } from './durable.ts';
import type { EndOfWal } from './end-of-wal.ts';
import { goOn, orDiskFull, systemCodeOf, WalError } from './errors.ts';
import { type ArchiveManifest, readManifest, verifyArchive, writeManifest } from './manifest.ts';
import { segmentNamesOf, wayFrom } from './own-history.ts';
import { segmentHolding, segmentOf } from './segments.ts';
import { insistStopped, type Stopped } from './stopped.ts';
import type { Fork } from './timeline.ts';
import type { Programs } from './tool.ts';

export type ArchiveRequest = {
  readonly dataDir: string;
  readonly programs: Programs;
  /** Asked before the first byte is copied, and again before the archive counts. */
  readonly stopped: Stopped;
  readonly fork: Fork;
  readonly end: EndOfWal;
  /** Holds the archives, on a file system of its own if possible; each gets a folder in it. Made if need be. */
  readonly target: string;
};

export type Archived = { readonly folder: string; readonly manifest: ArchiveManifest };

/** Left free on the archive's file system beyond what is copied. */
const SPARE_BYTES = 1_048_576;
const CONTROL_TEXT = 'pg_controldata.txt';
const CONTROL_FILE = 'pg_control';

/**
 * Archives the segments that hold `[fork, end)`, unfinished ones of that range, the history files, and the control file.
 *
 * The folder is named by cluster, fork and end, so that asking again finds it, and goes on where a crash cut it off. The
 * manifest is written last, and read back with every file. Segments that are gone are named in `missing`.
 *
 * @throws WalError `running`, `disk-full` (nothing unfinished is left), `checksum`, `not-archived`, `aborted`
 */
export async function archiveDivergent(request: ArchiveRequest, signal: AbortSignal): Promise<Archived> {
  const { dataDir, fork, end, target, stopped } = request;
  await insistStopped(stopped, dataDir, signal);
  const folder = join(target, archiveName(end.control.systemIdentifier, fork, end));
  if ((await readManifest(folder)) !== null) return { folder, manifest: await verifyArchive(folder, signal) };
  const pgWal = join(dataDir, 'pg_wal');
  const names = await readdir(pgWal);
  const { segmentBytes } = end.control;
  // Without these the divergent log is not whole.
  const needed = (await wayFrom(fork, end, pgWal)).flatMap((way) => segmentNamesOf(way, segmentBytes));
  const wanted = names.filter((name) => belongs(name, fork, end)).sort();
  try {
    await makeFolder(folder);
    await insistRoom(folder, pgWal, wanted);
    const files: { name: string; bytes: number; sha256: string }[] = [];
    for (const name of wanted) files.push({ name, ...(await keep(join(pgWal, name), join(folder, name), signal)) });
    await writeWhole(join(folder, CONTROL_TEXT), async (handle) => handle.writeFile(end.control.text));
    files.push({ name: CONTROL_TEXT, ...(await digestOf(join(folder, CONTROL_TEXT), signal)) });
    const control = join(dataDir, 'global', CONTROL_FILE);
    files.push({ name: CONTROL_FILE, ...(await keep(control, join(folder, CONTROL_FILE), signal)) });
    await insistUntouched(request, signal);
    const { systemIdentifier } = end.control;
    await writeManifest(folder, {
      version: 1,
      systemIdentifier,
      forkTimeline: fork.timeline,
      forkLsn: fork.lsn,
      endTimeline: end.timeline,
      endLsn: end.lsn,
      segmentBytes,
      missing: needed.filter((name) => !names.includes(name)),
      files,
    });
  } catch (error) {
    throw orDiskFull(error, `archiving into ${folder}`);
  }
  return { folder, manifest: await verifyArchive(folder, signal) };
}

const dashed = (lsn: Lsn): string => lsn.replace('/', '-');

function archiveName(systemIdentifier: string, fork: Fork, end: EndOfWal): string {
  return `${systemIdentifier}_${fork.timeline}_${dashed(fork.lsn)}_${end.timeline}_${dashed(end.lsn)}`;
}

/**
 * Every segment from the fork's to the last, of the timeline of the fork and of those after it; the server's own names of
 * unfinished ones (`.partial`); all histories. What recycling left beyond the end is no log.
 */
function belongs(name: string, fork: Fork, end: EndOfWal): boolean {
  if (/^[0-9A-F]{8}\.history$/.test(name)) return true;
  const { segmentBytes } = end.control;
  const segment = segmentOf(name.replace(/\.partial$/, ''), segmentBytes);
  if (segment === null || segment.timeline < fork.timeline) return false;
  const first = segmentHolding(fork.lsn, segmentBytes);
  const last = segmentHolding(end.lsn, segmentBytes);
  return lsnBytes(end.lsn) > lsnBytes(fork.lsn) && segment.number >= first && segment.number <= last;
}

/** Said before the first byte rather than after the last that fits. */
async function insistRoom(folder: string, pgWal: string, names: readonly string[]): Promise<void> {
  let needBytes = SPARE_BYTES;
  for (const name of names) {
    const there = await stat(join(folder, name)).catch(() => null);
    if (there === null) needBytes += (await stat(join(pgWal, name))).size;
  }
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= needBytes) return;
  throw new WalError(
    'disk-full',
    `the archive needs ${needBytes} bytes in ${folder}, which has ${bavail * bsize}`,
    'make room there, or name another folder: nothing was changed, and the old primary must not be started before',
  );
}

/** A copy that is there already is kept if it is the same, to the byte. */
async function keep(from: string, to: string, signal: AbortSignal): Promise<Digest> {
  goOn(signal, `archiving ${from}`);
  const there = await digestOf(to, signal).catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (there !== null && there.sha256 === (await digestOf(from, signal)).sha256) return there;
  return await copyWhole(from, to, signal);
}

/** Somebody who started the server while it was copied has changed what the archive must hold. */
async function insistUntouched(request: ArchiveRequest, signal: AbortSignal): Promise<void> {
  await insistStopped(request.stopped, request.dataDir, signal);
  const now = await controlData(request.dataDir, request.programs, signal);
  if (now.text === request.end.control.text) return;
  throw new WalError(
    'running',
    `PostgreSQL was started in ${request.dataDir} while its log was archived`,
    'keep it stopped, find the end of its log again, and archive again',
  );
}
