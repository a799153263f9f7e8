// The watchdog's ping hangs on the loop: one that stands still must be started anew, and one that works must not be.
import t from 'tap';
import { isAlive, STANDS_STILL_MS, serviceStatus } from '../../src/daemon/service-status.ts';
import { initialState } from '../../src/engine/core.ts';
import { EMPTY_GROUP, EMPTY_LEDGER } from '../../src/model/ledger.ts';
import { settingsWith } from '../support/group.ts';

const state = { ...initialState(settingsWith()), mono: 1_000 };
const [group = ''] = Object.keys(state.settings.groups);

t.test('alive is an engine that runs and whose loop has turned lately', async (t) => {
  t.ok(isAlive('running', state, 1_000 + STANDS_STILL_MS));
  t.notOk(isAlive('running', state, 1_001 + STANDS_STILL_MS), 'it hangs, or its disk does');
  t.notOk(isAlive('failed', state, 1_000), 'it will never do anything again');
  t.notOk(isAlive('stopped', state, 1_000));
});

t.test('the line for people says what is watched and what is under way', async (t) => {
  t.equal(serviceStatus('running', state), 'watches 1 group');
  t.match(serviceStatus('failed', state), /failed/);
  const hold = {
    row: 40,
    region: 'a',
    startedAt: 1,
    impactAt: 1,
    heldMs: 0,
    checkpointAt: 1,
    sample: null,
    component: null,
  };
  const ledger = { ...EMPTY_LEDGER, groups: { [group]: { ...EMPTY_GROUP, holds: { 40: hold } } } };
  t.equal(serviceStatus('running', { ...state, ledger }), `watches 1 group; ${group}: row 40 holds`);
});
