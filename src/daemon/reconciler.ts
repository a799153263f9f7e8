/**
 * Asks every Alertmanager what fires and what is silenced: at the start, every 30 s, and at once when a webhook left alerts out. What is found
 * goes in by the same door as a webhook. One that doesn't answer changes nothing, and is told of (design §4).
 */
import { type Engine, EngineFailed } from '../engine/engine.ts';
import type { Clock, Timers } from '../engine/ports.ts';
import type { Alert, ProbeErrorCode } from '../model/evidence.ts';
import type { State } from '../model/loop.ts';
import { hasMeaning } from '../policies/view.ts';
import type { Log } from '../runtime/log.ts';
import type { Redact } from '../runtime/redact.ts';
import type { Metrics } from './metrics.ts';
import { type Listing, reconcile, SETTLED_MS } from './reconcile.ts';

const EVERY_MS = 30_000;
/** ± this part of it, so that those who watch one Alertmanager don't ask in step. */
const JITTER = 0.1;
/** For everything that one Alertmanager is asked in a round. */
const DEADLINE_MS = 5_000;
/** Webhooks that leave alerts out may come in a storm; rounds don't. */
const LEAST_GAP_MS = 1_000;

export type AlertSourceAnswer =
  | ({ readonly kind: 'answered' } & Listing)
  | { readonly kind: 'failed'; readonly failure: { readonly code: ProbeErrorCode; readonly message: string } };
/** One Alertmanager, put in by the composition root (`probes/alertmanager.ts`). */
export type AlertSource = {
  /** Its address, for logs. */
  readonly name: string;
  /** Never rejects. The signal is the deadline for everything. */
  ask(signal: AbortSignal): Promise<AlertSourceAnswer>;
};

export type ReconcilerOptions = {
  readonly sources: readonly AlertSource[];
  readonly engine: Pick<Engine, 'submit' | 'state'>;
  readonly metrics: Pick<Metrics, 'reconciliation' | 'reconciliationAge'>;
  readonly log: Log;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Draws from [0, 1). */
  readonly random: () => number;
  /** Keeps secrets out of what is told: a server may repeat what it was sent (invariant 24). */
  readonly redact: Redact;
  readonly everyMs?: number;
  readonly deadlineMs?: number;
  /** How long an Alertmanager must have been up before an alert that it doesn't list counts as ended. */
  readonly settledMs?: number;
};

export type Reconciler = {
  /** The first round begins at once. */
  start(): void;
  /** A round as soon as one may begin; calls while one is under way ask for one more, not for many. */
  soon(): void;
  /** Cuts off what is under way; nothing is put in after it. */
  stop(): Promise<void>;
};

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { sources, engine, metrics, log, clock, timers, random, redact } = options;
  const { everyMs = EVERY_MS, deadlineMs = DEADLINE_MS, settledMs = SETTLED_MS } = options;
  const stopping = new AbortController();
  const tell = telling(log, redact);
  let count = 0;
  let startedMono = clock.mono();
  let succeededMono = startedMono;
  let started = false;
  let again = false;
  let round: Promise<void> | null = null;
  let cancel = (): void => undefined;

  const ask = async (source: AlertSource): Promise<AlertSourceAnswer> => {
    const deadline = new AbortController();
    const cancelDeadline = timers.after(deadlineMs, () => deadline.abort());
    try {
      return await source.ask(AbortSignal.any([deadline.signal, stopping.signal]));
    } finally {
      cancelDeadline();
    }
  };

  const reconcileOnce = async (): Promise<void> => {
    const known = knownFiring(engine.state());
    const askedMono = clock.mono();
    const answers = await Promise.all(sources.map(ask));
    if (stopping.signal.aborted) return;
    for (const [index, answer] of answers.entries()) {
      metrics.reconciliation(answer.kind === 'answered' ? 'ok' : answer.failure.code);
      tell(sources[index], answer);
    }
    const listings = answers.filter((answer) => answer.kind === 'answered');
    if (listings.length === 0) return;
    const { alerts, lostResolved, refused, silences, silenced } = reconcile({
      known,
      listings,
      now: clock.wall(),
      settledMs,
    });
    if (refused.length > 0) log.warn({ refused: refused.length, first: refused[0] }, 'alerts have a time far off');
    if (lostResolved > 0) log.warn({ lostResolved }, 'no Alertmanager lists these alerts any more: taken as resolved');
    if (alerts.length > 0) {
      count += 1;
      const request = `reconciliation-${engine.state().incarnation}-${count}`;
      await engine.submit({ kind: 'webhook', request, alerts: [...alerts], askedMono });
    }
    await engine.submit({ kind: 'silences', silences: [...silences], silenced: [...silenced] });
    succeededMono = clock.mono();
  };

  const begin = (): void => {
    cancel();
    again = false;
    startedMono = clock.mono();
    round = reconcileOnce()
      // An engine that stands still has told so.
      .catch((error: unknown) => {
        if (!(error instanceof EngineFailed)) log.error({ err: error }, 'a reconciliation failed');
      })
      .finally(() => {
        round = null;
        wait(again ? LEAST_GAP_MS : everyMs * (1 + JITTER * (2 * random() - 1)));
      });
  };
  /** Until so long after the last begin. */
  const wait = (gapMs: number): void => {
    cancel();
    if (stopping.signal.aborted) return;
    cancel = timers.after(Math.max(0, startedMono + gapMs - clock.mono()), begin);
  };

  return {
    start() {
      started = true;
      succeededMono = clock.mono();
      metrics.reconciliationAge(() => clock.mono() - succeededMono);
      begin();
    },
    soon() {
      // The start begins with a round anyway.
      if (!started) return;
      again = true;
      if (round === null) wait(LEAST_GAP_MS);
    },
    async stop() {
      stopping.abort();
      cancel();
      await round;
    },
  };
}

/** Alerts that fire as far as we know, and mean something by the config of today. */
const knownFiring = (state: State): Alert[] =>
  Object.values(state.ledger.alerts).flatMap(({ alert, expiredAt }) =>
    alert.status === 'firing' && expiredAt === null && hasMeaning(state, alert) ? [alert] : [],
  );

/** One line for each change of one Alertmanager, none for each round. */
function telling(log: Log, redact: Redact): (source: AlertSource | undefined, answer: AlertSourceAnswer) => void {
  const last = new Map<string, string>();
  return (source, answer) => {
    const alertmanager = source?.name ?? '';
    const now = answer.kind === 'answered' ? 'ok' : answer.failure.code;
    if (last.get(alertmanager) === now) return;
    last.set(alertmanager, now);
    if (answer.kind === 'answered') {
      log.info({ alertmanager, listed: answer.alerts.length }, 'Alertmanager answers what fires');
      return;
    }
    const { code, message } = answer.failure;
    log.warn(
      { alertmanager, code, message: redact(message) },
      'Alertmanager can’t be asked what fires: webhooks alone count, and what they miss stays missed',
    );
  };
}
