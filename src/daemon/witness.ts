/**
 * The witness process: the same probes from another failure domain, and signed reports of what they saw (design §2). It
 * decides nothing, keeps nothing, and never writes a canary: it holds no journal that could say who allowed one.
 */
import type { KeyObject } from 'node:crypto';
import type { Config } from '../model/config.ts';
import type { VantageId } from '../model/primitives.ts';
import type { Probes } from '../probes/map.ts';
import { createReporter, type Delivery } from '../probes/reporter.ts';
import { createRunner } from '../probes/runner.ts';
import { targetsOf } from '../probes/targets.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Secrets } from '../runtime/config/secrets.ts';
import type { Log } from '../runtime/log.ts';
import { redactingLive } from '../runtime/redact.ts';
import { keepRenewing, type Renewing } from '../runtime/renewal.ts';
import type { Timers } from '../runtime/timers.ts';
import { type Certificates, createCertificates } from '../runtime/tls.ts';

export type WitnessOptions = {
  readonly config: Config;
  readonly vantage: VantageId;
  readonly privateKey: KeyObject;
  readonly daemonUrl: URL;
  /** What the daemon's certificate is trusted by; null = what the system trusts. */
  readonly daemonCertificates?: Certificates | null;
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  readonly log: Log;
  readonly probes?: Probes;
};

export type Witness = {
  start(): void;
  /** Bounded: probes and posts under way are cut off. */
  stop(): Promise<void>;
};

/** Throws a RangeError where the config doesn't declare the vantage. */
export function createWitness(options: WitnessOptions): Witness {
  const { config, vantage, clock, timers, random, log } = options;
  const targets = targetsOf(config, options.secrets, vantage, {
    canary: false,
    certificates: createCertificates(options.secrets),
  });
  const { privateKey, daemonUrl } = options;
  const reporter = createReporter({
    ...{ vantage, privateKey, daemonUrl, clock, timers },
    certificates: options.daemonCertificates ?? null,
    tell: telling(log, daemonUrl),
  });
  const runner = createRunner({
    ...{ vantage, targets, clock, timers, random },
    redact: redactingLive(options.secrets),
    emit: reporter.add,
    mayWrite: () => false,
    ...(options.probes === undefined ? {} : { probes: options.probes }),
  });
  let renewal: Renewing | null = null;
  return {
    start() {
      log.info({ vantage, targets: targets.length, daemon: daemonUrl.host }, 'witnessing');
      runner.start();
      reporter.start();
      renewal = keepRenewing({ secrets: options.secrets, timers, log });
    },
    async stop() {
      await renewal?.stop();
      await runner.stop();
      await reporter.stop();
    },
  };
}

/** One line for each change, none for each round: an outage of the daemon is one line at its begin and one at its end. */
function telling(log: Log, daemonUrl: URL): (delivery: Delivery) => void {
  const daemon = daemonUrl.host;
  let last = '';
  let dropped = 0;
  return (delivery) => {
    if (delivery.kind === 'dropped') {
      dropped += delivery.observations;
      return;
    }
    if (delivery.kind === 'joined') {
      log.info({ daemon }, 'the daemon opened a session');
      return;
    }
    const now = stateOf(delivery);
    if (now === last) return;
    last = now;
    switch (delivery.kind) {
      case 'delivered':
        log.info({ daemon, droppedObservations: dropped }, 'the daemon takes our reports');
        dropped = 0;
        return;
      case 'refused':
        log.error({ daemon, status: delivery.status, problem: delivery.problem }, 'the daemon refuses our reports');
        return;
      case 'failed':
        log.warn({ daemon, ...delivery.failure }, 'the daemon can’t be reached');
        return;
      default:
        delivery satisfies never;
    }
  };
}

function stateOf(delivery: Exclude<Delivery, { kind: 'dropped' | 'joined' }>): string {
  switch (delivery.kind) {
    case 'delivered':
      return delivery.kind;
    case 'refused':
      return `${delivery.kind} ${delivery.status} ${delivery.problem}`;
    case 'failed':
      return `${delivery.kind} ${delivery.failure.code}`;
    default:
      return delivery satisfies never;
  }
}
