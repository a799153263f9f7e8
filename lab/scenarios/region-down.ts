import { PEOPLE, REGION } from '../config.ts';
import type { Platform } from '../platform.ts';
import { waitFor } from '../servers/wait.ts';
import { type Scenario, status, untilFailedOver, untilQuiet } from './scenario.ts';

export const regionDownAuto: Scenario = {
  name: 'region-down-auto',
  says: 'the primary region dies; failoverd moves the service by itself',
  expects: 'failover',
  act: async (platform, tell) => {
    await untilQuiet(platform);
    tell(`region ${REGION.a} dies: every process of it is killed at once`);
    await platform.regions.hypervisor.act(REGION.a, 'crash');
    await untilFailedOver(platform, tell);
  },
};

export const regionDownGated: Scenario = {
  name: 'region-down-gated',
  says: 'the primary region dies; two people say yes, then failoverd moves the service',
  expects: 'failover',
  options: { autonomy: 'gated' },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    tell(`region ${REGION.a} dies`);
    await platform.regions.hypervisor.act(REGION.a, 'crash');
    for (const person of PEOPLE) {
      const said = await waitFor(`${person} approves`, 30_000, async () => await approve(platform, person));
      tell(said ? `${person} approved` : `${person} found nothing to approve`);
      if (!said) return;
    }
    await untilFailedOver(platform, tell);
  },
};

async function approve(platform: Platform, person: string): Promise<boolean> {
  const proposal = (await status(platform))?.groups[0]?.proposal;
  if (proposal === null || proposal === undefined) return false;
  const answer = await fetch(`${platform.daemons.url}/api/v1/proposals/${proposal.id}/approve`, {
    method: 'POST',
    headers: { authorization: `Bearer ${platform.daemons.tokens[person] ?? ''}`, 'content-type': 'application/json' },
    body: JSON.stringify({ planHash: proposal.planHash }),
    signal: AbortSignal.timeout(5_000),
  });
  await answer.body?.cancel();
  return answer.ok;
}
