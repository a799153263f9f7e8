import { PEOPLE } from '../config.ts';
import { approve, killRegion, lookOn, type Scenario, untilFailedOver, untilQuiet } from './scenario.ts';

const [SRE] = PEOPLE;
/** Long enough for a run to begin where one approval were enough. */
const AFTER_APPROVAL_MS = 5_000;

export const breakGlass: Scenario = {
  name: 'break-glass',
  says: 'in business hours one SRE breaks the glass, with a reason: failover, and executives are told at once',
  expects: 'failover',
  wants: [
    { kind: 'trigger', trigger: 'approved', brokeGlass: true },
    { kind: 'paged', page: 'executive-notice', atOnce: true },
  ],
  twin: { of: 'break-glass-unbroken', but: 'the approval breaks the glass' },
  options: { autonomy: 'gated' },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await killRegion(platform, tell);
    if (await approve(platform, SRE, tell, 'nobody else can be reached, customers are down'))
      await untilFailedOver(platform, tell);
  },
};

export const breakGlassUnbroken: Scenario = {
  name: 'break-glass-unbroken',
  says: 'as break-glass, but an ordinary yes of one person: the second is waited for',
  expects: 'proposal',
  wants: [{ kind: 'never-paged', page: 'executive-notice' }],
  twin: { of: 'break-glass', but: 'the approval is an ordinary one' },
  options: { autonomy: 'gated' },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await killRegion(platform, tell);
    if (await approve(platform, SRE, tell)) await lookOn(platform, AFTER_APPROVAL_MS);
  },
};
