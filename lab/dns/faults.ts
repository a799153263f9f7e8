import { emptyReply, type Reply } from './message.ts';
import type { DnsFault } from './model.ts';

export interface FaultSwitch {
  /** `null` heals; with `count`, heals by itself after so many questions. */
  set(fault: DnsFault | null, options?: { readonly count?: number }): void;
  /** What the next question meets, counted down. */
  take(): DnsFault | null;
}

export function createFaultSwitch(): FaultSwitch {
  let current: DnsFault | null = null;
  let left = Number.POSITIVE_INFINITY;
  return {
    set(fault, options = {}) {
      current = fault;
      left = options.count ?? Number.POSITIVE_INFINITY;
    },
    take() {
      if (current === null || left <= 0) return null;
      left -= 1;
      return current;
    },
  };
}

/** The reply a fault makes of any question; `null` = silence. */
export function faultReply(fault: DnsFault, recursionAvailable: boolean): Reply | null {
  switch (fault) {
    case 'hang':
      return null;
    case 'servfail':
      return emptyReply('SERVFAIL', recursionAvailable);
    case 'refuse':
      return emptyReply('REFUSED', recursionAvailable);
    default:
      return fault satisfies never;
  }
}
