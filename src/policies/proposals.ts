/**
 * From decision to run: proposals that people approve, and runs that open with or without them (design §6). PURE.
 */
import type { Approval, DecisionRecord } from '../model/events.ts';
import type { Hold } from '../model/ledger.ts';
import type { Ceilings, LossBracket } from '../model/plan.ts';
import { durationText, type ProposalId, type RunId } from '../model/primitives.ts';
import { missing } from '../model/run.ts';
import { authorityAt } from './authority.ts';
import { leftCeiling } from './ceilings.ts';
import type { Judgement } from './gates/index.ts';
import { failoverPlan, planHash } from './plans/failover.ts';
import { page, say, type Turn } from './turn.ts';
import type { View } from './view.ts';

export type Ground = {
  readonly view: View;
  readonly hold: Hold;
  readonly loss: LossBracket;
  readonly judged: Judgement;
  readonly record: DecisionRecord;
};

const lossText = (loss: LossBracket): string =>
  loss.highSeconds === null
    ? `loss unknown (${loss.basis})`
    : `at most ${loss.highSeconds.toFixed(1)} s or ${loss.highBytes ?? 'an unknown number of'} bytes of writes lost`;

/** The limits a yes is bound to: what is seen now, or the budget where that is wider. Unknown is approved as unknown. */
function ceilingsOf({ view, loss }: Ground): Ceilings {
  const { rpoMs, replicationLossBytes, fence } = view.settings;
  return {
    lossSeconds: loss.highSeconds === null ? null : Math.max(loss.highSeconds, rpoMs / 1000),
    // Without a byte budget the seconds bind; a ceiling of what happens to be seen now would void itself.
    lossBytes:
      loss.highBytes === null || replicationLossBytes === null ? null : Math.max(loss.highBytes, replicationLossBytes),
    fenceProof: fence !== 'none',
  };
}

export function openProposal(turn: Turn, ground: Ground): void {
  const { view, loss, record } = ground;
  const plan = failoverPlan(view.settings, view.active, view.standby);
  const id: ProposalId = `proposal-${view.group}-${view.ledger.proposals + 1}`;
  const { needs, why } = authorityAt(view.settings, view.at);
  const expiresAt = view.at + view.settings.approvalExpiryMs;
  const hash = planHash(plan);
  say(turn, {
    kind: 'proposal.opened',
    at: view.at,
    group: view.group,
    proposal: id,
    plan,
    planHash: hash,
    epoch: view.ledger.epoch + 1,
    ceilings: ceilingsOf(ground),
    loss,
    needs: [...needs],
    expiresAt,
    decision: record,
  });
  const fence =
    plan.fence === 'none'
      ? 'There is NO fence: the old primary may still take writes while the new one does.'
      : 'The old side is fenced first, with proof.';
  // What keeps it from acting alone is for people to weigh: they hear of the target before they say yes.
  const target = ground.judged.reports.find(({ gate, answer }) => gate === 'target-matches' && answer !== 'pass');
  const mind = target === undefined ? '' : ` Mind: ${target.why}.`;
  page(
    turn,
    'proposal',
    view.group,
    `Approve failover of ${view.settings.title} to ${view.standby}?`,
    `${record.why}. ${fence} ${lossText(loss)}.${mind} Needs ${needs.join(' and ')} (${why}) within ${durationText(view.settings.approvalExpiryMs)}: failoverd approve ${id}`,
  );
}

const approvalText = ({ person, role, breakGlass }: Approval): string =>
  breakGlass === null ? `${person} as ${role}` : `${person} alone, breaking the glass: ${breakGlass}`;

/** Looks at an open proposal again: expired, left its ceilings, or approved by all and free to run. */
export function reviewProposal(turn: Turn, ground: Ground): void {
  const { view, loss, judged } = ground;
  const proposal = view.ledger.proposal;
  if (proposal === null) return;
  const close = (reason: 'expired' | 'invalidated' | 'approved', why: string): void => {
    say(turn, { kind: 'proposal.closed', at: view.at, group: view.group, proposal: proposal.id, reason, why });
  };
  if (view.at >= proposal.expiresAt) return close('expired', 'nobody, or not everybody needed, approved in time');
  const left = leftCeiling(proposal.ceilings, loss);
  const plan = failoverPlan(view.settings, view.active, view.standby);
  const changed =
    planHash(plan) !== proposal.planHash
      ? 'the plan is another one now'
      : proposal.epoch !== view.ledger.epoch + 1
        ? 'the epoch has moved on'
        : null;
  const void_ = left ?? changed;
  if (void_ !== null) {
    close('invalidated', void_);
    page(
      turn,
      'proposal',
      view.group,
      `${proposal.id} is void`,
      `${void_}. A new proposal follows if it is still needed.`,
    );
    return;
  }
  const open = missing(proposal);
  if (open.length > 0 || judged.stopped !== null) return;
  close('approved', proposal.approvals.map(approvalText).join(', '));
  openRun(turn, ground, 'approved', proposal.approvals, proposal.ceilings);
}

export function openRun(
  turn: Turn,
  ground: Ground,
  trigger: 'auto' | 'approved',
  approvals: readonly Approval[],
  ceilings?: Ceilings,
): void {
  const { view, hold, loss, record } = ground;
  const plan = failoverPlan(view.settings, view.active, view.standby);
  const run: RunId = `run-${view.group}-${view.ledger.runs + 1}`;
  say(turn, {
    kind: 'run.opened',
    at: view.at,
    group: view.group,
    run,
    plan,
    planHash: planHash(plan),
    epoch: view.ledger.epoch + 1,
    trigger,
    approvals: [...approvals],
    decision: record,
    loss,
    sample: hold.sample,
    impactAt: hold.impactAt,
    detectedAt: hold.startedAt,
    ceilings: ceilings ?? ceilingsOf(ground),
  });
  const who =
    trigger === 'auto' ? 'automatically' : `approved by ${approvals.map((approval) => approval.person).join(' and ')}`;
  page(
    turn,
    'run',
    view.group,
    `${view.settings.title} fails over to ${view.standby}`,
    `${run}, ${who}. ${record.why}. ${lossText(loss)}.`,
  );
  // dr-strategy §4.1: executives are told within 30 minutes; a page that is not delivered by then escalates.
  page(
    turn,
    'executive-notice',
    view.group,
    `Notice: ${view.settings.title} fails over from ${view.active} to ${view.standby}`,
    `${run}, ${who}, because ${record.why}.`,
    view.at + view.settings.notifyExecutivesWithinMs,
  );
}
