import { existsSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Clocks, EventBody, EventOf } from '../src/model/events.ts';
import { type Account, account, type LossBracket } from './client/account.ts';
import { readLedgers } from './client/ledger.ts';
import { REGION } from './config.ts';
import type { Platform, Sabotage } from './platform.ts';
import type { Expectation, Scenario } from './scenarios/scenario.ts';
import { dumpWrites, readDump, type WritesDump } from './servers/postgres.ts';
import { scanProcesses } from './servers/processes.ts';

/** Everything that was measured in one scenario; who has the files can compute all of it again. */
export interface ScenarioFacts {
  readonly scenario: string;
  readonly expects: Expectation;
  readonly sabotage: Sabotage | null;
  readonly ledgers: readonly string[];
  readonly dumps: { readonly a: WritesDump; readonly b: WritesDump };
  readonly journal: string | null;
  readonly bracket: LossBracket | null;
  readonly account: Account;
  readonly epoch: number | null;
  readonly runHash: string | null;
  readonly runOutcome: string | null;
  readonly runWhy: string | null;
  readonly runsOpened: number;
  readonly clocks: Clocks | null;
  readonly steps: readonly { readonly step: string; readonly fromMs: number; readonly tookMs: number | null }[];
  readonly decision: string | null;
  /** What the fence driver proved, as the journal has it. */
  readonly fenceProof: unknown;
  /** Processes of the old region that the kernel showed when the scenario was over. */
  readonly oldSideProcesses: number;
  readonly dnsAnswer: readonly string[];
  readonly newSideRecord: string;
  readonly pages: number;
}

export interface Check {
  readonly check: string;
  readonly ok: boolean;
}

/** Pure: the verdict follows from the facts and from nothing else. */
export function judge(facts: ScenarioFacts): { readonly passed: boolean; readonly checks: readonly Check[] } {
  const { account: writes, dumps } = facts;
  const moved = facts.dnsAnswer.includes(facts.newSideRecord);
  const checks: Check[] = [
    { check: 'clients wrote, and were told so', ok: writes.acknowledged > 0 },
    { check: 'the ledger and the databases fit together', ok: writes.consistent },
    { check: 'nothing was acknowledged by the old side after the new one', ok: writes.ackedByOldAfterNew.length === 0 },
    { check: 'both databases are of one cluster', ok: dumps.a.systemIdentifier === dumps.b.systemIdentifier },
  ];
  switch (facts.expects) {
    case 'failover':
      checks.push(
        { check: 'one run, verified', ok: facts.runsOpened === 1 && facts.runOutcome === 'verified' },
        { check: 'clients were served by the new side', ok: writes.firstNewAckAtMs !== null },
        { check: 'the public name leads to the new side', ok: moved },
        { check: 'the new side is on a later timeline', ok: dumps.b.timeline > dumps.a.timeline },
        { check: 'no acknowledged write is lost outside the bracket', ok: outside(writes) === 0 },
        { check: 'the fence gave a proof', ok: facts.fenceProof !== null },
        { check: 'no process of the old side is left', ok: facts.oldSideProcesses === 0 },
      );
      break;
    case 'nothing':
      checks.push(
        { check: 'no run was opened', ok: facts.runsOpened === 0 },
        { check: 'failoverd was there to decide', ok: facts.journal !== null },
        { check: 'the public name still leads to the old side', ok: !moved },
        { check: 'the old side was left alone', ok: facts.oldSideProcesses > 0 },
        { check: 'the standby was not promoted', ok: dumps.b.timeline === dumps.a.timeline },
      );
      break;
    case 'no-cutover':
      checks.push(
        { check: 'a run was opened', ok: facts.runsOpened === 1 },
        { check: 'it did not end well', ok: facts.runOutcome !== 'verified' },
        { check: 'the public name was left alone', ok: !moved },
        { check: 'people were paged', ok: facts.pages > 0 },
      );
      break;
    default:
      facts.expects satisfies never;
  }
  return { passed: checks.every(({ ok }) => ok), checks };
}

const outside = (writes: Account): number => writes.lost.length + writes.missingOnOld.length;

/** Stop everything that writes, then read back what is there. */
export async function collect(
  platform: Platform,
  scenario: Scenario,
  sabotage: Sabotage | null,
): Promise<ScenarioFacts> {
  await platform.stopClients();
  await platform.stopDaemons();
  const old = [platform.postgres.a.dataDir, path.join(platform.dir, 'a')];
  const oldSideProcesses = (await scanProcesses(old)).pids.length;
  const dump = async (side: 'a' | 'b'): Promise<WritesDump> =>
    await dumpWrites({
      instance: platform.postgres[side],
      out: path.join(platform.dir, 'out', `dump-${side}.txt`),
      scratchDir: path.join(platform.dir, 'pg'),
      log: () => undefined,
    });
  const dumps = { a: await dump('a'), b: await dump('b') };
  const journal = path.join(platform.stateDir, 'journal.db');
  const events = existsSync(journal) ? readJournal(journal) : [];
  const bracket = bracketOf(events);
  const ledgers = platform.ledgers();
  const opened = events.filter((event) => event.kind === 'run.opened');
  const ended = events.find((event) => event.kind === 'run.ended');
  const fence = events.find((event) => event.kind === 'step.done' && event.step.startsWith('fence'));
  return {
    scenario: scenario.name,
    expects: scenario.expects,
    sabotage,
    ledgers,
    dumps,
    journal: existsSync(journal) ? journal : null,
    bracket,
    account: account({
      ledger: await readLedgers(ledgers),
      dumpOld: await readDump(dumps.a.path),
      dumpNew: await readDump(scenario.expects === 'failover' ? dumps.b.path : dumps.a.path),
      oldRegion: REGION.a,
      newRegion: REGION.b,
      ...(bracket === null ? {} : { bracket }),
    }),
    epoch: events.find((event) => event.kind === 'epoch.taken')?.epoch ?? null,
    runHash: opened[0]?.planHash ?? null,
    runOutcome: ended?.outcome ?? null,
    runWhy: ended?.why ?? events.find((event) => event.kind === 'run.halted')?.why ?? null,
    runsOpened: opened.length,
    clocks: ended?.clocks ?? null,
    steps: stepsOf(events),
    decision: opened[0]?.decision.why ?? null,
    fenceProof: fence?.kind === 'step.done' ? fence.proof : null,
    oldSideProcesses,
    dnsAnswer: await platform.publicAnswer(),
    newSideRecord: platform.records.b,
    pages: platform.pages.length,
  };
}

export function readJournal(file: string): EventBody[] {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = database.prepare('select body from entries order by seq').all();
    return rows.map((row) => JSON.parse(String(row['body'])) as EventBody);
  } finally {
    database.close();
  }
}

/** What the run said may be lost, as positions of the old side's log: the newest estimate. */
function bracketOf(events: readonly EventBody[]): LossBracket | null {
  const losses = events.flatMap((event) =>
    event.kind === 'loss.estimated' || event.kind === 'run.opened' ? [event.loss] : [],
  );
  const loss = losses.at(-1);
  if (loss?.fromLsn === undefined || loss.fromLsn === null) return null;
  return { afterLsn: loss.fromLsn, upToLsn: loss.highBytes === null ? null : later(loss.fromLsn, loss.highBytes) };
}

function later(lsn: string, bytes: number): string {
  const [high = '0', low = '0'] = lsn.split('/');
  const end = (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`) + BigInt(Math.ceil(bytes));
  return `${(end >> 32n).toString(16)}/${(end & 0xffffffffn).toString(16)}`.toUpperCase();
}

function stepsOf(events: readonly EventBody[]): ScenarioFacts['steps'] {
  const began = new Map<string, number>();
  for (const event of events) {
    if (event.kind === 'step.intended' && !began.has(event.step)) began.set(event.step, event.at);
  }
  const done = events.filter((event): event is EventOf<'step.done'> => event.kind === 'step.done');
  return [...began].map(([step, fromMs]) => {
    const end = done.find((event) => event.step === step);
    return { step, fromMs, tookMs: end === undefined ? null : end.at - fromMs };
  });
}
