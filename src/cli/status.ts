/** `failoverd status`: what is wrong, what failoverd will do, when, and why not sooner. */
import { CLIENT_OPTIONS, createClient, reportFault } from './client.ts';
import { type Command, EXIT, nearest, readArgs, UsageError } from './command.ts';
import { statusLines } from './describe.ts';
import { painter } from './terminal.ts';

export const status: Command = async (args, shell) => {
  const { values, positionals } = readArgs(args, CLIENT_OPTIONS);
  const [group, more] = positionals;
  if (more !== undefined)
    throw new UsageError(`one group at most, not also ${more}`, 'name one group, or none for all');
  const client = createClient(values, shell);
  const answer = await client.status();
  if (!answer.ok) return reportFault(answer.fault, shell, values.json);
  const groups = answer.value.groups.filter((one) => group === undefined || one.group === group);
  if (group !== undefined && groups.length === 0) {
    const known = answer.value.groups.map((one) => one.group);
    const near = nearest(group, known);
    throw new UsageError(
      `there is no group ${group}`,
      near === null ? `groups are ${known.join(', ')}` : `did you mean ${near}?`,
    );
  }
  const shown = { ...answer.value, groups };
  if (values.json) shell.stdout(`${JSON.stringify(shown)}\n`);
  else shell.stdout(`${statusLines(shown, client.url, painter(shell.color)).join('\n')}\n`);
  return EXIT.done;
};
