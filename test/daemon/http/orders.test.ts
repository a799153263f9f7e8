// Who may say yes or stop, and what they are told.
import t from 'tap';
import type { StatusDocument } from '../../../src/daemon/status-document.ts';
import { alert, BEARER, bearer, type Harness, payload, serve, TOKENS, until } from './harness.ts';

const codeOf = async (response: Response): Promise<string> => {
  const { type } = (await response.json()) as { type: string };
  return type.split('/').at(-1) ?? '';
};
const statusOf = async (h: Harness): Promise<StatusDocument> =>
  (await (await h.get('/api/v1/status')).json()) as StatusDocument;

/** The active region dies and the engine proposes. */
async function proposed(h: Harness) {
  for (let i = 0; i < 3; i += 1) await h.see();
  await h.post('/webhooks/alertmanager', payload([alert()]), bearer(BEARER));
  return until('a proposal', async () => {
    await h.see({ primaryDown: true });
    return (await statusOf(h)).groups[0]?.proposal ?? null;
  });
}

t.test('two people approve, and the run opens', async (t) => {
  const h = await serve(t);
  const { id, planHash, missing } = await proposed(h);
  t.strictSame(missing, ['sre', 'vp']);
  const path = `/api/v1/proposals/${id}/approve`;

  const first = await h.post(path, { planHash }, bearer(TOKENS.ann));
  t.equal(first.status, 200);
  t.match(await first.json(), { proposal: id, approvedAs: 'sre', waitingFor: ['vp'] });
  t.match((await statusOf(h)).groups[0]?.proposal, { missing: ['vp'], approvals: [{ person: 'ann', role: 'sre' }] });

  const again = await h.post(path, { planHash }, bearer(TOKENS.ann));
  t.equal(again.status, 409);
  t.equal(await codeOf(again), 'already-approved');

  const second = await h.post(path, { planHash }, bearer(TOKENS.vera));
  t.match(await second.json(), { approvedAs: 'vp', waitingFor: [] });
  const run = await until('the run', async () => {
    await h.see({ primaryDown: true });
    return (await statusOf(h)).groups[0]?.run ?? null;
  });
  t.match(run, { trigger: 'approved', planHash, approvals: [{ person: 'ann' }, { person: 'vera' }] });
  t.equal(await h.metric('failoverd_orders_total{order="approve",outcome="accepted"}'), 2);
  t.equal(await h.metric('failoverd_orders_total{order="approve",outcome="already-approved"}'), 1);
});

t.test('a yes that is not meant for this is refused and changes nothing', async (t) => {
  const h = await serve(t);
  const { id, planHash } = await proposed(h);
  const path = `/api/v1/proposals/${id}/approve`;
  const ann = bearer(TOKENS.ann);
  const cases: readonly [
    name: string,
    path: string,
    body: unknown,
    headers: Record<string, string>,
    status: number,
    code: string,
    field?: string,
  ][] = [
    ['nobody', path, { planHash }, {}, 401, 'unauthenticated', 'Authorization'],
    ['a stranger', path, { planHash }, bearer('somebody'), 401, 'unauthenticated', 'Authorization'],
    ['Alertmanager', path, { planHash }, bearer(BEARER), 401, 'unauthenticated', 'Authorization'],
    ['a viewer', path, { planHash }, bearer(TOKENS.vic), 403, 'role'],
    ['an executive', path, { planHash }, bearer(TOKENS.eve), 403, 'role'],
    ['another plan', path, { planHash: '0'.repeat(64) }, ann, 409, 'plan-hash', 'id'],
    ['no plan', path, {}, ann, 422, 'invalid', '/planHash'],
    ['a misspelt key', path, { planHash, aprove: true }, ann, 422, 'invalid', '/aprove'],
    ['a hash that is a number', path, { planHash: 1 }, ann, 422, 'invalid', '/planHash'],
    ['another proposal', '/api/v1/proposals/proposal-orders-9/approve', { planHash }, ann, 404, 'not-found', 'id'],
    ['an id of another form', '/api/v1/proposals/x/approve', { planHash }, ann, 422, 'invalid', '/id'],
    ['a run that is none', '/api/v1/runs/run-orders-1/approve', {}, ann, 404, 'not-found', 'id'],
    ['a VP who lets a run go on', '/api/v1/runs/run-orders-1/approve', {}, bearer(TOKENS.vera), 403, 'role'],
    ['an abort without a reason', `/api/v1/proposals/${id}/abort`, {}, ann, 422, 'invalid', '/reason'],
    ['an abort by a viewer', `/api/v1/proposals/${id}/abort`, { reason: 'because' }, bearer(TOKENS.vic), 403, 'role'],
  ];
  for (const [name, at, body, headers, status, code, field] of cases) {
    const response = await h.post(at, body, headers);
    const said = (await response.json()) as { type: string; field?: string; remedy?: string };
    t.equal(response.status, status, `${name}: ${JSON.stringify(said)}`);
    t.equal(said.type.split('/').at(-1), code, name);
    t.equal(said.field, field, name);
  }
  t.match((await statusOf(h)).groups[0]?.proposal, { id, approvals: [] });
  const misspelt = await h.post(path, { planhash: planHash }, ann);
  t.match(await misspelt.json(), { field: '/planhash', remedy: 'did you mean planHash?' });
});

t.test('an executive may abort, and the reason is kept', async (t) => {
  const h = await serve(t);
  const { id } = await proposed(h);
  const response = await h.post(
    `/api/v1/proposals/${id}/abort`,
    { reason: 'we wait for the provider' },
    bearer(TOKENS.eve),
  );
  t.equal(response.status, 200);
  t.match(await response.json(), { proposal: id, status: 'aborted' });
  t.ok(h.disk.rows.some((row) => JSON.stringify(row).includes('eve: we wait for the provider')));
});

t.test('a halted run goes on when an SRE says so', async (t) => {
  let halts = true;
  const h = await serve(t, {
    autonomy: 'auto',
    actor: {
      perform: async ({ stepKind, operation }) =>
        stepKind === 'fence' && operation !== 'check'
          ? { kind: halts ? 'halt' : 'unknown', code: 'higher-epoch', message: 'a higher epoch was seen', facts: {} }
          : { kind: 'ok', code: null, message: '', facts: {} },
    },
  });
  for (let i = 0; i < 3; i += 1) await h.see();
  await h.post('/webhooks/alertmanager', payload([alert()]), bearer(BEARER));
  const run = await until('a halted run', async () => {
    await h.see({ primaryDown: true });
    const found = (await statusOf(h)).groups[0];
    return found?.run?.status === 'halted' ? found : null;
  });
  t.match(run.summary, { mood: 'stuck', next: /approve run-orders-1/ });
  halts = false;
  const response = await h.post('/api/v1/runs/run-orders-1/approve', {}, bearer(TOKENS.ann));
  t.match(await response.json(), { run: 'run-orders-1', status: 'running' });
  const twice = await h.post('/api/v1/runs/run-orders-1/approve', {}, bearer(TOKENS.ann));
  t.equal(await codeOf(twice), 'not-waiting');
});

t.test('when the journal fails an order is 503', async (t) => {
  const h = await serve(t);
  const { id, planHash } = await proposed(h);
  h.fault = { kind: 'fail', code: 'io' };
  const response = await h.post(`/api/v1/proposals/${id}/approve`, { planHash }, bearer(TOKENS.ann));
  t.equal(response.status, 503);
  t.equal(await codeOf(response), 'journal-failed');
});

t.test('when no answer comes the person is told that it may have been taken', async (t) => {
  const h = await serve(t, { hurry: 50 });
  const { id, planHash } = await proposed(h);
  const { promise, resolve } = Promise.withResolvers<void>();
  h.fault = { kind: 'hang', applied: false, until: promise };
  const response = await h.post(`/api/v1/proposals/${id}/approve`, { planHash }, bearer(TOKENS.ann));
  t.equal(response.status, 504);
  t.equal(await codeOf(response), 'no-reply');
  h.fault = null;
  resolve();
});

t.test('no token is written anywhere', async (t) => {
  const h = await serve(t);
  const { id, planHash } = await proposed(h);
  await h.post(`/api/v1/proposals/${id}/approve`, { planHash }, bearer(TOKENS.ann));
  await h.post(`/api/v1/proposals/${id}/approve`, { planHash }, bearer(TOKENS.vic));
  const written = [
    ...h.lines,
    ...h.disk.rows.map((row) => JSON.stringify(row)),
    JSON.stringify(await statusOf(h)),
  ].join('\n');
  for (const token of Object.values(TOKENS)) t.notMatch(written, token);
});
