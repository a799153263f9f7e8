/**
 * The PostgreSQL probe: connect, authenticate, read, and write a canary where that is allowed. It does what a client
 * does, and reads what the server tells of itself along the way.
 */
import type { PostgresFacts } from '../model/evidence.ts';
import { type Failure, verdictOf } from './failure.ts';
import { type CanaryResult, writeCanary } from './postgres-canary.ts';
import { connect, type PostgresConnection } from './postgres-connection.ts';
import { NO_POSTGRES_FACTS, readFacts } from './postgres-facts.ts';
import type { Probe, ProbeAnswer, ProbeContext } from './probe.ts';
import { addressText, type PostgresTarget } from './target.ts';

/**
 * Every so many probes one makes a connection of its own, though a good one is kept. A kept connection lives on when the
 * postmaster is gone or the door is shut, and sees nothing of what a client that comes now sees (safety.md: backends
 * outlive their postmaster). Five probes are five seconds at the usual interval, and cost the server one fork in that.
 */
export const FRESH_EVERY = 5;

/**
 * The part of the deadline that a kept connection gets. One whose peer has silently gone would use up all of it, and
 * a server that lets new clients in would be called unreachable.
 */
const KEPT_SHARE = 0.5;

type Kept = { readonly connection: PostgresConnection; uses: number; forbidden: readonly string[] };

export type PostgresProbe = {
  readonly probe: Probe<'postgres'>;
  /** Takes leave of every server; bounded by what a connection takes to close. */
  close(): Promise<void>;
};

/** A probe that keeps one connection for each target between calls. */
export function createPostgresProbe(): PostgresProbe {
  const keptByTarget = new Map<string, Kept>();
  const drop = (key: string): Kept | undefined => {
    const kept = keptByTarget.get(key);
    keptByTarget.delete(key);
    return kept;
  };

  const probe: Probe<'postgres'> = async (target, context) => {
    const kept = keptByTarget.get(target.key);
    if (kept?.connection.alive() === false) {
      context.log('the kept connection was closed meanwhile; trying a new one');
    } else if (kept !== undefined && !context.fresh && kept.uses < FRESH_EVERY - 1) {
      const answer = await withinShare(context, target, (signal) => converse(kept, target, context, signal));
      if (answer.kind === 'answered') {
        kept.uses += 1;
        return answer.answer;
      }
      context.log(`kept connection: ${answer.failure.message}; trying a new one`);
      drop(target.key)?.connection.destroy();
      if (context.signal.aborted) return failed(answer.reached, answer.failure);
    }
    // From here on only what a new client gets counts. Should that fail, nothing is kept, and the next probe asks anew
    // as a new client too: the verdict doesn't swing between what old and new connections see.
    const previous = drop(target.key)?.connection;
    const result = await connect(target, context);
    void previous?.close();
    if (result.kind === 'failed') return failed(result.reached, result.failure);
    const made: Kept = { connection: result.connection, uses: 0, forbidden: [] };
    const answer = await converse(made, target, context, context.signal);
    if (answer.kind === 'lost') {
      made.connection.destroy();
      return failed(answer.reached, answer.failure);
    }
    keptByTarget.set(target.key, made);
    return answer.answer;
  };

  const close = async (): Promise<void> => {
    const all = [...keptByTarget.values()];
    keptByTarget.clear();
    await Promise.all(all.map((kept) => kept.connection.close()));
  };
  return { probe, close };
}

type Conversation =
  | { readonly kind: 'answered'; readonly answer: ProbeAnswer<'postgres'> }
  | { readonly kind: 'lost'; readonly reached: string; readonly failure: Failure };

const failed = (reached: string, failure: Failure): ProbeAnswer<'postgres'> => ({
  verdict: verdictOf(failure),
  reached,
  code: failure.code,
  message: failure.message,
  facts: null,
});

/** Runs `talk` with a signal that ends with the context's, or earlier when the share of a kept connection is used up. */
async function withinShare(
  context: ProbeContext,
  target: PostgresTarget,
  talk: (signal: AbortSignal) => Promise<Conversation>,
): Promise<Conversation> {
  const share = new AbortController();
  const cancel = context.timers.after(target.timeoutMs * KEPT_SHARE, () => share.abort());
  try {
    return await talk(AbortSignal.any([context.signal, share.signal]));
  } finally {
    cancel();
  }
}

/** Read, facts, canary. The verdict is by what a client needs; what only we miss is noted in the code (design §4). */
async function converse(
  kept: Kept,
  target: PostgresTarget,
  context: ProbeContext,
  signal: AbortSignal,
): Promise<Conversation> {
  const { connection } = kept;
  const read = await connection.query('select 1', [], signal);
  if (read.kind === 'lost') return { kind: 'lost', reached: 'authenticate', failure: read.failure };
  if (read.kind === 'error') return { kind: 'answered', answer: failed('authenticate', read.failure) };

  const known = await readFacts(connection, signal, kept.forbidden);
  if (known.kind === 'lost') return { kind: 'lost', reached: 'read', failure: known.failure };
  if (known.kind === 'error') {
    // What a client reads was read. That the server could not tell of itself in time is still its own slowness.
    const verdict = known.failure.code === 'timeout' ? 'bad' : 'ok';
    return { kind: 'answered', answer: { ...failed('read', known.failure), verdict } };
  }
  const { facts, missingGrants, forbidden } = known;
  kept.forbidden = forbidden;

  if (isForeign(target, facts)) return { kind: 'answered', answer: foreign(target, facts) };
  if (!mayWrite(target, context, facts)) return { kind: 'answered', answer: readAnswer(facts, missingGrants) };
  const canary = await writeCanary(connection, target.canarySchema, context.vantage, signal);
  if (canary.kind === 'lost') return { kind: 'lost', reached: 'read', failure: canary.failure };
  return { kind: 'answered', answer: canaryAnswer(canary, readAnswer(facts, missingGrants), facts) };
}

/** Certainly another cluster than the pinned one; one that doesn't tell may be ours. */
const isForeign = ({ systemIdentifier: pinned }: PostgresTarget, { systemIdentifier }: PostgresFacts): boolean =>
  pinned !== null && systemIdentifier !== null && systemIdentifier !== pinned;

function foreign(target: PostgresTarget, { systemIdentifier }: PostgresFacts): ProbeAnswer<'postgres'> {
  const message = `another cluster answers at ${addressText(target)}: system identifier ${systemIdentifier}, expected ${target.systemIdentifier}`;
  // Positions and timelines of a stranger must not get into our account of what would be lost.
  const facts = { ...NO_POSTGRES_FACTS, systemIdentifier };
  return { ...failed('read', { code: 'foreign', message }), facts };
}

/** Only on the writable side, only where allowed, and never into a cluster that could be another one. */
const mayWrite = (target: PostgresTarget, { canary }: ProbeContext, facts: PostgresFacts): boolean =>
  canary &&
  target.canary &&
  facts.inRecovery === false &&
  (target.systemIdentifier === null || facts.systemIdentifier !== null);

function readAnswer(facts: PostgresFacts, missingGrants: readonly string[]): ProbeAnswer<'postgres'> {
  const served = { verdict: 'ok', reached: 'read', facts } as const;
  if (missingGrants.length === 0) return { ...served, code: null, message: null };
  return { ...served, code: 'denied', message: `no grant for ${missingGrants.join(', ')}` };
}

function canaryAnswer(
  canary: Exclude<CanaryResult, { kind: 'lost' }>,
  read: ProbeAnswer<'postgres'>,
  facts: PostgresFacts,
): ProbeAnswer<'postgres'> {
  switch (canary.kind) {
    case 'written':
      return { ...read, reached: 'write', facts: { ...facts, canary: 'written' } };
    case 'refused': {
      const { code, message } = canary.failure;
      // A grant that our role lacks says nothing of clients, who were shown to be let in and to read.
      const verdict = code === 'denied' ? 'ok' : verdictOf(canary.failure);
      const refused = { ...facts, canary: 'refused' as const };
      return { ...read, verdict, code, message: `canary not written: ${message}`, facts: refused };
    }
    default:
      return canary satisfies never;
  }
}
