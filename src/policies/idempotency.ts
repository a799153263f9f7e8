/**
 * An order with a key is carried out once, however often it is sent (design §10). PURE. The answer is written down in the
 * same turn as what the order did, so it is durable exactly when that is.
 */
import type { InputOf } from '../model/loop.ts';
import { answerKey, isKept } from '../model/orders.ts';
import { say, type Turn } from './turn.ts';

type Order = InputOf<'approve' | 'abort' | 'report' | 'clear-report' | 'clear-lease'>;

/** Does what the order says, unless its key was used: then the first answer is given again, or a refusal to another order. */
export function once<I extends Order>(turn: Turn, input: I, act: (turn: Turn, input: I) => void): void {
  const { idempotency, person, request } = input;
  if (idempotency === undefined) return act(turn, input);
  const kept = turn.state.ledger.answers[answerKey(person.id, idempotency.key)];
  if (kept !== undefined && isKept(kept, input.at)) {
    const same = kept.fingerprint === idempotency.fingerprint;
    const detail = 'the key was used for another order';
    turn.effects.push(
      same
        ? { kind: 'reply', request, status: kept.status, body: kept.body }
        : { kind: 'reply', request, status: 422, body: { code: 'idempotency-key-reused', detail } },
    );
    return;
  }
  act(turn, input);
  const answer = turn.effects.find((effect) => effect.kind === 'reply' && effect.request === request);
  // What was refused changed nothing, and is judged anew when it comes again.
  if (answer?.kind !== 'reply' || answer.status >= 400) return;
  const { status, body } = answer;
  say(turn, {
    kind: 'order.answered',
    at: input.at,
    answer: { at: input.at, person: person.id, ...idempotency, status, body },
  });
}
