/**
 * Orders that a person may send twice: the key that makes the second one the first again, and the answer that is kept for
 * it (IETF draft-ietf-httpapi-idempotency-key-header). The answer stands in the journal beside what the order did, so that
 * it holds over a restart, and one can't be there without the other.
 */
import Type, { type Static } from 'typebox';
import { Name, WallMs } from './primitives.ts';

/** How long an answer is kept, milliseconds. An order that is sent again later is another order. */
export const ANSWER_KEPT_MS = 24 * 3_600_000;
/** Answers kept at most; the oldest go first. People give a handful in a bad night. */
export const ANSWERS_KEPT = 1000;

/** What a sender calls one order, and what that order was: SHA-256 over its address and body. */
export const Idempotency = Type.Object(
  { key: Type.String({ minLength: 1, maxLength: 128 }), fingerprint: Type.String({ pattern: '^[0-9a-f]{64}$' }) },
  { additionalProperties: false },
);
export type Idempotency = Static<typeof Idempotency>;

/** The answer to an order that took effect. Orders that were refused changed nothing, and leave nothing here. */
export const KeptAnswer = Type.Object(
  {
    at: WallMs,
    person: Name,
    ...Idempotency.properties,
    status: Type.Integer(),
    body: Type.Record(Type.String(), Type.Unknown()),
  },
  { additionalProperties: false },
);
export type KeptAnswer = Static<typeof KeptAnswer>;

/** Keys are each person's own: two people may draw the same one. A slash is in no name. */
export const answerKey = (person: string, key: string): string => `${person}/${key}`;

export const isKept = (answer: KeptAnswer, at: WallMs): boolean => at - answer.at < ANSWER_KEPT_MS;

/** The answers with one more, without those that are too old or too many. Oldest first. */
export function withAnswer(
  answers: Readonly<Record<string, KeptAnswer>>,
  answer: KeptAnswer,
): Record<string, KeptAnswer> {
  const kept = Object.entries(answers).filter(([, other]) => isKept(other, answer.at));
  const room = kept.slice(Math.max(0, kept.length - ANSWERS_KEPT + 1));
  return { ...Object.fromEntries(room), [answerKey(answer.person, answer.key)]: answer };
}
