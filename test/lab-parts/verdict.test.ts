// A verdict follows from the facts in the report and from nothing else: one wrong fact, and the scenario has not passed.
import t from 'tap';
import type { ScenarioFacts } from '../../lab/report.ts';
import type { CrashFacts } from '../../lab/scenarios/daemon-crash.ts';
import { endingOf, judge } from '../../lab/verdict.ts';
import { RECORDED } from './recorded.ts';

const failed = (facts: ScenarioFacts): string[] => judge(facts).checks.flatMap(({ check, ok }) => (ok ? [] : [check]));

/** Changed facts, and the checks that must then say no. */
type Case = readonly [what: string, changed: Partial<ScenarioFacts>, failed: readonly string[]];

function cases(good: ScenarioFacts, list: readonly Case[]): void {
  t.test(`all is well: ${good.scenario}`, async (t) => {
    t.strictSame(failed(good), []);
    t.equal(judge(good).passed, true);
  });
  for (const [what, changed, checks] of list) {
    t.test(`${good.scenario} has not passed when ${what}`, async (t) => {
      t.strictSame(failed({ ...good, ...changed }), checks);
      t.equal(judge({ ...good, ...changed }).passed, false);
    });
  }
}

const { account, dumps } = RECORDED;

cases(RECORDED, [
  ['nobody was told of a write', { account: { ...account, acknowledged: 0 } }, ['clients wrote, and were told so']],
  [
    'the ledger forgot or invented acknowledgements (drop-acks)',
    { account: { ...account, unrecorded: ['public-7'], nowhere: ['public-invented-11'], consistent: false } },
    ['the ledger and the databases fit together'],
  ],
  [
    'two sides acknowledged at once',
    { account: { ...account, ackedByOldAfterNew: [{ id: 'local-1', sentAtMs: 5_001, ackedAtMs: 5_002 }] } },
    ['nothing was acknowledged by the old side after the new one'],
  ],
  [
    'an acknowledged write is lost',
    { account: { ...account, lost: ['public-3'] } },
    ['no acknowledged write is lost outside the bracket'],
  ],
  [
    'an acknowledged write is on the old side alone, unannounced',
    { account: { ...account, missingOnOld: ['public-3'] } },
    ['no acknowledged write is lost outside the bracket'],
  ],
  [
    'clients never reached the new side',
    { account: { ...account, firstNewAckAtMs: null } },
    ['clients were served by the new side'],
  ],
  [
    'the standby is of another cluster',
    { dumps: { ...dumps, b: { ...dumps.b, systemIdentifier: '1' } } },
    ['both databases are of one cluster'],
  ],
  [
    'the standby was promoted twice',
    { dumps: { ...dumps, b: { ...dumps.b, timeline: 3 } } },
    ['the new side was promoted once'],
  ],
  ['a second run was opened', { runsOpened: 2 }, ['one run, verified']],
  ['the run was not verified', { runOutcome: 'unverified' }, ['one run, verified']],
  ['a step was done twice', { stepsDone: [...RECORDED.stepsDone, 'fence'] }, ['every step of the plan was done, once']],
  ['a step was left out', { stepsDone: RECORDED.stepsDone.slice(1) }, ['every step of the plan was done, once']],
  ['there was no plan', { stepsDone: [], plannedSteps: [] }, ['every step of the plan was done, once']],
  ['the database holds no epoch', { epochRows: [] }, ['journal, database and DNS hold one epoch of one run']],
  [
    'the database holds a second epoch',
    { epochRows: [{ epoch: 2, run: 'run-platform-2', region: 'eu-central-1' }, ...RECORDED.epochRows] },
    ['journal, database and DNS hold one epoch of one run'],
  ],
  [
    'DNS holds the epoch of another run',
    { epochTexts: ['failoverd epoch=1 run=run-platform-2'] },
    ['journal, database and DNS hold one epoch of one run'],
  ],
  ['the name leads to the old side', { dnsAnswer: ['127.10.1.1'] }, ['the public name leads to the new side']],
  [
    'the name leads to both sides',
    { dnsAnswer: ['127.10.1.1', '127.10.2.1'] },
    ['the public name leads to the new side'],
  ],
  ['the fence proved nothing', { fenceProof: null }, ['the fence gave a proof']],
  ['the old side lives on', { oldSideProcesses: 1 }, ['no process of the old side is left']],
  ['nobody was paged', { pagesByKind: {} }, ['people were told of the run']],
]);

const QUIET: ScenarioFacts = {
  ...RECORDED,
  scenario: 'region-blip',
  expects: 'nothing',
  dumps: { ...dumps, b: { ...dumps.b, timeline: 1 } },
  runsOpened: 0,
  runId: null,
  runOutcome: null,
  epoch: null,
  epochRows: [],
  epochTexts: [],
  dnsAnswer: ['127.10.1.1'],
  oldSideProcesses: 9,
};

cases(QUIET, [
  ['there was no failoverd', { journal: null }, ['failoverd was there to decide']],
  ['a run was opened', { runsOpened: 1 }, ['no run was opened']],
  ['an epoch was taken', { epoch: 1 }, ['no epoch was taken']],
  ['an epoch stands in DNS', { epochTexts: ['failoverd epoch=1 run=run-platform-1'] }, ['no epoch was taken']],
  ['clients were moved', { dnsAnswer: ['127.10.2.1'] }, ['the public name still leads to the old side']],
  ['the name leads nowhere', { dnsAnswer: [] }, ['the public name still leads to the old side']],
  ['the old side was powered off', { oldSideProcesses: 0 }, ['the old side was left alone']],
  ['the standby was promoted', { dumps }, ['the standby was not promoted']],
]);

const STOPPED: ScenarioFacts = {
  ...QUIET,
  scenario: 'bad-standby',
  expects: 'no-cutover',
  runsOpened: 1,
  epoch: 1,
  oldSideProcesses: 0,
  pagesByKind: { stuck: 1, run: 1 },
};

cases(STOPPED, [
  ['no run was opened', { runsOpened: 0 }, ['a run was opened']],
  ['it claims to be verified', { runOutcome: 'verified' }, ['it did not end well']],
  ['clients were moved', { dnsAnswer: ['127.10.2.1'] }, ['the public name was left alone']],
  ['nobody was called', { pagesByKind: { run: 2 } }, ['people were called for']],
]);

const HELD: ScenarioFacts = { ...QUIET, scenario: 'corruption-veto', expects: 'held', pagesByKind: { attention: 1 } };

cases(HELD, [
  ['a run was opened', { runsOpened: 1 }, ['no run was opened']],
  ['people were asked instead', { proposals: ['open'] }, ['nothing was proposed']],
  ['nobody was called', { pagesByKind: {} }, ['people were called for']],
]);

const ASKED: ScenarioFacts = {
  ...QUIET,
  scenario: 'receive-gap',
  expects: 'proposal',
  oldSideProcesses: 0,
  proposals: ['expired', 'open'],
  pagesByKind: { proposal: 2 },
};

cases(ASKED, [
  ['a run was opened', { runsOpened: 1 }, ['no run was opened']],
  ['nothing was proposed', { proposals: [] }, ['a proposal is open']],
  ['it came to its end', { proposals: ['open', 'approved'] }, ['a proposal is open']],
  ['nobody was asked', { pagesByKind: {} }, ['people were asked']],
]);

/** Facts that hold what every kind of want asks for. */
const WANTED: ScenarioFacts = {
  ...RECORDED,
  decisions: [
    { row: 40, action: 'hold', autonomy: 'auto', inTheWay: ['row-50'] },
    { row: 40, action: 'failover', autonomy: 'auto', inTheWay: [] },
  ],
  pages: [{ kind: 'executive-notice', title: 'ada broke the glass', atOnce: true }],
  trigger: 'approved',
  brokeGlass: true,
  reports: ['made', 'cleared'],
  account: { ...account, missing: ['public-3'], missingInBracket: ['public-3'] },
  measured: { 'alerts sent': 10_000 },
  wants: [
    { kind: 'decided', decision: { row: 40, action: 'failover', autonomy: 'auto', inTheWay: null } },
    { kind: 'never-decided', decision: { inTheWay: 'monitoring' } },
    { kind: 'changed', row: 40, from: { action: 'hold', inTheWay: 'row-50' }, to: { action: 'failover' } },
    { kind: 'holds', row: 40, least: 1, most: 1 },
    { kind: 'paged', page: 'executive-notice', atOnce: true },
    { kind: 'never-paged', page: 'speak-up' },
    { kind: 'trigger', trigger: 'approved', brokeGlass: true },
    { kind: 'loss', inBracket: 'some' },
    { kind: 'reports', reports: ['made', 'cleared'] },
    { kind: 'alerts-kept', name: 'Watchdog', least: 1 },
    { kind: 'measured', name: 'alerts sent', least: 10_000, most: 10_000 },
  ],
};
const [heldFirst, wentOn] = WANTED.decisions;
if (heldFirst === undefined || wentOn === undefined) throw new Error('two decisions');
const DECIDED = 'it was decided: row 40 failover in auto with nothing in the way';
const CHANGED = 'row 40 first: hold held or capped by row-50; in the end: failover';
const GLASS = 'the run was opened by approval of one person who broke the glass';
const IN_BRACKET = 'acknowledged writes are missing, and all of them lie within the bracket that was told';

cases(WANTED, [
  ['something was in the way', { decisions: [heldFirst, { ...wentOn, inTheWay: ['cooldown'] }] }, [DECIDED]],
  ['nothing was waited for', { decisions: [wentOn] }, [CHANGED]],
  [
    'what must not stand in the way did',
    { decisions: [heldFirst, { ...heldFirst, inTheWay: ['monitoring'] }, wentOn] },
    ['it was never decided: held or capped by monitoring'],
  ],
  ['the hold began anew', { holds: { '40': 2 } }, ['holds of row 40: 1']],
  ['no hold began', { holds: {} }, ['holds of row 40: 1']],
  [
    'executives were to be told later',
    { pages: [{ kind: 'executive-notice', title: '', atOnce: false }] },
    ['people got a page: executive-notice, due at once'],
  ],
  ['the page reached nobody', { pagesByKind: { run: 1 } }, ['people got a page: executive-notice, due at once']],
  [
    'a page was sent that must not be',
    { pages: [...WANTED.pages, { kind: 'speak-up', title: '', atOnce: false }] },
    ['nobody got a page: speak-up'],
  ],
  ['it went by itself', { trigger: 'auto' }, [GLASS]],
  ['two people said yes', { brokeGlass: false }, [GLASS]],
  ['nothing was lost', { account: { ...account, missingInBracket: [] } }, [IN_BRACKET]],
  ['no bracket was told', { bracket: null }, [IN_BRACKET]],
  ['the report still stands', { reports: ['made'] }, ['reports of the data: made, cleared']],
  ['the alert was never heard', { alerts: { kept: {}, resolved: 0 } }, ['alerts Watchdog in the journal: at least 1']],
  ['it was not measured', { measured: {} }, ['alerts sent: 10000']],
  ['fewer were sent', { measured: { 'alerts sent': 9_999 } }, ['alerts sent: 10000']],
]);

t.test('wants of a scenario without failoverd don’t pass for want of a journal', async (t) => {
  const wants: ScenarioFacts['wants'] = [
    { kind: 'never-decided', decision: { row: 40 } },
    { kind: 'holds', row: 40, least: 0, most: 0 },
    { kind: 'never-paged', page: 'run' },
    { kind: 'reports', reports: [] },
  ];
  const nobody = { ...QUIET, wants, decisions: [], holds: {}, pages: [], journal: null };
  t.equal(failed(nobody).length, 1 + wants.length);
});

const CRASH: CrashFacts = {
  wanted: 'step.attempted fence',
  counted: 6,
  entries: ['step.attempted fence'],
  ended: false,
  endedBy: 'SIGKILL',
  reference: endingOf(RECORDED),
};
const [before, after] = [RECORDED.entries.slice(0, 7), RECORDED.entries.slice(7)];
const CRASHED: ScenarioFacts = {
  ...RECORDED,
  scenario: 'daemon-crash',
  entries: [...before, 'daemon.started', ...after],
  crash: CRASH,
};

cases(CRASHED, [
  ['failoverd ended by itself', { crash: { ...CRASH, endedBy: 1 } }, ['failoverd was killed -9']],
  [
    'it was killed after another entry',
    { crash: { ...CRASH, wanted: 'step.done fence' } },
    ['right after the entry that was meant'],
  ],
  ['it was killed too early', { crash: { ...CRASH, wanted: 7 } }, ['right after the entry that was meant']],
  [
    'the journal went on after the kill',
    { entries: [...before, ...after.slice(0, 1), 'daemon.started', ...after.slice(1)] },
    ['right after the entry that was meant'],
  ],
  [
    'it was never started again',
    { entries: RECORDED.entries },
    ['right after the entry that was meant', 'and started again, once'],
  ],
  [
    'people were paged otherwise than without the kill',
    { pagesByKind: { ...RECORDED.pagesByKind, stuck: 1 } },
    ['it ended as a run that nobody disturbed'],
  ],
  [
    'the new side is on another timeline than without the kill',
    { dumps: { a: { ...dumps.a, timeline: 2 }, b: { ...dumps.b, timeline: 3 } } },
    ['it ended as a run that nobody disturbed'],
  ],
]);
