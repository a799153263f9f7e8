// An order with a key is carried out once, however often it is sent, also over a restart.
import t from 'tap';
import { keyOf } from '../../../src/daemon/http/idempotency.ts';
import { foldAll } from '../../../src/journal/fold.ts';
import { memoryDisk } from '../../../src/journal/memory.ts';
import { toEntry } from '../../../src/journal/row.ts';
import { EMPTY_LEDGER } from '../../../src/model/ledger.ts';
import { ANSWER_KEPT_MS, ANSWERS_KEPT, type KeptAnswer, withAnswer } from '../../../src/model/orders.ts';
import { bearer, type Harness, serve, TOKENS } from './harness.ts';

const REPORTS = '/api/v1/groups/orders/reports';
const REPORT = { report: 'corruption', what: 'sums do not add up' };
const KEY = '"5f1c0b7e-key"';
const withKey = (person: keyof typeof TOKENS, key = KEY) => ({ ...bearer(TOKENS[person]), 'idempotency-key': key });
const said = async (response: Response): Promise<[number, Record<string, unknown>]> => [
  response.status,
  (await response.json()) as Record<string, unknown>,
];
const madeReports = (h: Harness): number =>
  h.disk.rows.filter((row) => JSON.stringify(row).includes('report.made')).length;

t.test('the same order with the same key gets the first answer again', async (t) => {
  const h = await serve(t);
  const first = await said(await h.post(REPORTS, REPORT, withKey('ann')));
  t.match(first, [200, { status: 'reported' }]);
  t.strictSame(await said(await h.post(REPORTS, REPORT, withKey('ann'))), first, 'and not: already reported');
  t.strictSame(
    await said(await h.post(REPORTS, '{ "what": "sums do not add up", "report": "corruption" }', withKey('ann'))),
    first,
    'however its JSON is written',
  );
  t.strictSame(
    await said(await h.post(REPORTS, REPORT, withKey('ann', '5f1c0b7e-key'))),
    first,
    'with or without quotes',
  );
  t.match(
    await said(await h.post(REPORTS, REPORT, withKey('vera'))),
    [200, { status: 'already-reported' }],
    'keys are each person’s own',
  );
  t.equal(madeReports(h), 1);
});

t.test('the same key for another order is refused, and that order is not carried out', async (t) => {
  const h = await serve(t);
  await h.post(REPORTS, REPORT, withKey('ann'));
  const other = await said(await h.post(REPORTS, { ...REPORT, report: 'deletion' }, withKey('ann')));
  t.match(other, [422, { type: /idempotency-key-reused$/, field: 'Idempotency-Key' }]);
  const clear = await said(await h.post(`${REPORTS}/corruption/clear`, { reason: 'all is well' }, withKey('ann')));
  t.match(clear, [422, { type: /idempotency-key-reused$/ }], 'also at another address');
  t.equal(madeReports(h), 1);
  t.same(Object.keys(h.engine.state().ledger.groups['orders']?.reports ?? {}), ['corruption']);
});

t.test('what was kept is in the journal: a daemon that was started again answers the same', async (t) => {
  const h = await serve(t);
  const first = await said(await h.post(REPORTS, REPORT, withKey('ann')));
  const again = await serve(t, { disk: memoryDisk(h.disk.rows.map(toEntry)) });
  t.strictSame(await said(await again.post(REPORTS, REPORT, withKey('ann'))), first);
  t.match(await said(await again.post(REPORTS, { ...REPORT, what: 'something else' }, withKey('ann'))), [422, {}]);
});

t.test('a refusal is given again, and leaves nothing in the journal', async (t) => {
  const h = await serve(t);
  await h.see();
  const path = `${REPORTS}/corruption/clear`;
  const first = await said(await h.post(path, { reason: 'nothing there' }, withKey('ann')));
  t.match(first, [409, { type: /not-waiting$/ }]);
  t.strictSame(await said(await h.post(path, { reason: 'nothing there' }, withKey('ann'))), first);
  t.match(await said(await h.post(path, { reason: 'another reason' }, withKey('ann'))), [422, {}]);
  t.notOk(h.disk.rows.some((row) => JSON.stringify(row).includes('order.answered')));
});

t.test('while the first is under way, the second is told to wait', async (t) => {
  const h = await serve(t);
  const { promise, resolve } = Promise.withResolvers<void>();
  h.fault = { kind: 'hang', applied: true, until: promise };
  const first = h.post(REPORTS, REPORT, withKey('ann'));
  await new Promise<void>((soon) => setImmediate(soon));
  let second = await h.post(REPORTS, REPORT, withKey('ann'));
  t.equal(second.status, 409);
  t.match(second.headers.get('retry-after'), /^\d+$/);
  t.match(await second.json(), { type: /idempotency-under-way$/ });
  h.fault = null;
  resolve();
  const answer = await said(await first);
  second = await h.post(REPORTS, REPORT, withKey('ann'));
  t.strictSame(await said(second), answer);
  t.equal(madeReports(h), 1);
});

t.test('keys that can’t be read are refused, and change nothing', async (t) => {
  const h = await serve(t);
  for (const key of ['"', '""', 'two words', '"half', 'half"', 'a"b', 'back\\slash', 'x'.repeat(129), 'a, b']) {
    const [status, problem] = await said(await h.post(REPORTS, REPORT, withKey('ann', key)));
    t.equal(status, 400, key);
    t.match(problem, { type: /idempotency-key$/, field: 'Idempotency-Key', remedy: /UUID/ });
  }
  t.equal(madeReports(h), 0);
  t.equal(keyOf('x'.repeat(128)), 'x'.repeat(128));
  t.end();
});

const answer = (index: number, at: number): KeptAnswer => ({
  at,
  person: 'ann',
  key: `key-${index}`,
  fingerprint: 'f'.repeat(64),
  status: 200,
  body: {},
});

t.test('what is kept is bounded in number and time', (t) => {
  let answers: Record<string, KeptAnswer> = {};
  for (let i = 0; i < ANSWERS_KEPT + 5; i += 1) answers = withAnswer(answers, answer(i, i));
  t.equal(Object.keys(answers).length, ANSWERS_KEPT);
  t.notOk('ann/key-4' in answers, 'the oldest went');
  t.ok('ann/key-5' in answers);
  t.same(Object.keys(withAnswer(answers, answer(-1, ANSWERS_KEPT + 5 + ANSWER_KEPT_MS))), ['ann/key--1']);
  t.end();
});

t.test('a journal in which a key stands twice is refused', async (t) => {
  const h = await serve(t);
  await h.post(REPORTS, REPORT, withKey('ann'));
  const rows = h.disk.rows.map(toEntry);
  t.doesNotThrow(() => foldAll(EMPTY_LEDGER, rows));
  const twice = rows.find(({ body }) => body.kind === 'order.answered');
  const last = rows.at(-1);
  if (twice === undefined || last === undefined) throw new Error('nothing was kept');
  t.throws(
    () => foldAll(EMPTY_LEDGER, [...rows, { ...twice, seq: last.seq + 1, previous: last.hash }]),
    /used already/,
  );
});
