/** The people of the simulated world: an SRE, a VP, and a database administrator. They look now and then, and do as the seed says. */
import type { Oracle } from './oracle.ts';
import type { DaemonProcess } from './process.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import { GROUP } from './vantages.ts';

const ADA = { id: 'ada', roles: ['sre' as const] };
const VERA = { id: 'vera', roles: ['vp' as const] };
const DORA = { id: 'dora', roles: ['dba' as const] };
/** How often a person has no time to look. */
const BUSY = 0.4;
const WORDS = 'drawn by the seed';

export type People = {
  /** Approves what is proposed, lets a paused run go on, and says of corruption what is thought of it. */
  look(): void;
  /** Says stop; the answer must be no once the promotion is intended (invariant 11). */
  abort(): void;
  /** Nobody approves anything. */
  away: boolean;
  /** From now on corruption is believed in, or no longer; it is told whenever the daemon listens. */
  believe(corrupted: boolean): void;
};

export type PeopleOptions = {
  readonly daemon: DaemonProcess;
  readonly oracle: Oracle;
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** Probability that a yes is sent again, later. */
  readonly retries: number;
  readonly trace: (line: string) => void;
};

export function peopleOf({ daemon, oracle, scheduler, random, retries, trace }: PeopleOptions): People {
  let requests = 0;
  let corrupted = false;
  const next = (who: string): string => {
    requests += 1;
    return `${who}-${requests}`;
  };
  const ledger = () => daemon.state()?.ledger.groups[GROUP];

  const approve = (person: typeof ADA | typeof VERA, target: string, planHash: string | null): void => {
    const request = next(person.id);
    if (planHash !== null) oracle.auditor.said({ person: person.id, proposal: target, planHash, nonce: request });
    const send = (): void =>
      daemon.submit({ kind: 'approve', request, person, target, planHash, nonce: request, breakGlass: null });
    send();
    if (retries > 0 && random.chance(retries)) scheduler.after(random.int(1000, 40_000), send);
  };

  const tell = (): void => {
    const group = ledger();
    if (group === undefined || (group.reports['corruption'] !== undefined) === corrupted) return;
    trace(`dora: ${corrupted ? 'corruption' : 'no corruption after all'}`);
    const about = { request: next(DORA.id), person: DORA, group: GROUP, report: 'corruption' as const };
    daemon.submit(
      corrupted ? { kind: 'report', ...about, what: WORDS } : { kind: 'clear-report', ...about, why: WORDS },
    );
  };

  return {
    away: false,
    look() {
      if (!daemon.up || daemon.frozen) return;
      tell();
      if (this.away) return;
      const group = ledger();
      if (group?.run?.status === 'paused') approve(ADA, group.run.id, null);
      if (group === undefined) return;
      const { proposal, raise } = group;
      for (const person of [ADA, VERA]) {
        // Not everybody looks each time: one of two may have said yes when what they were asked is void.
        if (retries > 0 && random.chance(BUSY)) continue;
        if (proposal !== null) approve(person, proposal.id, proposal.planHash);
        if (raise !== null) approve(person, raise.id, raise.configHash);
      }
    },
    abort() {
      const group = ledger();
      const target = group?.proposal?.id ?? group?.run?.id;
      if (target === undefined) return;
      const steps = Object.entries(group?.run?.steps ?? {});
      const begun = (kind: string): boolean =>
        steps.some(([step, { attempt }]) => step.startsWith(kind) && attempt > 0);
      // Between the fence and the promotion giving up leaves nobody writable: that is a person's own responsibility.
      if (begun('fence') && !begun('promote')) return;
      trace(`ada says stop to ${target}`);
      daemon.submit({ kind: 'abort', request: next(ADA.id), person: ADA, target, why: WORDS });
    },
    believe(now) {
      corrupted = now;
      tell();
    },
  };
}
