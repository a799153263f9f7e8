/** Arithmetic of log positions and of the files that hold them, as PostgreSQL names them. PURE. */
import { type Lsn, lsnBytes } from '../../model/primitives.ts';

/** The text of a position, as PostgreSQL prints it. */
export const lsnText = (position: bigint): Lsn =>
  `${(position >> 32n).toString(16).toUpperCase()}/${(position & 0xffff_ffffn).toString(16).toUpperCase()}`;

export type Segment = {
  readonly timeline: number;
  /** Its place in the log: it holds `[number * size, (number + 1) * size)`. */
  readonly number: bigint;
};

const hex = (value: bigint | number): string => value.toString(16).toUpperCase().padStart(8, '0');

/** Segments of one 4 GiB part of the log: the name counts within parts. */
const perPart = (segmentBytes: number): bigint => 0x1_0000_0000n / BigInt(segmentBytes);

export const segmentName = ({ timeline, number }: Segment, segmentBytes: number): string =>
  `${hex(timeline)}${hex(number / perPart(segmentBytes))}${hex(number % perPart(segmentBytes))}`;

/** The segment that a file holds; null for a file that is none (`.partial`, `.history`, a folder). */
export function segmentOf(name: string, segmentBytes: number): Segment | null {
  const match = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/.exec(name);
  if (match === null) return null;
  const [, timeline = '', part = '', place = ''] = match;
  const number = BigInt(`0x${part}`) * perPart(segmentBytes) + BigInt(`0x${place}`);
  return { timeline: Number.parseInt(timeline, 16), number };
}

export const segmentHolding = (lsn: Lsn, segmentBytes: number): bigint => lsnBytes(lsn) / BigInt(segmentBytes);
export const segmentStart = (number: bigint, segmentBytes: number): Lsn => lsnText(number * BigInt(segmentBytes));

/** Numbers of the segments that hold `[from, to)`, in order; none when it is empty. */
export function segmentsOf(from: Lsn, to: Lsn, segmentBytes: number): readonly bigint[] {
  const size = BigInt(segmentBytes);
  const numbers: bigint[] = [];
  for (let number = lsnBytes(from) / size; number * size < lsnBytes(to); number += 1n) {
    if (lsnBytes(from) < lsnBytes(to)) numbers.push(number);
  }
  return numbers;
}

export const historyName = (timeline: number): string => `${hex(timeline)}.history`;
