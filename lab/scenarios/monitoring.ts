import { ALERTS } from '../config.ts';
import type { Platform } from '../platform.ts';
import {
  killRegion,
  type Scenario,
  SEEN_WITHIN_MS,
  untilDecided,
  untilFailedOver,
  untilGroup,
  untilQuiet,
} from './scenario.ts';

/** Four times as long as the watchdog is silent between two of its alerts. */
const variant = { watchdogWithin: '8s' } as const;
const ASKS = { kind: 'decided', decision: { row: 40, action: 'propose', inTheWay: 'monitoring' } } as const;

/** Waits until failoverd knows that it is blind, then lets the region die: people are asked, though it may act by itself. */
async function dieUnseen(platform: Platform, tell: (line: string) => void): Promise<void> {
  const blind = await untilGroup(platform, 'monitoring is known to be blind', SEEN_WITHIN_MS, ({ gates }) =>
    gates.some(({ gate, answer }) => gate === 'monitoring' && answer === 'block'),
  );
  tell(blind ? 'failoverd knows that monitoring is blind' : 'failoverd does not know that monitoring is blind');
  await killRegion(platform, tell);
  await untilDecided(platform, tell, { row: 40, action: 'propose' });
}

export const monitoringBlind: Scenario = {
  name: 'monitoring-blind',
  says: 'Prometheus and Alertmanager are gone before the region dies: failoverd asks, though it may act by itself',
  expects: 'proposal',
  wants: [ASKS],
  twin: { of: 'monitoring-there', but: 'Prometheus and Alertmanager are gone' },
  options: { variant },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await platform.monitoring.stop();
    await dieUnseen(platform, tell);
  },
};

export const watchdogLost: Scenario = {
  name: 'watchdog-lost',
  says: 'only the watchdog falls silent before the region dies, other alerts arrive: failoverd asks',
  expects: 'proposal',
  wants: [ASKS, { kind: 'alerts-kept', name: ALERTS.region, least: 1 }],
  twin: { of: 'monitoring-there', but: 'the watchdog is silent' },
  options: { variant },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    platform.monitoring.signals.set('watchdog', 0);
    await dieUnseen(platform, tell);
  },
};

export const monitoringThere: Scenario = {
  name: 'monitoring-there',
  says: 'as monitoring-blind and watchdog-lost, but the watchdog is heard: failover by itself',
  expects: 'failover',
  wants: [
    { kind: 'trigger', trigger: 'auto' },
    { kind: 'alerts-kept', name: ALERTS.watchdog, least: 1 },
    { kind: 'never-decided', decision: { inTheWay: 'monitoring' } },
  ],
  twin: { of: 'monitoring-blind', but: 'monitoring is there' },
  options: { variant },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await killRegion(platform, tell);
    await untilFailedOver(platform, tell);
  },
};
