import t from 'tap';
import { settingsWith } from '../support/group.ts';
import { History, no, succeed, unknown } from '../support/histories.ts';

t.test('a region that stays dead for the hold is failed over, in order', async (t) => {
  const h = new History(settingsWith());
  h.pass(3000);
  h.loseActive();
  h.pass(12_000);
  const ended = h.group.ended.at(-1);
  t.equal(ended?.outcome, 'verified', JSON.stringify(h.group.decisions, null, 1));
  t.equal(h.group.active, 'eu-central-1');
  t.strictSame(
    h.performed().filter((name) => name.endsWith(':do')),
    ['fence:do', 'promote.db:do', 'write-epoch-row.db:do', 'cutover-dns.name:do', 'verify-write.api:do'],
  );
});

t.test('a region that comes back within the hold is left alone', async (t) => {
  const h = new History(settingsWith());
  h.pass(3000);
  h.loseActive();
  h.pass(4000);
  h.sights.active = 'ok';
  h.sights.streaming = true;
  h.pass(20_000);
  t.equal(h.events('run.opened').length, 0);
  t.equal(h.events('hold.started').length, 1);
  t.equal(h.events('hold.ended').length, 1);
});

t.test('invariant 15: without any data nothing is promoted', async (t) => {
  const h = new History(settingsWith());
  h.pass(3000);
  h.sights.silent = ['daemon', 'dublin'];
  h.pass(120_000);
  t.equal(h.events('hold.started').length, 0);
});

t.test('invariant 18: a vantage that is isolated itself counts for nothing', async (t) => {
  const h = new History(settingsWith());
  h.pass(3000);
  h.loseActive();
  h.sights.isolated = ['dublin'];
  h.pass(60_000);
  t.equal(h.events('run.opened').length, 0);
});

t.test('invariant 18: what a control target answered before the failing began vouches for nothing', async (t) => {
  const h = new History(settingsWith());
  h.pass(3000);
  h.loseActive();
  h.sights.waiting = ['dublin'];
  // Its last answer is still fresh all this time.
  h.pass(5000, 500);
  t.equal(h.events('hold.started').length, 0);
  h.sights.waiting = [];
  h.pass(1000, 500);
  t.equal(h.events('hold.started').length, 1, 'one that answers now does');
});

t.test('a standby that streams vetoes: a gray failure is no dead region', async (t) => {
  const h = new History(settingsWith());
  h.pass(3000);
  h.sights.active = 'bad';
  h.pass(60_000);
  t.equal(h.events('hold.started').length, 0);
});

t.test('gated: two people in business hours, and not one person twice', async (t) => {
  const h = new History(settingsWith({ autonomy: 'gated' }));
  h.at = Date.UTC(2026, 0, 12, 16, 0, 0); // Monday 11:00 in New York
  h.pass(3000);
  h.loseActive();
  h.pass(10_000);
  const proposal = h.group.proposal;
  t.ok(proposal);
  if (proposal === null) return;
  t.strictSame(proposal.needs, ['sre', 'vp']);
  const approve = (id: string, roles: readonly ('sre' | 'vp')[], planHash = proposal.planHash) => {
    h.give({
      kind: 'approve',
      request: `${id}-1`,
      person: { id, roles: [...roles] },
      target: proposal.id,
      planHash,
      nonce: 'n',
      breakGlass: null,
    });
    const reply = h.effects.filter((effect) => effect.kind === 'reply').at(-1);
    return reply?.status;
  };
  t.equal(approve('ada', ['sre', 'vp'], 'another'), 409, 'another plan');
  t.equal(approve('ada', ['sre', 'vp']), 200);
  t.equal(approve('ada', ['sre', 'vp']), 409, 'twice the same person');
  t.equal(approve('bob', ['sre']), 403, 'a second SRE where a VP is needed');
  t.equal(h.group.run, null);
  t.equal(approve('vera', ['vp']), 200);
  h.pass(1000);
  t.equal(h.events('run.opened').length, 1);
  t.equal(h.group.ended.at(-1)?.outcome, 'verified');
});

t.test('a promotion that does not come stays unresolved: no traffic, a page, no cancelling', async (t) => {
  const h = new History(settingsWith());
  h.answer = (op) => {
    if (op.stepKind === 'promote' && op.operation === 'do') return unknown('not-yet');
    if (op.stepKind === 'promote' && op.operation === 'verify') return no('still-in-recovery');
    return succeed(op);
  };
  h.pass(3000);
  h.loseActive();
  h.pass(600_000, 500);
  t.ok(h.group.run, 'the run stays open');
  t.equal(
    h.performed().some((name) => name.startsWith('cutover-dns')),
    false,
  );
  t.ok(h.events('page.queued').some(({ page }) => page.kind === 'stuck'));
  const run = h.group.run;
  h.give({ kind: 'abort', request: 'x', person: { id: 'ada', roles: ['sre'] }, target: run?.id ?? '', why: 'tired' });
  t.equal(h.effects.filter((effect) => effect.kind === 'reply').at(-1)?.status, 409);
  h.answer = succeed;
  h.pass(10_000);
  t.equal(h.group.ended.at(-1)?.outcome, 'verified', 'and goes forward when it comes after all');
});

t.test('an old side that is on again after it was fenced stops the run and calls people at once', async (t) => {
  const h = new History(settingsWith());
  h.answer = (op) => (op.stepKind === 'promote' && op.operation === 'check' ? no('fence-lost') : succeed(op));
  h.pass(3000);
  h.loseActive();
  h.pass(9000);
  t.equal(h.group.run?.status, 'halted');
  t.ok(h.events('page.queued').some(({ page }) => page.kind === 'stuck'));
  t.notOk(h.performed().includes('promote.db:do'), 'nothing is promoted');
});

t.test('one witness that looks at another cluster pins nothing, and what nobody configured is not kept', async (t) => {
  const h = new History(settingsWith());
  h.sights.silent = ['daemon'];
  h.pass(5000);
  t.equal(h.events('identity.pinned').length, 0, 'a witness alone is not enough');
  const seen = {
    vantage: 'dublin',
    at: h.at,
    durationMs: 1,
    verdict: 'ok',
    reached: 'read',
    code: null,
    message: null,
  } as const;
  const http = { kind: 'http', component: 'api', facts: { status: 200 }, ...seen } as const;
  for (const [group, region] of [
    ['constructor', 'us-east-1'],
    ['platform', 'nowhere'],
  ] as const)
    h.give({ kind: 'observed', observations: [{ ...http, group, region }] });
  t.notOk(Object.keys(h.state.volatile.sights['platform'] ?? {}).some((key) => key.includes('nowhere')));
  t.notOk(Object.hasOwn(h.state.volatile.sights, 'constructor'));
  h.sights.silent = [];
  h.pass(2000);
  t.equal(h.events('identity.pinned').length, 1);
});
