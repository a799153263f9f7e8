/** The rules of the lease store over plain objects, on a disk that outlives the process: the least that keeps the contract. */
import { foldLease } from '../../src/journal/fold-lease.ts';
import { type LeaseAnswer, type LeaseRequest, NOT_SEEN, type SeenLease } from '../../src/model/lease.ts';
import { EMPTY_GROUP, type GroupLedger } from '../../src/model/ledger.ts';
import { answerLease, type LeaseGround } from '../../src/policies/lease-store.ts';

/** What outlives a life, of one lease. */
export type MemoryLeaseDisk = { starts: number; group: GroupLedger; written: number };
export const memoryLeaseDisk = (): MemoryLeaseDisk => ({ starts: 0, group: EMPTY_GROUP, written: 0 });

export type MemoryLease = {
  ask(request: LeaseRequest): LeaseAnswer;
  /** A person lets a halted one go on. */
  clear(): void;
};

export type MemoryLeaseOptions = Pick<LeaseGround, 'active' | 'waitMs' | 'renewMs' | 'timingsHash'> & {
  readonly disk: MemoryLeaseDisk;
  readonly id: string;
  readonly mono: () => number;
};

/** One life on that disk. */
export function startMemoryLease({ disk, id, mono, ...rules }: MemoryLeaseOptions): MemoryLease {
  disk.starts += 1;
  let startMono = mono();
  let seen: SeenLease = NOT_SEEN;
  return {
    ask(request) {
      const kept = disk.group.leases[request.component] ?? { record: null, setAt: null, halt: null };
      const ground: LeaseGround = {
        ...rules,
        incarnation: { id, start: disk.starts },
        startMono,
        floor: disk.group.epoch,
        granted: null,
      };
      const answered = answerLease({ kept, seen }, ground, request, { at: mono(), mono: mono() });
      for (const event of answered.events) {
        disk.group = foldLease(disk.group, event);
        disk.written += 1;
      }
      seen = answered.seen;
      return structuredClone(answered.answer);
    },
    clear() {
      for (const [component, { halt }] of Object.entries(disk.group.leases)) {
        if (halt === null) continue;
        const start = Math.max(disk.starts, halt.start) + 1;
        const epoch = Math.max(disk.group.epoch, halt.epoch);
        const what = {
          kind: 'lease.cleared',
          at: mono(),
          group: 'g',
          component,
          person: 'ann',
          why: 'looked',
        } as const;
        disk.group = foldLease(disk.group, { ...what, epoch, start });
        disk.starts = start;
        startMono = mono();
      }
    },
  };
}
