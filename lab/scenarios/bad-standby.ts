import { REGION } from '../config.ts';
import { waitFor } from '../platform.ts';
import { query } from '../servers/postgres.ts';
import { type Scenario, status, untilQuiet } from './scenario.ts';

export const badStandby: Scenario = {
  name: 'bad-standby',
  says: 'promotion is refused: no DNS change, and people are paged',
  expects: 'no-cutover',
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await query(
      platform.postgres.a,
      'revoke execute on function pg_catalog.pg_promote(boolean, integer) from failoverd, public',
      [],
      'app',
    );
    await waitFor('the standby has it', 2_000, async () => false);
    tell('the standby will refuse to be promoted; A dies');
    await platform.hypervisor.act(REGION.a, 'crash');
    await waitFor('the run needs a person', 60_000, async () => {
      const group = (await status(platform))?.groups[0];
      return group !== undefined && (group.summary.mood === 'stuck' || group.ended.length > 0);
    });
    await waitFor('a page', 5_000, async () => platform.pages.length > 1);
  },
};
