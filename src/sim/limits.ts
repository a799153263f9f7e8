/** What the config of a history asks for, where the oracle has to hold the daemon to it. */
import type { Settings } from '../model/settings.ts';
import type { Chosen } from './contract.ts';
import { GROUP } from './vantages.ts';

export type Limits = {
  readonly quorum: number;
  /** Within this a standby that streamed stands against a failover. */
  readonly streamedMs: number;
  /** Longest budget of a step. */
  readonly stepMs: number;
  /** Roles that say yes to a proposal: without business hours every hour counts as one, and two do (design §6). */
  readonly roles: number;
};

export function limitsOf({ groups }: Settings, chosen: Chosen | null): Limits {
  const group = groups[GROUP];
  if (group === undefined) throw new RangeError(`no group ${GROUP}`);
  const { quorum, standbyStreamedWithinMs, phaseBudgetMs, fenceTimeoutMs } = group;
  const stepMs = Math.max(...Object.values(phaseBudgetMs), fenceTimeoutMs);
  // Who has to say yes is the user's own affair.
  return { quorum, streamedMs: standbyStreamedWithinMs, stepMs, roles: chosen === null ? 2 : 1 };
}
