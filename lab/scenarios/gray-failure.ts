import { ALERTS, REGION } from '../config.ts';
import { REPLICATION } from '../platform/network.ts';
import { type Scenario, untilDecided, untilFailedOver, untilQuiet } from './scenario.ts';

const PROBES = ['B->A', 'W->A'] as const;
const variant = { rows: ['gray-failure'] } as const;

export const grayFailure: Scenario = {
  name: 'gray-failure',
  says: 'probes and alerts say that A is gone, but replication flows: people are told, nothing is promoted',
  expects: 'nothing',
  wants: [
    { kind: 'decided', decision: { row: 42, action: 'speak-up' } },
    { kind: 'paged', page: 'speak-up' },
    { kind: 'alerts-kept', name: ALERTS.region, least: 1 },
    { kind: 'never-decided', decision: { row: 40 } },
  ],
  twin: { of: 'gray-failure-replication-stops', but: 'replication flows' },
  options: { variant },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    for (const name of PROBES) platform.network.links.link(name).cut({ mode: 'reset' });
    tell(`nobody reaches ${REGION.a} any more, but the standby streams from it`);
    await untilDecided(platform, tell, { row: 42, action: 'speak-up' });
  },
};

export const grayFailureReplicationStops: Scenario = {
  name: 'gray-failure-replication-stops',
  says: 'as gray-failure, but replication stops too: failover',
  expects: 'failover',
  wants: [{ kind: 'trigger', trigger: 'auto' }],
  twin: { of: 'gray-failure', but: 'replication stops too' },
  options: { variant },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    for (const name of [...PROBES, REPLICATION] as const) platform.network.links.link(name).cut({ mode: 'reset' });
    tell(`nobody reaches ${REGION.a} any more, nor does the standby`);
    await untilFailedOver(platform, tell);
  },
};
