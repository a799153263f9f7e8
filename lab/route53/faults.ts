import type { Operation } from './operations.ts';

/**
 * Misbehaviour on request.
 * - `5xx`: 503 before anything is looked at. `throttle`: 400 Throttling, likewise. `hang`: the request is read and
 *   never answered, nor carried out.
 * - `stuckPending`: a change is accepted and stays PENDING until the fault is cleared with `null`.
 * - `drop-reply-after-apply`: a change (of records or of a health check) is carried out, then the connection is cut
 *   without an answer: the caller can't know.
 */
export const faultKinds = ['5xx', 'throttle', 'hang', 'stuckPending', 'drop-reply-after-apply'] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface FaultOptions {
  /** Ends by itself after so many requests; without it, only `fault(null)` ends it. */
  readonly count?: number;
  /** Only these operations meet it; without it, all that the fault can concern. */
  readonly operations?: readonly Operation[];
}

export interface Faults {
  set(kind: FaultKind | null, options?: FaultOptions): void;
  /** What this request meets, counted down. */
  take(operation: Operation): FaultKind | null;
  current(): FaultKind | null;
}

const changing: readonly Operation[] = [
  'ChangeResourceRecordSets',
  'CreateHealthCheck',
  'DeleteHealthCheck',
  'UpdateHealthCheck',
];

function concerns(kind: FaultKind, operation: Operation): boolean {
  if (kind === 'stuckPending') return operation === 'ChangeResourceRecordSets';
  return kind !== 'drop-reply-after-apply' || changing.includes(operation);
}

export function createFaults(): Faults {
  let active: { readonly kind: FaultKind; readonly operations: readonly Operation[] | null; left: number } | null =
    null;
  return {
    set(kind, options = {}) {
      const left = options.count ?? Number.POSITIVE_INFINITY;
      active = kind === null ? null : { kind, operations: options.operations ?? null, left };
    },
    take(operation) {
      if (active === null || active.left <= 0 || !concerns(active.kind, operation)) return null;
      if (active.operations !== null && !active.operations.includes(operation)) return null;
      active.left -= 1;
      return active.kind;
    },
    current: () => (active === null || active.left <= 0 ? null : active.kind),
  };
}
