// A series of crashes is worth something only when it leaves no entry of the failover out.
import t from 'tap';
import type { ScenarioFacts } from '../../lab/report.ts';
import type { Report } from '../../lab/run.ts';
import type { CrashFacts } from '../../lab/scenarios/daemon-crash.ts';
import type { Scenario } from '../../lab/scenarios/scenario.ts';
import { crashSeries, type SeriesReport } from '../../lab/series.ts';
import { endingOf } from '../../lab/verdict.ts';
import { RECORDED } from './recorded.ts';

const REFERENCE: Report = { ...RECORDED, passed: true, checks: [] };
/** Of the recorded failover, as they are committed together. */
const COMMITS: readonly (readonly string[])[] = [
  ['hold.started'],
  ['decision.made', 'run.opened', 'page.queued'],
  ['step.intended fence'],
  ['step.attempted fence'],
  ['step.done fence', 'run.ended'],
];

/** What a lab would report whose failoverd was killed after that commit. */
function killedAfter(commit: number, wanted: number | string): ScenarioFacts {
  const entries = COMMITS[commit] ?? [];
  const counted = COMMITS.slice(0, commit + 1).flat().length;
  const ended = entries.includes('run.ended');
  const crash: CrashFacts = { wanted, counted, entries, ended, endedBy: 'SIGKILL', reference: endingOf(RECORDED) };
  return { ...RECORDED, scenario: 'daemon-crash', crash };
}

const wantedOf = ({ says }: Scenario): string => /after entry (.+) of a failover/.exec(says)?.[1] ?? '';

/** The commit that a crash hits: by number, or by name. */
function commitOf(wanted: string): number {
  const counted = COMMITS.map((_, index) => COMMITS.slice(0, index + 1).flat().length);
  const hit = /^\d+$/.test(wanted)
    ? counted.findIndex((count) => count >= Number(wanted))
    : COMMITS.findIndex((entries) => entries.includes(wanted));
  return hit === -1 ? COMMITS.length - 1 : hit;
}

async function series(
  answer: (wanted: string) => Report,
  reference: Report = REFERENCE,
): Promise<{ readonly asked: readonly string[]; readonly report: SeriesReport }> {
  const asked: string[] = [];
  const run = async (scenario: Scenario): Promise<Report> => {
    asked.push(wantedOf(scenario));
    return answer(wantedOf(scenario));
  };
  return { report: await crashSeries({ reference, sabotage: null, run, jobs: 1 }), asked };
}

const honest = (wanted: string): Report => ({ ...killedAfter(commitOf(wanted), wanted), passed: true, checks: [] });
const broken = { ...REFERENCE, scenario: 'daemon-crash', passed: false, code: null } as const;

t.test('each commit of a failover gets one crash, and the series ends with the run', async (t) => {
  const { report, asked } = await series(honest);
  t.strictSame(asked, ['1', '2', '5', '6', '7']);
  t.strictSame(report.withoutCrash, []);
  t.equal(report.passed, true);
});

t.test('an entry that slipped through between two numbers is asked for by its name', async (t) => {
  const { report, asked } = await series((wanted) => honest(wanted === '6' ? '7' : wanted));
  t.strictSame(asked.at(-1), 'step.attempted fence');
  t.equal(report.passed, true);
});

t.test('a series that leaves an entry out has not passed', async (t) => {
  const { report } = await series((wanted) => honest(/^6$|^step/.test(wanted) ? '7' : wanted));
  t.strictSame(report.withoutCrash, ['step.attempted fence']);
  t.equal(report.passed, false);
});

t.test('a series that never comes to the end of a run has not passed', async (t) => {
  const { report } = await series((wanted) => honest(Number(wanted) < 6 ? wanted : '6'));
  t.match(report.error, /run's end/);
  t.equal(report.passed, false);
});

t.test('a series without a single kill has not passed', async (t) => {
  const { report } = await series(() => ({ ...broken, error: 'failoverd was not killed' }));
  t.ok(report.crashes.length > 0);
  t.ok(report.crashes.every(({ entries }) => entries === null));
  t.equal(report.passed, false);
});

t.test('one crash that ended otherwise spoils the series', async (t) => {
  const { report } = await series((wanted) => ({ ...honest(wanted), passed: wanted !== '5' }) as Report);
  t.strictSame(report.withoutCrash, []);
  t.equal(report.passed, false);
});

t.test('without a failover to compare with there is no series', async (t) => {
  const { report, asked } = await series(honest, { ...REFERENCE, passed: false });
  t.strictSame(asked, []);
  t.match(report.error, /nothing to compare with/);
  t.equal(report.passed, false);
});
