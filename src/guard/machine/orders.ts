/** What is asked of a guard by the controller, by people, and by another guard. PURE. */
import type { GuardInput, GuardOrder, GuardState, OrderAnswer } from '../../model/guard.ts';
import { become, perform, persist, put, stop, type Turn } from './turn.ts';

export function ordered(turn: Turn, { request, order }: GuardInput & { kind: 'order' }): void {
  turn.effects.push({ kind: 'answer-order', request, answer: obey(turn, order) });
}

const yes = (message: string): OrderAnswer => ({ taken: true, message });
const no = (message: string): OrderAnswer => ({ taken: false, message });
const REJOIN_MS = 24 * 3_600_000;

function obey(turn: Turn, order: GuardOrder): OrderAnswer {
  switch (order.kind) {
    case 'candidacy':
      return stand(turn, order);
    case 'promote':
      return promote(turn, order);
    case 'withdraw':
      return withdraw(turn, order);
    case 'release':
      return release(turn, order);
    case 'resume':
      return resume(turn, order);
    case 'rejoin':
      return rejoin(turn);
    case 'freeze':
    case 'thaw':
      return freeze(turn, order);
    default:
      return order satisfies never;
  }
}

function resume(turn: Turn, { run, epoch }: OrderOf<'resume'>): OrderAnswer {
  const { rests } = turn.state.durable;
  // Late, of a run that was given up before another one had it released (invariants 3, 9).
  if (rests !== null && rests.run !== null && run !== null && rests.run !== run)
    return no(`it rests for ${rests.run}, not for ${run}`);
  obeyed(turn, epoch);
  if (rests === null) return yes('it does not rest');
  persist(turn, { rests: null });
  put(turn, { stopping: null });
  return yes('it acquires the lease anew and serves, where nobody has taken it meanwhile');
}

/** Of a run that was given up nothing is obeyed any more, however late it arrives. */
function obeyed(turn: Turn, epoch: number | null): void {
  if (epoch !== null && epoch > turn.state.durable.obeyed) persist(turn, { obeyed: epoch });
}

type OrderOf<K extends GuardOrder['kind']> = Extract<GuardOrder, { kind: K }>;

function stand(turn: Turn, { run, epoch, claim }: OrderOf<'candidacy'>): OrderAnswer {
  const { durable, part } = turn.state;
  const standing = durable.candidacy;
  if (durable.frozen !== null) return no('replay is frozen here: thaw it first');
  if (durable.deposedBy !== null)
    return no(`its data has diverged since epoch ${durable.deposedBy}: it has to rejoin first`);
  if (standing?.run === run && standing.epoch === epoch) {
    if (standing.claim !== claim && durable.holds === null) persist(turn, { candidacy: { run, epoch, claim } });
    return yes('it stands already');
  }
  // A stale epoch is of a run that others have overtaken (invariant 3).
  const past = Math.max(durable.obeyed, standing?.epoch ?? 0);
  if (epoch <= past) return no(`epoch ${epoch} is stale: ${past} was obeyed here`);
  if (part !== 'standby' && part !== 'candidate') return no(`it is ${part}: only a standby can become a candidate`);
  // Durable before it counts: from here on nothing is promised to anybody (invariant 6).
  persist(turn, { candidacy: { run, epoch, claim } });
  become(turn, 'candidate', `stands for ${run}`);
  return yes('it stands');
}

function promote(turn: Turn, { run, epoch, claim }: OrderOf<'promote'>): OrderAnswer {
  const { durable, part, mono, acquiredMono, settings } = turn.state;
  if (part === 'primary' && durable.holds !== null && durable.holds >= epoch) return yes('it is promoted');
  if (durable.promotion?.run === run) return yes('it was asked for already, and stands');
  const standing = durable.candidacy;
  if (part !== 'holding' || standing === null || standing.run !== run || standing.epoch !== epoch)
    return no(
      `it is ${part}${standing === null ? '' : ` for ${standing.run}`}: it has to hold the lease for ${run} first`,
    );
  if (!fresh(turn.state)) return no('its lease was not renewed lately');
  if (durable.frozen !== null) return no('replay is frozen here: thaw it first');
  if (standing.claim === 'confirmed' && claim === 'expired') {
    const leftMs = (acquiredMono ?? mono) + settings.timings.waitMs - mono;
    if (leftMs > 0) return no(`it holds the lease for less than the wait: ${Math.ceil(leftMs / 1000)} s to go`);
  } else if (standing.claim !== claim) return no(`it took the lease as ${standing.claim}, not as ${claim}`);
  persist(turn, { promotion: { run, epoch: durable.holds ?? epoch } });
  put(turn, { askedPromotionMono: null });
  become(turn, 'promoting', `for ${run}`);
  if (turn.state.renewedMono !== null) turn.effects.push({ kind: 'pet', sentMono: turn.state.renewedMono });
  put(turn, { nextAskMono: mono });
  return yes('it is promoted once the store knows of it and the dead-man watches');
}

/** Renewed so lately that nothing has to be stopped yet. */
export const fresh = ({ renewedMono, mono, settings }: GuardState): boolean =>
  renewedMono !== null && mono < renewedMono + settings.timings.demoteAfterMs;

function withdraw(turn: Turn, { run, epoch }: OrderOf<'withdraw'>): OrderAnswer {
  const { durable, part } = turn.state;
  if (durable.promotion !== null || part === 'promoting')
    return no('the promotion was asked for: it ends by proof only'); // invariant 11
  if (part === 'primary') return no('it is promoted'); // invariant 11
  obeyed(turn, epoch);
  if (durable.candidacy?.run !== run) return yes('it does not stand for that run');
  persist(turn, { candidacy: null });
  if (part === 'candidate') become(turn, 'standby', `${run} was given up`);
  // A holder gives the lease back with its next set.
  put(turn, { nextAskMono: turn.state.mono });
  return yes('given up');
}

function release(turn: Turn, { run, epoch }: OrderOf<'release'>): OrderAnswer {
  const { durable, part } = turn.state;
  if (durable.rests !== null) {
    // What is owed is owed to the newest run: an older one has nothing to take back any more.
    if (durable.rests.run !== run && epoch > durable.obeyed) persist(turn, { rests: { run, why: durable.rests.why } });
    return yes('it rests already');
  }
  if (epoch <= durable.obeyed) return no(`epoch ${epoch} is stale: ${durable.obeyed} was obeyed here`);
  if (durable.promotion !== null) return no('a promotion is under way here');
  if (durable.holds === null && part !== 'stopped') return no(`it is ${part} and has no lease to release`);
  persist(turn, { rests: { run, why: 'released for a run' } });
  if (part === 'stopped') put(turn, { stopping: 'released' });
  else stop(turn, 'released', `is stopped for ${run}`);
  return yes('it stops, and releases once that is proven');
}

function rejoin(turn: Turn): OrderAnswer {
  const { part, task, durable } = turn.state;
  if (durable.deposedBy === null) return yes('there is nothing to rejoin from');
  if (part !== 'deposed' || task !== null)
    return no(`it is ${part}${task === null ? '' : `, and ${task.task} is under way`}`);
  perform(turn, 'rejoin', REJOIN_MS);
  return yes('what diverged is archived, then it is rewound or cloned');
}

function freeze(turn: Turn, order: OrderOf<'freeze'> | OrderOf<'thaw'>): OrderAnswer {
  const { durable, part, seen } = turn.state;
  if (order.kind === 'thaw') {
    if (durable.frozen === null) return yes('it is not frozen');
    persist(turn, { frozen: null });
    put(turn, { freezeDue: 'thaw' });
    return yes('it replays again after a restart');
  }
  if (durable.frozen !== null) return yes('it is frozen already');
  if (part !== 'standby' && part !== 'candidate') return no(`it is ${part}: only a standby can be frozen`);
  persist(turn, { frozen: { lsn: seen?.replayLsn ?? null, why: order.why } });
  put(turn, { freezeDue: 'freeze' });
  return yes('replay stops, also over restarts, until it is thawed');
}

/** A promise not to be promoted for W, by this guard's clock (safety.md, "Promises"; invariant 6). */
export function promiseAsked(turn: Turn, { request, ask }: GuardInput & { kind: 'promise-asked' }): void {
  const why = refusal(turn.state, ask);
  if (why === null) {
    const { durable, mono, settings } = turn.state;
    if (
      ask.epoch > durable.obeyed ||
      durable.promisedTo?.epoch !== ask.epoch ||
      durable.promisedTo.holder !== ask.holder
    ) {
      persist(turn, {
        obeyed: Math.max(durable.obeyed, ask.epoch),
        promisedTo: { holder: ask.holder, epoch: ask.epoch },
      });
    }
    put(turn, { promisedUntilMono: Math.max(turn.state.promisedUntilMono, mono + settings.timings.waitMs) });
  }
  turn.effects.push({
    kind: 'answer-promise',
    request,
    promised: why === null,
    why: why ?? 'not promoted before its wait is over',
  });
}

function refusal(state: GuardState, ask: { readonly holder: string; readonly epoch: number }): string | null {
  const { durable, view, settings } = state;
  if (ask.holder === settings.region) return 'it would promise to itself';
  if (durable.candidacy !== null) return `it stands for ${durable.candidacy.run}`;
  if (durable.holds !== null || durable.promotion !== null) return 'it has the lease';
  if (ask.epoch < durable.obeyed) return `epoch ${ask.epoch} is stale: ${durable.obeyed} was obeyed here`;
  // Its disk may have been lost, and with it that another was obeyed.
  if (durable.obeyed === 0 && view === null) return 'it knows nothing of the lease yet';
  const record = view?.record ?? null;
  if (record !== null && record.epoch === ask.epoch && record.holder !== ask.holder)
    return `${record.holder} has epoch ${ask.epoch}`;
  return null;
}
