/**
 * The part of the fold that follows leases: whose turn it is to hold one, and what a person lets go on. PURE. Epochs of leases
 * and of runs are one sequence (decision 0016).
 */
import type { EventOf } from '../model/events.ts';
import { type KeptLease, type LeaseRecord, NO_LEASE } from '../model/lease.ts';
import type { GroupLedger } from '../model/ledger.ts';
import { isOwnEpochOf } from '../model/run.ts';
import { refuse } from './illegal.ts';

export type LeaseEvent = EventOf<'lease.set' | 'lease.halted' | 'lease.cleared'>;

export function foldLease(group: GroupLedger, event: LeaseEvent): GroupLedger {
  const lease = Object.hasOwn(group.leases, event.component) ? (group.leases[event.component] ?? NO_LEASE) : NO_LEASE;
  switch (event.kind) {
    case 'lease.set': {
      if (lease.halt !== null) refuse(event, `the lease of ${event.component} is halted`);
      if (event.change === 'acquired') acquired(group, lease, event);
      else changed(lease, event);
      return took(withLease(group, event.component, { ...lease, record: event.record, setAt: event.at }), event.record);
    }
    case 'lease.halted': {
      const { at, guard, code, epoch, start, why } = event;
      if (lease.halt !== null && epoch <= lease.halt.epoch && start <= lease.halt.start)
        refuse(event, `the lease of ${event.component} is halted for that already`);
      const halt = {
        at: lease.halt?.at ?? at,
        guard,
        code,
        epoch: Math.max(epoch, lease.halt?.epoch ?? 0),
        start: Math.max(start, lease.halt?.start ?? 0),
        why,
      };
      return withLease(group, event.component, { ...lease, halt });
    }
    case 'lease.cleared': {
      const { halt } = lease;
      if (halt === null) return refuse(event, `the lease of ${event.component} is not halted`);
      if (event.epoch < halt.epoch) refuse(event, `a guard has obeyed epoch ${halt.epoch}`);
      if (event.start <= halt.start) refuse(event, `a guard was pinned to life ${halt.start}`);
      return {
        ...withLease(group, event.component, { ...lease, halt: null }),
        epoch: Math.max(group.epoch, event.epoch),
      };
    }
    default:
      return refuse(event satisfies never, 'this version does not know such an event');
  }
}

const withLease = (group: GroupLedger, component: string, lease: KeptLease): GroupLedger => ({
  ...group,
  leases: { ...group.leases, [component]: lease },
});

/** Invariant 2: an epoch above all that was taken, but for the one that a run in progress has taken for this very guard. */
function acquired(group: GroupLedger, { record: before }: KeptLease, event: EventOf<'lease.set'>): void {
  const { epoch, holder, state } = event.record;
  if (state !== 'held') refuse(event, 'what is acquired is held');
  if (before !== null && epoch <= before.epoch) refuse(event, `epoch ${epoch} can't follow ${before.epoch}`);
  if (epoch <= group.epoch && !isOwnEpochOf(group, epoch, holder))
    refuse(event, `epoch ${epoch} can't follow ${group.epoch}`);
}

function changed({ record: before }: KeptLease, event: EventOf<'lease.set'>): void {
  const { record, change } = event;
  if (before === null || before.state !== 'held' || before.epoch !== record.epoch || before.holder !== record.holder)
    return refuse(event, `${record.holder} does not hold epoch ${record.epoch}`);
  if (record.counter <= before.counter) refuse(event, `counter ${record.counter} can't follow ${before.counter}`);
  if ((change === 'released') !== (record.state === 'released')) refuse(event, 'what is released says so');
}

/** The group's epoch grows with the lease's; that of a run goes along only where its own target has taken it. */
function took(group: GroupLedger, { epoch, holder }: LeaseRecord): GroupLedger {
  if (epoch <= group.epoch) return group;
  const { run } = group;
  const along =
    run?.epochTaken === true && run.plan.to === holder && group.epoch === Math.max(run.epoch, run.leaseEpoch);
  return { ...group, epoch, run: run === null || !along ? run : { ...run, leaseEpoch: epoch } };
}
