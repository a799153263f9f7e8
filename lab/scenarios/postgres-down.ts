import { REGION } from '../config.ts';
import type { Platform } from '../platform.ts';
import {
  killRegion,
  lookOn,
  type Scenario,
  SEEN_WITHIN_MS,
  untilDecided,
  untilFailedOver,
  untilGroup,
  untilHeld,
  untilQuiet,
} from './scenario.ts';

const variant = { rows: ['postgres-down'] } as const;
/** Longer than what is left of the row's hold. */
const AFTER_RESTART_MS = 10_000;

async function killPostgres(platform: Platform, tell: (line: string) => void): Promise<void> {
  await platform.regions.hypervisor.act(REGION.a, 'crash', 'postgres');
  tell(`PostgreSQL of ${REGION.a} is killed; its service lives`);
}

export const postgresDownLocalRestart: Scenario = {
  name: 'postgres-down-local-restart',
  says: 'PostgreSQL dies, its region lives, and it is back before the hold ends: nothing happens',
  expects: 'nothing',
  wants: [
    { kind: 'holds', row: 45, least: 1 },
    { kind: 'never-decided', decision: { row: 45 } },
    { kind: 'holds', row: 40, least: 0, most: 0 },
  ],
  twin: { of: 'postgres-down-stays-down', but: 'it is started again' },
  options: { variant },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await killPostgres(platform, tell);
    const held = await untilHeld(platform);
    await platform.regions.hypervisor.act(REGION.a, 'start', 'postgres');
    tell(held ? 'the hold had begun; PostgreSQL is back' : 'no hold began');
    await lookOn(platform, AFTER_RESTART_MS);
  },
};

export const postgresDownStaysDown: Scenario = {
  name: 'postgres-down-stays-down',
  says: 'as postgres-down-local-restart, but it stays down: a restart is proposed, and no other region takes over',
  expects: 'held',
  wants: [
    { kind: 'decided', decision: { row: 45, action: 'restart', inTheWay: 'row-opts-in' } },
    { kind: 'holds', row: 40, least: 0, most: 0 },
    { kind: 'old-side-alive' },
  ],
  twin: { of: 'postgres-down-local-restart', but: 'nobody starts it again' },
  options: { variant },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await killPostgres(platform, tell);
    await untilDecided(platform, tell, { row: 45, action: 'restart' });
  },
};

/** People work on the platform, and have said so; true once failoverd knows. */
async function beginMaintenance(platform: Platform, tell: (line: string) => void): Promise<void> {
  platform.monitoring.signals.set('maintenance', 1);
  const known = await untilGroup(platform, 'row 30 stands in the way', SEEN_WITHIN_MS, ({ rows }) =>
    rows.some(({ row, verdict }) => row === 30 && verdict === 'bad'),
  );
  tell(known ? 'a maintenance window is open' : 'failoverd knows of no maintenance');
}

export const maintenanceWindow: Scenario = {
  name: 'maintenance-window',
  says: 'PostgreSQL goes down in a maintenance window: the restart is not asked for',
  expects: 'held',
  wants: [
    { kind: 'decided', decision: { row: 45, action: 'hold', inTheWay: 'row-30' } },
    { kind: 'never-decided', decision: { row: 45, action: 'restart' } },
    { kind: 'old-side-alive' },
  ],
  twin: { of: 'postgres-down-stays-down', but: 'a maintenance window is open' },
  options: { variant },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await beginMaintenance(platform, tell);
    await killPostgres(platform, tell);
    await untilDecided(platform, tell, { row: 45, action: 'hold' });
  },
};

export const maintenanceWindowRegionDies: Scenario = {
  name: 'maintenance-window-region-dies',
  says: 'as maintenance-window, but the whole region dies: failover all the same',
  expects: 'failover',
  wants: [
    { kind: 'trigger', trigger: 'auto' },
    { kind: 'decided', decision: { row: 30 } },
    { kind: 'never-decided', decision: { row: 40, inTheWay: 'row-30' } },
  ],
  twin: { of: 'maintenance-window', but: 'the whole region dies' },
  options: { variant },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await beginMaintenance(platform, tell);
    await killRegion(platform, tell);
    await untilFailedOver(platform, tell);
  },
};
