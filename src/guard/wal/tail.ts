/**
 * The old side's half of shipping: reads the end of its log for a standby that has not received it (safety.md, fence proof
 * *released*). Only complete valid records are sent, and only from a server that is proven to be down.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import Type, { type Static } from 'typebox';
import { type Lsn, Lsn as LsnSchema, lsnBytes } from '../../model/primitives.ts';
import { endOfWal } from './end-of-wal.ts';
import { goOn, WalError } from './errors.ts';
import { segmentHolding, segmentName, segmentStart, segmentsOf } from './segments.ts';
import { insistStopped, type Stopped } from './stopped.ts';
import type { Programs } from './tool.ts';

/** What a standby asks for: everything after what it has. */
export const TailAsked = Type.Object(
  {
    systemIdentifier: Type.String({ pattern: '^\\d{1,20}$' }),
    timeline: Type.Integer({ minimum: 1 }),
    /** The later of what it received and what it replayed. */
    fromLsn: LsnSchema,
  },
  { additionalProperties: false },
);
export type TailAsked = Static<typeof TailAsked>;

/** What is sent: the log from the begin of the segment of `fromLsn`, so that the receiver can compare what it has. */
export const TailHead = Type.Object(
  {
    version: Type.Literal(1),
    systemIdentifier: Type.String({ pattern: '^\\d{1,20}$' }),
    timeline: Type.Integer({ minimum: 1 }),
    segmentBytes: Type.Integer({ minimum: 1 << 20, maximum: 1 << 30 }),
    startLsn: LsnSchema,
    fromLsn: LsnSchema,
    /** The end of the valid log there. Not after `fromLsn`: there is nothing to send, and the body is empty but for its digest. */
    endLsn: LsnSchema,
  },
  { additionalProperties: false },
);
export type TailHead = Static<typeof TailHead>;

/** The digest that ends the body: SHA-256 of the head and of every byte before it. */
export const DIGEST_BYTES = 32;
const CHUNK_BYTES = 262_144;

export const bytesOfTail = ({ startLsn, fromLsn, endLsn }: TailHead): number =>
  lsnBytes(endLsn) > lsnBytes(fromLsn) ? Number(lsnBytes(endLsn) - lsnBytes(startLsn)) : 0;

/** The fields in the order of the schema, so that both sides digest the same text. */
export const textOfHead = (head: TailHead): string =>
  JSON.stringify(Object.keys(TailHead.properties).map((key) => head[key as keyof TailHead]));

/**
 * Opens the tail. The body may be read once.
 * @throws WalError `running`, `not-this-cluster` (another cluster or timeline), `wal-missing` (recycled: the standby is too far
 *   behind), and what `endOfWal` throws
 */
export async function openTail(
  source: { readonly dataDir: string; readonly programs: Programs; readonly stopped: Stopped },
  asked: TailAsked,
  signal: AbortSignal,
): Promise<{ readonly head: TailHead; readonly body: AsyncIterable<Buffer> }> {
  await insistStopped(source.stopped, source.dataDir, signal);
  const { control, lsn, timeline } = await endOfWal(source.dataDir, source.programs, signal);
  const { systemIdentifier, segmentBytes } = control;
  if (asked.systemIdentifier !== systemIdentifier)
    throw new WalError('not-this-cluster', `this is cluster ${systemIdentifier}, not ${asked.systemIdentifier}`);
  if (asked.timeline !== timeline)
    throw new WalError(
      'not-this-cluster',
      `the log here ends on timeline ${timeline}, the standby is on ${asked.timeline}`,
    );
  const head: TailHead = {
    version: 1,
    systemIdentifier,
    timeline,
    segmentBytes,
    startLsn: segmentStart(segmentHolding(asked.fromLsn, segmentBytes), segmentBytes),
    fromLsn: asked.fromLsn,
    endLsn: lsn,
  };
  const parts = bytesOfTail(head) === 0 ? [] : partsOf(source.dataDir, head);
  for (const { path } of parts) {
    if ((await stat(path).catch(() => null))?.size === segmentBytes) continue;
    throw new WalError(
      'wal-missing',
      `${path} is gone: the log since ${asked.fromLsn} is no longer whole here`,
      'the standby is too far behind for the tail alone',
    );
  }
  return { head, body: bodyOf(head, parts, signal) };
}

type Part = { readonly path: string; readonly bytes: number };

function partsOf(dataDir: string, { timeline, startLsn, endLsn, segmentBytes }: TailHead): readonly Part[] {
  return segmentsOf(startLsn, endLsn, segmentBytes).map((number) => ({
    path: join(dataDir, 'pg_wal', segmentName({ timeline, number }, segmentBytes)),
    bytes: upTo(endLsn, number, segmentBytes),
  }));
}

/** How much of a segment is before `end`. */
export const upTo = (end: Lsn, number: bigint, segmentBytes: number): number =>
  Math.min(segmentBytes, Number(lsnBytes(end) - number * BigInt(segmentBytes)));

async function* bodyOf(head: TailHead, parts: readonly Part[], signal: AbortSignal): AsyncGenerator<Buffer> {
  const hash = createHash('sha256').update(textOfHead(head));
  for (const { path, bytes } of parts) {
    for await (const chunk of createReadStream(path, { end: bytes - 1, highWaterMark: CHUNK_BYTES })) {
      goOn(signal, `sending ${path}`);
      hash.update(chunk);
      yield chunk;
    }
  }
  yield hash.digest();
}
