import type { EventBody } from '../model/events.ts';

/** An event that the ledger does not allow. Whoever meets one stops: the state is not what its writer believed. */
export class IllegalEvent extends Error {
  readonly event: EventBody;
  constructor(event: EventBody, why: string) {
    super(`illegal ${event.kind}: ${why}`);
    this.name = 'IllegalEvent';
    this.event = event;
  }
}

export function refuse(event: EventBody, why: string): never {
  throw new IllegalEvent(event, why);
}
