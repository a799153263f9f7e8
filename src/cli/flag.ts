/** `failoverd flag` and `failoverd clear`: corruption or an accidental deletion is reported, or no longer stands. */
import { CLIENT_OPTIONS, createClient, reportFault } from './client.ts';
import { type Command, EXIT, readArgs, type Shell, UsageError } from './command.ts';

const OPTIONS = { ...CLIENT_OPTIONS, reason: { type: 'string' } } as const;
const REPORTS = ['corruption', 'deletion'];

type Asked = { readonly group: string; readonly report: string; readonly reason: string };

export const flag: Command = (args, shell) =>
  send(args, shell, 'flag', ({ group, report, reason }) => ({
    path: `/api/v1/groups/${group}/reports`,
    body: { report, what: reason },
  }));

export const clear: Command = (args, shell) =>
  send(args, shell, 'clear', ({ group, report, reason }) => ({
    path: `/api/v1/groups/${group}/reports/${report}/clear`,
    body: { reason },
  }));

async function send(
  args: readonly string[],
  shell: Shell,
  name: string,
  requestOf: (asked: Asked) => { readonly path: string; readonly body: object },
): Promise<number> {
  const { values, positionals } = readArgs(args, OPTIONS);
  const [group, report, more] = positionals;
  const usage = `failoverd ${name} GROUP corruption|deletion --reason "what was seen"`;
  if (group === undefined || report === undefined || more !== undefined)
    throw new UsageError('a group and what is reported of it are needed', usage);
  if (!REPORTS.includes(report)) throw new UsageError(`${report} is nothing that can be reported`, usage);
  const reason = values.reason?.trim() ?? '';
  if (reason.length < 3)
    throw new UsageError(
      reason === '' ? 'a reason is needed, for the journal' : `${reason} is too short for a reason`,
      'add --reason "what was seen", three letters at least',
    );
  const client = createClient(values, shell);
  const { path, body } = requestOf({ group: encodeURIComponent(group), report, reason });
  const answer = await client.post(path, body);
  if (!answer.ok) return reportFault(answer.fault, shell, values.json);
  if (values.json) shell.stdout(`${JSON.stringify(answer.value)}\n`);
  else shell.stdout(`${group}: ${report} is ${String(answer.value['status']).replace('-', ' ')}.\n`);
  return EXIT.done;
}
