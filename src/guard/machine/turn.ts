/** One step of the guard's machine while it is made. */
import type { GuardDurable, GuardEffect, GuardState, Part, PostgresTask, StopReason } from '../../model/guard.ts';
import type { LeaseRecord, LeaseRequest } from '../../model/lease.ts';

export type Turn = { state: GuardState; readonly effects: GuardEffect[] };

export function put(turn: Turn, changed: Partial<GuardState>): void {
  turn.state = { ...turn.state, ...changed };
}

/** Durable before whatever is said after it. */
export function persist(turn: Turn, changed: Partial<GuardDurable>): void {
  const durable = { ...turn.state.durable, ...changed };
  turn.state = { ...turn.state, durable };
  turn.effects.push({ kind: 'persist', durable });
}

export function tell(turn: Turn, code: string, message: string): void {
  turn.effects.push({ kind: 'tell', code, message });
}

export function become(turn: Turn, part: Part, why: string): void {
  if (turn.state.part !== part) tell(turn, part, why);
  put(turn, { part, why });
}

export function perform(turn: Turn, task: PostgresTask, timeoutMs: number): void {
  const number = turn.state.numbers + 1;
  put(turn, { numbers: number, task: { number, task, sinceMono: turn.state.mono } });
  turn.effects.push({ kind: 'perform', number, task, timeoutMs });
}

/** Cuts off whatever is under way; repeated until the proof is there. Nothing pets the dead-man any more. */
export function stop(turn: Turn, reason: StopReason, why: string): void {
  const { stopping, task } = turn.state;
  // What is said first stands, but that another has the lease: then nothing of ours may be started again.
  if (stopping === null || reason === 'foreign') put(turn, { stopping: reason });
  if (stopping !== null && task?.task === 'stop') return;
  become(turn, 'stopping', why);
  put(turn, { ended: null });
  perform(turn, 'stop', turn.state.settings.timings.stopWithinMs);
}

export const holderOf = (record: LeaseRecord | null, state: GuardState): boolean =>
  record !== null && record.holder === state.settings.region;

/** It could let somebody write, now or by what was asked of it. */
export const mayWrite = (state: GuardState): boolean =>
  state.part === 'primary' || state.part === 'promoting' || state.part === 'starting';

export function ask(turn: Turn, operation: LeaseRequest['operation']): void {
  const { settings, durable, process, mono, numbers, asks } = turn.state;
  const number = numbers + 1;
  const set = operation.kind === 'set' ? operation.record : null;
  const expected = operation.kind === 'set' ? operation.expected : null;
  put(turn, { numbers: number, asking: number, asks: [...asks, { number, sentMono: mono, expected, set }] });
  turn.effects.push({
    kind: 'ask',
    number,
    timeoutMs: settings.timings.attemptMs,
    request: {
      group: settings.group,
      component: settings.component,
      guard: settings.region,
      process,
      pin: durable.pin,
      obeyed: durable.obeyed,
      operation,
    },
  });
}
