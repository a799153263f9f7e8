// What stands at the top of the status, in the states in which people meet it.
import t from 'tap';
import Value from 'typebox/value';
import { renderPage } from '../../src/daemon/http/page/page.ts';
import { statusOf } from '../../src/daemon/status.ts';
import { StatusDocument } from '../../src/daemon/status-document.ts';
import { PAGE_STATES, type PageState } from '../support/page-states.ts';

const of = (name: string, laterMs = 0): StatusDocument => {
  const made: PageState | undefined = PAGE_STATES[name]?.();
  if (made === undefined) throw new RangeError(`no such state: ${name}`);
  const { state, engine } = made;
  return statusOf({ state, engine, version: 'test', at: state.at + laterMs, mono: state.mono + laterMs });
};
const groupOf = (name: string, laterMs = 0) => {
  const [group] = of(name, laterMs).groups;
  if (group === undefined) throw new Error('no group');
  return group;
};

t.test('every state fits the schema, and its page repeats no id', async (t) => {
  for (const name of Object.keys(PAGE_STATES)) {
    const status = of(name);
    t.strictSame([...Value.Errors(StatusDocument, status)], [], name);
    const page = renderPage(status, { refresh: true, group: null });
    const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    t.strictSame(ids, [...new Set(ids)], name);
  }
});

t.test('the mood is what people have to know first', async (t) => {
  const moods = Object.fromEntries(Object.keys(PAGE_STATES).map((name) => [name, groupOf(name).summary.mood]));
  t.match(moods, {
    quiet: 'quiet',
    hold: 'watching',
    proposal: 'waiting',
    run: 'acting',
    after: 'quiet',
    halted: 'stuck',
    blind: 'blind',
    report: 'watching',
    failed: 'stuck',
  });
});

t.test('a hold counts down to what follows, and the headline stays as it is meanwhile', async (t) => {
  const now = groupOf('hold').summary;
  const later = groupOf('hold', 3_000).summary;
  const [hold] = groupOf('hold').holds;
  t.match(now.countdown, { ofMs: 300_000, leftMs: hold?.remainingMs });
  t.ok((hold?.remainingMs ?? 0) > 0);
  t.equal(later.headline, now.headline);
  t.ok(now.since !== null && now.saidBy.some((voice) => voice.startsWith('dublin: ')));
});

t.test('a proposal counts down to its end and waits for the roles that are missing', async (t) => {
  const { summary, proposal } = groupOf('proposal');
  t.equal(summary.countdown?.leftMs, proposal?.expiresInMs);
  t.match(summary.waitsFor, /sre/);
});

t.test('while a run is under way nobody reads that nothing is wrong, though the new side answers', async (t) => {
  const { summary, run } = groupOf('run');
  t.notMatch(summary.wrong, /^Nothing/);
  t.equal(summary.since, run?.clocks.impactAt);
  t.equal(summary.countdown?.leftMs, (run?.rtoMs ?? 0) - (run?.sinceDecidedMs ?? 0));
});

t.test('a report bars the failover at the top of the page, whatever else is wrong', async (t) => {
  const { summary, run, proposal, gates } = groupOf('report');
  t.equal(run, null);
  t.equal(proposal, null);
  t.equal(summary.countdown, null);
  t.match(summary.next, /failover/);
  t.ok(gates.some(({ gate, answer }) => gate === 'row-10' && answer === 'block'));
});

t.test('what expired is marked, and says no verdict any more', async (t) => {
  const seen = groupOf('blind').facts.filter((fact) => fact.ageMs !== null && fact.vantage === 'dublin');
  const probed = seen.filter((fact) => fact.fact.endsWith('.reachable'));
  t.ok(probed.length > 0 && probed.every((fact) => fact.expired && fact.verdict === 'unknown'));
  t.ok(groupOf('quiet').facts.every((fact) => !fact.expired));
});

t.test('ended runs have five clocks, and phases that began', async (t) => {
  const [last] = groupOf('after').ended;
  const { impactAt = 0, detectedAt = 0, decidedAt = 0, executedAt = null, verifiedAt = null } = last?.clocks ?? {};
  t.ok(impactAt <= detectedAt && detectedAt <= decidedAt && decidedAt <= (executedAt ?? 0));
  t.ok((executedAt ?? 0) <= (verifiedAt ?? 0));
  t.ok(last?.phases.every((phase) => phase.startedAt !== null && phase.startedAt >= decidedAt));
});
