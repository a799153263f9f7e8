// Corruption and deletion are reported and cleared by people who may, and everybody is told what came of it.
import t from 'tap';
import { BEARER, bearer, serve, TOKENS } from './harness.ts';

const REPORTS = '/api/v1/groups/orders/reports';
const problemOf = async (response: Response) => {
  const body = (await response.json()) as { type: string; field?: string };
  return `${body.type.split('/').at(-1)} ${body.field ?? ''}`.trim();
};

t.test('a report is durable, is made once, and is cleared with a reason', async (t) => {
  const h = await serve(t);
  const ann = bearer(TOKENS.ann);
  const first = await h.post(REPORTS, { report: 'corruption', what: 'checksums fail' }, ann);
  t.equal(first.status, 200);
  t.match(await first.json(), { group: 'orders', report: 'corruption', status: 'reported' });
  t.match(await (await h.post(REPORTS, { report: 'corruption', what: 'again' }, ann)).json(), {
    status: 'already-reported',
  });
  t.match(h.engine.state().ledger.groups['orders']?.reports, { corruption: { by: 'ann', what: 'checksums fail' } });
  const cleared = await h.post(`${REPORTS}/corruption/clear`, { reason: 'restored and verified' }, ann);
  t.match(await cleared.json(), { status: 'cleared' });
  t.equal(
    await problemOf(await h.post(`${REPORTS}/corruption/clear`, { reason: 'once more' }, ann)),
    'not-waiting group',
  );
  t.strictSame(h.engine.state().ledger.groups['orders']?.reports, {});
  t.equal(await h.metric('failoverd_orders_total{order="report",outcome="accepted"}'), 2);
});

t.test('what can’t be read, or may not be said by this person, changes nothing', async (t) => {
  const h = await serve(t);
  const ann = bearer(TOKENS.ann);
  const refused: readonly [string, unknown, Record<string, string>, string][] = [
    [REPORTS, { report: 'corruption', what: 'checksums' }, {}, 'unauthenticated Authorization'],
    [REPORTS, { report: 'corruption', what: 'checksums' }, bearer(BEARER), 'unauthenticated Authorization'],
    [REPORTS, { report: 'rumour', what: 'checksums' }, ann, 'invalid /report'],
    [REPORTS, { report: 'corruption' }, ann, 'invalid /what'],
    [REPORTS, { report: 'corruption', what: 'x' }, ann, 'invalid /what'],
    [REPORTS, { report: 'corruption', what: 'checksums', more: 1 }, ann, 'invalid /more'],
    ['/api/v1/groups/nobody/reports', { report: 'corruption', what: 'checksums' }, ann, 'not-found group'],
  ];
  for (const [path, body, headers, problem] of refused)
    t.equal(await problemOf(await h.post(path, body, headers)), problem, `${path} ${JSON.stringify(body)}`);
  t.strictSame(h.engine.state().ledger.groups['orders']?.reports ?? {}, {});
});

t.test('a group by a name that every object answers to is none, and stops nothing', async (t) => {
  const h = await serve(t);
  for (const group of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
    const answer = await h.post(
      `/api/v1/groups/${group}/reports`,
      { report: 'corruption', what: 'sums' },
      bearer(TOKENS.ann),
    );
    t.equal(answer.status, 422, group);
    const read = await h.get(`/api/v1/status?group=${group}`);
    t.equal(read.status, 404, group);
  }
  t.equal(h.engine.health(), 'running');
});
