/** `failoverd abort`: turns a proposal or a raise down, or stops a run as far as it can still be stopped. */
import { CLIENT_OPTIONS, createClient, reportFault } from './client.ts';
import { type Command, EXIT, readArgs, UsageError } from './command.ts';
import { wrap } from './terminal.ts';

const OPTIONS = { ...CLIENT_OPTIONS, reason: { type: 'string' } } as const;

export const abort: Command = async (args, shell) => {
  const { values, positionals } = readArgs(args, OPTIONS);
  const [id, more] = positionals;
  if (id === undefined || more !== undefined)
    throw new UsageError('one proposal, raise or run is needed', 'failoverd abort ID --reason "why"');
  const kind = id.startsWith('proposal-')
    ? 'proposals'
    : id.startsWith('run-')
      ? 'runs'
      : id.startsWith('raise-')
        ? 'raises'
        : null;
  if (kind === null)
    throw new UsageError(`${id} is no proposal, run or raise`, '`failoverd status` shows what is open');
  if (values.reason === undefined || values.reason.trim() === '')
    throw new UsageError('a reason is needed, for the journal', 'add --reason "why"');
  const client = createClient(values, shell);
  const answer = await client.post(`/api/v1/${kind}/${encodeURIComponent(id)}/abort`, { reason: values.reason.trim() });
  if (!answer.ok) return reportFault(answer.fault, shell, values.json);
  if (values.json) shell.stdout(`${JSON.stringify(answer.value)}\n`);
  else {
    const detail = typeof answer.value['detail'] === 'string' ? `: ${answer.value['detail']}` : '.';
    shell.stdout(`${wrap(`${id} is ${String(answer.value['status'])}${detail}`).join('\n')}\n`);
  }
  return EXIT.done;
};
