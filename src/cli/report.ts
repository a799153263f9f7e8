/** `failoverd report`: what failoverd saw and did over a time, and in observe what it would have done. */
import { resolve } from 'node:path';
import Value from 'typebox/value';
import { groupsInJournal, readGroupEvents } from '../journal/reader.ts';
import { StoreError } from '../journal/store.ts';
import { Duration, durationMs } from '../model/primitives.ts';
import type { Reviews } from '../model/review.ts';
import { reviewOf } from '../policies/review.ts';
import { systemClock } from '../runtime/clock.ts';
import { CLIENT_OPTIONS, createClient, reportFault } from './client.ts';
import { type Command, EXIT, nearest, readArgs, type Shell, UsageError } from './command.ts';
import { reviewLines } from './review-text.ts';
import { painter, wrap } from './terminal.ts';

const OPTIONS = {
  ...CLIENT_OPTIONS,
  since: { type: 'string', default: '7d' },
  journal: { type: 'string' },
} as const;
const USAGE = 'failoverd report [GROUP] --since 7d';

export const report: Command = async (args, shell) => {
  const { values, positionals } = readArgs(args, OPTIONS);
  const [group, more] = positionals;
  if (more !== undefined) throw new UsageError(`one group at most, not also ${more}`, USAGE);
  const { since, journal } = values;
  if (!Value.Check(Duration, since) || durationMs(since) === 0)
    throw new UsageError(`--since ${since} is no span of time`, 'write it like 7d, 12h or 90m');
  if (journal !== undefined) return await fromJournal(journal, group, durationMs(since), values.json, shell);
  const client = createClient(values, shell);
  const answer = await client.report(new URLSearchParams({ since, ...(group === undefined ? {} : { group }) }));
  return answer.ok ? tell(answer.value, values.json, shell) : reportFault(answer.fault, shell, values.json);
};

/** The journal of a daemon that runs, or of one that has ended; nothing is written, and no lock is taken. */
async function fromJournal(
  dir: string,
  group: string | undefined,
  spanMs: number,
  json: boolean,
  shell: Shell,
): Promise<number> {
  const folder = resolve(shell.cwd, dir);
  try {
    const known = groupsInJournal(folder);
    if (group !== undefined && !known.includes(group)) {
      const near = nearest(group, known);
      const choice = known.length === 0 ? 'it names none yet' : `it names ${known.join(', ')}`;
      throw new UsageError(`the journal names no group ${group}`, near === null ? choice : `did you mean ${near}?`);
    }
    const to = systemClock.wall();
    const from = to - spanMs;
    const groups = await Promise.all(
      (group === undefined ? known : [group]).map(async (one) =>
        reviewOf({ group: one, from, to, kept: await readGroupEvents(folder, one, to) }),
      ),
    );
    return tell({ from, to, groups }, json, shell);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    for (const line of wrap(error.message, 'failoverd report: ')) shell.stderr(`${line}\n`);
    shell.stderr('  help: name the folder that the config has as daemon.stateDir, as its user\n');
    return EXIT.failed;
  }
}

function tell(reviews: Reviews, json: boolean, shell: Shell): number {
  if (json) shell.stdout(`${JSON.stringify(reviews)}\n`);
  else shell.stdout(`${reviewLines(reviews, painter(shell.color)).join('\n')}\n`);
  return EXIT.done;
}
