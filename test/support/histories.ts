/**
 * A hand-driven history: observations in, effects out, clocks under the test's control. The core is the real one.
 */
import { initialState, turn } from '../../src/engine/core.ts';
import type { EventBody, JournalEntry } from '../../src/model/events.ts';
import type { Observation, PostgresFacts } from '../../src/model/evidence.ts';
import type { Effect, Input, OperationResult, Perform, State } from '../../src/model/loop.ts';
import type { Verdict } from '../../src/model/primitives.ts';
import type { Readiness } from '../../src/model/readiness.ts';
import type { Settings } from '../../src/model/settings.ts';
import { A, B, CLUSTER, GROUP } from './group.ts';
import { ALIKE } from './readiness.ts';

type Unclocked<I> = I extends Input ? Omit<I, 'at' | 'mono'> : never;

/** Monday, outside business hours of New York. */
export const NIGHT = Date.UTC(2026, 0, 12, 7, 0, 0);

export const PRIMARY_FACTS: PostgresFacts = {
  systemIdentifier: CLUSTER,
  timeline: 1,
  inRecovery: false,
  insertLsn: '0/5000000',
  flushLsn: '0/5000000',
  receiveLsn: null,
  replayLsn: null,
  walReceiver: null,
  lastMessageAgeMs: null,
  lastReplayedCommitAt: null,
  replayPaused: null,
  clockAt: NIGHT,
  canary: 'skipped',
};
export const STANDBY_FACTS: PostgresFacts = {
  ...PRIMARY_FACTS,
  inRecovery: true,
  insertLsn: null,
  flushLsn: null,
  receiveLsn: '0/5000000',
  replayLsn: '0/5000000',
  walReceiver: 'streaming',
  lastMessageAgeMs: 100,
  lastReplayedCommitAt: NIGHT,
  replayPaused: false,
  fromArchive: false,
};

export const seen = (vantage: string, at: number, verdict: Verdict) => ({
  vantage,
  at,
  durationMs: 5,
  verdict,
  reached: verdict === 'ok' ? 'read' : 'connect',
  code: verdict === 'ok' ? null : ('timeout' as const),
  message: verdict === 'ok' ? null : 'no answer',
});

/** What a world looks like to the vantages, changed by a test as it goes. */
export type Sights = {
  active: Verdict;
  standby: Verdict;
  streaming: boolean;
  /** Vantages whose control targets don't answer. */
  isolated: readonly string[];
  /** Vantages that still wait for an answer of their control targets. */
  waiting: readonly string[];
  silent: readonly string[];
  primary: PostgresFacts;
  standbyFacts: PostgresFacts;
  madeActive: Readiness | null;
  madeStandby: Readiness | null;
};

export class History {
  state: State;
  at = NIGHT;
  mono = 1000;
  readonly entries: JournalEntry[] = [];
  readonly inputs: Input[] = [];
  readonly effects: Exclude<Effect, { kind: 'append' }>[] = [];
  readonly sights: Sights = {
    active: 'ok',
    standby: 'ok',
    streaming: true,
    isolated: [],
    waiting: [],
    silent: [],
    primary: PRIMARY_FACTS,
    standbyFacts: STANDBY_FACTS,
    madeActive: ALIKE,
    madeStandby: ALIKE,
  };
  /** Answers operations at once; a test replaces it to make one fail. */
  answer: (operation: Perform) => OperationResult | null = succeed;

  constructor(settings: Settings, state: State = initialState(settings)) {
    this.state = state;
    this.give({ kind: 'started', incarnation: 'one', version: 'test', configHash: 'none' });
  }

  give(input: Unclocked<Input>): void {
    const stamped = { ...input, at: this.at, mono: this.mono } as Input;
    this.inputs.push(stamped);
    const turned = turn(this.state, stamped);
    this.state = turned.state;
    this.entries.push(...turned.entries);
    for (const effect of turned.effects) {
      this.effects.push(effect);
      if (effect.kind === 'perform') {
        const result = this.answer(effect);
        if (result !== null) this.give({ kind: 'performed', operation: effect.key, result });
      }
      if (effect.kind === 'page') this.give({ kind: 'paged', page: effect.page.id, delivered: true, message: '' });
    }
  }

  /** Lets time go by, looking every second. */
  pass(ms: number, stepMs = 1000): void {
    for (let left = ms; left > 0; left -= stepMs) {
      const span = Math.min(stepMs, left);
      this.at += span;
      this.mono += span;
      this.look();
      this.give({ kind: 'tick' });
    }
  }

  look(): void {
    const { at, sights } = this;
    const observations: Observation[] = [];
    for (const vantage of ['daemon', 'dublin']) {
      if (sights.silent.includes(vantage)) continue;
      const isolated = sights.isolated.includes(vantage);
      const of = (verdict: Verdict): Verdict => (isolated ? 'bad' : verdict);
      if (!sights.waiting.includes(vantage)) {
        const verdict = isolated ? 'bad' : 'ok';
        observations.push({ kind: 'control', target: 'tcp://192.0.2.53:53', ...seen(vantage, at, verdict) });
      }
      const sides = [
        [A, of(sights.active), sights.primary],
        [B, of(sights.standby), { ...sights.standbyFacts, walReceiver: sights.streaming ? 'streaming' : 'none' }],
      ] as const;
      for (const [region, verdict, facts] of sides) {
        const base = { group: GROUP, region, ...seen(vantage, at, verdict) };
        if (vantage === 'daemon')
          observations.push({
            kind: 'readiness',
            component: 'db',
            ...base,
            facts: verdict === 'ok' ? (region === A ? sights.madeActive : sights.madeStandby) : null,
          });
        const told = verdict === 'ok' ? { ...facts, clockAt: at } : null;
        observations.push({ kind: 'postgres', component: 'db', ...base, facts: told });
        observations.push({
          kind: 'http',
          component: 'api',
          ...base,
          facts: { status: verdict === 'ok' ? 200 : null },
        });
      }
    }
    this.give({ kind: 'observed', observations });
  }

  /** The active region dies: nobody reaches it and nothing streams from it. */
  loseActive(): void {
    this.sights.active = 'bad';
    this.sights.streaming = false;
  }

  events<K extends EventBody['kind']>(kind: K): Extract<EventBody, { kind: K }>[] {
    return this.entries
      .map((entry) => entry.body)
      .filter((body): body is Extract<EventBody, { kind: K }> => body.kind === kind);
  }
  get group() {
    const group = this.state.ledger.groups[GROUP];
    if (group === undefined) throw new Error('nothing was written about the group yet');
    return group;
  }
  performed(): string[] {
    return this.effects
      .filter((effect) => effect.kind === 'perform')
      .map((effect) => `${effect.step}:${effect.operation}`);
  }
}

export const ok = (facts: Record<string, unknown> = {}): OperationResult => ({
  kind: 'ok',
  code: null,
  message: '',
  facts,
});
export const no = (code: string): OperationResult => ({ kind: 'no', code, message: code, facts: {} });
export const unknown = (code: string): OperationResult => ({ kind: 'unknown', code, message: code, facts: {} });
export const haltWith = (code: string): OperationResult => ({ kind: 'halt', code, message: code, facts: {} });

export function succeed(operation: Perform): OperationResult {
  if (operation.stepKind === 'promote' && operation.operation === 'check') {
    return ok({ timeline: 1, receiveLsn: '0/5000000', replayLsn: '0/5000000', lastReplayedCommitAt: NIGHT });
  }
  return ok();
}
