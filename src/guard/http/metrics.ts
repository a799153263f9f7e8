/** What a guard tells Prometheus of itself: gauges read off its state at each scrape, counters told as things happen. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { GuardEffect, GuardInput, GuardStatus } from '../../model/guard.ts';

export type GuardMetrics = {
  readonly registry: Registry;
  watch(event: GuardInput | GuardEffect): void;
  exposition(status: GuardStatus, expiredCounts: boolean): Promise<string>;
};

const PARTS = [
  'unknown',
  'stopped',
  'standby',
  'candidate',
  'holding',
  'promoting',
  'starting',
  'primary',
  'stopping',
  'deposed',
];
const STATES = ['stopped', 'starting', 'standby', 'primary', 'unknown'];

export function createGuardMetrics(version: string): GuardMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counter = (name: string, help: string, labelNames: readonly string[]): Counter =>
    new Counter({ name: `failoverd_guard_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
    new Gauge({ name: `failoverd_guard_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const counters = {
    answers: counter('store_answers_total', 'Answers of the lease store; none = not in time, or not at all', [
      'outcome',
    ]),
    promises: counter('promises_total', 'Promises asked of peers', ['outcome']),
    tasks: counter('tasks_total', 'Tasks done to PostgreSQL', ['task', 'outcome']),
    looks: counter('looks_total', 'Looks at PostgreSQL', ['state']),
    orders: counter('orders_total', 'Orders', ['order']),
    told: counter('events_total', 'What the guard said of itself in its log', ['code']),
    writes: counter('state_writes_total', 'Writes of its durable state', []),
    pets: counter('dead_man_pets_total', 'Renewals told to the dead-man', []),
  };
  const gauges = {
    info: gauge('build_info', 'The version, always 1', ['version']),
    part: gauge('part', '1 for what the guard is doing now', ['part']),
    state: gauge('postgres_state', '1 for what PostgreSQL is as seen last', ['state']),
    open: gauge('postgres_open', 'Whether clients are let in'),
    obeyed: gauge('obeyed_epoch', 'Highest epoch obeyed'),
    holds: gauge('held_epoch', 'Epoch of the lease it holds; 0 = none'),
    renewed: gauge('renewed_age_seconds', 'Since the send of the last good renewal; NaN = none'),
    armed: gauge('dead_man_armed', 'Whether the dead-man watches'),
    counts: gauge('expired_counts', 'Whether the end of the lease proves that PostgreSQL has ended'),
    frozen: gauge('frozen', 'Whether the replay is frozen'),
  };
  gauges.info.set({ version }, 1);
  return {
    registry,
    watch(event) {
      switch (event.kind) {
        case 'answered':
          return counters.answers.inc({ outcome: event.answer?.kind ?? 'none' });
        case 'promised':
          return counters.promises.inc({
            outcome: event.promised === null ? 'none' : event.promised ? 'promised' : 'refused',
          });
        case 'performed':
          return counters.tasks.inc({ task: event.task, outcome: event.result.ok ? 'ok' : 'failed' });
        case 'seen':
          return counters.looks.inc({ state: event.seen.state });
        case 'order':
          return counters.orders.inc({ order: event.order.kind });
        case 'tell':
          return counters.told.inc({ code: event.code });
        case 'persist':
          return counters.writes.inc();
        case 'pet':
          return counters.pets.inc();
        default:
          return;
      }
    },
    async exposition(status, expiredCounts) {
      for (const part of PARTS) gauges.part.set({ part }, part === status.part ? 1 : 0);
      for (const state of STATES) gauges.state.set({ state }, state === status.postgres.state ? 1 : 0);
      gauges.open.set(status.postgres.open ? 1 : 0);
      gauges.obeyed.set(status.obeyed);
      gauges.holds.set(status.holds ?? 0);
      gauges.renewed.set(status.renewedAgoMs === null ? Number.NaN : status.renewedAgoMs / 1000);
      gauges.armed.set(status.deadMan.armed ? 1 : 0);
      gauges.counts.set(expiredCounts ? 1 : 0);
      gauges.frozen.set(status.frozen === null ? 0 : 1);
      return await registry.metrics();
    },
  };
}
