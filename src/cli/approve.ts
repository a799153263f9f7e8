/**
 * `failoverd approve`: shows exactly what a yes covers, asks, and sends the yes bound to the plan that was shown. A plan
 * that changed in between is refused by the daemon.
 */
import type { ProposalStatus, RaiseStatus, RunReport, StatusDocument } from '../daemon/status-document.ts';
import { CLIENT_OPTIONS, createClient, reportFault } from './client.ts';
import { type Command, EXIT, readArgs, type Shell, UsageError } from './command.ts';
import { proposalLines, raiseLines, runLines } from './describe.ts';
import { labelled, painter, wrap } from './terminal.ts';

const OPTIONS = {
  ...CLIENT_OPTIONS,
  yes: { type: 'boolean', short: 'y', default: false },
  'plan-hash': { type: 'string' },
  'break-glass': { type: 'string' },
} as const;

export type Target =
  | { readonly kind: 'proposal'; readonly proposal: ProposalStatus; readonly timeZone: string | null }
  | { readonly kind: 'raise'; readonly raise: RaiseStatus; readonly timeZone: string | null }
  | { readonly kind: 'run'; readonly run: RunReport };

/** An open proposal, raise or run by its id. */
export function findTarget(status: StatusDocument, id: string): Target | null {
  for (const { proposal, raise, run, timeZone } of status.groups) {
    if (proposal?.id === id) return { kind: 'proposal', proposal, timeZone };
    if (raise?.id === id) return { kind: 'raise', raise, timeZone };
    if (run?.id === id) return { kind: 'run', run };
  }
  return null;
}

export function sayNotOpen(status: StatusDocument, id: string, shell: Shell): number {
  const open = status.groups.flatMap(({ proposal, raise, run }) =>
    [proposal?.id, raise?.id, run?.id].filter((one) => one !== undefined),
  );
  shell.stderr(`failoverd: no open proposal, raise or run is called ${id}\n`);
  for (const line of wrap(open.length === 0 ? 'none is open' : `open are ${open.join(', ')}`, '  help: '))
    shell.stderr(`${line}\n`);
  return EXIT.failed;
}

/** True for a yes. Where nobody can be asked, a yes has to be given as an option. */
export async function confirm(question: string, shell: Shell): Promise<boolean> {
  const said = await shell.ask(`${question} [y/N] `);
  if (said === null) throw new UsageError('nobody can be asked here', 'look at it first, then add --yes');
  return /^y(es)?$/i.test(said.trim());
}

export const approve: Command = async (args, shell) => {
  const { values, positionals } = readArgs(args, OPTIONS);
  const [id, more] = positionals;
  if (id === undefined || more !== undefined)
    throw new UsageError(
      'one proposal, raise or run is needed',
      'failoverd approve ID; `failoverd status` shows what waits',
    );
  if (values.json && !values.yes) throw new UsageError('--json asks nothing', 'add --yes and --plan-hash');
  const glass = values['break-glass']?.trim() ?? null;
  if (glass !== null && (glass.length < 3 || !id.startsWith('proposal-')))
    throw new UsageError(
      'breaking the glass is for a proposal, and needs a reason',
      'failoverd approve PROPOSAL --break-glass "why nobody else can say yes"',
    );
  const client = createClient(values, shell);
  const answer = await client.status();
  if (!answer.ok) return reportFault(answer.fault, shell, values.json);
  const target = findTarget(answer.value, id);
  if (target === null) return sayNotOpen(answer.value, id, shell);

  const planHash = hashOf(target);
  const wanted = values['plan-hash'];
  if (wanted !== undefined && wanted !== planHash) {
    shell.stderr(`failoverd: the hash of ${id} is ${planHash}, not ${wanted}\n  help: look at it again\n`);
    return EXIT.blocked;
  }
  if (!values.json) show(target, shell);
  if (!values.yes && !(await confirm(question(target, glass), shell))) {
    shell.stderr('failoverd: nothing was approved\n');
    return EXIT.failed;
  }
  const sent =
    target.kind === 'proposal'
      ? await client.post(
          `/api/v1/proposals/${id}/approve`,
          glass === null ? { planHash } : { planHash, breakGlass: glass },
        )
      : target.kind === 'raise'
        ? await client.post(`/api/v1/raises/${id}/approve`, { configHash: planHash })
        : await client.post(`/api/v1/runs/${id}/approve`, {});
  if (!sent.ok) return reportFault(sent.fault, shell, values.json);
  if (values.json) shell.stdout(`${JSON.stringify(sent.value)}\n`);
  else shell.stdout(`${said(target, sent.value).join('\n')}\n`);
  return EXIT.done;
};

/** What a yes is bound to. */
function hashOf(target: Target): string {
  switch (target.kind) {
    case 'proposal':
      return target.proposal.planHash;
    case 'raise':
      return target.raise.configHash;
    case 'run':
      return target.run.planHash;
    default:
      return target satisfies never;
  }
}

function show(target: Target, shell: Shell): void {
  const paint = painter(shell.color);
  const lines =
    target.kind === 'proposal'
      ? proposalLines(target.proposal, target.timeZone, paint)
      : target.kind === 'raise'
        ? raiseLines(target.raise, target.timeZone, paint)
        : [...runLines(target.run), ...why(target.run)];
  shell.stdout(`${lines.join('\n')}\n\n`);
}

const why = (run: RunReport): string[] => [
  ...(run.why === null ? [] : labelled('waits', run.why)),
  ...labelled('plan', run.planHash),
];

const question = (target: Target, glass: string | null): string =>
  target.kind === 'proposal'
    ? `${glass === null ? '' : 'ALONE, for everybody who is needed; executives are told at once. '}Approve the failover ${target.proposal.from} to ${target.proposal.to}?`
    : target.kind === 'raise'
      ? 'Let failoverd do more by itself, as above?'
      : `Let ${target.run.id} go on?`;

function said(target: Target, answer: Record<string, unknown>): string[] {
  if (target.kind === 'run') return [`${target.run.id} goes on.`];
  const waiting = Array.isArray(answer['waitingFor']) ? answer['waitingFor'].map(String) : [];
  const { id } = target.kind === 'raise' ? target.raise : target.proposal;
  const rest =
    waiting.length === 0
      ? `Nobody else is waited for: it ${target.kind === 'raise' ? 'is in force' : 'begins'}.`
      : `Still waited for: ${waiting.join(' and ')}.`;
  return wrap(`Approved ${id} as ${String(answer['approvedAs'] ?? '?')}. ${rest}`);
}
