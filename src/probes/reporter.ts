/**
 * Hands the observations of a witness to the daemon, signed. News or nothing: what could not be delivered while it was
 * new is dropped, since the daemon counts an observation from the moment it takes it in.
 */
import type { KeyObject } from 'node:crypto';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { Observation } from '../model/evidence.ts';
import type { MonoMs, VantageId } from '../model/primitives.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Timers } from '../runtime/timers.ts';
import type { Certificates } from '../runtime/tls.ts';
import type { Failure } from './failure.ts';
import { type HttpResult, request } from './http-request.ts';
import { REPORT_LIMIT_BYTES, REPORT_PATH, SIGNATURE_HEADER, signReport } from './report.ts';

/** Time from one round of posting to the next; well below the usual probe interval. */
const ROUND_MS = 500;
/** Nothing reaches the daemon later than this after it was seen, as far as it is in our hands. */
const NEW_FOR_MS = 3_000;
/** What the network gets of that: older observations are not sent any more. */
const DELIVERY_MS = 1_000;
/** Most that one report holds (`WitnessReport` in model/evidence.ts). */
const MOST_OBSERVATIONS = 500;
/** Room for everything in a body but the observations. */
const ENVELOPE_BYTES = 4_096;
const ANSWER_LIMIT_BYTES = 64 * 1024;
/** Before the daemon told its own: refused by every daemon, with the right one in the answer. */
const NO_SESSION = '0'.repeat(16);

/** What the daemon says when a report was signed for another session, or is not above the last one. */
const Conflict = Compile(
  Type.Object({
    session: Type.String({ minLength: 16, maxLength: 64 }),
    lastSequence: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 52 })),
  }),
);
const Problem = Compile(Type.Object({ type: Type.String({ maxLength: 200 }) }));

/** What came of one try to deliver, for logs. */
export type Delivery =
  | { readonly kind: 'delivered'; readonly observations: number }
  /** The daemon was started anew, or met us for the first time: we sign for its session from now on. */
  | { readonly kind: 'joined' }
  | { readonly kind: 'refused'; readonly status: number /** The problem's type, or empty. */; readonly problem: string }
  | { readonly kind: 'failed'; readonly failure: Failure }
  /** Grown old undelivered. */
  | { readonly kind: 'dropped'; readonly observations: number };

export type ReporterOptions = {
  readonly vantage: VantageId;
  readonly privateKey: KeyObject;
  readonly daemonUrl: URL;
  /** What the daemon's certificate is trusted by; without it what the system trusts. */
  readonly certificates?: Certificates | null;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Must not throw. */
  readonly tell: (delivery: Delivery) => void;
};

export type Reporter = {
  add(observations: readonly Observation[]): void;
  start(): void;
  /** Ends what is under way; what was not delivered is not. */
  stop(): Promise<void>;
};

type Waiting = { readonly observation: Observation; readonly seenMono: MonoMs; readonly bytes: number };

export function createReporter(options: ReporterOptions): Reporter {
  const { vantage, privateKey, clock, timers, tell } = options;
  const url = new URL(REPORT_PATH, options.daemonUrl);
  const stopping = new AbortController();
  let waiting: readonly Waiting[] = [];
  let session = NO_SESSION;
  let sequence = 0;
  let cancelRound = (): void => undefined;
  let round: Promise<void> = Promise.resolve();

  const dropOld = (): void => {
    const oldestMono = clock.mono() - (NEW_FOR_MS - DELIVERY_MS);
    const fresh = waiting.filter(({ seenMono }) => seenMono >= oldestMono);
    if (fresh.length < waiting.length) tell({ kind: 'dropped', observations: waiting.length - fresh.length });
    waiting = fresh;
  };

  const post = async (batch: readonly Waiting[]): Promise<HttpResult> => {
    const sentAt = clock.wall();
    // Wall time makes it grow over our own restarts too, of which the daemon knows nothing.
    sequence = Math.max(sequence + 1, Math.floor(sentAt));
    const observations = batch.map(({ observation }) => observation);
    const { body, signature } = signReport({ vantage, session, sequence, sentAt, observations }, privateKey);
    const late = new AbortController();
    const oldestMono = Math.min(...batch.map(({ seenMono }) => seenMono));
    const cancel = timers.after(oldestMono + NEW_FOR_MS - clock.mono(), () => late.abort());
    const result = await request({
      method: 'POST',
      url,
      headers: {
        'content-type': 'application/json',
        'content-length': String(body.byteLength),
        'user-agent': `failoverd/${vantage}`,
        [SIGNATURE_HEADER]: signature,
      },
      body,
      certificates: options.certificates,
      answerLimitBytes: ANSWER_LIMIT_BYTES,
      signal: AbortSignal.any([late.signal, stopping.signal]),
      log: () => undefined,
    });
    cancel();
    return result;
  };

  /** Takes over the session the daemon names; false where its answer names none. */
  const join = (body: string): boolean => {
    const conflict = parsed(body);
    if (!Conflict.Check(conflict)) return false;
    session = conflict.session;
    sequence = Math.max(sequence, conflict.lastSequence ?? 0);
    tell({ kind: 'joined' });
    return true;
  };

  /** True when the daemon took the batch. The second try after a conflict is the last: the next round is another. */
  const deliver = async (batch: readonly Waiting[]): Promise<boolean> => {
    let result = await post(batch);
    if (result.kind === 'answered' && result.status === 409 && join(result.body)) result = await post(batch);
    if (stopping.signal.aborted) return false;
    if (result.kind === 'failed') tell({ kind: 'failed', failure: result.failure });
    else if (result.status === 204) tell({ kind: 'delivered', observations: batch.length });
    else tell({ kind: 'refused', status: result.status, problem: problemType(result.body) });
    return result.kind === 'answered' && result.status === 204;
  };

  const deliverAll = async (): Promise<void> => {
    for (dropOld(); waiting.length > 0 && !stopping.signal.aborted; dropOld()) {
      const batch = batchOf(waiting);
      if (!(await deliver(batch))) return;
      const delivered = new Set(batch);
      waiting = waiting.filter((each) => !delivered.has(each));
    }
  };

  const startRound = (): void => {
    round = deliverAll().then(() => {
      if (!stopping.signal.aborted) cancelRound = timers.after(ROUND_MS, startRound);
    });
  };

  return {
    add(observations) {
      const seenMono = clock.mono();
      const added = observations.map((observation): Waiting => {
        return { observation, seenMono, bytes: Buffer.byteLength(JSON.stringify(observation)) + 1 };
      });
      waiting = [...waiting, ...added];
    },
    start: startRound,
    async stop() {
      stopping.abort();
      cancelRound();
      await round;
    },
  };
}

/** The oldest that fit into one body together; at least one, which fits by the schema's own limits. */
function batchOf(waiting: readonly Waiting[]): readonly Waiting[] {
  let bytes = ENVELOPE_BYTES;
  const end = waiting.slice(0, MOST_OBSERVATIONS).findIndex((each, index) => {
    bytes += each.bytes;
    return index > 0 && bytes > REPORT_LIMIT_BYTES;
  });
  return waiting.slice(0, end === -1 ? MOST_OBSERVATIONS : end);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: no problem document of ours, which the checks that follow find.
    return undefined;
  }
}

function problemType(body: string): string {
  const problem = parsed(body);
  return Problem.Check(problem) ? problem.type : '';
}
