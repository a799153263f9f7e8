import { readFile } from 'node:fs/promises';
import { ALERTS, REGION } from '../config.ts';
import type { Platform } from '../platform.ts';
import { storm } from '../servers/storm.ts';
import { killRegion, lookOn, type Scenario, untilFailedOver, untilQuiet } from './scenario.ts';

// Invariant 16: duplicated, reordered or lost-resolved alerts change no decision.
/** Different alerts of the region; told as firing and as resolved, by two Alertmanagers, twice each: 10,000. */
const DIFFERENT = 1_250;
const TOLD = 10_000;
const SEED = 20_250_108;
/** What the process may hold more of after the storm than before, MiB. */
const MOST_GROWTH_MIB = 256;

const NAMES = { sent: 'alerts sent', taken: 'alerts taken', growth: 'MiB of memory more than before' } as const;
const TAKEN_WHOLE = [
  { kind: 'measured', name: NAMES.sent, least: TOLD, most: TOLD },
  { kind: 'measured', name: NAMES.taken, least: TOLD, most: TOLD },
  { kind: 'measured', name: NAMES.growth, most: MOST_GROWTH_MIB },
] as const;

/** Memory of failoverd as the kernel counts it, MiB. */
async function memoryOf(platform: Platform): Promise<number> {
  const pid = platform.daemons.running().failoverd?.pid;
  if (pid === undefined) return 0;
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}

type Act = Scenario['act'];

function stormy(scenario: Omit<Scenario, 'act' | 'measured'>, during: Act, after: Act): Scenario {
  let measured: Record<string, number> = {};
  return {
    ...scenario,
    measured: () => measured,
    act: async (platform, tell) => {
      await untilQuiet(platform);
      const before = await memoryOf(platform);
      const raging = storm({
        webhook: platform.daemons.webhook,
        alertname: ALERTS.region,
        labels: { region: REGION.a, severity: 'critical' },
        alerts: DIFFERENT,
        seed: SEED,
      });
      const [counts] = await Promise.all([raging, during(platform, tell)]);
      tell(`${counts.sent} alerts sent, ${counts.taken} taken`);
      const growth = (await memoryOf(platform)) - before;
      measured = { [NAMES.sent]: counts.sent, [NAMES.taken]: counts.taken, [NAMES.growth]: growth };
      await after(platform, tell);
    },
  };
}

export const alertStorm = stormy(
  {
    name: 'alert-storm',
    says: '10,000 doubled and reordered alerts while the region dies: the decision is the one of a quiet day',
    expects: 'failover',
    wants: [
      ...TAKEN_WHOLE,
      { kind: 'alerts-kept', name: ALERTS.region, least: DIFFERENT },
      { kind: 'trigger', trigger: 'auto' },
      { kind: 'decided', decision: { row: 40, action: 'failover', autonomy: 'auto', inTheWay: null } },
    ],
    twin: { of: 'region-down-auto', but: '10,000 alerts are on the way' },
  },
  killRegion,
  async (platform, tell) => {
    await untilFailedOver(platform, tell);
  },
);

export const alertStormCalm = stormy(
  {
    name: 'alert-storm-calm',
    says: 'as alert-storm, but nothing dies: alerts alone decide nothing, however many',
    expects: 'nothing',
    wants: [
      ...TAKEN_WHOLE,
      { kind: 'alerts-kept', name: ALERTS.region, least: DIFFERENT, most: DIFFERENT },
      { kind: 'holds', row: 40, least: 0, most: 0 },
    ],
    twin: { of: 'alert-storm', but: 'the region lives' },
  },
  async () => undefined,
  async (platform) => await lookOn(platform, 5_000),
);
