/**
 * What people say to a proposal or a run: yes, or stop (design §2, §6, §7). PURE. Every answer is released only once what
 * it speaks of is durable.
 */
import type { Facts } from '../model/events.ts';
import type { GroupLedger, Proposal, Raise, Run } from '../model/ledger.ts';
import type { InputOf } from '../model/loop.ts';
import type { GroupId } from '../model/primitives.ts';
import { intended, irrevocable, isBroken, toUndo } from '../model/run.ts';
import { overriddenBy } from './leases.ts';
import { approveRaise, turnDown } from './raises.ts';
import { page, say, type Turn } from './turn.ts';
import { groupLedger } from './view.ts';

/** Problems, by the closed codes the API publishes. */
type Refusal =
  | 'not-found'
  | 'plan-hash'
  | 'config-hash'
  | 'expired'
  | 'already-approved'
  | 'role'
  | 'promotion-begun'
  | 'not-waiting';
const STATUS: Record<Refusal, number> = {
  'not-found': 404,
  'plan-hash': 409,
  'config-hash': 409,
  expired: 409,
  'already-approved': 409,
  role: 403,
  'promotion-begun': 409,
  'not-waiting': 409,
};

type Said = InputOf<'approve'> | InputOf<'abort'>;

function reply(turn: Turn, input: Said, status: number, body: Facts): void {
  turn.effects.push({ kind: 'reply', request: input.request, status, body });
}
const refuse = (turn: Turn, input: Said, code: Refusal, detail: string): void =>
  reply(turn, input, STATUS[code], { code, detail });

function find(
  turn: Turn,
  target: string,
): { group: GroupId; ledger: GroupLedger; proposal: Proposal | null; run: Run | null; raise: Raise | null } | null {
  const none = { proposal: null, run: null, raise: null };
  for (const [group, ledger] of Object.entries(turn.state.ledger.groups)) {
    if (ledger.proposal?.id === target) return { ...none, group, ledger, proposal: ledger.proposal };
    if (ledger.run?.id === target) return { ...none, group, ledger, run: ledger.run };
    if (ledger.raise?.id === target) return { ...none, group, ledger, raise: ledger.raise };
  }
  return null;
}

export function approve(turn: Turn, input: InputOf<'approve'>): void {
  const found = find(turn, input.target);
  if (found === null)
    return refuse(turn, input, 'not-found', `no open proposal, run or raise is called ${input.target}`);
  if (found.run !== null) return resume(turn, input, found.group, found.run);
  if (found.raise !== null) return sayYesToRaise(turn, input, found.group, found.raise);
  const proposal = found.proposal;
  if (proposal === null) return;
  const { person, at } = input;
  if (input.planHash !== proposal.planHash)
    return refuse(
      turn,
      input,
      'plan-hash',
      `the proposal’s plan hash is ${proposal.planHash}; look at it again before you approve`,
    );
  if (at >= proposal.expiresAt)
    return refuse(turn, input, 'expired', 'the proposal has expired; a new one follows if it is still needed');
  if (input.breakGlass !== null) return breakGlass(turn, input, found.group, proposal, input.breakGlass);
  if (proposal.approvals.some((approval) => approval.person === person.id))
    return refuse(turn, input, 'already-approved', `${person.id} approved already; two approvals are two people`);
  const open = proposal.needs.filter((role) => !proposal.approvals.some((approval) => approval.role === role));
  const role = open.find((needed) => person.roles.includes(needed));
  if (role === undefined)
    return refuse(
      turn,
      input,
      'role',
      `an approval by ${open.join(' and ') || 'nobody'} is waited for; ${person.id} is ${person.roles.join(', ')}`,
    );
  say(turn, {
    kind: 'approval.given',
    at,
    group: found.group,
    proposal: proposal.id,
    planHash: proposal.planHash,
    epoch: proposal.epoch,
    approval: { person: person.id, role, at, nonce: input.nonce, expiresAt: proposal.expiresAt, breakGlass: null },
  });
  const waiting = open.filter((needed) => needed !== role);
  reply(turn, input, 200, { proposal: proposal.id, approvedAs: role, waitingFor: waiting });
}

function sayYesToRaise(turn: Turn, input: InputOf<'approve'>, group: GroupId, raise: Raise): void {
  const answer = approveRaise(turn, input, group, raise);
  if (answer.code !== null) return refuse(turn, input, answer.code, answer.detail);
  reply(turn, input, 200, { raise: raise.id, approvedAs: answer.approvedAs, waitingFor: [...answer.waitingFor] });
}

/** One SRE with a reason, for all who are needed; executives hear of it at once, not within half an hour (design §6). */
function breakGlass(turn: Turn, input: InputOf<'approve'>, group: GroupId, proposal: Proposal, why: string): void {
  const { person, at, nonce } = input;
  if (!person.roles.includes('sre')) return refuse(turn, input, 'role', 'only an on-call SRE may break the glass');
  if (isBroken(proposal)) return refuse(turn, input, 'already-approved', 'the glass was broken already');
  say(turn, {
    kind: 'approval.given',
    at,
    group,
    proposal: proposal.id,
    planHash: proposal.planHash,
    epoch: proposal.epoch,
    approval: { person: person.id, role: 'sre', at, nonce, expiresAt: proposal.expiresAt, breakGlass: why },
  });
  page(
    turn,
    'executive-notice',
    group,
    `${person.id} broke the glass on ${proposal.id}`,
    `${person.id} approved alone what ${proposal.needs.join(' and ')} should have: ${why}`,
    at,
  );
  reply(turn, input, 200, { proposal: proposal.id, approvedAs: 'break-glass', waitingFor: [] });
}

function resume(turn: Turn, input: InputOf<'approve'>, group: GroupId, run: Run): void {
  if (!input.person.roles.includes('sre')) return refuse(turn, input, 'role', 'an on-call SRE lets a run go on');
  if (run.status !== 'paused' && run.status !== 'halted')
    return refuse(turn, input, 'not-waiting', `${run.id} is ${run.status}: it waits for nobody`);
  const by = overriddenBy(groupLedger(turn.state, group));
  if (by !== null) return refuse(turn, input, 'not-waiting', `${by}: it can’t go on`);
  say(turn, { kind: 'run.resumed', at: input.at, group, run: run.id, person: input.person.id });
  // One person widens what more may have said yes to: those who would want to know hear of it now, not in half an hour.
  if (run.asks !== null)
    page(
      turn,
      'executive-notice',
      group,
      `${input.person.id} lets ${run.id} go on with a greater loss`,
      `${run.why}. Accepted by ${input.person.id} alone.`,
      input.at,
    );
  reply(turn, input, 200, { run: run.id, status: 'running' });
}

const MAY_ABORT = ['sre', 'vp', 'executive'] as const;

export function abort(turn: Turn, input: InputOf<'abort'>): void {
  const found = find(turn, input.target);
  if (found === null)
    return refuse(turn, input, 'not-found', `no open proposal, run or raise is called ${input.target}`);
  if (!MAY_ABORT.some((role) => input.person.roles.includes(role)))
    return refuse(turn, input, 'role', `one of ${MAY_ABORT.join(', ')} may abort`);
  if (found.proposal !== null) return abortProposal(turn, input, found.group, found.ledger, found.proposal);
  if (found.run !== null) abortRun(turn, input, found.group, found.run);
  if (found.raise !== null) {
    turnDown(turn, input, found.group, found.raise);
    reply(turn, input, 200, { raise: found.raise.id, status: 'aborted' });
  }
}

function abortProposal(
  turn: Turn,
  input: InputOf<'abort'>,
  group: GroupId,
  ledger: GroupLedger,
  proposal: Proposal,
): void {
  const why = `${input.person.id}: ${input.why}`;
  say(turn, { kind: 'proposal.closed', at: input.at, group, proposal: proposal.id, reason: 'aborted', why });
  // Its row has to hold anew: otherwise the same proposal would be back at once.
  const row = proposal.decision.row;
  if (ledger.holds[row] !== undefined)
    say(turn, { kind: 'hold.ended', at: input.at, group, row, why: `aborted by ${why}` });
  reply(turn, input, 200, { proposal: proposal.id, status: 'aborted' });
}

/**
 * Before the first point of no return a run is undone; between it and the promotion it can only wait, and a second abort gives
 * it up, as it gives an undoing up that doesn't come to its end; after the promotion's intent nothing cancels (invariant 11).
 */
function abortRun(turn: Turn, input: InputOf<'abort'>, group: GroupId, run: Run): void {
  const why = `${input.person.id}: ${input.why}`;
  const base = { at: input.at, group, run: run.id } as const;
  if (intended(run, 'promote')) {
    return refuse(
      turn,
      input,
      'promotion-begun',
      'the promotion was begun: going back would make a second history; the run goes forward, and a failback can be planned afterwards',
    );
  }
  if (!irrevocable(run) && !(run.status === 'aborting' && toUndo(run) !== undefined)) {
    if (run.status === 'aborting') return refuse(turn, input, 'not-waiting', `${run.id} is being undone already`);
    say(turn, { kind: 'run.aborting', ...base, person: input.person.id, why });
    return reply(turn, input, 200, { run: run.id, status: 'aborting' });
  }
  if (run.status === 'running') {
    say(turn, { kind: 'run.paused', ...base, person: input.person.id, why });
    page(
      turn,
      'attention',
      group,
      `${run.id} is paused`,
      `${why}. The old side was being fenced: approve ${run.id} to go on, or abort it again to give it up and bring the old side back by hand.`,
    );
    return reply(turn, input, 200, {
      run: run.id,
      status: 'paused',
      detail: 'fencing was begun, so it can’t be undone by itself; approve to go on, abort again to give it up',
    });
  }
  say(turn, { kind: 'run.ended', ...base, outcome: 'abandoned', why, clocks: run.clocks });
  page(
    turn,
    'attention',
    group,
    `${run.id} was given up`,
    `${why}. The old side may be fenced: bring it back by hand.`,
  );
  reply(turn, input, 200, {
    run: run.id,
    status: 'abandoned',
    detail: 'the old side may be fenced; bring it back by hand',
  });
}
