/**
 * The part of the fold that makes the loss of a run final: what was found in the log of the old side once it was back, mostly
 * long after the run has ended. PURE.
 */
import type { EventOf } from '../model/events.ts';
import type { EndedRun, GroupLedger, Run } from '../model/ledger.ts';
import { lsnBytes } from '../model/primitives.ts';
import { proven } from '../model/run.ts';
import { refuse } from './illegal.ts';

type Found = EventOf<'divergence.found'>;

export function foldDivergence(group: GroupLedger, event: Found): GroupLedger {
  if (group.run?.id === event.run) {
    if (!proven(group.run, 'promote')) refuse(event, 'the data did not move');
    return { ...group, run: { ...group.run, ...found(group.run, event) } };
  }
  const ended = group.ended.find(({ id }) => id === event.run) ?? refuse(event, `${event.run} is not kept`);
  if (!ended.promoted) refuse(event, 'the data did not move');
  return { ...group, ended: group.ended.map((run) => (run === ended ? { ...run, ...found(run, event) } : run)) };
}

/** An old side that came back with more is told again; one that has less than was found before is another one. */
function found(run: Run | EndedRun, event: Found): Pick<Run, 'divergence' | 'loss'> {
  const { component, endLsn, forkLsn } = event.divergence;
  const before = run.divergence?.[component];
  if (before !== undefined && lsnBytes(endLsn) < lsnBytes(before.endLsn))
    refuse(event, `the log ended at ${before.endLsn} before, and at ${endLsn} now`);
  if (before !== undefined && before.forkLsn !== forkLsn) refuse(event, `the fork was at ${before.forkLsn} before`);
  if (event.loss.final !== true) refuse(event, 'what was counted is final');
  return { divergence: { ...run.divergence, [component]: event.divergence }, loss: event.loss };
}
