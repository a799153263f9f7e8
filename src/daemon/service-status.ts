/**
 * What the service manager is told of the engine: one line for `systemctl status`, and whether it is alive. PURE.
 */
import type { EngineHealth } from '../engine/engine.ts';
import type { State } from '../model/loop.ts';

/** The loop turns once a second; one that has not for so long stands still, or waits for a disk that does. */
export const STANDS_STILL_MS = 10_000;

/** `mono`: the monotonic clock now. A failed engine is not alive: it does nothing any more, and only a new start mends it. */
export const isAlive = (health: EngineHealth, state: State, mono: number): boolean =>
  health === 'running' && mono - state.mono <= STANDS_STILL_MS;

export function serviceStatus(health: EngineHealth, state: State): string {
  if (health !== 'running') return `the engine ${health === 'failed' ? 'failed: see the log' : 'is stopped'}`;
  const groups = Object.keys(state.settings.groups);
  const busy = groups.flatMap((group) => {
    const ledger = state.ledger.groups[group];
    if (ledger === undefined) return [];
    if (ledger.run !== null) return [`${ledger.run.id} is ${ledger.run.status}`];
    if (ledger.proposal !== null) return [`${ledger.proposal.id} waits for people`];
    const holds = Object.keys(ledger.holds);
    return holds.length === 0 ? [] : [`${group}: row ${holds.join(', ')} holds`];
  });
  const watched = `watches ${groups.length} ${groups.length === 1 ? 'group' : 'groups'}`;
  return busy.length === 0 ? watched : `${watched}; ${busy.slice(0, 3).join('; ')}${busy.length > 3 ? '; ...' : ''}`;
}
