/**
 * Who promotes a PostgreSQL, as a driver. `direct` calls pg_promote, which is right only where no manager owns the
 * server; where one does, it is asked, and the plan never calls pg_promote behind it (design §7). Whoever is asked,
 * PostgreSQL itself says whether it came to be.
 */
import type { PostgresComponent } from '../model/config.ts';
import type { OperationResult, Perform } from '../model/loop.ts';
import type { OperationContext } from './context.ts';
import { command } from './postgres-control-command.ts';
import { direct } from './postgres-control-direct.ts';
import { guard } from './postgres-control-guard.ts';
import { patroni } from './postgres-control-patroni.ts';
import type { PostgresState } from './postgres-state.ts';
import type { PostgresTarget } from './targets.ts';

export type Operate = (
  target: PostgresTarget,
  operation: Perform,
  context: OperationContext,
) => Promise<OperationResult>;

/** A request and the read that proves it, which needs no memory of the request. */
export type Reversal = { readonly do: Operate; readonly verify: Operate };

export type PostgresControl = {
  /**
   * What stands in the way of a promotion beyond the standby itself; null for nothing. Only reads: it is asked before
   * anything is fenced, and again right before the promotion.
   */
  readonly obstacle: (
    state: PostgresState,
    target: PostgresTarget,
    operation: Perform,
    context: OperationContext,
  ) => Promise<OperationResult | null>;
  /**
   * May it be promoted; facts are the pre-state, with the timeline the promotion starts from. `promoted: true` among
   * them: an earlier attempt of ours took effect, and nothing is in the way of finding that out.
   */
  readonly check: Operate;
  /** Ask for the promotion and wait for it. Only proof ends one that was asked for: anything unclear is unknown. */
  readonly promote: Operate;
  /** Is it promoted, by a promotion that starts from the pre-state. */
  readonly verify: Operate;
  /**
   * Has the manager of the old side (`target`) stop it from taking writes. `do` is ok only once that was read back, and
   * says no only where nothing was asked for; `verify` says no where a server of the old side may take writes.
   */
  readonly fence?: Reversal;
  /**
   * Has the old side (`target`) follow the new one. The manager may rewind or rebuild it at once, so its divergent WAL
   * must have been archived before (invariant 21).
   */
  readonly rejoin?: Reversal;
};

/** Null for a driver that is not there yet. */
export function controlOf(component: PostgresComponent): PostgresControl | null {
  const control = component.control ?? 'direct';
  switch (control) {
    case 'direct':
      return direct;
    case 'patroni':
      return patroni;
    case 'command':
      return command;
    case 'guard':
      return guard;
    default:
      return control satisfies never;
  }
}
