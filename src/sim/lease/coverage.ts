/**
 * What has to be met by what: each fault, in each part that a guard can play when it strikes. A cell is hit by some history, or
 * impossible for a reason that stands here; no other may be empty.
 */
import type { Part } from '../../model/guard.ts';

export const PARTS = [
  'unknown',
  'stopped',
  'standby',
  'candidate',
  'holding',
  'promoting',
  'starting',
  'primary',
  'stopping',
  'deposed',
] as const satisfies readonly Part[];

export const FAULTS = [
  'guard-frozen',
  'container-frozen',
  'host-frozen',
  'postgres-frozen',
  'guard-killed',
  'disk-full',
  'disk-lost',
  'power-lost',
  'postmaster-killed',
  'backends-live-on',
  'server-crashed',
  'dead-man-gone',
  'dead-man-expired',
  'stranger-starts',
  'cut-from-store',
  'cut-to-store',
  'cut-peers',
  'cut-all',
  'answer-lost',
  'ask-straggles',
  'ask-twice',
  'stale-read',
  'store-restarted',
  'wall-clock-jumps',
  'order-late',
  'order-repeated',
  'withdrawn',
  'release-ordered',
  'fence-undone',
] as const;
export type Fault = (typeof FAULTS)[number];

export const CELLS = FAULTS.length * PARTS.length;
const FAULT_NUMBER = new Map<Fault, number>(FAULTS.map((fault, i) => [fault, i]));
const PART_NUMBER = new Map<Part, number>(PARTS.map((part, i) => [part, i]));
export const cellOf = (fault: Fault, part: Part): number =>
  (FAULT_NUMBER.get(fault) ?? 0) * PARTS.length + (PART_NUMBER.get(part) ?? 0);

/** Cells that no history can hit, and why. `*` = every part, or every fault, that has no line of its own. */
export const IMPOSSIBLE: readonly { readonly fault: Fault | '*'; readonly part: Part | '*'; readonly why: string }[] = [];

export type Cell = {
  readonly fault: Fault;
  readonly part: Part;
  readonly hits: number;
  readonly impossible: string | null;
};
export function cellsOf(hits: ArrayLike<number>): readonly Cell[] {
  return FAULTS.flatMap((fault) =>
    PARTS.map((part) => ({
      fault,
      part,
      hits: hits[cellOf(fault, part)] ?? 0,
      impossible:
        IMPOSSIBLE.find(
          (each) => (each.fault === '*' || each.fault === fault) && (each.part === '*' || each.part === part),
        )?.why ?? null,
    })),
  );
}
