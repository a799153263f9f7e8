/** The part of the fold that follows what is agreed for a group, and the raises that wait for people. PURE. */
import type { EventOf } from '../model/events.ts';
import type { GroupLedger } from '../model/ledger.ts';
import { missing } from '../model/run.ts';
import { refuse } from './illegal.ts';

type MandateEvent = EventOf<'mandate.set' | 'raise.opened' | 'raise.approved' | 'raise.closed'>;

export function foldMandate(group: GroupLedger, event: MandateEvent): GroupLedger {
  switch (event.kind) {
    case 'mandate.set':
      return { ...group, mandate: event.mandate };
    case 'raise.opened': {
      if (group.raise !== null) refuse(event, `${group.raise.id} is open`);
      const { raise: id, at: openedAt, configHash, mandate, widens, needs, expiresAt } = event;
      const raise = { id, openedAt, configHash, mandate, widens, needs, expiresAt, approvals: [] };
      return { ...group, raise, raises: group.raises + 1 };
    }
    case 'raise.approved': {
      const open = group.raise ?? refuse(event, 'no raise is open');
      const { approval } = event;
      if (open.id !== event.raise || open.configHash !== event.configHash)
        refuse(event, 'the approval is for another raise, or another config');
      if (approval.at >= open.expiresAt) refuse(event, 'the raise has expired');
      // Invariant 22: two means two people; and no glass is broken for what can wait.
      if (approval.breakGlass !== null) refuse(event, 'a raise is not for one person alone');
      if (open.approvals.some(({ person }) => person === approval.person))
        refuse(event, `${approval.person} approved already; two approvals are two people`);
      if (!missing(open).includes(approval.role)) refuse(event, `no approval by a ${approval.role} is waited for`);
      return { ...group, raise: { ...open, approvals: [...open.approvals, approval] } };
    }
    case 'raise.closed': {
      const open = group.raise ?? refuse(event, 'no raise is open');
      if (open.id !== event.raise) refuse(event, `${event.raise} is not the open raise`);
      if (event.reason === 'approved' && missing(open).length > 0) refuse(event, 'not everybody needed has approved');
      return { ...group, raise: null };
    }
    default:
      return refuse(event satisfies never, 'this version does not know such an event');
  }
}
