/**
 * The `Idempotency-Key` of an order (IETF draft-ietf-httpapi-idempotency-key-header): what it looks like, which orders are
 * under way, and what was refused. What took effect is kept by the core, in the journal (`policies/idempotency.ts`).
 */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Reply } from '../../model/loop.ts';
import { answerKey, type Idempotency } from '../../model/orders.ts';

export const IDEMPOTENCY_HEADER = 'idempotency-key';
/** Refusals that are kept; they changed nothing, so losing one at a restart changes nothing either. */
const REFUSALS_KEPT = 500;

/** A structured string (RFC 9651), or the same without its quotes, as most send it. Null for anything else. */
export function keyOf(header: string): string | null {
  const match = /^(?:"([\x21\x23-\x5b\x5d-\x7e]{1,128})"|([\x21\x23-\x5b\x5d-\x7e]{1,128}))$/.exec(header);
  return match?.[1] ?? match?.[2] ?? null;
}

/** What an order is, whoever sends it and however its JSON is written: SHA-256 over its canonical form. */
export const fingerprintOf = (order: object): string =>
  createHash('sha256')
    .update(canonicalize(order) ?? '')
    .digest('hex');

export type Earlier =
  | { readonly kind: 'none' }
  | { readonly kind: 'under-way' }
  | { readonly kind: 'other-order' }
  | { readonly kind: 'refused'; readonly reply: Reply };

export type IdempotencyDesk = {
  /** What is known of a key; where that is nothing, the order is under way from now on, until {@link IdempotencyDesk.end}. */
  begin(person: string, order: Idempotency): Earlier;
  /** `reply` is the core's answer, or null where none came. */
  end(person: string, order: Idempotency, reply: Reply | null): void;
};

export function createIdempotencyDesk(): IdempotencyDesk {
  const underWay = new Set<string>();
  const refused = new Map<string, { readonly fingerprint: string; readonly reply: Reply }>();
  return {
    begin(person, { key, fingerprint }) {
      const id = answerKey(person, key);
      if (underWay.has(id)) return { kind: 'under-way' };
      const earlier = refused.get(id);
      if (earlier !== undefined)
        return earlier.fingerprint === fingerprint
          ? { kind: 'refused', reply: earlier.reply }
          : { kind: 'other-order' };
      underWay.add(id);
      return { kind: 'none' };
    },
    end(person, { key, fingerprint }, reply) {
      const id = answerKey(person, key);
      underWay.delete(id);
      if (reply === null || reply.status < 400 || reply.body['code'] === 'idempotency-key-reused') return;
      refused.set(id, { fingerprint, reply });
      const [oldest] = refused.keys();
      if (refused.size > REFUSALS_KEPT && oldest !== undefined) refused.delete(oldest);
    },
  };
}
