// What a failover needs is kept open while one is in sight, and only then.
import t from 'tap';
import { inSight, keepWarm } from '../../src/daemon/warming.ts';
import { initialState } from '../../src/engine/core.ts';
import { EMPTY_GROUP, EMPTY_LEDGER } from '../../src/model/ledger.ts';
import type { State } from '../../src/model/loop.ts';
import { settingsOf } from '../../src/model/settings.ts';
import { config } from './http/harness.ts';

const hold = {
  region: 'us-east-1',
  startedAt: 1,
  impactAt: 1,
  heldMs: 0,
  checkpointAt: 1,
  sample: null,
  component: null,
};
const stateWith = (row: number | null, autonomy: 'observe' | 'gated' = 'gated', active: string | null = null): State =>
  initialState(settingsOf(config(autonomy)), {
    ...EMPTY_LEDGER,
    groups: { orders: { ...EMPTY_GROUP, active, holds: row === null ? {} : { [row]: { ...hold, row } } } },
  });

t.test('a hold of a row that fails over is in sight of the region it would go to', async (t) => {
  t.strictSame(inSight(stateWith(40)), [{ group: 'orders', region: 'eu-central-1' }]);
  t.strictSame(inSight(stateWith(40, 'gated', 'eu-central-1')), [{ group: 'orders', region: 'us-east-1' }]);
});

t.test('nothing is opened without a hold, for another row, or where it only observes', async (t) => {
  for (const state of [stateWith(null), stateWith(80), stateWith(40, 'observe')]) t.strictSame(inSight(state), []);
});

t.test('it begins at once, is kept up, and ends with the hold', async (t) => {
  let state = stateWith(null);
  let round = (): void => undefined;
  const warmed: string[] = [];
  const warming = keepWarm({
    state: () => state,
    warm: (group, region) => void warmed.push(`${group}>${region}`),
    timers: {
      after: (_delayMs, call) => {
        round = call;
        return () => {
          round = () => undefined;
        };
      },
    },
  });
  round();
  t.equal(warmed.length, 0);
  state = stateWith(40);
  warming.nudge();
  warming.nudge();
  t.strictSame(warmed, ['orders>eu-central-1'], 'once, however often it is nudged');
  round();
  t.equal(warmed.length, 2);
  state = stateWith(null);
  round();
  t.equal(warmed.length, 2);
  warming.stop();
  state = stateWith(40);
  round();
  t.equal(warmed.length, 2);
});
