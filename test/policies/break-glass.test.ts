// One SRE with a reason, when nobody else can be reached.
import t from 'tap';
import type { Role } from '../../src/model/primitives.ts';
import { settingsWith } from '../support/group.ts';
import { History } from '../support/histories.ts';

const BUSINESS = Date.UTC(2026, 0, 12, 16, 0, 0); // Monday 11:00 in New York: an SRE and a VP are needed

function proposed(): History {
  const h = new History(settingsWith({ autonomy: 'gated' }));
  h.at = BUSINESS;
  h.pass(3000);
  h.loseActive();
  h.pass(10_000);
  return h;
}

function approve(h: History, id: string, roles: readonly Role[], breakGlass: string | null): number | undefined {
  const proposal = h.group.proposal;
  if (proposal === null) throw new Error('nothing is proposed');
  h.give({
    kind: 'approve',
    request: `${id}-${h.inputs.length}`,
    person: { id, roles: [...roles] },
    target: proposal.id,
    planHash: proposal.planHash,
    nonce: 'n',
    breakGlass,
  });
  return h.effects.filter((effect) => effect.kind === 'reply').at(-1)?.status;
}

t.test('one SRE with a reason is enough, and executives hear of it at once', async (t) => {
  const h = proposed();
  t.equal(approve(h, 'ada', ['sre'], 'the VP is on a plane'), 200);
  const notice = h.events('page.queued').find(({ page }) => page.title.includes('broke the glass'));
  t.equal(notice?.page.kind, 'executive-notice');
  t.equal(notice?.page.dueAt, h.at, 'due now, not in half an hour');
  h.pass(1000);
  t.equal(h.group.ended.at(-1)?.outcome, 'verified');
  t.ok(h.events('run.opened')[0]?.approvals.some(({ breakGlass }) => breakGlass === 'the VP is on a plane'));
});

t.test('nobody but an SRE may, and a VP who tries changes nothing', async (t) => {
  const h = proposed();
  t.equal(approve(h, 'vera', ['vp', 'executive'], 'I am in a hurry'), 403);
  t.equal(h.events('approval.given').length, 0);
});

t.test('an SRE who approved as one of two may break the glass afterwards', async (t) => {
  const h = proposed();
  t.equal(approve(h, 'ada', ['sre'], null), 200);
  h.pass(2000);
  t.equal(h.group.run, null, 'the VP is still waited for');
  t.equal(approve(h, 'ada', ['sre'], 'nobody answers'), 200);
  h.pass(1000);
  t.equal(h.events('run.opened').length, 1);
});

t.test('broken glass opens no gate', async (t) => {
  const h = new History(
    settingsWith({
      autonomy: 'gated',
      matrix: [
        { id: 10, kind: 'veto', when: 'bad(reports.corruption)', against: ['failover'] },
        { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '5s', action: 'failover' },
      ],
    }),
  );
  h.at = BUSINESS;
  h.pass(3000);
  h.loseActive();
  h.pass(10_000);
  h.give({
    kind: 'report',
    request: 'r',
    person: { id: 'bob', roles: ['dba'] },
    group: 'platform',
    report: 'corruption',
    what: 'checksums',
  });
  t.equal(approve(h, 'ada', ['sre'], 'now'), 200);
  h.pass(5000);
  t.equal(h.events('run.opened').length, 0);
});
