/**
 * The deadline of an absolute dead-man. PURE. It is that of the newest renewal that came in time: a pet carries when its
 * renewal was sent, one that is older than what is known or that comes after its own end is void, and once the deadline is
 * over nothing puts it off: a process that was frozen finds its pets queued, and must look at the clock first
 * (safety.md, "The dead-man").
 */
export type Deadline =
  | { readonly kind: 'off' }
  | { readonly kind: 'armed'; readonly sentMs: number }
  /** Over: PostgreSQL is being ended, or that is not proven yet. */
  | { readonly kind: 'over'; readonly sentMs: number };

export const OFF: Deadline = { kind: 'off' };

/** All in milliseconds since the boot. */
export function timePasses(deadline: Deadline, nowMs: number, afterMs: number): Deadline {
  if (deadline.kind !== 'armed' || nowMs < deadline.sentMs + afterMs) return deadline;
  return { kind: 'over', sentMs: deadline.sentMs };
}

export function petted(before: Deadline, sentMs: number, nowMs: number, afterMs: number): Deadline {
  const deadline = timePasses(before, nowMs, afterMs);
  if (deadline.kind === 'over') return deadline;
  // Late, or of a clock that is not this machine's: it says nothing of now.
  if (nowMs >= sentMs + afterMs || sentMs > nowMs + 1_000) return deadline;
  if (deadline.kind === 'armed' && sentMs <= deadline.sentMs) return deadline;
  return { kind: 'armed', sentMs };
}

/** By the guard, on proof of stop. What is over stays so until that proof was had here. */
export const disarmed = (before: Deadline, nowMs: number, afterMs: number): Deadline => {
  const deadline = timePasses(before, nowMs, afterMs);
  return deadline.kind === 'over' ? deadline : OFF;
};
