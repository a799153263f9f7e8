import { PEOPLE } from '../config.ts';
import { REPLICATION } from '../platform/network.ts';
import type { Platform } from '../platform.ts';
import { query } from '../servers/postgres.ts';
import {
  approve,
  killRegion,
  pause,
  type Scenario,
  SEEN_WITHIN_MS,
  untilDecided,
  untilFailedOver,
  untilGroup,
  untilQuiet,
} from './scenario.ts';

/** Above the bound of row 50, and long enough after the region's death for the hold to end before replay catches up. */
const APPLY_DELAY = '9s';

/** What was received is replayed late: a replica that does so on purpose, as one under heavy queries does. */
async function replayLate(platform: Platform): Promise<void> {
  const { b } = platform.regions.postgres;
  await query(b, `alter system set recovery_min_apply_delay = '${APPLY_DELAY}'`, [], 'app');
  await query(b, 'select pg_reload_conf()', [], 'app');
}

export const replicationLag: Scenario = {
  name: 'replication-lag',
  says: 'the standby replays late when the region dies: the failover waits until it has caught up, then goes by itself',
  expects: 'failover',
  wants: [
    { kind: 'changed', row: 40, from: { action: 'hold', inTheWay: 'row-50' }, to: { action: 'failover' } },
    { kind: 'trigger', trigger: 'auto' },
  ],
  twin: { of: 'replication-lag-none', but: 'the standby replays late' },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await replayLate(platform);
    // Where sabotage has taken the gate away, it never stands.
    await untilGroup(platform, 'row 50 stands in the way', SEEN_WITHIN_MS, ({ rows }) => {
      const gate = rows.find(({ row }) => row === 50);
      return gate === undefined || gate.verdict === 'bad';
    });
    await killRegion(platform, tell);
    await untilFailedOver(platform, tell);
  },
};

export const replicationLagNone: Scenario = {
  name: 'replication-lag-none',
  says: 'as replication-lag, but replay keeps up: nothing is waited for',
  expects: 'failover',
  wants: [
    { kind: 'never-decided', decision: { inTheWay: 'row-50' } },
    { kind: 'trigger', trigger: 'auto' },
  ],
  twin: { of: 'replication-lag', but: 'replay keeps up' },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await killRegion(platform, tell);
    await untilFailedOver(platform, tell);
  },
};

const RPO = '5s';
const FAR_OVER_RPO_MS = 8_000;
const FAR_BELOW_RPO_MS = 1_000;

/** The standby receives nothing for a while, though everybody else reaches A; then A dies with what it alone had. */
async function dieWithGap(platform: Platform, gapMs: number, tell: (line: string) => void): Promise<void> {
  await untilQuiet(platform);
  platform.network.links.link(REPLICATION).cut({ mode: 'drop' });
  tell(`the standby receives nothing any more; clients write for ${gapMs / 1000} s more`);
  await pause(gapMs);
  await killRegion(platform, tell);
}

/** Invariant 20. */
const OVER_BUDGET = { kind: 'decided', decision: { row: 40, action: 'propose', inTheWay: 'loss-budget' } } as const;

export const receiveGap: Scenario = {
  name: 'receive-gap',
  says: 'the region dies with more unreceived writes than the RPO: failoverd asks, though it may act by itself',
  expects: 'proposal',
  wants: [OVER_BUDGET],
  twin: { of: 'receive-gap-small', but: `the standby received nothing for ${FAR_OVER_RPO_MS / 1000} s` },
  options: { variant: { rpo: RPO } },
  act: async (platform, tell) => {
    await dieWithGap(platform, FAR_OVER_RPO_MS, tell);
    await untilDecided(platform, tell, { row: 40, action: 'propose' });
  },
};

export const receiveGapSmall: Scenario = {
  name: 'receive-gap-small',
  says: 'as receive-gap, but within the RPO: failover by itself, and the loss is the one that was told',
  expects: 'failover',
  wants: [
    { kind: 'trigger', trigger: 'auto' },
    { kind: 'loss', inBracket: 'some' },
  ],
  twin: { of: 'receive-gap', but: `the standby received nothing for ${FAR_BELOW_RPO_MS / 1000} s` },
  options: { variant: { rpo: RPO } },
  act: async (platform, tell) => {
    await dieWithGap(platform, FAR_BELOW_RPO_MS, tell);
    await untilFailedOver(platform, tell);
  },
};

/** Invariants 19 and 26: every acknowledged write is on the new side, or lies within the bracket that was reported. */
export const lossWithinBracket: Scenario = {
  name: 'loss-within-bracket',
  says: 'as receive-gap, but people are told of the loss and say yes: what is lost lies within the bracket they were told',
  expects: 'failover',
  wants: [OVER_BUDGET, { kind: 'trigger', trigger: 'approved' }, { kind: 'loss', inBracket: 'some' }],
  twin: { of: 'receive-gap', but: 'two people approve' },
  options: { variant: { rpo: RPO } },
  act: async (platform, tell) => {
    await dieWithGap(platform, FAR_OVER_RPO_MS, tell);
    for (const person of PEOPLE) if (!(await approve(platform, person, tell))) return;
    await untilFailedOver(platform, tell);
  },
};
