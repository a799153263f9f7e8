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
    gray: 'watching',
    isolated: 'watching',
    planned: 'watching',
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

const bad = (name: string): string[] =>
  groupOf(name)
    .findings.filter(({ verdict }) => verdict === 'bad')
    .map(({ code }) => code);

t.test('a gray failure is told in plain words: since when, and why nothing is promoted', async (t) => {
  const { summary } = groupOf('gray');
  t.strictSame(bad('gray'), ['GrayFailure']);
  t.match(summary.headline, /^Clients can’t reach us-east-1, and its database is alive/);
  t.match(summary.wrong, /\(GrayFailure\) for/);
  t.match(summary.next, /^Nothing by itself/);
  t.ok(summary.since !== null);
  t.ok(summary.saidBy.some((voice) => voice.startsWith('dublin: ')));
});

t.test('a vantage that is cut off is told as such, and clients are not said to be', async (t) => {
  const { summary } = groupOf('isolated');
  t.strictSame(bad('isolated'), ['VantageIsolated']);
  t.match(summary.headline, /^A vantage is cut off/);
  t.match(summary.wrong, /daemon: none of its 1 control targets answers/);
  t.match(summary.next, /does not count|counts alone/);
});

t.test('monitoring that is blind is told with its region, and what still works', async (t) => {
  const { summary, pages } = { ...groupOf('planned'), pages: of('planned').pages };
  t.strictSame(bad('planned'), ['MonitoringBlind']);
  t.match(summary.headline, /^Monitoring of us-east-1 is silent/);
  t.match(summary.next, /by its probes alone/);
  t.ok(summary.since !== null, 'since it was noticed');
  t.ok(pages.some(({ title }) => title.includes('has fallen silent')));
});

t.test('planned work and silenced alerts stand on the page, with whose they are and until when', async (t) => {
  const { maintenance, silenced, alerts } = groupOf('planned');
  t.match(maintenance, [
    { source: 'calendar', title: 'New disks in us-east-1', region: 'us-east-1', causes: ['restart', 'row 80'] },
    { source: 'silence', title: 'new disks', by: 'ann', causes: ['partial'] },
  ]);
  t.match(silenced, [{ name: 'PodFailing', means: 'workload-degraded', by: [{ who: 'ann', comment: 'new disks' }] }]);
  t.notOk(alerts.some(({ name }) => name === 'PodFailing'));
  const page = renderPage(of('planned'), { refresh: true, group: null });
  for (const text of ['Planned work', 'restart, row 80', 'a silence of ann', 'PodFailing', 'ann until'])
    t.ok(page.includes(text), text);
});

t.test('what no vantage saw is said by failoverd itself, and not by those that see no harm', async (t) => {
  const { summary } = groupOf('planned');
  t.match(summary.saidBy, [/^failoverd: the watchdog of us-east-1 was not heard/]);
  t.notOk(summary.saidBy.some((voice) => voice.includes('answers')));
});

t.test('a server that does not watch is told at the top, though nothing else is wrong', async (t) => {
  const page = renderPage(of('unwatched'), { refresh: true, group: null });
  t.equal(groupOf('unwatched').summary.mood, 'quiet');
  const [head = ''] = page.split('class="group"');
  t.ok(head.includes('main in eu-west-1 is bad; alertmanager, replica 1 in eu-central-1 is unknown'));
  t.notOk(renderPage(of('quiet'), { refresh: true, group: null }).includes('is unknown'));
});

t.test('a refused config is told with its problems as text, and a raise with both answers to it', async (t) => {
  const refused = renderPage(of('refused'), { refresh: true, group: null });
  for (const text of ['7 problems', '&lt;b>metrics.nobody', 'and 2 more']) t.ok(refused.includes(text), text);
  const raise = renderPage(of('raise'), { refresh: true, group: null });
  for (const text of [
    'autonomy observe → auto',
    'failoverd approve raise-platform-1',
    'failoverd abort raise-platform-1',
  ])
    t.ok(raise.includes(text), text);
});

t.test('what is well is folded away; what is wrong, unknown or failed lately stands open', async (t) => {
  const page = renderPage(of('failures'), { refresh: true, group: null });
  const open = page.slice(page.indexOf('id="facts-platform"'), page.indexOf('id="facts-well-platform"'));
  const folded = page.slice(page.indexOf('id="facts-well-platform"'), page.indexOf('id="monitors"'));
  t.ok(open.includes('5 failures lately') && folded.includes('the oldest was seen'));
  const rows = (part: string): number => part.split('id="fact/').length - 1;
  t.equal(rows(open) + rows(folded), groupOf('failures').facts.length, 'each is there once');
});

t.test('while a run is under way its decision and its gates are not told a second time', async (t) => {
  const page = renderPage(of('run'), { refresh: true, group: null });
  t.ok(groupOf('run').decisions.length > 0);
  t.notOk(page.includes('Decisions that stand'));
  t.ok(page.includes('as they would answer another failover'));
});
