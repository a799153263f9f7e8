// A week as it is told afterwards: what was held, decided and run, why, and what stood in the way.
import t from 'tap';
import Value from 'typebox/value';
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
