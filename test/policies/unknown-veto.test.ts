// A veto that can't be judged is no veto that was lifted: it costs `auto` (design §4, §5; invariant 17).
import t from 'tap';
import { DIAGNOSES } from '../../src/policies/diagnoses.ts';
import { viewOf } from '../../src/policies/view.ts';
import { GROUP, settingsWith } from '../support/group.ts';
import { History, STANDBY_FACTS } from '../support/histories.ts';

t.test(
  'a standby that does not tell when it last heard from its primary is not known to stream, nor not to',
  async (t) => {
    const h = new History(settingsWith({}));
    h.sights.standbyFacts = { ...STANDBY_FACTS, lastMessageAgeMs: null };
    h.pass(5000);
    const { vetoes } = DIAGNOSES.RegionUnreachable.judge(viewOf(h.state, GROUP));
    t.match(vetoes, [{ veto: 'standby-streamed-lately', verdict: 'unknown' }]);
  },
);
