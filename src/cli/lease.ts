/** `failoverd lease`: who may write to each PostgreSQL; `failoverd lease clear`: a person lets a halted store go on. */
import type { GroupStatus, LeaseStatus } from '../daemon/status-document.ts';
import { instantText, spanText } from '../daemon/text.ts';
import { CLIENT_OPTIONS, createClient, reportFault } from './client.ts';
import { type Command, EXIT, nearest, readArgs, type Shell, UsageError } from './command.ts';
import { labelled, type Paint, painter, wrap } from './terminal.ts';

const OPTIONS = {
  ...CLIENT_OPTIONS,
  why: { type: 'string' },
  yes: { type: 'boolean', short: 'y', default: false },
} as const;
type Values = ReturnType<typeof readArgs<typeof OPTIONS>>['values'];

export const lease: Command = async (args, shell) => {
  const { values, positionals } = readArgs(args, OPTIONS);
  const [first, second, more] = positionals;
  if (first === 'clear') {
    if (second === undefined || more !== undefined) throw new UsageError('one lease is needed', CLEAR_USAGE);
    return await clear(second, values, shell);
  }
  if (second !== undefined) throw new UsageError(`one group at most, not also ${second}`, 'failoverd lease [GROUP]');
  return await show(first, values, shell);
};

const CLEAR_USAGE = 'failoverd lease clear GROUP/COMPONENT --why "what you looked at"';

async function show(group: string | undefined, values: Values, shell: Shell): Promise<number> {
  const client = createClient(values, shell);
  const answer = await client.status();
  if (!answer.ok) return reportFault(answer.fault, shell, values.json);
  const { groups } = answer.value;
  if (group !== undefined && !groups.some((one) => one.group === group)) throw noGroup(group, groups);
  const shown = groups.filter((one) => group === undefined || one.group === group);
  if (values.json) {
    const leases = shown.flatMap(({ group, leases }) => leases.map((lease) => ({ group, ...lease })));
    shell.stdout(`${JSON.stringify({ leases })}\n`);
    return EXIT.done;
  }
  const paint = painter(shell.color);
  const lines = shown.flatMap((one) => one.leases.flatMap((lease) => ['', ...leaseLines(one, lease, paint)]));
  shell.stdout(
    lines.length === 0
      ? `${wrap('No guard has asked for a lease yet, and none is kept.').join('\n')}\n`
      : `${lines.slice(1).join('\n')}\n`,
  );
  return EXIT.done;
}

function noGroup(group: string, groups: readonly GroupStatus[]): UsageError {
  const known = groups.map((one) => one.group);
  const near = nearest(group, known);
  return new UsageError(
    `there is no group ${group}`,
    near === null ? `groups are ${known.join(', ')}` : `did you mean ${near}?`,
  );
}

const ago = (ageMs: number | null): string =>
  ageMs === null ? 'not since the store has started' : `${spanText(ageMs)} ago`;

function leaseLines({ group, timeZone }: GroupStatus, lease: LeaseStatus, paint: Paint): string[] {
  const { component, state, holder, epoch, peers, isolation, released, setAt, warmingMs, guards, halt } = lease;
  const who =
    state === 'held'
      ? `${holder}, at epoch ${epoch}`
      : state === 'none'
        ? 'nobody yet'
        : `nobody: ${holder} gave epoch ${epoch} back (${released})`;
  return [
    paint('bold', `${group}/${component}`),
    ...(halt === null
      ? []
      : [
          ...labelled('HALTED', halt.why).map((line) => paint('red', line)),
          ...labelled('', `since ${instantText(halt.at, timeZone)}; nothing is granted until somebody clears it`),
        ]),
    ...labelled('may write', who),
    ...(state === 'held' ? labelled('renewed', ago(lease.renewedAgoMs)) : []),
    ...(setAt === null ? [] : labelled('changed', instantText(setAt, timeZone))),
    ...labelled('after it', peers.length === 0 ? 'nobody' : peers.join(', ')),
    ...(isolation === null
      ? []
      : labelled('isolated', isolation === 'stop' ? 'it stops' : 'it goes on, so that its silence proves nothing')),
    ...(warmingMs === 0
      ? []
      : labelled('warming', `the store has started; nobody takes a lease for ${spanText(warmingMs)} more`)),
    ...guards.flatMap(({ region, heardAgoMs, pinned }) =>
      labelled(
        'guard',
        `${region}, heard ${ago(heardAgoMs)}${heardAgoMs === null || pinned ? '' : '; it obeys another life of the store'}`,
      ),
    ),
  ];
}

/** What whoever clears a halt answers for. */
const STAKE =
  'This store is older than what a guard has seen: it was restored from a backup, or is a copy. What it does not know may be that another guard has taken the lease since. Go on only if you have looked at every PostgreSQL of the component, if one of them at most takes writes, and if no other failoverd runs on this journal or on a copy of it. All guards obey a new life of the store then, and nobody takes a lease before the wait is over.';

async function clear(name: string, values: Values, shell: Shell): Promise<number> {
  const [group = '', component = '', more] = name.split('/');
  if (group === '' || component === '' || more !== undefined)
    throw new UsageError(`${name} names no lease`, CLEAR_USAGE);
  const why = values.why?.trim() ?? '';
  if (why.length < 3)
    throw new UsageError(
      why === '' ? 'a reason is needed, for the journal' : `${why} is too short for a reason`,
      'add --why "what you looked at", three letters at least',
    );
  const client = createClient(values, shell);
  const answer = await client.status();
  if (!answer.ok) return reportFault(answer.fault, shell, values.json);
  const { groups } = answer.value;
  const found = groups.find((one) => one.group === group);
  if (found === undefined) throw noGroup(group, groups);
  const lease = found.leases.find((one) => one.component === component);
  if (!values.json) {
    if (lease !== undefined) shell.stdout(`${leaseLines(found, lease, painter(shell.color)).join('\n')}\n\n`);
    shell.stdout(`${wrap(STAKE).join('\n')}\n\n`);
  }
  if (!values.yes && !(await agreed(name, shell))) {
    shell.stderr('failoverd: nothing was cleared\n');
    return EXIT.failed;
  }
  const path = `/api/v1/groups/${encodeURIComponent(group)}/leases/${encodeURIComponent(component)}/clear`;
  const sent = await client.post(path, { reason: why });
  if (!sent.ok) return reportFault(sent.fault, shell, values.json);
  if (values.json) shell.stdout(`${JSON.stringify(sent.value)}\n`);
  else
    shell.stdout(
      `${wrap(`The lease store of ${name} goes on, as its life ${String(sent.value['start'])}; the next lease comes above epoch ${String(sent.value['epoch'])}.`).join('\n')}\n`,
    );
  return EXIT.done;
}

async function agreed(name: string, shell: Shell): Promise<boolean> {
  const said = await shell.ask(`Let the lease store of ${name} go on? Type ${name} to say so: `);
  if (said === null)
    throw new UsageError('nobody can be asked here', 'add --yes once you have looked at every PostgreSQL');
  return said.trim() === name;
}
