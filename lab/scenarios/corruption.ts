import { PEOPLE } from '../config.ts';
import type { Platform } from '../platform.ts';
import {
  killRegion,
  order,
  type Scenario,
  SEEN_WITHIN_MS,
  untilDecided,
  untilFailedOver,
  untilGroup,
  untilQuiet,
} from './scenario.ts';

async function untilReported(platform: Platform, tell: (line: string) => void): Promise<void> {
  platform.monitoring.signals.set('corruption', 1);
  // Where sabotage has taken the veto away, no report comes.
  await untilGroup(
    platform,
    'the report',
    SEEN_WITHIN_MS,
    ({ reports, rows }) => reports.length > 0 || rows.every(({ row }) => row !== 10),
  );
  tell('corruption is reported');
}

export const corruptionVeto: Scenario = {
  name: 'corruption-veto',
  says: 'corruption is reported by an alert before the region dies: no failover, and people are called',
  expects: 'held',
  wants: [
    { kind: 'reports', reports: ['made'] },
    { kind: 'decided', decision: { row: 40, action: 'hold', inTheWay: 'row-10' } },
  ],
  twin: { of: 'corruption-veto-cleared', but: 'nobody has cleared the report' },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await untilReported(platform, tell);
    await killRegion(platform, tell);
    await untilDecided(platform, tell, { row: 40, action: 'hold' });
  },
};

export const corruptionVetoCleared: Scenario = {
  name: 'corruption-veto-cleared',
  says: 'as corruption-veto, but a person has cleared the report, and the alert still fires: failover',
  expects: 'failover',
  wants: [
    { kind: 'reports', reports: ['made', 'cleared'] },
    { kind: 'trigger', trigger: 'auto' },
  ],
  twin: { of: 'corruption-veto', but: 'a person has cleared the report' },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await untilReported(platform, tell);
    const reason = 'the disk was replaced, every checksum holds';
    const status = await order(platform, PEOPLE[0], 'groups/platform/reports/corruption/clear', { reason });
    tell(`${PEOPLE[0]} clears the report: ${status}`);
    await killRegion(platform, tell);
    await untilFailedOver(platform, tell);
  },
};
