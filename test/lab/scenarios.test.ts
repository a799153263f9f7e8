// The lab's scenarios on real servers: what they show when all is well, and that sabotage is seen.
import t from 'tap';
import { SABOTAGES, type Sabotage } from '../../lab/platform.ts';
import { runScenario } from '../../lab/run.ts';
import { SCENARIOS } from '../../lab/scenarios/index.ts';

const log = (line: string): void => {
  if (process.env['FAILOVERD_LAB_VERBOSE'] !== undefined) console.error(line);
};

async function failedChecks(name: string, sabotage: Sabotage | null): Promise<string[]> {
  const scenario = SCENARIOS.find((each) => each.name === name);
  if (scenario === undefined) return [`no scenario ${name}`];
  const { checks } = await runScenario(scenario, { sabotage, log, monitoring: 'fetch', keep: 'nothing' });
  return checks.flatMap(({ check, ok }) => (ok ? [] : [check]));
}

t.setTimeout(600_000);

for (const name of ['region-down-auto', 'region-blip', 'cut-off-region']) {
  t.test(`${name} ends as it should`, async (t) => {
    t.strictSame(await failedChecks(name, null), []);
  });
}

t.test('a fence that lies is seen: the old side goes on acknowledging', async (t) => {
  const failed = await failedChecks('cut-off-region', 'no-fence');
  t.ok(failed.includes('no process of the old side is left'), `failed: ${failed.join('; ')}`);
  t.ok(failed.includes('nothing was acknowledged by the old side after the new one'), `failed: ${failed.join('; ')}`);
});

t.test('there are three kinds of sabotage', async (t) => t.equal(SABOTAGES.length, 3));
