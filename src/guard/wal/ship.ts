/** Shipping over HTTP between two guards: the tail as the body of one answer, its head in a header. */
import { Readable } from 'node:stream';
import Value from 'typebox/value';
import type { Lsn } from '../../model/primitives.ts';
import { lsnBytes } from '../../model/primitives.ts';
import type { Timers } from '../../runtime/timers.ts';
import { goOn, WalError } from './errors.ts';
import { type Shipped, type Standby, takeTail } from './receive.ts';
import type { Stopped } from './stopped.ts';
import { openTail, TailAsked, TailHead } from './tail.ts';
import type { Programs } from './tool.ts';

export const TAIL_HEADER = 'failoverd-wal-tail';

/** The query of the request, for the path that the guards agree on. */
export const tailQuery = ({ systemIdentifier, timeline, fromLsn }: TailAsked): URLSearchParams =>
  new URLSearchParams({ systemIdentifier, timeline: String(timeline), fromLsn });

/** @throws WalError `not-this-cluster` for a query that asks for nothing that can be had */
export function readTailQuery(query: URLSearchParams): TailAsked {
  const timeline = query.get('timeline') ?? '';
  const asked = {
    systemIdentifier: query.get('systemIdentifier'),
    timeline: /^\d{1,9}$/.test(timeline) ? Number(timeline) : timeline,
    fromLsn: query.get('fromLsn'),
  };
  if (Value.Check(TailAsked, asked)) return asked;
  const [first] = Value.Errors(TailAsked, asked);
  throw new WalError(
    'not-this-cluster',
    `${first?.instancePath.slice(1) ?? 'the query'} ${first?.message ?? 'is wrong'}`,
    'ask with systemIdentifier, timeline and fromLsn',
  );
}

/**
 * The answer of the old side's guard, which has let in who asks. An error in the middle of the body ends the connection, and
 * the receiver finds it cut short.
 * @throws what `openTail` throws
 */
export async function answerTail(
  source: { readonly dataDir: string; readonly programs: Programs; readonly stopped: Stopped },
  asked: TailAsked,
  signal: AbortSignal,
): Promise<{ readonly headers: Readonly<Record<string, string>>; readonly body: Readable }> {
  const { head, body } = await openTail(source, asked, signal);
  return {
    headers: { 'content-type': 'application/octet-stream', [TAIL_HEADER]: JSON.stringify(head) },
    body: Readable.from(body, { objectMode: false }),
  };
}

/** What came over the wire. */
export type TailAnswer = {
  readonly status: number;
  readonly header: (name: string) => string | null;
  readonly body: AsyncIterable<Uint8Array>;
};

/**
 * Asks the old side's guard for the tail and gives it to the standby. `get` sends the request, with this query, to where that
 * guard listens, and ends by itself.
 * @throws WalError `unreachable`, and what `takeTail` throws; without the tail the promotion may go on with what the standby has
 */
export async function shipTail(
  standby: Standby,
  asked: TailAsked,
  get: (query: URLSearchParams, signal: AbortSignal) => Promise<TailAnswer>,
  signal: AbortSignal,
): Promise<Shipped> {
  let answer: TailAnswer;
  try {
    answer = await get(tailQuery(asked), signal);
  } catch (error) {
    throw unreachable(error);
  }
  if (answer.status !== 200) throw new WalError('unreachable', `the old side’s guard answers ${answer.status}`);
  let head: unknown;
  try {
    head = JSON.parse(answer.header(TAIL_HEADER) ?? '');
  } catch (error) {
    throw unreachable(error);
  }
  if (!Value.Check(TailHead, head)) throw new WalError('unreachable', `the header ${TAIL_HEADER} says nothing usable`);
  return await takeTail(standby, asked, head, orCutShort(answer.body), signal);
}

const unreachable = (error: unknown): WalError =>
  new WalError('unreachable', `the old side’s guard can’t be asked: ${error instanceof Error ? error.message : error}`);

/** A connection that breaks has brought less than all. */
async function* orCutShort(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw new WalError('checksum', `the tail was cut short: ${error instanceof Error ? error.message : error}`);
  }
}

/** How often the standby is asked. */
const POLL_MS = 20;

/**
 * Waits until the standby has replayed up to there, and returns how far it was at last. `replayed` asks it.
 * @throws WalError `timeout` when it has not within `withinMs`, `aborted`
 */
export async function awaitReplay(
  replayed: () => Promise<Lsn | null>,
  endLsn: Lsn,
  limits: { readonly timers: Timers; readonly withinMs: number },
  signal: AbortSignal,
): Promise<Lsn> {
  let late = false;
  const cancel = limits.timers.after(limits.withinMs, () => {
    late = true;
  });
  try {
    for (;;) {
      goOn(signal, 'waiting for the replay');
      const lsn = await replayed();
      if (lsn !== null && lsnBytes(lsn) >= lsnBytes(endLsn)) return lsn;
      if (late) throw new WalError('timeout', `the standby has replayed up to ${lsn ?? 'nowhere'}, not to ${endLsn}`);
      await new Promise<void>((resolve) => void limits.timers.after(POLL_MS, resolve));
    }
  } finally {
    cancel();
  }
}
