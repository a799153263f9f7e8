// The lab's scenarios on real servers: what they show when all is well, that failoverd survives a kill in the middle of a
// failover, and that sabotage is seen.
import t from 'tap';
import type { Sabotage } from '../../lab/platform.ts';
import type { ScenarioFacts } from '../../lab/report.ts';
import { runScenario } from '../../lab/run.ts';
import { daemonCrash } from '../../lab/scenarios/daemon-crash.ts';
import { SCENARIOS } from '../../lab/scenarios/index.ts';
import type { Scenario } from '../../lab/scenarios/scenario.ts';
import { endingOf, type Verdict } from '../../lab/verdict.ts';

const log = (line: string): void => {
  if (process.env['FAILOVERD_LAB_VERBOSE'] !== undefined) console.error(line);
};

const report = async (scenario: Scenario, sabotage: Sabotage | null = null): Promise<ScenarioFacts & Verdict> =>
  await runScenario(scenario, { sabotage, log, monitoring: 'fetch', keep: 'nothing' });

const failed = ({ checks }: Verdict): string[] => checks.flatMap(({ check, ok }) => (ok ? [] : [check]));

function named(name: string): Scenario {
  const scenario = SCENARIOS.find((each) => each.name === name);
  if (scenario === undefined) throw new Error(`no scenario ${name}`);
  return scenario;
}

t.setTimeout(600_000);

t.test('a dead region: failoverd moves the service, and ends alike when it is killed halfway', async (t) => {
  const undisturbed = await report(named('region-down-auto'));
  t.strictSame(failed(undisturbed), []);
  // Between the promotion and its record: the point at which nothing can be taken back, and nobody knows it yet.
  const killed = await report(daemonCrash('step.intended promote.postgres', endingOf(undisturbed)));
  t.strictSame(failed(killed), []);
  t.strictSame(killed.crash?.entries, ['step.intended promote.postgres']);
});

for (const name of ['region-blip', 'cut-off-region', 'patroni-managed', 'patroni-old-side-returns']) {
  t.test(`${name} ends as it should`, async (t) => {
    t.strictSame(failed(await report(named(name))), []);
  });
}

/** What each sabotage must be seen by; a lab that passes with one of them shows nothing without it. */
const SEEN: readonly (readonly [Sabotage, scenario: string, checks: readonly string[]])[] = [
  ['no-failoverd', 'region-down-auto', ['one run, verified', 'clients were served by the new side']],
  [
    'no-fence',
    'cut-off-region',
    ['no process of the old side is left', 'nothing was acknowledged by the old side after the new one'],
  ],
  ['drop-acks', 'region-down-auto', ['the ledger and the databases fit together']],
  ['direct-control', 'patroni-managed', ['one run, verified', 'Patroni of B leads a running primary: at least 1']],
  ['no-veto', 'corruption-veto', ['no run was opened', 'reports of the data: made']],
];
for (const [sabotage, name, checks] of SEEN) {
  t.test(`${name} with ${sabotage} has not passed`, async (t) => {
    const seen = failed(await report(named(name), sabotage));
    for (const check of checks) t.ok(seen.includes(check), `${check}: among ${seen.join('; ')}`);
  });
}
