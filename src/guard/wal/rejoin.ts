/**
 * Brings the old primary home: archives what only it has, makes its files those of the new primary's history, and leaves a
 * stopped standby for its guard to start. Each step is written down before it changes anything, and each can be done again: a
 * rejoin that was cut off anywhere is asked for once more, and goes on.
 *
 * 1. Proof of stop, before every step (invariant 21).
 * 2. The divergent log goes into the archive, which is verified by reading it again, before each step from here on. A server
 *    that came back by itself in between has changed its control file: what it added is archived too, from the beginning.
 * 3. `pg_rewind`, after a checkpoint on the new primary; where that is not to be had, fails, or was cut off, a clone beside
 *    the old files, which then takes their place.
 * 4. Its own configuration, `standby.signal`, and where it streams from.
 */
import { chown, mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { lsnBytes } from '../../model/primitives.ts';
import { type Archived, archiveDivergent } from './archive.ts';
import { insistNoTablespaces, isThere, newCopy, oldFilesOf } from './beside.ts';
import { type Clone, hasTool, type RewindFrom, rewind } from './clone.ts';
import { type ControlData, controlData } from './control-data.ts';
import { syncFolder } from './durable.ts';
import { endOfWal } from './end-of-wal.ts';
import { orDiskFull, textOf, WalError } from './errors.ts';
import { type ArchiveManifest, verifyArchive } from './manifest.ts';
import { type Ask, checkpoint, ensureSlot, readNewPrimary } from './new-primary.ts';
import { historyIn } from './own-history.ts';
import { type RejoinRecord, readRecord, writeRecord } from './rejoin-record.ts';
import { ownFiles, type Upstream, writeOwned, writeStandby } from './standby-settings.ts';
import { insistStopped, type Stopped } from './stopped.ts';
import { forkPoint } from './timeline.ts';
import type { Programs } from './tool.ts';

export type RejoinRequest = {
  readonly dataDir: string;
  readonly programs: Programs;
  readonly stopped: Stopped;
  /** Folder of the archives. */
  readonly archives: string;
  /** File that keeps how far it got, outside of the data directory and of the archives. */
  readonly recordFile: string;
  readonly newPrimary: {
    readonly ask: Ask;
    /** Null = always clone. */
    readonly rewindFrom: RewindFrom | null;
    readonly clone: Clone;
    /** What the standby streams from afterwards. */
    readonly upstream: Upstream;
  };
  /** Files at the top of the data directory that are this server's own besides its `.conf` files: certificates, keys. */
  readonly keep: readonly string[];
  /**
   * A person has accepted that segments of the divergent log were recycled: what they held is in the old data files alone, and
   * goes with them.
   */
  readonly acceptMissing: boolean;
};

export type Rejoined = {
  readonly archive: Archived;
  readonly method: 'rewind' | 'clone';
};

/**
 * Goes on from wherever it stands, to a stopped standby.
 * @throws WalError `running`, `not-archived` (also: segments are missing and nobody accepted it), `checksum`, `no-fork`,
 *   `not-this-cluster`, `disk-full`, `tool-failed`, `tool-missing`, `aborted`. Asked again, it goes on.
 */
export async function rejoin(request: RejoinRequest, signal: AbortSignal): Promise<Rejoined> {
  const { dataDir, stopped, recordFile } = request;
  // What this call wrote down last: a rewind that it finds written down by an earlier one was cut off.
  let own: RejoinRecord | null = null;
  try {
    for (;;) {
      await insistStopped(stopped, dataDir, signal);
      const record: RejoinRecord | null = own ?? (await readRecord(recordFile));
      if (record === null || (own?.step !== 'rewinding' && (await cameBack(request, record, signal)))) {
        // One that was through is over: this is another rejoin, with the configuration of today.
        own = await archiveFirst(request, record?.step === 'configured' ? null : record, signal);
      } else {
        const manifest = await insistArchived(request, record, signal);
        const cutOff: boolean = own === null && record.step === 'rewinding';
        const next: RejoinRecord | null = cutOff
          ? await toClone(request, record, signal)
          : await STEPS[record.step](request, record, signal);
        const { archive: folder, method } = record;
        if (next === null) return { archive: { folder, manifest }, method: method === 'rewind' ? 'rewind' : 'clone' };
        own = next;
      }
      await writeRecord(recordFile, own);
    }
  } catch (error) {
    throw orDiskFull(error, `rejoining ${dataDir}`);
  }
}

/** Finds the end, finds the fork, archives; and takes note of the server's own configuration, the first time. */
async function archiveFirst(
  request: RejoinRequest,
  earlier: RejoinRecord | null,
  signal: AbortSignal,
): Promise<RejoinRecord> {
  const { dataDir, programs, stopped, archives, newPrimary, keep } = request;
  try {
    const end = await endOfWal(dataDir, programs, signal);
    const theirs = await readNewPrimary(newPrimary.ask, end.control.systemIdentifier);
    const ours = { timeline: end.timeline, history: await historyIn(join(dataDir, 'pg_wal'), end.timeline) };
    const fork = forkPoint(ours, theirs);
    const archive = await archiveDivergent({ dataDir, programs, stopped, fork, end, target: archives }, signal);
    const files = earlier?.files ?? encoded(await ownFiles(dataDir, keep));
    // A rewind that was cut off has left files that no second one can be trusted with.
    const method = earlier?.step === 'rewinding' || earlier?.method === 'clone' ? 'clone' : null;
    const control = end.control.text;
    return {
      version: 1,
      dataDir,
      step: 'archived',
      copy: null,
      archive: archive.folder,
      method,
      control,
      files,
      newTimeline: theirs.timeline,
    };
  } catch (error) {
    if (earlier?.step === 'rewinding' && (await isRewound(error, request, signal)))
      return await toClone(request, earlier, signal);
    throw error;
  }
}

/**
 * Half rewound, its log is no longer its own; rewound whole, it is on the new primary's timeline. What was archived before is all
 * there was, unless somebody started it as a primary on that timeline: then a person has to look.
 */
async function isRewound(error: unknown, { dataDir, programs }: RejoinRequest, signal: AbortSignal): Promise<boolean> {
  if (!(error instanceof WalError)) return false;
  if (error.code === 'wal-damaged' || error.code === 'wal-missing') return true;
  return error.code === 'no-fork' && !WROTE.includes((await controlData(dataDir, programs, signal)).state);
}

const encoded = (files: ReadonlyMap<string, Buffer>): Record<string, string> =>
  Object.fromEntries([...files].map(([name, bytes]) => [name, bytes.toString('base64')]));

/** States of a server that ran as a primary, or may have. */
const WROTE: readonly ControlData['state'][] = ['in production', 'shut down', 'shutting down', 'in crash recovery'];

/** Whether somebody started it since the record was written, so that its log may hold more than the archive. */
async function cameBack(request: RejoinRequest, record: RejoinRecord, signal: AbortSignal): Promise<boolean> {
  const { dataDir, programs } = request;
  if (record.dataDir !== dataDir)
    throw new WalError('not-this-cluster', `the record of the rejoin is of ${record.dataDir}, not of ${dataDir}`);
  // Between its two renames the data directory is not there, and nobody can have started it.
  const swapped = record.copy !== null && !((await isThere(record.copy)) && (await isThere(dataDir)));
  if (record.step === 'placing' && swapped) return false;
  const { text, state } = await controlData(dataDir, programs, signal);
  if (text === record.control) return false;
  if ((record.step !== 'placed' && record.step !== 'configured') || WROTE.includes(state)) return true;
  // As a standby it takes nothing that the new primary has not. But one that was through long ago may have been a primary since.
  return record.step === 'configured' && (await hasParted(request, signal));
}

/** Whether it has log of its own beyond the fork. */
async function hasParted({ dataDir, programs, newPrimary }: RejoinRequest, signal: AbortSignal): Promise<boolean> {
  const end = await endOfWal(dataDir, programs, signal);
  const theirs = await readNewPrimary(newPrimary.ask, end.control.systemIdentifier);
  if (theirs.timeline === end.timeline) return false;
  const history = await historyIn(join(dataDir, 'pg_wal'), end.timeline);
  return lsnBytes(end.lsn) > lsnBytes(forkPoint({ timeline: end.timeline, history }, theirs).lsn);
}

/** Invariant 21: no step without the archive, read again, whole. */
async function insistArchived(
  request: RejoinRequest,
  record: RejoinRecord,
  signal: AbortSignal,
): Promise<ArchiveManifest> {
  const manifest = await verifyArchive(record.archive, signal);
  if (manifest.missing.length === 0 || request.acceptMissing) return manifest;
  throw new WalError(
    'not-archived',
    `${manifest.missing.length} segments of the divergent log are gone, ${manifest.missing[0]} the first: what they held is in the data files alone`,
    'copy the data directory whole, then say that it may go on without them',
  );
}

async function toClone(
  { dataDir, programs }: RejoinRequest,
  record: RejoinRecord,
  signal: AbortSignal,
): Promise<RejoinRecord> {
  const { text } = await controlData(dataDir, programs, signal);
  return { ...record, step: 'cloning', method: 'clone', control: text };
}

/** Returns what to write down next; null = done. */
type Step = (request: RejoinRequest, record: RejoinRecord, signal: AbortSignal) => Promise<RejoinRecord | null>;

const STEPS: Readonly<Record<RejoinRecord['step'], Step>> = {
  async archived(request, record, signal) {
    const { newPrimary, programs, dataDir } = request;
    const { canRewind } = await controlData(dataDir, programs, signal);
    if (
      newPrimary.rewindFrom === null ||
      record.method === 'clone' ||
      !canRewind ||
      !(await hasTool(programs, 'pg_rewind'))
    )
      return await toClone(request, record, signal);
    await checkpoint(newPrimary.ask);
    return { ...record, step: 'rewinding', method: 'rewind' };
  },
  async rewinding(request, record, signal) {
    const { dataDir, programs, newPrimary } = request;
    if (newPrimary.rewindFrom === null) return await toClone(request, record, signal);
    const { rewound } = await rewind(dataDir, programs, newPrimary.rewindFrom, signal);
    if (!rewound) return await toClone(request, record, signal);
    // The signal of the old side went with its files: whoever starts it shall get a standby.
    await writeOwned(dataDir, 'standby.signal', async () => undefined);
    return { ...record, step: 'placed', control: (await controlData(dataDir, programs, signal)).text };
  },
  async cloning({ dataDir, newPrimary }, record, signal) {
    await insistNoTablespaces(dataDir);
    const copy = await newCopy(dataDir);
    const { uid, gid } = await stat(dataDir);
    await mkdir(copy, { mode: 0o700 });
    await chown(copy, uid, gid);
    await newPrimary.clone(copy, signal);
    await writeOwned(copy, 'standby.signal', async () => undefined);
    await syncFolder(dirname(dataDir));
    return { ...record, step: 'placing', copy };
  },
  async placing({ dataDir, programs }, record, signal) {
    const old = oldFilesOf(dataDir);
    if (record.copy !== null && (await isThere(record.copy))) {
      if (await isThere(dataDir)) {
        await rm(old, { recursive: true, force: true });
        await rename(dataDir, old).catch((error: unknown) => {
          throw new WalError(
            'tool-failed',
            `${dataDir} can't be moved aside: ${textOf(error)}`,
            'a data directory must not be a mount point: keep it in a folder below',
          );
        });
      }
      await rename(record.copy, dataDir);
      await syncFolder(dirname(dataDir));
    }
    return { ...record, step: 'placed', control: (await controlData(dataDir, programs, signal)).text };
  },
  async placed({ dataDir, newPrimary }, record) {
    for (const [name, bytes] of Object.entries(record.files))
      await writeOwned(dataDir, name, async (handle) => await handle.writeFile(Buffer.from(bytes, 'base64')));
    const { upstream, ask } = newPrimary;
    if (upstream.slot !== null) await ensureSlot(ask, upstream.slot);
    await writeStandby(dataDir, upstream);
    return { ...record, step: 'configured' };
  },
  async configured() {
    return null;
  },
};
