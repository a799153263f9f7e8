/**
 * The faults of the whole world, and the steps that each must have met: the declaration that coverage is judged by. PURE.
 */
import type { EventBody } from '../model/events.ts';
import type { StepKind } from '../model/plan.ts';
import type { Declaration, Named } from './coverage.ts';

const FAULT_LIST = [
  ['region-dies', 'the old region loses its power'],
  ['power-returns', 'somebody switches the old region on again'],
  ['database-dies', 'the old region’s PostgreSQL is down for a while'],
  ['region-cut-off', 'the old region is cut off from both others'],
  ['one-way-cut', 'packets from the old region to the new one are lost'],
  ['gray', 'the witness and the old region can’t reach each other'],
  ['link-cut', 'any one direction of any one link is cut'],
  ['daemon-isolated', 'the daemon’s region is cut off from everything'],
  ['witness-isolated', 'the witness’s region is cut off from everything'],
  ['witness-blind', 'the witness can’t reach its control targets'],
  ['daemon-killed', 'the daemon is killed at any instant'],
  ['killed-before-append', 'the daemon is killed as its journal is written, nothing of it durable'],
  ['killed-after-append', 'the daemon is killed as its journal is written, all of it durable'],
  ['append-failed', 'the journal says that it failed, and did'],
  ['append-failed-late', 'the journal says that it failed, and was written'],
  ['daemon-frozen', 'the daemon’s process stands still'],
  ['clock-back', 'the daemon’s wall clock is set back'],
  ['clock-forward', 'the daemon’s wall clock is set forward'],
  ['reply-lost', 'a request takes effect and its answer is lost'],
  ['request-late', 'a request takes effect long after its sender gave up'],
  ['request-refused', 'a request is refused and has no effect'],
  ['request-vanishes', 'a request never arrives'],
  ['pager-down', 'pages are not taken'],
  ['fence-api-down', 'the hypervisor does not answer'],
  ['dns-api-down', 'the DNS provider does not answer'],
  ['standby-stuck', 'the standby does not come to promote'],
  ['standby-restarts', 'the standby’s postmaster stops, and starts anew'],
  ['stranger-in-dns', 'somebody else writes a higher epoch to DNS'],
  ['aborted', 'a person says stop'],
  ['people-away', 'nobody approves anything'],
  ['corruption-reported', 'a person reports corruption'],
  ['alerts-unreliable', 'resolved alerts are lost, firing ones come late'],
  ['monitoring-dead', 'Prometheus and Alertmanager are down: no alert, no metric, no watchdog'],
  ['silenced', 'silences hold the alerts back, and say that work is planned'],
  ['reloaded', 'another config is taken while running'],
  ['reload-refused', 'a config is read that can’t be taken'],
] as const satisfies readonly (readonly [string, string])[];

export type Fault = (typeof FAULT_LIST)[number][0];
export const FAULTS: readonly Fault[] = FAULT_LIST.map(([name]) => name);

const PHASE_LIST = [
  ['quiet', 'nothing is suspected'],
  ['hold', 'row 40 matches and its time runs'],
  ['proposal', 'people are asked'],
  ['assess', 'the target is read'],
  ['fence', 'the old side is stopped, and that is read back'],
  ['promote', 'the standby is made writable'],
  ['write-epoch-row', 'the epoch is written through the new primary'],
  ['cutover-dns', 'clients are led over'],
  ['verify-dns', 'resolvers are asked'],
  ['verify-http', 'the service is asked'],
  ['verify-write', 'a write is made'],
  ['ended', 'the run is over'],
] as const satisfies readonly (readonly [string, string])[];
export type Phase = (typeof PHASE_LIST)[number][0];
export const PHASES: readonly Phase[] = PHASE_LIST.map(([name]) => name);

/** Faults of one request. */
export const REQUEST_FAULTS = ['reply-lost', 'request-late', 'request-refused', 'request-vanishes'] as const;
export type RequestFault = (typeof REQUEST_FAULTS)[number];
export const isRequestFault = (fault: Fault): fault is RequestFault =>
  (REQUEST_FAULTS as readonly string[]).includes(fault);

/** Phases in which the actors are asked for something. */
const ASKING: readonly Phase[] = PHASES.slice(PHASES.indexOf('assess'), PHASES.indexOf('ended'));
const AFTER_PROMOTION: readonly Phase[] = PHASES.slice(PHASES.indexOf('write-epoch-row'), PHASES.indexOf('ended'));

function impossible(fault: string, phase: string): string | null {
  const within = (phases: readonly Phase[]): boolean => (phases as readonly string[]).includes(phase);
  if ((REQUEST_FAULTS as readonly string[]).includes(fault) && !within(ASKING)) return 'no request is under way then';
  if ((fault === 'standby-stuck' || fault === 'standby-restarts') && within(AFTER_PROMOTION))
    return 'the standby is a primary by then';
  return null;
}

const named = (list: readonly (readonly [string, string])[]): readonly Named[] =>
  list.map(([name, says]) => ({ name, says }));

export const COVERAGE: Declaration = {
  faults: named(FAULT_LIST),
  steps: named(PHASE_LIST),
  impossible,
  fullFrom: 20_000,
};

/** Where a group stands, from its journal: the truth that the process itself goes by. */
export class PhaseWatch {
  #holds = false;
  #proposal = false;
  #ended = false;
  #open: { kind: StepKind; id: string }[] | null = null;

  /** Takes one event in; true where the phase may be another one now. */
  follow(body: EventBody, row: number): boolean {
    switch (body.kind) {
      case 'hold.started':
      case 'hold.ended':
        if (body.row !== row) return false;
        this.#holds = body.kind === 'hold.started';
        // The hold that a run came from ends with it; another one is another story.
        if (this.#holds) this.#ended = false;
        return true;
      case 'proposal.opened':
      case 'proposal.closed':
        this.#proposal = body.kind === 'proposal.opened';
        return true;
      case 'run.opened':
        this.#open = body.plan.steps.map(({ kind, id }) => ({ kind, id }));
        return true;
      case 'step.done':
        this.#open = this.#open?.filter(({ id }) => id !== body.step) ?? null;
        return true;
      case 'run.ended':
        this.#open = null;
        this.#ended = true;
        this.#holds = false;
        return true;
      default:
        return false;
    }
  }

  /** Taking the epoch is one append, with nothing in between: it has no phase of its own. */
  now(): Phase {
    const step = this.#open?.find(({ kind }) => kind !== 'take-epoch');
    if (step !== undefined) return step.kind as Exclude<StepKind, 'take-epoch' | 'acquire-lease'>;
    if (this.#open !== null || this.#ended) return 'ended';
    if (this.#proposal) return 'proposal';
    return this.#holds ? 'hold' : 'quiet';
  }
}
