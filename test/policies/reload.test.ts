// A config that is read while running, or at another start: what changes, what waits, and what is refused.
import t from 'tap';
import { initialState } from '../../src/engine/core.ts';
import type { GroupConfig } from '../../src/model/config.ts';
import { declaredAutonomy, type Settings } from '../../src/model/settings.ts';
import { RAISE_EXPIRY_MS } from '../../src/policies/raises.ts';
import { CONFIG, GROUP, GROUP_CONFIG, settingsWith } from '../support/group.ts';
import { History } from '../support/histories.ts';

const reload = (h: History, settings: Settings, configHash = 'second'): Record<string, unknown> => {
  h.give({ kind: 'reloaded', request: 'reload', by: 'ann', configHash, settings, restartNeeded: [] });
  const reply = h.effects.filter((effect) => effect.kind === 'reply').at(-1);
  return { status: reply?.status, ...reply?.body };
};
const approve = (
  h: History,
  id: string,
  roles: readonly ('sre' | 'vp' | 'viewer')[],
  over: object = {},
): number | undefined => {
  const target = h.group.raise?.id ?? 'none';
  h.give({
    kind: 'approve',
    request: `${id}-yes`,
    person: { id, roles: [...roles] },
    target,
    planHash: h.group.raise?.configHash ?? null,
    nonce: 'n',
    breakGlass: null,
    ...over,
  });
  return h.effects.filter((effect) => effect.kind === 'reply').at(-1)?.status;
};
const inForce = (h: History) => {
  const group = h.state.settings.groups[GROUP];
  if (group === undefined) throw new Error('the group is gone');
  return group;
};
const autonomyOf = (h: History) => declaredAutonomy(inForce(h));
const restart = (h: History, settings: Settings, configHash = 'second'): void => {
  h.state = initialState(settings, h.state.ledger);
  h.give({ kind: 'started', incarnation: 'two', version: 'test', configHash });
};

t.test('the first start takes what the config says, and keeps it in the journal', (t) => {
  const h = new History(settingsWith());
  t.equal(autonomyOf(h), 'auto');
  t.match(h.events('mandate.set'), [{ group: GROUP, mandate: { autonomy: 'auto' } }]);
  restart(h, settingsWith(), 'none');
  t.equal(h.events('mandate.set').length, 1, 'another start with the same says nothing');
  t.equal(h.events('raise.opened').length, 0);
  t.end();
});

t.test('autonomy raised by a reload waits for the two people of business hours, also at night', (t) => {
  const h = new History(settingsWith({ autonomy: 'gated' }));
  const answer = reload(h, settingsWith());
  t.match(answer, { status: 200, configHash: 'second', raises: ['raise-platform-1'] });
  t.equal(autonomyOf(h), 'gated');
  t.match(inForce(h).caps.at(-1)?.why, /two people/);
  t.match(h.group.raise, { needs: ['sre', 'vp'], widens: ['autonomy gated -> auto'], configHash: 'second' });
  t.match(h.events('page.queued').at(-1)?.page.body, /failoverd approve raise-platform-1/);

  t.equal(approve(h, 'vic', ['viewer']), 403);
  t.equal(approve(h, 'ann', ['sre'], { planHash: 'first' }), 409, 'another config');
  t.equal(approve(h, 'ann', ['sre'], { breakGlass: 'in a hurry' }), 403, 'no glass to break');
  t.equal(approve(h, 'ann', ['sre', 'vp']), 200);
  t.equal(approve(h, 'ann', ['sre', 'vp']), 409, 'not one person twice');
  t.equal(approve(h, 'bob', ['sre']), 403, 'nor two of one role');
  t.equal(autonomyOf(h), 'gated', 'one is not enough');
  t.equal(approve(h, 'vera', ['vp']), 200);
  t.equal(autonomyOf(h), 'auto');
  t.equal(h.group.raise, null);
  t.match(h.events('mandate.set').at(-1), { mandate: { autonomy: 'auto' }, why: /ann and vera/ });
  h.pass(3000);
  h.loseActive();
  h.pass(12_000);
  t.equal(h.events('run.opened')[0]?.trigger, 'auto', 'and now it acts by itself');
  restart(h, settingsWith());
  t.equal(autonomyOf(h), 'auto', 'also after a restart');
  t.end();
});

t.test('a restart is no way around it', (t) => {
  const h = new History(settingsWith({ autonomy: 'observe' }));
  restart(h, settingsWith());
  t.equal(autonomyOf(h), 'observe');
  t.equal(h.group.raise?.id, 'raise-platform-1');
  t.equal(approve(h, 'ann', ['sre']), 200);
  restart(h, settingsWith());
  t.equal(h.group.raise?.approvals.length, 1, 'what one person said holds over a restart with the same config');
  t.equal(approve(h, 'vera', ['vp']), 200);
  t.equal(autonomyOf(h), 'auto');
  t.end();
});

t.test('another config voids the approvals of the one before', (t) => {
  const h = new History(settingsWith({ autonomy: 'gated' }));
  reload(h, settingsWith());
  approve(h, 'ann', ['sre']);
  reload(h, settingsWith({ cooldown: '1s' }), 'third');
  t.match(h.group.raise, { id: 'raise-platform-2', approvals: [], configHash: 'third' });
  t.match(h.events('raise.closed'), [{ reason: 'withdrawn' }]);
  reload(h, settingsWith({ autonomy: 'gated' }), 'fourth');
  t.equal(h.group.raise, null, 'and one that asks for no more withdraws it');
  t.end();
});

t.test('it expires, and can be turned down; then the next reload asks again', (t) => {
  const h = new History(settingsWith({ autonomy: 'gated' }));
  reload(h, settingsWith());
  approve(h, 'ann', ['sre']);
  h.at += RAISE_EXPIRY_MS;
  t.equal(approve(h, 'vera', ['vp']), 409, 'too late');
  h.give({ kind: 'tick' });
  t.equal(h.group.raise, null);
  t.equal(autonomyOf(h), 'gated');
  reload(h, settingsWith());
  h.give({
    kind: 'abort',
    request: 'no',
    target: h.group.raise?.id ?? '',
    person: { id: 'vera', roles: ['vp'] },
    why: 'not yet',
  });
  t.equal(h.group.raise, null);
  t.equal(autonomyOf(h), 'gated');
  t.match(
    h.events('raise.closed').map(({ reason }) => reason),
    ['expired', 'aborted'],
  );
  t.end();
});

t.test('lowered autonomy counts at once', (t) => {
  const h = new History(settingsWith());
  t.match(reload(h, settingsWith({ autonomy: 'observe' })), { status: 200, raises: [] });
  t.equal(autonomyOf(h), 'observe');
  h.pass(3000);
  h.loseActive();
  h.pass(60_000);
  t.equal(h.events('run.opened').length, 0);
  reload(h, settingsWith(), 'third');
  t.equal(autonomyOf(h), 'observe', 'and is raised again only by two people');
  t.end();
});

t.test('a group that is new to an old journal begins at observe', (t) => {
  const h = new History(settingsWith());
  const two = settingsWith();
  const other = { ...two.groups[GROUP], id: 'billing', title: 'billing' } as NonNullable<(typeof two.groups)[string]>;
  reload(h, { ...two, groups: { ...two.groups, billing: other } });
  t.equal(declaredAutonomy(h.state.settings.groups['billing'] ?? other), 'observe');
  t.match(h.state.ledger.groups['billing']?.raise, { widens: ['autonomy observe -> auto'] });
  t.end();
});

t.test('an open run keeps its group and what its plan binds', (t) => {
  const h = new History(settingsWith());
  h.answer = (operation) =>
    operation.stepKind === 'fence' ? null : { kind: 'ok', code: null, message: '', facts: {} };
  h.pass(3000);
  h.loseActive();
  h.pass(8000);
  const run = h.group.run;
  t.ok(run, 'a run is open');
  const elsewhere = {
    ...GROUP_CONFIG.components,
    api: { kind: 'http', tier: 1, instances: { 'us-east-1': 'http://z.test/', 'eu-central-1': 'http://b.test/' } },
  } as GroupConfig['components'];
  const refused: readonly (readonly [string, Settings, RegExp])[] = [
    ['the group gone', { monitors: [], groups: {} }, /run-platform-1 is open; keep the group/],
    ['other addresses', settingsWith({ components: elsewhere }), /its plan would be another one/],
    ['another fence', settingsWith({ fence: { driver: 'command', fence: ['x'], verify: ['y'] } }), /its plan would be/],
    ['another RTO', settingsWith({ budgets: { rto: '10m' } }), /its plan would be/],
  ];
  for (const [name, settings, says] of refused) {
    const before = h.state.settings;
    t.match(reload(h, settings), { status: 409, code: 'run-open', detail: says }, name);
    t.equal(h.state.settings, before, 'the old one is in force');
    t.match(h.state.ledger.config.refused?.problems, [says]);
  }
  t.match(reload(h, settingsWith({ autonomy: 'gated', cooldown: '2h' })), { status: 200 }, 'all else may change');
  t.equal(h.group.run?.id, run?.id);
  t.equal(h.state.ledger.config.refused, null);
  t.end();
});

t.test('a start with other targets halts the run until a person has looked', (t) => {
  const h = new History(settingsWith());
  h.answer = () => null;
  h.pass(3000);
  h.loseActive();
  h.pass(8000);
  t.equal(h.group.run?.status, 'running');
  restart(h, settingsWith({ fence: { driver: 'command', fence: ['x'], verify: ['y'] } }));
  t.match(h.group.run, { status: 'halted', why: /other targets/ });
  t.match(
    h.events('page.queued').filter(({ page }) => page.kind === 'stuck'),
    [{ page: { title: /halted/ } }],
  );
  t.end();
});

const proposed = (change: Partial<GroupConfig> = {}): History => {
  const h = new History(settingsWith({ autonomy: 'gated', ...change }));
  h.pass(3000);
  h.loseActive();
  h.pass(9000);
  if (h.group.proposal === null) throw new Error('no proposal');
  return h;
};
const withdrawing: Readonly<Record<string, readonly [Partial<GroupConfig>, RegExp]>> = {
  'another plan': [{ budgets: { rto: '10m' } }, /plan is another one/],
  'another row': [
    { matrix: [{ id: 40, kind: 'decide', when: 'bad(postgres.reachable)', action: 'failover' }] },
    /row 40 is gone or another one/,
  ],
  'no more than observing': [{ autonomy: 'observe' }, /only observes/],
  'more people': [
    {
      authority: {
        ...(GROUP_CONFIG.authority as object),
        approvals: { businessHours: ['sre', 'vp'], otherwise: ['sre', 'vp'] },
      } as never,
    },
    /other people/,
  ],
  'another budget': [{ budgets: { rpo: '1s' } }, /budgets/],
};
for (const [name, [change, why]] of Object.entries(withdrawing))
  t.test(`a proposal is withdrawn by ${name}`, (t) => {
    const h = proposed();
    const id = h.group.proposal?.id;
    t.match(reload(h, settingsWith({ autonomy: 'gated', ...change })), { status: 200, withdrawn: [id] });
    t.match(h.events('proposal.closed').at(-1), { proposal: id, reason: 'invalidated', why });
    t.end();
  });

t.test('and by a group that is gone; a change that is none of its business leaves it', (t) => {
  const h = proposed();
  const id = h.group.proposal?.id;
  reload(h, settingsWith({ autonomy: 'gated', cooldown: '3h' }));
  t.equal(h.group.proposal?.id, id);
  t.match(reload(h, { monitors: [], groups: {} }), { withdrawn: [id] });
  t.strictSame(h.group.holds, {});
  t.end();
});

t.test('what was held under another rule counts for nothing, also over a restart', (t) => {
  const long = [
    { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '5m', action: 'failover', auto: true },
  ] as const;
  const other = [{ ...long[0], when: 'bad(active.reachable) || bad(postgres.reachable)' }];
  for (const again of [reload, restart]) {
    const h = new History(settingsWith({ matrix: [...long] }));
    h.pass(3000);
    h.loseActive();
    h.pass(60_000);
    t.ok((h.group.holds['40']?.heldMs ?? 0) > 50_000);
    again(h, settingsWith({ matrix: [...long], cooldown: '2h' }));
    t.ok((h.group.holds['40']?.heldMs ?? 0) > 50_000, 'kept while the rule is the same');
    again(h, settingsWith({ matrix: other }), 'third');
    t.equal(h.events('hold.ended').length, 1);
    t.equal(h.group.holds['40']?.heldMs ?? 0, 0);
  }
  t.end();
});

t.test('what each component was held for ends with its row, its scope or the component itself', (t) => {
  const each = {
    id: 45,
    kind: 'decide',
    scope: 'http',
    when: 'bad(component.reachable)',
    for: '1s',
    action: 'speak-up',
  } as const;
  const { api: _api, ...components } = GROUP_CONFIG.components;
  const changes: Readonly<Record<string, Partial<GroupConfig>>> = {
    'another condition': { matrix: [{ ...each, when: 'bad(component.reachable) && ok(replication.streaming)' }] },
    'another number': { matrix: [{ ...each, id: 46 }] },
    'another scope': { matrix: [{ ...each, scope: 'postgres' }] },
    'no such component': { matrix: [each], components },
    'no such group': {},
  };
  for (const [name, change] of Object.entries(changes))
    for (const again of [reload, restart]) {
      const h = new History(settingsWith({ matrix: [each] }));
      h.pass(3000);
      h.loseActive();
      h.pass(6000);
      t.ok(h.group.holds['45/api'] && h.group.decisions['45/api'], name);
      again(h, name === 'no such group' ? { monitors: [], groups: {} } : settingsWith(change));
      t.strictSame(h.group.decisions, {}, `${name}, ${again.name}`);
      const held = Object.values(h.group.holds).map(({ startedAt }) => startedAt);
      t.ok(
        held.every((startedAt) => startedAt === h.at),
        'what holds now began anew',
      );
    }
  t.end();
});

t.test('fewer people are no way around the others: neither by observing meanwhile, nor under another name', (t) => {
  const alone = {
    authority: {
      ...(GROUP_CONFIG.authority as NonNullable<GroupConfig['authority']>),
      approvals: { businessHours: ['sre'], otherwise: ['sre'] },
    },
  } satisfies Partial<GroupConfig>;
  for (const again of [reload, restart]) {
    const h = new History(settingsWith({ autonomy: 'gated' }));
    again(h, settingsWith({ autonomy: 'observe', ...alone }), 'second');
    t.equal(h.group.raise, null, 'to observe nobody is asked');
    again(h, settingsWith({ autonomy: 'gated', ...alone }), 'third');
    t.match(h.group.raise, { needs: ['sre', 'vp'] });
    again(h, { monitors: [], groups: {} }, 'fourth');
    const renamed = settingsWith({ autonomy: 'gated', ...alone }).groups[GROUP];
    if (renamed === undefined) throw new Error('no group');
    again(h, { monitors: [], groups: { other: { ...renamed, id: 'other' } } }, 'fifth');
    t.match(h.state.ledger.groups['other']?.raise, { needs: ['sre', 'vp'] });
  }
  t.end();
});

t.test('what was seen at another address is forgotten: unknown until it is seen again', (t) => {
  const h = new History(settingsWith({ autonomy: 'gated' }));
  h.pass(3000);
  const seen = () => Object.keys(h.state.volatile.sights[GROUP] ?? {}).length;
  reload(h, settingsWith({ autonomy: 'gated', cooldown: '2h' }));
  t.ok(seen() > 0, 'the same addresses, the same sights');
  const api = {
    ...GROUP_CONFIG.components['api'],
    instances: { 'us-east-1': 'http://z/', 'eu-central-1': 'http://y/' },
  };
  reload(h, settingsWith({ autonomy: 'gated', components: { ...GROUP_CONFIG.components, api } as never }));
  t.equal(seen(), 0);
  t.end();
});

t.test('how a database was made is not remembered of another address, also over a restart', (t) => {
  const h = new History(settingsWith());
  h.pass(3000);
  const made = () => Object.keys(h.group.readiness).sort();
  t.strictSame(made(), ['db/eu-central-1', 'db/us-east-1']);
  restart(h, settingsWith(), 'none');
  t.strictSame(made(), ['db/eu-central-1', 'db/us-east-1'], 'the same config');
  const db = {
    ...GROUP_CONFIG.components['db'],
    instances: { 'us-east-1': 'z.test:5432', 'eu-central-1': 'y.test:5432' },
  };
  restart(h, settingsWith({ components: { ...GROUP_CONFIG.components, db } as never }));
  t.strictSame(made(), []);
  t.end();
});

t.test('an alert that is known already is read by the new mapping', (t) => {
  const h = new History(settingsWith());
  const alert = {
    fingerprint: '00000000000000aa',
    startsAt: h.at,
    status: 'firing',
    labels: { alertname: 'PodFailing' },
    summary: null,
  } as const;
  h.give({ kind: 'webhook', request: 'w', alerts: [alert] });
  h.pass(12_000);
  t.equal(h.events('decision.made').length, 1, 'it speaks up');
  const facts = (CONFIG.alertmanager?.facts ?? []).slice(0, 1);
  reload(h, settingsWith({}, { ...CONFIG, alertmanager: { region: 'eu-central-1', bearer: '${env:T}', facts } }));
  h.pass(40_000);
  t.strictSame(h.group.decisions, {}, 'nothing says so any more');
  t.end();
});

t.test('a refused config is written down with its problems, until one is taken', (t) => {
  const h = new History(settingsWith());
  h.give({ kind: 'reload-refused', by: 'SIGHUP', configHash: null, problems: ['failover.yaml:3:1  x'] });
  t.match(h.state.ledger.config, { hash: 'none', refused: { by: 'SIGHUP', problems: ['failover.yaml:3:1  x'] } });
  reload(h, settingsWith());
  t.match(h.state.ledger.config, { hash: 'second', refused: null });
  t.end();
});
