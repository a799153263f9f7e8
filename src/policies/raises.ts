/**
 * Raises of what failoverd may do: what is agreed for each group, what a config would raise, and the people it waits for
 * (design §6, invariant 22). PURE.
 *
 * A first start on an empty journal takes what the config says: there is nothing agreed to hold it to, and whoever may
 * empty the folder may write the config. From then on a start is held to the journal just as a reload is.
 */
import canonicalize from 'canonicalize';
import type { GroupLedger, Raise } from '../model/ledger.ts';
import type { InputOf } from '../model/loop.ts';
import type { Mandate } from '../model/mandate.ts';
import type { GroupId, RaiseId } from '../model/primitives.ts';
import { missing } from '../model/run.ts';
import type { GroupSettings, Settings } from '../model/settings.ts';
import { holdTo, mandateOf, nothingOf } from './mandate.ts';
import { page, say, type Turn } from './turn.ts';
import { groupLedger } from './view.ts';

/** Long enough for people to meet over it in working hours, and short enough to be remembered. */
export const RAISE_EXPIRY_MS = 24 * 3_600_000;

export type Agreed = { readonly settings: Settings; readonly raises: string[] };

/** Holds each group's settings to what is agreed, and asks people for the rest. `by` is who asked, or null at a start. */
export function agree(turn: Turn, configured: Settings, configHash: string, by: string | null): Agreed {
  const { ledger } = turn.state;
  const first = Object.values(ledger.groups).every(({ mandate }) => mandate === null);
  // Also of groups that are gone: what they agreed stays in the journal.
  const others = Object.values(ledger.groups).flatMap(({ mandate }) => (mandate === null ? [] : [mandate]));
  const groups: Record<GroupId, GroupSettings> = {};
  const raises: string[] = [];
  for (const settings of Object.values(configured.groups)) {
    const own = groupLedger(turn.state, settings.id);
    if (first) {
      say(turn, mandateSet(turn, settings.id, mandateOf(settings), 'the first start takes what the config says'));
      groups[settings.id] = settings;
      continue;
    }
    const agreed = own.mandate ?? nothingOf(mandateOf(settings), others);
    const held = holdTo(agreed, settings, heldWhy(settings));
    groups[settings.id] = held.settings;
    if (canonicalize(held.agreed) !== canonicalize(own.mandate))
      say(turn, mandateSet(turn, settings.id, held.agreed, by === null ? 'a start' : `a reload by ${by}`));
    const raise = askFor(turn, settings, own, agreed, held.widens, configHash);
    if (raise !== null) raises.push(raise);
  }
  for (const [group, { raise }] of Object.entries(ledger.groups))
    if (raise !== null && configured.groups[group] === undefined)
      close(turn, group, raise, 'withdrawn', 'the group is gone');
  return { settings: { ...configured, groups }, raises };
}

const heldWhy = (settings: GroupSettings): string =>
  `the config asks for more (${mandateOf(settings).autonomy}) than is agreed: two people have to approve it`;

const mandateSet = (turn: Turn, group: GroupId, mandate: Mandate, why: string) =>
  ({ kind: 'mandate.set', at: turn.state.at, group, mandate, why }) as const;

/** The id of the raise that waits, new or kept; null where nothing has to. */
function askFor(
  turn: Turn,
  settings: GroupSettings,
  { raise: open, raises }: GroupLedger,
  agreed: Mandate,
  widens: readonly string[],
  configHash: string,
): RaiseId | null {
  const { id: group } = settings;
  const { at } = turn.state;
  const same = open !== null && open.configHash === configHash && at < open.expiresAt;
  if (same && widens.length > 0) return open.id;
  if (open !== null) {
    const why = widens.length === 0 ? 'the config no longer asks for it' : 'the config is another one';
    close(turn, group, open, 'withdrawn', why);
  }
  if (widens.length === 0) return null;
  const id: RaiseId = `raise-${group}-${raises + 1}`;
  const needs = [...agreed.approvals.businessHours];
  const expiresAt = at + RAISE_EXPIRY_MS;
  const mandate = mandateOf(settings);
  say(turn, { kind: 'raise.opened', at, group, raise: id, configHash, mandate, widens: [...widens], needs, expiresAt });
  page(
    turn,
    'attention',
    group,
    `${settings.title}: the config asks for more than is agreed`,
    `It would widen what failoverd may do by itself: ${widens.join('; ')}. Until ${needs.join(' and ')} approve, it goes on with what is agreed: failoverd approve ${id}`,
  );
  return id;
}

function close(
  turn: Turn,
  group: GroupId,
  raise: Raise,
  reason: 'approved' | 'expired' | 'withdrawn' | 'aborted',
  why: string,
): void {
  say(turn, { kind: 'raise.closed', at: turn.state.at, group, raise: raise.id, reason, why });
}

/** A raise that nobody wanted enough is asked for again by the next reload or start. */
export function expireRaise(turn: Turn, group: GroupId): void {
  const { raise } = groupLedger(turn.state, group);
  if (raise === null || turn.state.at < raise.expiresAt) return;
  const why = 'nobody, or not everybody needed, approved in time';
  close(turn, group, raise, 'expired', why);
  page(
    turn,
    'attention',
    group,
    `${raise.id} has expired`,
    `${why}; the group goes on with what is agreed. Reload the config to ask again, or write it as it is agreed.`,
  );
}

type Refusal = { readonly code: 'config-hash' | 'expired' | 'role' | 'already-approved'; readonly detail: string };

/** Null when the yes counts; what follows from it is said then. */
export function approveRaise(
  turn: Turn,
  input: InputOf<'approve'>,
  group: GroupId,
  raise: Raise,
): Refusal | { readonly code: null; readonly approvedAs: string; readonly waitingFor: readonly string[] } {
  const { person, at, nonce } = input;
  if (input.planHash !== raise.configHash)
    return { code: 'config-hash', detail: `the raise is for config ${raise.configHash}; look at it again` };
  if (at >= raise.expiresAt) return { code: 'expired', detail: 'the raise has expired; reload to ask again' };
  if (input.breakGlass !== null)
    return { code: 'role', detail: 'no glass is broken for a raise: it can wait for the people it needs' };
  if (raise.approvals.some((given) => given.person === person.id))
    return { code: 'already-approved', detail: `${person.id} approved already; two approvals are two people` };
  const open = missing(raise);
  const role = open.find((needed) => person.roles.includes(needed));
  if (role === undefined)
    return {
      code: 'role',
      detail: `an approval by ${open.join(' and ')} is waited for; ${person.id} is ${person.roles.join(', ')}`,
    };
  const approval = { person: person.id, role, at, nonce, expiresAt: raise.expiresAt, breakGlass: null };
  say(turn, { kind: 'raise.approved', at, group, raise: raise.id, configHash: raise.configHash, approval });
  const waitingFor = missing({ ...raise, approvals: [...raise.approvals, approval] });
  if (waitingFor.length === 0)
    putInForce(turn, group, raise, [...raise.approvals.map((given) => given.person), person.id]);
  return { code: null, approvedAs: role, waitingFor };
}

function putInForce(turn: Turn, group: GroupId, raise: Raise, people: readonly string[]): void {
  const who = people.join(' and ');
  close(turn, group, raise, 'approved', who);
  say(turn, mandateSet(turn, group, raise.mandate, `${raise.id}, approved by ${who}`));
  const settings = turn.state.configured.groups[group];
  if (settings === undefined) return;
  const held = holdTo(raise.mandate, settings, heldWhy(settings));
  turn.state = {
    ...turn.state,
    settings: { ...turn.state.settings, groups: { ...turn.state.settings.groups, [group]: held.settings } },
  };
  page(
    turn,
    'attention',
    group,
    `${settings.title}: ${raise.id} is in force`,
    `Approved by ${who}: ${raise.widens.join('; ')}.`,
  );
}

export function turnDown(turn: Turn, input: InputOf<'abort'>, group: GroupId, raise: Raise): void {
  close(turn, group, raise, 'aborted', `${input.person.id}: ${input.why}`);
}
