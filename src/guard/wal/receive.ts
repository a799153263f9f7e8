/**
 * The target's half of shipping: takes the tail of the old side's log, and gives it to the standby before it is promoted.
 *
 * Nothing reaches the standby before all of it is here, its digest is right, what it overlaps is what the standby has, and
 * PostgreSQL's own reader finds nothing but complete records in it. It is then written into the standby's `pg_wal`, where a
 * standby whose stream is cut looks by itself, every `wal_retrieve_retry_interval`; and once more when it is promoted. Files
 * that are there are written in place: the bytes are those that the stream would have brought, so that a receiver that
 * comes back writes the same.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { lsnBytes } from '../../model/primitives.ts';
import { syncFolder, writeWhole } from './durable.ts';
import { goOn, orDiskFull, systemCodeOf, WalError } from './errors.ts';
import { segmentName, segmentsOf } from './segments.ts';
import { bytesOfTail, DIGEST_BYTES, type TailAsked, type TailHead, textOfHead, upTo } from './tail.ts';
import { type Programs, runTool } from './tool.ts';

export type Standby = {
  readonly dataDir: string;
  readonly programs: Programs;
  /** A folder of the guard for what is not verified yet; emptied before and after. */
  readonly spool: string;
  /** More than this is refused: a standby so far behind is not for the tail to help. */
  readonly maxBytes: number;
};

/** What the standby has on disk now, and replays by itself. */
export type Shipped = { readonly endLsn: string; readonly bytes: number };

/**
 * Takes the tail and writes it into the standby's `pg_wal`; the standby may run or not. Done again, it does the same.
 * @throws WalError `not-this-cluster`, `checksum` (cut short, changed, not valid, or of another history), `disk-full`,
 *   `wal-damaged`, `aborted`; the standby is as it was then
 */
export async function takeTail(
  standby: Standby,
  asked: TailAsked,
  head: TailHead,
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<Shipped> {
  insistAsked(asked, head, standby.maxBytes);
  try {
    await rm(standby.spool, { recursive: true, force: true });
    await mkdir(standby.spool, { recursive: true, mode: 0o700 });
    await spoolBody(standby.spool, head, body, signal);
    const bytes = bytesOfTail(head);
    if (bytes > 0) {
      await insistValid(standby, head, signal);
      await insistSameHistory(standby, head, signal);
      await install(standby, head, signal);
    }
    await rm(standby.spool, { recursive: true, force: true });
    return { endLsn: bytes > 0 ? head.endLsn : asked.fromLsn, bytes };
  } catch (error) {
    throw orDiskFull(error, `taking the tail into ${standby.dataDir}`);
  }
}

function insistAsked(asked: TailAsked, head: TailHead, maxBytes: number): void {
  const { systemIdentifier, timeline, fromLsn } = asked;
  if (head.systemIdentifier !== systemIdentifier || head.timeline !== timeline || head.fromLsn !== fromLsn)
    throw new WalError('not-this-cluster', 'the tail that came is not the one that was asked for');
  const size = BigInt(head.segmentBytes);
  if ((lsnBytes(fromLsn) / size) * size !== lsnBytes(head.startLsn))
    throw new WalError(
      'checksum',
      `the tail begins at ${head.startLsn}, which is not where the segment of ${fromLsn} does`,
    );
  if (bytesOfTail(head) > maxBytes)
    throw new WalError(
      'disk-full',
      `the tail has ${bytesOfTail(head)} bytes, more than the ${maxBytes} that are let in`,
    );
}

/** Whole segments, the last one filled up with zeros, as a server makes new ones. */
async function spoolBody(
  spool: string,
  head: TailHead,
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const hash = createHash('sha256').update(textOfHead(head));
  const reader = new BodyReader(body);
  for (const number of bytesOfTail(head) === 0 ? [] : segmentsOf(head.startLsn, head.endLsn, head.segmentBytes)) {
    await writeWhole(
      join(spool, segmentName({ timeline: head.timeline, number }, head.segmentBytes)),
      async (handle) => {
        for (let left = upTo(head.endLsn, number, head.segmentBytes); left > 0; ) {
          goOn(signal, 'taking the tail');
          const chunk = await reader.take(left);
          hash.update(chunk);
          await handle.writeFile(chunk);
          left -= chunk.length;
        }
        await handle.truncate(head.segmentBytes);
      },
    );
  }
  const digest: Uint8Array[] = [];
  for (let left = DIGEST_BYTES; left > 0; left -= digest.at(-1)?.length ?? 0) digest.push(await reader.take(left));
  if (!Buffer.concat(digest).equals(hash.digest())) throw new WalError('checksum', 'the tail was changed on its way');
  if (!(await reader.ended())) throw new WalError('checksum', 'the tail is longer than it says');
}

class BodyReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#source = body[Symbol.asyncIterator]();
  }

  /** Up to so many bytes, at least one. */
  async take(most: number): Promise<Uint8Array> {
    while (this.#rest.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) throw new WalError('checksum', 'the tail was cut short');
      this.#rest = next.value;
    }
    const chunk = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(chunk.length);
    return chunk;
  }

  async ended(): Promise<boolean> {
    if (this.#rest.length > 0) return false;
    for (;;) {
      const next = await this.#source.next();
      if (next.done === true) return true;
      if (next.value.length > 0) return false;
    }
  }
}

/** PostgreSQL's own reader goes through it, and ends where the sender said that the valid log ends. */
async function insistValid({ spool, programs }: Standby, head: TailHead, signal: AbortSignal): Promise<void> {
  const range = ['--path', spool, '--timeline', String(head.timeline), '--start', head.startLsn, '--end', head.endLsn];
  const { output, complaint } = await runTool('pg_waldump', ['--stats', ...range], programs, signal);
  const found = /^WAL statistics between \S+ and ([0-9A-F]+\/[0-9A-F]+):/m.exec(output)?.[1];
  if (found !== undefined && lsnBytes(found) === lsnBytes(head.endLsn)) return;
  throw new WalError('checksum', `the tail is valid up to ${found ?? 'nowhere'}, not to ${head.endLsn}: ${complaint}`);
}

/** Where the tail overlaps what the standby has, both are the same to the byte; another history is not mixed into it. */
async function insistSameHistory({ dataDir, spool }: Standby, head: TailHead, signal: AbortSignal): Promise<void> {
  const size = BigInt(head.segmentBytes);
  const name = segmentName({ timeline: head.timeline, number: lsnBytes(head.startLsn) / size }, head.segmentBytes);
  const overlapBytes = Number(lsnBytes(head.fromLsn) - lsnBytes(head.startLsn));
  if (overlapBytes === 0) return;
  // Not there: the standby took that part from an archive. Its replay checks that each record follows the one before.
  const own = await open(join(dataDir, 'pg_wal', name), 'r').catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (own === null) return;
  try {
    let offset = 0;
    for await (const chunk of createReadStream(join(spool, name), { end: overlapBytes - 1 })) {
      goOn(signal, 'comparing the tail');
      const mine = Buffer.alloc(chunk.length);
      await own.read(mine, 0, mine.length, offset);
      if (!mine.equals(chunk))
        throw new WalError(
          'checksum',
          `the standby’s ${name} differs before ${head.fromLsn}: the tail is of another history`,
        );
      offset += chunk.length;
    }
  } finally {
    await own.close();
  }
}

/** Later segments first: the standby goes on as soon as the first is there, and finds the rest. */
async function install({ dataDir, spool }: Standby, head: TailHead, signal: AbortSignal): Promise<void> {
  const folder = join(dataDir, 'pg_wal');
  const { uid, gid } = await stat(folder);
  for (const number of segmentsOf(head.startLsn, head.endLsn, head.segmentBytes).toReversed()) {
    const name = segmentName({ timeline: head.timeline, number }, head.segmentBytes);
    const path = join(folder, name);
    const there = await open(path, 'r+').catch((error: unknown) => {
      if (systemCodeOf(error) === 'ENOENT') return null;
      throw error;
    });
    if (there === null) {
      await writeWhole(path, async (handle) => {
        await pour(join(spool, name), handle, head.segmentBytes, signal);
        await handle.chown(uid, gid);
      });
      continue;
    }
    try {
      await pour(join(spool, name), there, upTo(head.endLsn, number, head.segmentBytes), signal);
      await there.sync();
    } finally {
      await there.close();
    }
  }
  await syncFolder(folder);
}

async function pour(from: string, into: FileHandle, bytes: number, signal: AbortSignal): Promise<void> {
  let position = 0;
  for await (const chunk of createReadStream(from, { end: bytes - 1 })) {
    goOn(signal, `writing ${from}`);
    for (let done = 0; done < chunk.length; ) {
      const { bytesWritten } = await into.write(chunk, done, chunk.length - done, position + done);
      done += bytesWritten;
    }
    position += chunk.length;
  }
}
