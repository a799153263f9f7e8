/** What a guard says of itself: to the controller, to people, to its peers. PURE. */
import type { GuardState, GuardStatus } from '../../model/guard.ts';
import { waitsFor } from './candidate.ts';

export function statusOf(state: GuardState): GuardStatus {
  const { settings, durable, view, seen, mono, renewedMono, acquiredMono } = state;
  const record = view?.record ?? null;
  return {
    group: settings.group,
    component: settings.component,
    region: settings.region,
    process: state.process,
    part: state.part,
    why: state.why,
    obeyed: durable.obeyed,
    holds: durable.holds,
    candidacy: durable.candidacy,
    promotion: durable.promotion,
    lease:
      view === null || record === null
        ? null
        : {
            epoch: record.epoch,
            holder: record.holder,
            state: record.state,
            release: record.release,
            unchangedMs: mono - view.unchangedMono,
            heardAgoMs: mono - view.heardMono,
          },
    waitsFor: durable.holds === null ? waitsFor(state) : null,
    heldMs: durable.holds === null || acquiredMono === null ? null : mono - acquiredMono,
    renewedAgoMs: renewedMono === null ? null : mono - renewedMono,
    deadMan: { kind: settings.deadMan, armed: state.deadManArmed },
    postgres: {
      state: seen?.state ?? 'unknown',
      open: seen?.open ?? false,
      timeline: seen?.timeline ?? null,
      receiveLsn: seen?.receiveLsn ?? null,
      replayLsn: seen?.replayLsn ?? null,
      sample: seen?.sample ?? null,
    },
    frozen: durable.frozen,
    deposedBy: durable.deposedBy,
    rests: durable.rests,
  };
}
