import { isDeepStrictEqual } from 'node:util';
import type { Account } from './client/account.ts';
import { REGION } from './config.ts';
import type { ScenarioFacts } from './report.ts';
import type { CrashFacts } from './scenarios/daemon-crash.ts';
import { checksOf } from './wants.ts';

export interface Check {
  readonly check: string;
  readonly ok: boolean;
}

export interface Verdict {
  readonly passed: boolean;
  readonly checks: readonly Check[];
}

/** Pure: the verdict follows from the facts and from nothing else. */
export function judge(facts: ScenarioFacts): Verdict {
  const checks = [
    ...always(facts),
    ...expected(facts),
    ...checksOf(facts),
    ...(facts.crash === null ? [] : crashed(facts, facts.crash)),
  ];
  return { passed: checks.every(({ ok }) => ok), checks };
}

function always({ account, dumps }: ScenarioFacts): Check[] {
  return [
    { check: 'clients wrote, and were told so', ok: account.acknowledged > 0 },
    { check: 'the ledger and the databases fit together', ok: account.consistent },
    {
      check: 'nothing was acknowledged by the old side after the new one',
      ok: account.ackedByOldAfterNew.length === 0,
    },
    { check: 'both databases are of one cluster', ok: dumps.a.systemIdentifier === dumps.b.systemIdentifier },
  ];
}

function expected(facts: ScenarioFacts): Check[] {
  switch (facts.expects) {
    case 'failover':
      return failedOver(facts);
    case 'nothing':
      return nothingHappened(facts);
    case 'no-cutover':
      return stoppedShort(facts);
    case 'held':
      return heldBack(facts);
    case 'proposal':
      return proposed(facts);
    default:
      return facts.expects satisfies never;
  }
}

function failedOver(facts: ScenarioFacts): Check[] {
  const { account, dumps } = facts;
  return [
    { check: 'one run, verified', ok: facts.runsOpened === 1 && facts.runOutcome === 'verified' },
    {
      check: 'every step of the plan was done, once',
      ok: facts.plannedSteps.length > 0 && sameWords(facts.stepsDone, facts.plannedSteps),
    },
    { check: 'journal, database and DNS hold one epoch of one run', ok: oneEpoch(facts) },
    { check: 'clients were served by the new side', ok: account.firstNewAckAtMs !== null },
    { check: 'the public name leads to the new side', ok: leadsTo(facts, facts.newSideRecord) },
    { check: 'the new side was promoted once', ok: dumps.b.timeline === dumps.a.timeline + 1 },
    { check: 'no acknowledged write is lost outside the bracket', ok: outside(account) === 0 },
    { check: 'the fence gave a proof', ok: facts.fenceProof !== null },
    { check: 'no process of the old side is left', ok: facts.oldSideProcesses === 0 },
    { check: 'people were told of the run', ok: (facts.pagesByKind['run'] ?? 0) > 0 },
  ];
}

function nothingHappened(facts: ScenarioFacts): Check[] {
  return [...nothingMoved(facts), { check: 'the old side was left alone', ok: facts.oldSideProcesses > 0 }];
}

function nothingMoved(facts: ScenarioFacts): Check[] {
  return [
    { check: 'failoverd was there to decide', ok: facts.journal !== null },
    { check: 'no run was opened', ok: facts.runsOpened === 0 },
    { check: 'no epoch was taken', ok: facts.epoch === null && noEpochOutside(facts) },
    { check: 'the public name still leads to the old side', ok: leadsTo(facts, facts.oldSideRecord) },
    { check: 'the standby was not promoted', ok: facts.dumps.b.timeline === facts.dumps.a.timeline },
  ];
}

function heldBack(facts: ScenarioFacts): Check[] {
  return [
    ...nothingMoved(facts),
    { check: 'nothing was proposed', ok: facts.proposals.length === 0 },
    { check: 'people were called for', ok: callsFor(facts.pagesByKind) > 0 },
  ];
}

function proposed(facts: ScenarioFacts): Check[] {
  return [
    ...nothingMoved(facts),
    { check: 'a proposal is open', ok: facts.proposals.at(-1) === 'open' },
    { check: 'people were asked', ok: (facts.pagesByKind['proposal'] ?? 0) > 0 },
  ];
}

function stoppedShort(facts: ScenarioFacts): Check[] {
  return [
    { check: 'a run was opened', ok: facts.runsOpened === 1 },
    { check: 'it did not end well', ok: facts.runOutcome !== 'verified' },
    { check: 'the public name was left alone', ok: leadsTo(facts, facts.oldSideRecord) && noEpochOutside(facts) },
    { check: 'the standby was not promoted', ok: facts.dumps.b.timeline === facts.dumps.a.timeline },
    { check: 'people were called for', ok: callsFor(facts.pagesByKind) > 0 },
  ];
}

function crashed(facts: ScenarioFacts, crash: CrashFacts): Check[] {
  const wanted =
    typeof crash.wanted === 'number'
      ? crash.counted >= crash.wanted || crash.ended
      : crash.entries.includes(crash.wanted);
  const restart = facts.entries.lastIndexOf('daemon.started');
  const before = facts.entries.slice(Math.max(0, restart - crash.entries.length), restart);
  const starts = facts.entries.filter((entry) => entry === 'daemon.started').length;
  return [
    { check: 'failoverd was killed -9', ok: crash.endedBy === 'SIGKILL' },
    { check: 'right after the entry that was meant', ok: wanted && isDeepStrictEqual(before, crash.entries) },
    { check: 'and started again, once', ok: starts === 2 },
    { check: 'it ended as a run that nobody disturbed', ok: isDeepStrictEqual(endingOf(facts), crash.reference) },
  ];
}

/** What must not depend on whether failoverd was killed on the way. */
export interface Ending {
  readonly outcome: string | null;
  readonly runsOpened: number;
  readonly stepsDone: readonly string[];
  readonly epoch: number | null;
  readonly epochRows: readonly { readonly epoch: number; readonly region: string }[];
  readonly epochsInDns: readonly (string | undefined)[];
  readonly movedInDns: boolean;
  readonly timelines: readonly [number, number];
  readonly oldSideProcesses: number;
  readonly pageKinds: readonly string[];
}

export function endingOf(facts: ScenarioFacts): Ending {
  return {
    outcome: facts.runOutcome,
    runsOpened: facts.runsOpened,
    stepsDone: facts.stepsDone.toSorted(),
    epoch: facts.epoch,
    epochRows: facts.epochRows.map(({ epoch, region }) => ({ epoch, region })),
    epochsInDns: facts.epochTexts.map((text) => /epoch=\d+/.exec(text)?.[0]),
    movedInDns: leadsTo(facts, facts.newSideRecord),
    timelines: [facts.dumps.a.timeline, facts.dumps.b.timeline],
    oldSideProcesses: facts.oldSideProcesses,
    pageKinds: Object.keys(facts.pagesByKind).toSorted(),
  };
}

/** Pages that ask for a person, where others only tell. */
export const callsFor = (pagesByKind: ScenarioFacts['pagesByKind']): number =>
  (pagesByKind['stuck'] ?? 0) + (pagesByKind['attention'] ?? 0);

/** Acknowledged writes that are gone and that nobody had announced as possibly lost. */
export const outside = (writes: Account): number => writes.lost.length + writes.missingOnOld.length;

const leadsTo = ({ dnsAnswer }: ScenarioFacts, record: string): boolean => isDeepStrictEqual(dnsAnswer, [record]);

const noEpochOutside = (facts: ScenarioFacts): boolean => facts.epochRows.length === 0 && facts.epochTexts.length === 0;

const sameWords = (some: readonly string[], others: readonly string[]): boolean =>
  isDeepStrictEqual(some.toSorted(), others.toSorted());

function oneEpoch({ epoch, runId: run, epochRows, epochTexts }: ScenarioFacts): boolean {
  return (
    epoch !== null &&
    run !== null &&
    isDeepStrictEqual(epochRows, [{ epoch, run, region: REGION.b }]) &&
    isDeepStrictEqual(epochTexts, [`failoverd epoch=${epoch} run=${run}`])
  );
}
