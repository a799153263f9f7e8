import { countBy } from '../client/account.ts';
import { REGION } from '../config.ts';
import { query } from '../servers/postgres.ts';
import { waitFor } from '../servers/wait.ts';
import { callsFor } from '../verdict.ts';
import { type Scenario, status, untilQuiet } from './scenario.ts';

const FUNCTION = 'pg_catalog.pg_promote(boolean, integer)';

export const badStandby: Scenario = {
  name: 'bad-standby',
  says: 'promotion is refused: no DNS change, and people are paged',
  expects: 'no-cutover',
  act: async (platform, tell) => {
    const { a, b } = platform.regions.postgres;
    await untilQuiet(platform);
    await query(a, `revoke execute on function ${FUNCTION} from failoverd, public`, [], 'app');
    const replayed = await waitFor('the standby has it', 5_000, async () => {
      const sql = "select has_function_privilege('failoverd', $1, 'execute') as may";
      return (await query<{ may: boolean }>(b, sql, [FUNCTION], 'app'))[0]?.may === false;
    });
    tell(`${replayed ? 'the standby will refuse to be promoted' : 'the standby never heard of it'}; A dies`);
    await platform.regions.hypervisor.act(REGION.a, 'crash');
    await waitFor('the run needs a person', 60_000, async () => {
      const group = (await status(platform))?.groups[0];
      return group !== undefined && (group.summary.mood === 'stuck' || group.ended.length > 0);
    });
    // At once where it is stuck; where the run was undone, when the region's loss has lasted for a second hold.
    await waitFor('people are called', 15_000, async () => {
      return callsFor(countBy(platform.outside.pages.map(({ kind }) => kind))) > 0;
    });
  },
};
