/**
 * One function type for every protocol. A probe says what it got to and never what that means; the runner owns its
 * deadline, its schedule and its log (design §3).
 */
import type {
  DnsFacts,
  HttpFacts,
  MetricObservation,
  MonitorObservation,
  PostgresFacts,
  ProbeErrorCode,
  ProbeKind,
} from '../model/evidence.ts';
import type { Verdict } from '../model/primitives.ts';
import type { Readiness } from '../model/readiness.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Timers } from '../runtime/timers.ts';
import type { TargetOf } from './target.ts';

export type ProbeContext = {
  /** The vantage that asks; the server's own lists of clients show it. */
  readonly vantage: string;
  /** Aborted at the deadline and when the process stops. A probe answers at once then, and holds nothing open. */
  readonly signal: AbortSignal;
  /** Whether only a connection made for this probe counts. */
  readonly fresh: boolean;
  /** Whether a canary may be written where the server takes writes. */
  readonly canary: boolean;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Keeps a line for the page, with the failure it belongs to. Never given a secret (invariant 24). */
  readonly log: (line: string) => void;
};

type FactsByKind = {
  postgres: PostgresFacts | null;
  http: HttpFacts;
  tcp: null;
  dns: DnsFacts;
  control: null;
  metric: MetricObservation['facts'];
  readiness: Readiness | null;
  prometheus: Extract<MonitorObservation, { kind: 'prometheus' }>['facts'];
  alertmanager: Extract<MonitorObservation, { kind: 'alertmanager' }>['facts'];
};

export type ProbeAnswer<K extends ProbeKind = ProbeKind> = {
  readonly verdict: Verdict;
  /** The last stage that came to its end, in the words of the protocol; `none` = not even a connection. */
  readonly reached: string;
  readonly code: ProbeErrorCode | null;
  readonly message: string | null;
  readonly facts: FactsByKind[K];
};

/** Never rejects for anything the target or the path does. */
export type Probe<K extends ProbeKind> = (target: TargetOf<K>, context: ProbeContext) => Promise<ProbeAnswer<K>>;
