// How old the last sample of the primary's log may be for the loss to be known (safety.md, invariants 19 and 20).
import fc from 'fast-check';
import t from 'tap';
import { bracket, writeRate } from '../../src/policies/loss.ts';
import { settingsWith } from '../support/group.ts';
import { History } from '../support/histories.ts';

/** A region that answers nothing: each probe hangs to its deadline, and no observation comes until then. */
function swallowed(hangsMs: number): History {
  const h = new History(settingsWith({}));
  h.pass(5000);
  h.sights.silent = ['daemon', 'dublin'];
  h.pass(hangsMs);
  h.sights.silent = [];
  h.loseActive();
  h.pass(30_000);
  return h;
}

t.test('a region that swallows everything is failed over by itself: a deadline passes without a sample', async (t) => {
  // One interval and one deadline of the probe, as they are by default.
  const h = swallowed(3000);
  t.equal(h.group.ended.at(-1)?.outcome, 'verified');
  t.equal(h.events('run.opened')[0]?.trigger, 'auto');
});

t.test('a sample older than that says nothing, and people are asked', async (t) => {
  const h = swallowed(5000);
  t.equal(h.events('run.opened').length, 0);
  t.match(h.events('proposal.opened')[0]?.decision, {
    autonomy: 'gated',
    autonomyWhy: ['the config says auto', /^at most gated: the loss is not known: the last sample/],
  });
});

t.test('a sample of an old journal counts for two seconds', async (t) => {
  const sample = {
    component: 'db',
    region: 'us-east-1',
    at: 10_000,
    timeline: 1,
    insertLsn: '0/5000000',
    flushLsn: '0/5000000',
    clockAt: 10_000,
    p99BytesPerSecond: 10_000,
  } as const;
  const received = { lsn: '0/5000000', timeline: 1, lastCommitAt: 9000, archive: false } as const;
  t.not(bracket(sample, 12_000, received, 12_000).highBytes, null);
  t.equal(bracket(sample, 12_001, received, 12_001).highBytes, null);
  t.equal(
    bracket({ ...sample, freshMs: 4000 }, 14_000, received, 14_000).highBytes,
    40_000,
    'and what may be lost grows',
  );
});

t.test('one sample alone tells of no write rate, so the upper end is not known, and people are asked', async (t) => {
  const h = new History(settingsWith({}));
  h.pass(1000);
  h.loseActive();
  h.pass(30_000);
  t.equal(h.events('hold.started')[0]?.sample?.p99BytesPerSecond, null);
  const [proposal] = h.events('proposal.opened');
  t.equal(proposal?.loss.highBytes, null);
  t.not(proposal?.loss.lowBytes, null);
  t.equal(h.events('run.opened').length, 0);
  t.match(proposal?.decision.autonomyWhy, ['the config says auto', /^at most gated: the loss is not known/]);
});

const SAMPLE = {
  component: 'db',
  region: 'us-east-1',
  at: 10_000,
  timeline: 1,
  insertLsn: '0/5000000',
  flushLsn: '0/5000000',
  clockAt: 10_000,
  p99BytesPerSecond: 0,
} as const;

t.test('nothing is ever said to be lost for certain where no proof was had', async (t) => {
  const received = { lsn: '0/5000000', timeline: 1, lastCommitAt: 9000, archive: false } as const;
  const idle = bracket(SAMPLE, 10_100, received, 10_100);
  t.equal(idle.lowBytes, 0);
  t.ok((idle.highBytes ?? 0) > 0, 'an idle primary may have written since it was looked at');
  const behind = { ...received, lsn: '0/4000000' } as const;
  t.equal(bracket(SAMPLE, 10_100, behind, 10_100).lowBytes, 0x1000000);
  for (const archive of [true, null]) {
    const loss = bracket(SAMPLE, 10_100, { ...behind, archive }, 10_100);
    t.equal(loss.lowBytes, 0, 'what an archive may hold is not known to be missing');
    t.ok((loss.highBytes ?? 0) >= 0x1000000);
  }
});

t.test('the truth lies within the bracket (invariant 19)', async (t) => {
  const seconds = fc.array(fc.integer({ min: 0, max: 5_000_000 }), { minLength: 3, maxLength: 60 });
  fc.assert(
    fc.property(
      seconds,
      fc.nat(),
      fc.integer({ min: 0, max: 3000 }),
      fc.nat(1_000_000),
      (written, cut, fenceMs, skewMs) => {
        // One sample a second; the stream is cut somewhere, the primary writes on at rates it has had, and is fenced.
        const positions = [0x1000000];
        for (const bytes of written) positions.push((positions.at(-1) ?? 0) + bytes);
        const samples = positions.map((position, index) => sampleAt(position, index * 1000, skewMs));
        const last = samples.at(-1);
        if (last === undefined) return;
        const cutAt = cut % positions.length;
        const rate = writeRate(samples);
        if (rate === null) throw new Error('there are three samples');
        const wroteAfter = Math.floor((rate * fenceMs) / 1000);
        const end = (positions.at(-1) ?? 0) + wroteAfter;
        const truth = end - (positions[cutAt] ?? 0);
        const received = {
          lsn: lsnOf(positions[cutAt] ?? 0),
          timeline: 1,
          lastCommitAt: cutAt * 1000 + skewMs,
          archive: false,
        };
        const sample = { ...SAMPLE, ...last, p99BytesPerSecond: rate };
        const loss = bracket(sample, last.at + 100, received, last.at + fenceMs);
        const { lowBytes, highBytes, windowFrom, windowTo } = loss;
        if (lowBytes === null || highBytes === null || windowFrom === null || windowTo === null)
          throw new Error(loss.basis);
        if (truth < lowBytes || truth > highBytes) throw new Error(`${truth} is not in ${lowBytes} to ${highBytes}`);
        // Commits of what is missing were made after the last that was received, on the primary's own clock.
        for (let index = cutAt + 1; index < positions.length; index += 1) {
          const at = index * 1000 + skewMs;
          if (positions[index] !== positions[index - 1] && (at < windowFrom || at > windowTo))
            throw new Error(`a commit at ${at} is outside of ${windowFrom} to ${windowTo}`);
        }
      },
    ),
  );
  t.pass('no history left it');
});

const lsnOf = (position: number): string => `0/${position.toString(16).toUpperCase()}`;
const sampleAt = (position: number, at: number, skewMs: number) => ({
  region: 'us-east-1',
  receivedMono: at,
  at,
  timeline: 1,
  insertLsn: lsnOf(position),
  flushLsn: lsnOf(position),
  clockAt: at + skewMs,
});
const PER_SECOND = 0x10000;
t.test('a wall clock that was set before the outage was seen makes the loss neither nothing nor unknown', async (t) => {
  for (const setByMs of [-3_600_000, -2_000, 2_000, 3_600_000]) {
    const h = new History(settingsWith({}));
    for (let second = 0; second < 10; second += 1) {
      const at = `0/${(0x5000000 - (9 - second) * PER_SECOND).toString(16)}`;
      h.sights.primary = { ...h.sights.primary, insertLsn: at, flushLsn: at };
      h.sights.standbyFacts = { ...h.sights.standbyFacts, receiveLsn: at, replayLsn: at };
      h.pass(1000);
    }
    h.at += setByMs;
    h.loseActive();
    h.pass(30_000);
    const [loss] = h.events('loss.estimated');
    const heldMs = (h.events('run.opened')[0]?.at ?? 0) - (h.events('hold.started')[0]?.at ?? 0);
    const written = (PER_SECOND * heldMs) / 1000;
    const high = loss?.loss.highBytes ?? 0;
    t.ok(written > 0 && high >= written, `set by ${setByMs}: ${high} bytes, at least ${written}`);
    t.ok(high <= written * 3, `set by ${setByMs}: and not as many as an hour holds`);
  }
});
