// Where the daemon's own vantage may write: nothing but the active side, and nothing where it only observes.
import t from 'tap';
import { mayWriteCanary } from '../../src/daemon/canaries.ts';
import { initialState } from '../../src/engine/core.ts';
import type { EngineHealth } from '../../src/engine/engine.ts';
import { EMPTY_GROUP, EMPTY_LEDGER } from '../../src/model/ledger.ts';
import { settingsOf } from '../../src/model/settings.ts';
import { config } from './http/harness.ts';

const A = { group: 'orders', region: 'us-east-1' };
const B = { group: 'orders', region: 'eu-central-1' };
function engine(autonomy: 'observe' | 'gated', active: string | null = null, health: EngineHealth = 'running') {
  const ledger = { ...EMPTY_LEDGER, groups: { orders: { ...EMPTY_GROUP, active } } };
  const state = initialState(settingsOf(config(autonomy)), ledger);
  return { health: () => health, state: () => state };
}

t.test('the active side is written to, and an old primary that came back is not', async (t) => {
  t.equal(mayWriteCanary(engine('gated'), A), true);
  t.equal(mayWriteCanary(engine('gated'), B), false);
  t.equal(mayWriteCanary(engine('gated', 'eu-central-1'), A), false);
  t.equal(mayWriteCanary(engine('gated', 'eu-central-1'), B), true);
});

t.test('nothing is written where failoverd only observes, or knows nothing', async (t) => {
  t.equal(mayWriteCanary(engine('observe'), A), false);
  t.equal(mayWriteCanary(engine('gated'), { ...A, group: 'elsewhere' }), false);
  t.equal(mayWriteCanary(engine('gated', null, 'failed'), A), false);
  t.equal(mayWriteCanary(engine('gated', null, 'stopped'), A), false);
  t.equal(mayWriteCanary(null, A), false);
});
