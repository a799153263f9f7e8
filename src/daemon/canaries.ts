/** Where the daemon's own vantage may write canaries. Asked before each, since who is active may have changed. PURE. */
import type { Engine } from '../engine/engine.ts';
import { declaredAutonomy } from '../model/settings.ts';
import { groupLedger } from '../policies/view.ts';

/**
 * Only while the engine runs, never where failoverd only observes, and only on the active side: an old primary that came
 * back must not be given more writes that only it has.
 */
export function mayWriteCanary(
  engine: Pick<Engine, 'health' | 'state'> | null,
  { group, region }: { readonly group: string; readonly region: string },
): boolean {
  if (engine?.health() !== 'running') return false;
  const state = engine.state();
  const settings = state.settings.groups[group];
  if (settings === undefined || declaredAutonomy(settings) === 'observe') return false;
  return region === (groupLedger(state, group).active ?? settings.primary);
}
