// A week as it is told afterwards: what was held, decided and run, why, and what stood in the way.
import t from 'tap';
import Value from 'typebox/value';
import { reviewLines } from '../../src/cli/review-text.ts';
import { painter } from '../../src/cli/terminal.ts';
import type { EventBody } from '../../src/model/events.ts';
import { MOST_LISTED, type Review, Review as ReviewSchema } from '../../src/model/review.ts';
import { reviewOf } from '../../src/policies/review.ts';
import { A, B, GROUP, settingsWith } from '../support/group.ts';
import { History } from '../support/histories.ts';

const review = (h: History, from: number, to = h.at): Review => {
  const events = h.entries.map(({ body }) => body);
  const told = reviewOf({ group: GROUP, from, to, kept: { events, firstAt: events[0]?.at ?? null, lastAt: to } });
  t.ok(Value.Check(ReviewSchema, told), 'it has the published shape');
  return told;
};
const recovered = (h: History): void => {
  h.sights.active = 'ok';
  h.sights.streaming = true;
};

t.test('observe tells that it would have acted, why, and when that was over', async (t) => {
  const h = new History(settingsWith({ autonomy: 'observe' }));
  const from = h.at;
  h.pass(3000);
  h.loseActive();
  h.pass(20_000);
  const during = review(h, from);
  t.match(during.decisions, [
    { row: 40, action: 'observe', autonomy: 'observe', wouldHaveActed: true, endedAt: null, region: A },
  ]);
  t.match(
    during.decisions[0]?.why,
    new RegExp(`would fail over to ${B}, but only observes \\(the config says observe\\)`),
  );
  t.type(during.decisions[0]?.expectedLoss, 'string');
  t.ok(during.decisions[0]?.autonomyWhy.some((why) => /the config says observe/.test(why)));
  recovered(h);
  h.pass(10_000);
  const after = review(h, from);
  t.match(after.holds, [{ row: 40, region: A, endedAt: Number, why: String }]);
  t.ok((after.holds[0]?.heldMs ?? 0) >= 5000, 'it held for as long as the row asks');
  t.match(after.decisions[0], { endedAt: Number, endedWhy: String });
  t.strictSame(
    after.rows.map(({ row, holds, decisions, wouldHaveActed, heldBack }) => ({
      row,
      holds,
      decisions,
      wouldHaveActed,
      heldBack,
    })),
    [{ row: 40, holds: 1, decisions: after.decisions.length, wouldHaveActed: after.decisions.length, heldBack: 0 }],
  );
  t.strictSame([after.proposals, after.runs], [[], []], 'and nothing was proposed or run');
});

t.test('what stood in the way is named', async (t) => {
  const h = new History(settingsWith({ autonomy: 'observe' }));
  h.pass(3000);
  h.sights.standbyFacts = { ...h.sights.standbyFacts, replayPaused: true };
  h.loseActive();
  h.pass(20_000);
  const { decisions, rows } = review(h, h.entries[0]?.body.at ?? 0);
  t.match(decisions.at(-1), { action: 'hold', wouldHaveActed: false });
  t.ok(decisions.at(-1)?.inTheWay.some(({ gate, why }) => gate === 'target-ready' && /paused/.test(why)));
  t.match(rows, [{ row: 40, heldBack: 1 }]);
});

t.test('a run is told with its five clocks and its loss', async (t) => {
  const h = new History(settingsWith({ autonomy: 'auto' }));
  const from = h.at;
  h.pass(3000);
  h.loseActive();
  h.pass(60_000);
  const { runs, proposals } = review(h, from);
  const [run] = runs;
  t.match(run, { from: A, to: B, trigger: 'auto', outcome: 'verified', tookMs: Number, row: 40 });
  const clocks = run?.clocks;
  const order = [clocks?.impactAt, clocks?.detectedAt, clocks?.decidedAt, clocks?.executedAt, clocks?.verifiedAt];
  t.strictSame(
    order,
    [...order].sort((a, b) => Number(a) - Number(b)),
  );
  t.equal(run?.tookMs, Number(clocks?.verifiedAt) - Number(clocks?.decidedAt), 'decided to verified');
  t.strictSame(proposals, []);
});

t.test('a proposal is told with how it ended', async (t) => {
  const h = new History(settingsWith({ autonomy: 'gated' }));
  const from = h.at;
  h.pass(3000);
  h.loseActive();
  h.pass(20_000);
  t.match(review(h, from).proposals, [{ closedAt: null, reason: null }]);
  recovered(h);
  h.pass(10_000);
  t.match(review(h, from).proposals, [{ closedAt: Number, reason: 'recovered', row: 40 }]);
});

t.test('only what reaches into the time is told, and what began before it and went on', async (t) => {
  const h = new History(settingsWith({ autonomy: 'observe' }));
  h.pass(3000);
  h.loseActive();
  h.pass(20_000);
  const middle = h.at;
  t.equal(review(h, middle).holds.length, 1, 'a hold that began earlier and goes on');
  recovered(h);
  h.pass(10_000);
  const after = h.at;
  h.pass(5000);
  t.match(review(h, after + 1), { holds: [], decisions: [], rows: [] });
  t.equal(review(h, 0, middle).holds[0]?.endedAt, null, 'what came after the time is not known in it');
});

t.test('the newest of very many are told, and how many were left out', async (t) => {
  const events = Array.from({ length: MOST_LISTED + 7 }, (_, index): EventBody[] => [
    { kind: 'hold.started', at: index * 2, group: GROUP, row: 40, region: A, impactAt: index * 2, sample: null },
    { kind: 'hold.ended', at: index * 2 + 1, group: GROUP, row: 40, why: 'over' },
  ]).flat();
  const told = reviewOf({ group: GROUP, from: 0, to: 1e9, kept: { events, firstAt: 0, lastAt: 1e6 } });
  t.equal(told.holds.length, MOST_LISTED);
  t.equal(told.leftOut, 7);
  t.equal(told.rows[0]?.holds, MOST_LISTED + 7, 'the count is of all');
  t.equal(told.holds.at(-1)?.startedAt, (MOST_LISTED + 6) * 2);
});

t.test('how long it was blind is told within the time, regions that were silent together counted once', async (t) => {
  const notice = (kind: 'opened' | 'closed', at: number, subject: string): EventBody => ({
    kind: `notice.${kind}`,
    at,
    group: GROUP,
    notice: 'watchdog-silent',
    subject,
    why: `${subject} ${kind}`,
  });
  const events: EventBody[] = [
    notice('opened', 1000, A),
    notice('opened', 3000, B),
    notice('closed', 4000, A),
    notice('closed', 6000, B),
    {
      kind: 'notice.opened',
      at: 7000,
      group: GROUP,
      notice: 'foreign-database',
      subject: 'db',
      why: 'it is another cluster',
    },
    notice('opened', 9000, A),
  ];
  const of = (from: number, to: number): Review =>
    reviewOf({ group: GROUP, from, to, kept: { events, firstAt: 0, lastAt: 9000 } });
  t.equal(of(0, 10_000).blindMs, 5000 + 1000);
  t.strictSame(of(5000, 9500).blindMs, 1000 + 500, 'only what is within');
  t.equal(of(6500, 8000).blindMs, 0, 'a database of another cluster is no blindness');
  t.strictSame(
    of(6500, 20_000).notices.map(({ notice: kind, subject, openedAt, closedAt }) => [
      kind,
      subject,
      openedAt,
      closedAt,
    ]),
    [
      ['foreign-database', 'db', 7000, null],
      ['watchdog-silent', A, 9000, null],
    ],
  );
  t.match(of(0, 10_000).notices[0], { subject: A, closedAt: 4000, closedWhy: `${A} closed` });
  const told = of(0, 10_000);
  t.ok(Value.Check(ReviewSchema, told));
  const lines = reviewLines({ from: 0, to: 10_000, groups: [told] }, painter(false)).join('\n');
  t.match(lines, 'blind     for 6 s: monitoring of a region was silent');
  t.match(lines, 'it answered as another cluster');
});

t.test('holds of one row for several components are told apart', async (t) => {
  const begun = (at: number, component: string): EventBody => ({
    kind: 'hold.started',
    at,
    group: GROUP,
    row: 80,
    component,
    region: A,
    impactAt: at,
    sample: null,
  });
  const events: EventBody[] = [
    begun(1000, 'web'),
    begun(2000, 'jobs'),
    { kind: 'hold.advanced', at: 3000, group: GROUP, row: 80, component: 'web', heldMs: 2000 },
    { kind: 'hold.ended', at: 4000, group: GROUP, row: 80, component: 'web', why: 'web is well' },
  ];
  const told = reviewOf({ group: GROUP, from: 0, to: 5000, kept: { events, firstAt: 0, lastAt: 4000 } });
  t.match(told.holds, [
    { component: 'web', heldMs: 2000, endedAt: 4000, why: 'web is well' },
    { component: 'jobs', heldMs: 0, endedAt: null },
  ]);
  t.strictSame(
    told.rows.map(({ row, component, holds, heldMs }) => [row, component, holds, heldMs]),
    [
      [80, 'jobs', 1, 0],
      [80, 'web', 1, 2000],
    ],
  );
  const lines = reviewLines({ from: 0, to: 5000, groups: [told] }, painter(false)).join('\n');
  t.match(lines, 'row 80 for jobs  1 hold');
});
