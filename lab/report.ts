import path from 'node:path';
import { type Account, account, countBy } from './client/account.ts';
import { readLedgers } from './client/ledger.ts';
import { REGION } from './config.ts';
import { type JournalFacts, journalFacts, keepJournal, readJournal } from './journal.ts';
import type { Platform, Sabotage } from './platform.ts';
import type { CrashFacts } from './scenarios/daemon-crash.ts';
import type { Expectation, Scenario, Twin } from './scenarios/scenario.ts';
import { dumpWrites, query, readDump, type WritesDump } from './servers/postgres.ts';
import { scanProcesses } from './servers/processes.ts';
import type { Want } from './wants.ts';

/** A row of failoverd's control table in the new side's database. */
export interface EpochRow {
  readonly epoch: number;
  readonly run: string;
  readonly region: string;
}

/** Everything that was measured in one scenario; who has the files can compute all of it again. */
export interface ScenarioFacts extends JournalFacts {
  readonly scenario: string;
  readonly expects: Expectation;
  /** What else must have come of it. */
  readonly wants: readonly Want[];
  /** The scenario that differs from this one by one thing, and that thing; null where there is none. */
  readonly twin: Twin | null;
  readonly sabotage: Sabotage | null;
  /** Files: what clients were told, and what failoverd wrote. */
  readonly ledgers: readonly string[];
  readonly journal: string | null;
  readonly logs: { readonly failoverd: string; readonly witness: string };
  /** Files with the ids in each database, and its system identifier and timeline. */
  readonly dumps: { readonly a: WritesDump; readonly b: WritesDump };
  readonly account: Account;
  /** As B's database holds them, highest first; none when the table isn't there. */
  readonly epochRows: readonly EpochRow[];
  /** As the name server answers: the texts at the epoch's name, the addresses at the public one. */
  readonly epochTexts: readonly string[];
  readonly dnsAnswer: readonly string[];
  readonly oldSideRecord: string;
  readonly newSideRecord: string;
  /** Processes of the old region that the kernel showed when the scenario was over. */
  readonly oldSideProcesses: number;
  /** Pages that the pager received, by kind; one that was sent twice counts once. */
  readonly pagesByKind: Readonly<Record<string, number>>;
  readonly crash: CrashFacts | null;
  /** What the scenario itself measured on the way, by name. */
  readonly measured: Readonly<Record<string, number>>;
}

/** Stop everything that writes, then read back what is there. */
export async function collect(
  platform: Platform,
  scenario: Scenario,
  sabotage: Sabotage | null,
): Promise<ScenarioFacts> {
  const { clients, daemons, folder, network, outside, regions } = platform;
  await clients.stop();
  await daemons.stop();
  // A guard outlives what it has stopped, and so does the service beside it: there the database is what counts.
  const oldSide =
    regions.guards === undefined ? [regions.postgres.a.dir, folder.at('a')] : [regions.postgres.a.dataDir];
  const oldSideProcesses = (await scanProcesses(oldSide)).pids.length;
  const epochRows = await readEpochRows(platform);
  const dumps = { a: await dump(platform, 'a'), b: await dump(platform, 'b') };
  const journal = await keepJournal(daemons.stateDir, folder.out('journal.db'));
  const facts = journalFacts(journal === null ? [] : readJournal(journal));
  const ledgers = clients.ledgers();
  const answers = await outside.answers();
  const pages = new Map(outside.pages.map(({ id, kind }) => [id, kind]));
  return {
    scenario: scenario.name,
    expects: scenario.expects,
    wants: scenario.wants ?? [],
    twin: scenario.twin ?? null,
    sabotage,
    ledgers,
    journal,
    logs: daemons.logs,
    dumps,
    ...facts,
    account: account({
      ledger: await readLedgers(ledgers),
      dumpOld: await readDump(dumps.a.path),
      dumpNew: await readDump(scenario.expects === 'failover' ? dumps.b.path : dumps.a.path),
      oldRegion: REGION.a,
      newRegion: REGION.b,
      ...(facts.bracket === null ? {} : { bracket: facts.bracket }),
    }),
    epochRows,
    epochTexts: answers.epochTexts,
    dnsAnswer: answers.addresses,
    oldSideRecord: network.publicHost.a,
    newSideRecord: network.publicHost.b,
    oldSideProcesses,
    pagesByKind: countBy([...pages.values()]),
    crash: scenario.crash?.() ?? null,
    measured: scenario.measured?.() ?? {},
  };
}

async function dump({ folder, regions }: Platform, side: 'a' | 'b'): Promise<WritesDump> {
  return await dumpWrites({
    instance: regions.postgres[side],
    out: folder.out(`dump-${side}.txt`),
    scratchDir: path.join(folder.dir, 'pg'),
    log: () => undefined,
  });
}

async function readEpochRows({ regions }: Platform): Promise<EpochRow[]> {
  const ask = async <Row extends object>(sql: string): Promise<Row[]> =>
    await query<Row & Record<string, unknown>>(regions.postgres.b, sql, [], 'app');
  const [table] = await ask<{ there: boolean }>(`select to_regclass('failoverd.epoch') is not null as there`);
  if (table?.there !== true) return [];
  return await ask<{ epoch: number; run: string; region: string }>(
    'select epoch::int, run, region from failoverd.epoch order by epoch desc',
  );
}
