/** `failoverd divergence`: what the old side has that the new one has not, of a run, or counted anew from its archive. */
import { resolve } from 'node:path';
import { divergence as count, NO_NAMES } from '../guard/wal/divergence.ts';
import { WalError } from '../guard/wal/errors.ts';
import { verifyArchive } from '../guard/wal/manifest.ts';
import { groupsInJournal, readGroupEvents } from '../journal/reader.ts';
import { StoreError } from '../journal/store.ts';
import type { ReviewedRun, Reviews } from '../model/review.ts';
import { reviewOf } from '../policies/review.ts';
import { systemClock } from '../runtime/clock.ts';
import { CLIENT_OPTIONS, createClient, reportFault } from './client.ts';
import { type Command, EXIT, nearest, readArgs, type Shell, UsageError } from './command.ts';
import { archiveLines, runLines } from './divergence-text.ts';
import { painter, wrap } from './terminal.ts';

const OPTIONS = {
  ...CLIENT_OPTIONS,
  journal: { type: 'string' },
  archive: { type: 'string' },
  'bin-dir': { type: 'string' },
} as const;
const USAGE = 'failoverd divergence RUN, or failoverd divergence --archive FOLDER --bin-dir FOLDER';
/** As long as evidence is kept (design §10). */
const SINCE = '400d';
const SINCE_MS = 400 * 86_400_000;

export const divergence: Command = async (args, shell) => {
  const { values, positionals } = readArgs(args, OPTIONS);
  const [run, more] = positionals;
  if (more !== undefined) throw new UsageError(`one run at most, not also ${more}`, USAGE);
  const { archive, journal, json } = values;
  if (archive !== undefined) {
    if (run !== undefined) throw new UsageError('an archive is of one run: name either', USAGE);
    return await ofArchive(archive, values['bin-dir'], json, shell);
  }
  if (run === undefined) throw new UsageError('which run?', `${USAGE}; \`failoverd report\` lists them`);
  if (journal !== undefined) return await ofJournal(run, journal, json, shell);
  const answer = await createClient(values, shell).report(new URLSearchParams({ since: SINCE }));
  return answer.ok ? tell(run, answer.value, json, shell) : reportFault(answer.fault, shell, json);
};

async function ofJournal(run: string, dir: string, json: boolean, shell: Shell): Promise<number> {
  const folder = resolve(shell.cwd, dir);
  const to = systemClock.wall();
  const from = to - SINCE_MS;
  try {
    const groups = await Promise.all(
      groupsInJournal(folder).map(async (group) =>
        reviewOf({ group, from, to, kept: await readGroupEvents(folder, group, to) }),
      ),
    );
    return tell(run, { from, to, groups }, json, shell);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return failed(error.message, 'name the folder that the config has as daemon.stateDir, as its user', shell);
  }
}

function tell(id: string, { groups }: Reviews, json: boolean, shell: Shell): number {
  const all: readonly ReviewedRun[] = groups.flatMap((group) => group.runs);
  const run = all.find((one) => one.id === id);
  if (run === undefined) {
    const near = nearest(
      id,
      all.map((one) => one.id),
    );
    const choice = all.length === 0 ? 'there was none yet' : `there are ${all.map((one) => one.id).join(', ')}`;
    throw new UsageError(`no run is called ${id}`, near === null ? choice : `did you mean ${near}?`);
  }
  const found = run.divergence ?? null;
  if (json) shell.stdout(`${JSON.stringify({ run: run.id, loss: run.loss, divergence: found })}\n`);
  else shell.stdout(`${runLines(run, painter(shell.color)).join('\n')}\n`);
  return found === null ? EXIT.failed : EXIT.done;
}

/** Reads every file of the archive again, and counts what it holds. */
async function ofArchive(dir: string, binDir: string | undefined, json: boolean, shell: Shell): Promise<number> {
  if (binDir === undefined)
    throw new UsageError('--bin-dir is missing', 'name the folder with pg_waldump, of the version that wrote the log');
  const folder = resolve(shell.cwd, dir);
  // A command ends with its process: nobody aborts it from within.
  const { signal } = new AbortController();
  try {
    const manifest = await verifyArchive(folder, signal);
    const found = await count(folder, manifest, { binDir: resolve(shell.cwd, binDir) }, NO_NAMES, signal);
    if (json) shell.stdout(`${JSON.stringify({ manifest, divergence: found })}\n`);
    else shell.stdout(`${archiveLines(folder, manifest, found, painter(shell.color)).join('\n')}\n`);
    return EXIT.done;
  } catch (error) {
    if (!(error instanceof WalError)) throw error;
    return failed(error.message, error.remedy ?? 'give the folder that holds manifest.json', shell);
  }
}

function failed(message: string, remedy: string, shell: Shell): number {
  for (const line of wrap(message, 'failoverd divergence: ')) shell.stderr(`${line}\n`);
  for (const line of wrap(remedy, '  help: ')) shell.stderr(`${line}\n`);
  return EXIT.failed;
}
