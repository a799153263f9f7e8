/** `failoverd explain`: why a row of the matrix answers as it does, now or then, and what would change it. */
import type { ToldExplanation } from '../model/explanation.ts';
import { CLIENT_OPTIONS, createClient, reportFault } from './client.ts';
import { type Command, EXIT, readArgs, UsageError } from './command.ts';
import { type Paint, painter, wrap } from './terminal.ts';

const OPTIONS = { ...CLIENT_OPTIONS, row: { type: 'string' }, at: { type: 'string' } } as const;
/** Whose rows are listed where none has the row that was asked for. */
const MOST_GROUPS_TOLD = 5;
const USAGE = 'failoverd explain [GROUP] [--row N] [--at TIME]';

export const explain: Command = async (args, shell) => {
  const { values, positionals } = readArgs(args, OPTIONS);
  const [named, more] = positionals;
  if (more !== undefined) throw new UsageError(`one group at most, not also ${more}`, USAGE);
  const { row, at, json } = values;
  if (row !== undefined && !/^[1-9][0-9]{0,8}$/.test(row))
    throw new UsageError(
      `--row ${row} is no number of a row`,
      'give the number that the status shows, such as --row 40',
    );
  const client = createClient(values, shell);
  const query = new URLSearchParams({ ...(row === undefined ? {} : { row }), ...(at === undefined ? {} : { at }) });
  const groups = named === undefined ? await client.status() : null;
  if (groups?.ok === false) return reportFault(groups.fault, shell, json);
  const explanations: ToldExplanation[] = [];
  const without: string[] = [];
  for (const group of groups === null ? [named ?? ''] : groups.value.groups.map((one) => one.group)) {
    const answer = await client.explain(group, query);
    // Where all groups are meant, one without such a row has nothing to say.
    if (!answer.ok && named === undefined && answer.fault.kind === 'problem' && answer.fault.problem.field === 'row') {
      without.push(answer.fault.problem.remedy ?? '');
      continue;
    }
    if (!answer.ok) return reportFault(answer.fault, shell, json);
    explanations.push(answer.value);
  }
  if (explanations.length === 0)
    throw new UsageError(`no group has a row ${row}`, without.slice(0, MOST_GROUPS_TOLD).join('; '));
  if (json) shell.stdout(`${JSON.stringify(named === undefined ? explanations : explanations[0])}\n`);
  else shell.stdout(`${explanations.flatMap((one) => linesOf(one, painter(shell.color))).join('\n')}\n`);
  return EXIT.done;
};

const COLOR = { matches: 'yellow', 'does-not-match': 'green', 'cannot-tell': 'blue', 'not-kept': 'dim' } as const;

const linesOf = ({ says, rows }: ToldExplanation, paint: Paint): string[] => [
  ...wrap(says),
  ...rows.flatMap((row) => [
    '',
    paint(COLOR[row.answer], row.says),
    ...row.paragraphs.flatMap(({ label, lines }) =>
      lines.flatMap((line, index) => wrap(line, `  ${(index === 0 ? label : '').padEnd(12)}`)),
    ),
  ]),
];
