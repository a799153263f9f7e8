/**
 * The actors of the simulated world: each operation travels, takes effect (perhaps long after its sender gave up), and
 * answers (perhaps never). The rules are those of the real adapters in `actions/`.
 */
import type { Actor } from '../engine/ports.ts';
import type { OperationResult, Perform } from '../model/loop.ts';
import type { StepKind } from '../model/plan.ts';
import { REQUEST_FAULTS, type RequestFault } from './faults.ts';
import type { Oracle } from './oracle.ts';
import { A, B, type Platform } from './platform.ts';
import type { Random } from './random.ts';

/** What can be wrong with the world's answers, changed by the schedule as it goes. */
export type Weather = {
  /** Probability that an operation meets a fault of its own. */
  operationFaults: number;
  /** A fault that one request of a step meets. */
  aimed: { readonly fault: RequestFault; readonly step: StepKind } | null;
  hypervisorDown: boolean;
  dnsDown: boolean;
};

const ok = (facts: Record<string, unknown> = {}): OperationResult => ({
  kind: 'ok',
  code: null,
  message: 'well',
  facts,
});
const no = (code: string): OperationResult => ({ kind: 'no', code, message: code, facts: {} });
const unknown = (code: string): OperationResult => ({ kind: 'unknown', code, message: code, facts: {} });
const halt = (code: string): OperationResult => ({ kind: 'halt', code, message: code, facts: {} });

const lsn = (bytes: number): string => `0/${bytes.toString(16).toUpperCase()}`;

export class SimActor implements Actor {
  readonly #platform: Platform;
  readonly #random: Random;
  readonly #oracle: Oracle;
  readonly #weather: Weather;
  readonly #written = new Set<string>();

  readonly #met: (fault: RequestFault, step: StepKind) => void;

  /** `met` is told of each request that meets a fault. */
  constructor(
    platform: Platform,
    random: Random,
    oracle: Oracle,
    weather: Weather,
    met: (fault: RequestFault, step: StepKind) => void,
  ) {
    this.#platform = platform;
    this.#random = random;
    this.#oracle = oracle;
    this.#weather = weather;
    this.#met = met;
  }

  perform(operation: Perform): Promise<OperationResult> {
    const { scheduler } = this.#platform;
    const random = this.#random;
    this.#oracle.asked(operation);
    const fault = this.#faultOf(operation);
    if (fault !== null) this.#met(fault, operation.stepKind);
    const outMs = fault === 'request-late' ? random.int(3000, 20_000) : random.int(1, 40);
    const backMs = random.int(1, 40);
    return new Promise((resolve) => {
      scheduler.after(outMs, () => {
        if (fault === 'request-refused')
          return resolve(operation.operation === 'do' ? no('refused') : unknown('refused'));
        const result = fault === 'request-vanishes' ? unknown('network') : this.#act(operation);
        // A promotion is waited for; everything else answers when it is done.
        const waitMs = operation.stepKind === 'promote' && operation.operation === 'do' ? 300 : 0;
        if (fault === 'reply-lost' || fault === 'request-late') return;
        scheduler.after(backMs + waitMs, () => resolve(waitMs === 0 ? result : this.#promoted()));
      });
    });
  }

  #faultOf({ stepKind }: Perform): RequestFault | null {
    const { aimed, operationFaults } = this.#weather;
    if (aimed?.step === stepKind && this.#random.chance(0.6)) {
      this.#weather.aimed = null;
      return aimed.fault;
    }
    return operationFaults > 0 && this.#random.chance(operationFaults) ? this.#random.pick(REQUEST_FAULTS) : null;
  }

  #promoted(): OperationResult {
    return this.#platform.b.inRecovery ? unknown('not-yet') : ok();
  }

  #act(operation: Perform): OperationResult {
    switch (operation.stepKind) {
      case 'assess':
        return this.#assess();
      case 'fence':
        return this.#fence(operation);
      case 'promote':
        return this.#promote(operation);
      case 'write-epoch-row':
        return this.#epochRow(operation);
      case 'cutover-dns':
        return this.#dns(operation);
      case 'verify-dns':
        return this.#platform.dns.region === B ? ok() : no('stale');
      case 'verify-http':
        return this.#platform.commits(this.#platform.b) ? ok() : no('status');
      case 'verify-write':
        return this.#verifyWrite(operation);
      case 'acquire-lease':
        throw new Error('no component of this world has a guard');
      case 'take-epoch':
        throw new Error('taking the epoch is no operation');
      default:
        return exhausted(operation.stepKind);
    }
  }

  #target(): Record<string, unknown> {
    const { b } = this.#platform;
    return {
      timeline: b.timeline,
      receiveLsn: lsn(b.flush),
      replayLsn: lsn(b.replay),
      lastReplayedCommitAt: b.lastReplayedCommitAt,
      fromArchive: false,
    };
  }

  #assess(): OperationResult {
    const { b } = this.#platform;
    if (!b.alive) return unknown('unreachable');
    return b.inRecovery ? ok(this.#target()) : no('not-in-recovery');
  }

  #fence(operation: Perform): OperationResult {
    if (operation.operation === 'check') return ok();
    if (this.#weather.hypervisorDown) return unknown('exit-75');
    if (operation.operation === 'do') {
      this.#oracle.effect(operation);
      this.#platform.powerOff();
    }
    return this.#fenceStatus(operation);
  }

  #fenceStatus(operation: Perform): OperationResult {
    const off = !this.#platform.powered && this.#platform.locked;
    if (off) this.#oracle.fenceRead(operation);
    return off ? ok({ region: A, power: 'off', locked: true }) : no('not-off');
  }

  #promote(operation: Perform): OperationResult {
    const { b } = this.#platform;
    if (operation.operation === 'check') {
      if (this.#weather.hypervisorDown) return unknown('fence-unknown');
      if (this.#fenceStatus(operation).kind !== 'ok') return no('fence-lost');
      if (!b.alive) return unknown('unreachable');
      return b.inRecovery ? ok(this.#target()) : no('not-in-recovery');
    }
    if (!b.alive) return operation.operation === 'do' ? no('unreachable') : unknown('unreachable');
    if (operation.operation === 'do') {
      this.#oracle.effect(operation);
      this.#platform.askPromotion();
      return ok();
    }
    if (b.inRecovery) return no('still-in-recovery');
    return b.timeline === Number(operation.preState?.['timeline']) + 1
      ? ok({ timeline: b.timeline })
      : halt('foreign-timeline');
  }

  #epochRow(operation: Perform): OperationResult {
    const { b } = this.#platform;
    if (!this.#platform.commits(b)) return operation.operation === 'do' ? no('read-only') : unknown('read-only');
    const highest = b.epochs.reduce((most, row) => Math.max(most, row.epoch), 0);
    const ours = b.epochs.some((row) => row.epoch === operation.epoch && row.run === operation.run);
    if (highest > operation.epoch) return halt('higher-epoch');
    if (operation.operation === 'check') return highest < operation.epoch || ours ? ok() : halt('higher-epoch');
    if (operation.operation === 'do' && !ours && highest < operation.epoch) {
      this.#oracle.effect(operation);
      b.epochs.push({ epoch: operation.epoch, run: operation.run });
      return ok();
    }
    return ours ? ok() : no('absent');
  }

  #dns(operation: Perform): OperationResult {
    const { dns, b } = this.#platform;
    if (this.#weather.dnsDown) return operation.operation === 'do' ? unknown('5xx') : unknown('5xx');
    const txt = dns.epoch;
    const ours = txt !== null && txt.epoch === operation.epoch && txt.run === operation.run;
    if (txt !== null && !ours && txt.epoch >= operation.epoch)
      return operation.operation === 'do' ? no('conflict') : halt('higher-epoch');
    if (operation.operation === 'check') {
      const row = b.epochs.some((r) => r.epoch === operation.epoch && r.run === operation.run);
      if (!this.#platform.commits(b) || !row) return no('not-writable');
      return ok({ txt: txt === null ? null : `${txt.epoch} ${txt.run}` });
    }
    if (operation.operation === 'verify') return ours && dns.region === B ? ok() : no('absent');
    // One atomic batch: DELETE of the TXT exactly as read, CREATE of ours, UPSERT of the target.
    const read = operation.preState?.['txt'] ?? null;
    const now = txt === null ? null : `${txt.epoch} ${txt.run}`;
    if (read !== now) return no('conflict');
    this.#oracle.effect(operation);
    dns.epoch = { epoch: operation.epoch, run: operation.run };
    dns.region = B;
    return ok();
  }

  #verifyWrite(operation: Perform): OperationResult {
    const id = `${operation.run}/${operation.attempt}`;
    if (operation.operation === 'check') return ok();
    if (operation.operation === 'verify') return this.#written.has(operation.run) ? ok({ id }) : no('absent');
    if (this.#platform.dns.region !== B || !this.#platform.canaryWrite(this.#platform.b)) return no('status');
    this.#oracle.effect(operation);
    this.#written.add(operation.run);
    return ok({ id });
  }
}

function exhausted(kind: never): never {
  throw new TypeError(`unknown step: ${JSON.stringify(kind)}`);
}
