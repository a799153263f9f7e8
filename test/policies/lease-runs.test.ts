// Runs and leases share one sequence of epochs (decision 0016): who takes the lease from under a run stops it.
import t from 'tap';
import type { LeaseAnswer, LeaseRecord } from '../../src/model/lease.ts';
import type { Perform } from '../../src/model/loop.ts';
import { LEASED, THIRD } from '../lease/core.ts';
import { A, B, GROUP, settingsWith } from '../support/group.ts';
import { History, succeed, unknown } from '../support/histories.ts';

const SETTINGS = settingsWith(LEASED, THIRD);
const TERMS = SETTINGS.groups[GROUP]?.lease?.timingsHash ?? '';

/** What a guard asks, and is told; by hand, so that it may do what no guard would. */
function guards(h: History) {
  let count = 0;
  const ask = (guard: string, operation: object): LeaseAnswer => {
    count += 1;
    const request = `lease-${count}`;
    const { incarnation: id, ledger } = h.state;
    const pin = { id, start: ledger.starts };
    const who = { group: GROUP, component: 'db', guard, process: 'p', pin, obeyed: 0 };
    h.give({ kind: 'lease', request, ask: { ...who, operation } } as never);
    const reply = h.effects.find((effect) => effect.kind === 'reply' && effect.request === request);
    if (reply?.kind !== 'reply') throw new Error('no answer');
    return reply.body as unknown as LeaseAnswer;
  };
  const take = (guard: string, epoch: number, over: Partial<LeaseRecord> = {}): LeaseAnswer => {
    const { revision } = ask(guard, { kind: 'read' });
    const record = { epoch, holder: guard, process: 'p', counter: 0, state: 'held', isolation: 'stop' };
    const rest = { peers: [guard === A ? B : A], writer: A, timingsHash: TERMS, sample: null, release: null };
    return ask(guard, { kind: 'set', expected: revision, record: { ...record, ...rest, ...over } });
  };
  for (const guard of [A, B]) ask(guard, { kind: 'read' });
  return { ask, take };
}

/** A holds epoch 1, and its region is lost. */
function lost(answer: (operation: Perform) => ReturnType<typeof succeed>) {
  const h = new History(SETTINGS);
  h.answer = answer;
  h.pass(60_000);
  const { take } = guards(h);
  const first = take(A, 1);
  h.loseActive();
  return { h, take, first };
}

const order = (h: History, kind: 'approve' | 'abort', target: string): number | undefined => {
  const person = { id: 'ada', roles: ['sre'] };
  const rest = kind === 'approve' ? { planHash: null, nonce: 'n', breakGlass: null } : { why: 'because' };
  h.give({ kind, request: 'order', person, target, ...rest } as never);
  const reply = h.effects.findLast((effect) => effect.kind === 'reply' && effect.request === 'order');
  return reply?.kind === 'reply' ? reply.status : undefined;
};

const at =
  (kind: Perform['stepKind'], until = () => true) =>
  (operation: Perform) =>
    operation.stepKind === kind && operation.operation !== 'check' && until() ? unknown('not-yet') : succeed(operation);

t.test('before the fence the run is undone', async (t) => {
  const { h, take, first } = lost((operation) =>
    operation.stepKind === 'assess' ? unknown('not-yet') : succeed(operation),
  );
  t.equal(first.kind, 'set');
  h.pass(8000);
  t.equal(h.group.run?.epoch, 2);
  t.equal(take(A, 2).kind, 'set', 'the old side was restarted in place');
  t.equal(h.group.run, null);
  t.match(h.group.ended.at(-1), { outcome: 'undone', why: /us-east-1 has taken epoch 2/ });
});

t.test('once the fence was begun the run halts, and does not go on at that epoch', async (t) => {
  const { h, take } = lost(at('fence'));
  h.pass(12_000);
  const run = h.group.run;
  t.equal(run?.epochTaken, true);
  t.equal(take(A, 3).kind, 'set');
  t.equal(h.group.run?.status, 'halted');
  t.ok(h.events('page.queued').some(({ page }) => page.kind === 'stuck' && page.title.includes('overtaken')));
  t.match(h.events('run.halted'), [{ code: 'epoch-overridden' }]);
  const before = h.performed().length;
  t.equal(order(h, 'approve', run?.id ?? ''), 409, 'nobody lets it go on');
  h.pass(10_000);
  t.notOk(
    h
      .performed()
      .slice(before)
      .some((name) => name.endsWith(':do')),
    'nothing is done',
  );
  t.equal(order(h, 'abort', run?.id ?? ''), 200);
  t.equal(h.group.ended.at(-1)?.outcome, 'abandoned');
});

t.test('the target’s guard takes the run’s own epoch, and nobody else does', async (t) => {
  let fencing = true;
  const { h, take } = lost(at('fence', () => fencing));
  h.pass(12_000);
  const epoch = h.group.run?.epoch ?? 0;
  t.equal(h.group.epoch, epoch, 'it is taken');
  t.match(take(A, epoch), { kind: 'refused', code: 'below-floor' });
  t.equal(take(B, epoch).kind, 'set');
  fencing = false;
  h.pass(12_000);
  t.match(h.group.ended.at(-1), { outcome: 'verified', epoch });
  t.equal(h.group.active, B);
});

t.test(
  'what the target takes on top of it is the run’s own, also a restart in place after the promotion',
  async (t) => {
    let waiting: Perform['stepKind'] | null = 'fence';
    const { h, take } = lost((operation) => (waiting === null ? succeed(operation) : at(waiting)(operation)));
    h.pass(12_000);
    const epoch = h.group.run?.epoch ?? 0;
    t.equal(take(B, epoch).kind, 'set');
    waiting = 'cutover-dns';
    h.pass(12_000);
    t.equal(take(B, epoch + 1).kind, 'set');
    t.match(h.group, { epoch: epoch + 1, run: { status: 'running', epoch, leaseEpoch: epoch + 1 } });
    waiting = null;
    h.pass(12_000);
    t.match(h.group.ended.at(-1), { outcome: 'verified', epoch });
    t.equal(h.group.epoch, epoch + 1, 'and the next run comes after it');
  },
);

t.test('after a proven promotion the run ends, and says what it left undone', async (t) => {
  let waiting: Perform['stepKind'] = 'fence';
  const { h, take } = lost((operation) => at(waiting)(operation));
  h.pass(12_000);
  const epoch = h.group.run?.epoch ?? 0;
  take(B, epoch);
  waiting = 'cutover-dns';
  h.pass(12_000);
  t.equal(h.group.active, B);
  t.equal(take(A, epoch + 1).kind, 'set');
  t.match(h.group.ended.at(-1), { outcome: 'unverified', why: /us-east-1 has taken epoch/ });
});

t.test('invariant 11: a promotion under way goes on to be read; the run ends once it is proven', async (t) => {
  let waiting: Perform['stepKind'] = 'fence';
  const { h, take } = lost((operation) => at(waiting)(operation));
  h.pass(12_000);
  const epoch = h.group.run?.epoch ?? 0;
  take(B, epoch);
  waiting = 'promote';
  h.pass(12_000);
  t.equal(take(A, epoch + 1).kind, 'set');
  t.match(h.group.run, { status: 'halted' });
  const id = h.group.run?.id ?? '';
  t.equal(order(h, 'abort', id), 409);
  t.equal(order(h, 'approve', id), 409);
  waiting = 'cutover-dns';
  h.pass(12_000);
  t.match(h.group.ended.at(-1), { id, outcome: 'unverified', promoted: true });
});

t.test('a halted lease store: nothing by itself, people may', async (t) => {
  const h = new History(SETTINGS);
  h.pass(3000);
  const { ask } = guards(h);
  ask(A, { kind: 'read' });
  h.give({
    kind: 'lease',
    request: 'late',
    ask: {
      ...{ group: GROUP, component: 'db', guard: A, process: 'p', pin: null, obeyed: 7 },
      operation: { kind: 'read' },
    },
  } as never);
  h.loseActive();
  h.pass(12_000);
  t.equal(h.events('run.opened').length, 0);
  const [opened] = h.events('proposal.opened');
  t.match(opened?.decision.autonomyWhy.join(), /the lease store of db is halted/);
});
