/**
 * How the world behaves where safety.md draws the line of what is assumed. `ASSUMED` is inside; each of the others is a world in
 * which the lease must be seen to fail, or to be caught: a simulator that finds nothing there proves nothing here.
 */
export type WorldRules = {
  /** A stop ends the postmaster and its process group alone: every backend is a session of its own, and lives on. */
  readonly groupKillOnly: boolean;
  /** The stop may take so many times K. */
  readonly stopOverrun: number;
  /** The dead-man shares every freeze with its guard, and takes the queued pet before its own expired timer. */
  readonly deadManFrozenWithGuard: boolean;
  /** The clock of the primary's host stands still while the host is frozen: a virtual machine that is paused. */
  readonly clocksStop: boolean;
  /** A second live copy of the store, each in reach of one side only. */
  readonly storeCopied: boolean;
  /** The store comes up from a backup, with the count of starts it had then. */
  readonly storeRestored: boolean;
  /** The clocks err by so many times what the timings allow for. */
  readonly clockError: number;
};

export const ASSUMED: WorldRules = {
  groupKillOnly: false,
  stopOverrun: 1,
  deadManFrozenWithGuard: false,
  clocksStop: false,
  storeCopied: false,
  storeRestored: false,
  clockError: 1,
};
