// What witnesses may post; everything else is refused with its code, counted, and changes nothing.
import t from 'tap';
import { REPORT_LIMIT_BYTES, REPORT_PATH, SIGNATURE_HEADER } from '../../../src/daemon/http/witness-desk.ts';
import type { WitnessReport } from '../../../src/model/evidence.ts';
import * as report from '../../../src/probes/report.ts';
import { generateKeys, readPrivateKey, signReport } from '../../../src/probes/report.ts';
import { alert, BEARER, bearer, type Harness, look, payload, SESSION, serve, WITNESS_KEY } from './harness.ts';

const reportOf = (over: Partial<WitnessReport> = {}): WitnessReport => ({
  vantage: 'dublin',
  session: SESSION,
  sequence: 1,
  sentAt: Date.now(),
  observations: look('dublin'),
  ...over,
});

const send = (
  h: Harness,
  body: Uint8Array<ArrayBuffer> | string,
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(`${h.url}${REPORT_PATH}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
const post = (h: Harness, said: WitnessReport, key = WITNESS_KEY): Promise<Response> => {
  const { body, signature } = signReport(said, key);
  return send(h, body, { [SIGNATURE_HEADER]: signature });
};
const codeOf = async (response: Response): Promise<string> =>
  ((await response.json()) as { type: string }).type.split('/').at(-1) ?? '';
const sights = (h: Harness): number =>
  [h.engine.state().volatile.sights, h.engine.state().volatile.controls]
    .flatMap((shelves) => Object.values(shelves))
    .reduce((sum, shelf) => sum + Object.keys(shelf).length, 0);

t.test('both sides mean the same address and header', async (t) => {
  t.equal(REPORT_PATH, report.REPORT_PATH);
  t.equal(SIGNATURE_HEADER, report.SIGNATURE_HEADER);
  t.equal(REPORT_LIMIT_BYTES, report.REPORT_LIMIT_BYTES);
});

t.test('a signed report becomes evidence', async (t) => {
  const h = await serve(t);
  const response = await post(h, reportOf());
  t.equal(response.status, 204);
  t.equal(sights(h), look('dublin').length);
  t.equal(await h.metric('failoverd_witness_reports_total{code="accepted"}'), 1);
  t.equal(await h.metric('failoverd_observations_total{kind="postgres",vantage="dublin",verdict="ok"}'), 2);
  t.equal((await post(h, reportOf({ sequence: 2 }))).status, 204);
});

t.test('what does not hold up is refused, counted, and changes nothing', async (t) => {
  const h = await serve(t);
  const stranger = readPrivateKey(generateKeys().privateKeyPem);
  const signed = signReport(reportOf(), WITNESS_KEY);
  const tampered = new Uint8Array(signed.body);
  tampered[tampered.length - 2] = 0x20;
  const cases: readonly [name: string, () => Promise<Response>, status: number, code: string, metric?: string][] = [
    ['signed by somebody else', () => post(h, reportOf(), stranger), 401, 'bad-signature'],
    ['not signed', () => send(h, signed.body), 401, 'bad-signature'],
    [
      'a signature that is none',
      () => send(h, signed.body, { [SIGNATURE_HEADER]: 'ed25519=AAAA' }),
      401,
      'bad-signature',
    ],
    [
      'changed on the way',
      () => send(h, tampered, { [SIGNATURE_HEADER]: signed.signature }),
      400,
      'malformed-json',
      'bad-json',
    ],
    ['from nobody we know', () => post(h, reportOf({ vantage: 'paris' })), 403, 'unknown-witness'],
    ['in the name of the daemon', () => post(h, reportOf({ vantage: 'daemon' })), 403, 'unknown-witness'],
    ['for another session', () => post(h, reportOf({ session: 'session-of-yesterday' })), 409, 'wrong-session'],
    [
      'with a clock far off',
      () => post(h, reportOf({ sentAt: Date.now() - 3_600_000 })),
      422,
      'witness-clock',
      'clock',
    ],
    [
      'with old news',
      () => post(h, reportOf({ observations: look('dublin').map((o) => ({ ...o, at: 1 })) })),
      422,
      'witness-clock',
      'clock',
    ],
    [
      'speaking for another',
      () => post(h, reportOf({ observations: look('daemon').filter(({ kind }) => kind !== 'readiness') })),
      403,
      'foreign-vantage',
    ],
    ['with a key too many', () => post(h, { ...reportOf(), extra: 1 } as WitnessReport), 422, 'invalid', 'schema'],
    ['nothing', () => send(h, ''), 400, 'malformed-json', 'bad-json'],
    ['no JSON', () => send(h, '{'), 400, 'malformed-json', 'bad-json'],
    ['nested without end', () => send(h, '['.repeat(200_000)), 400, 'malformed-json', 'bad-json'],
    [
      'nested deeply, and closed',
      () => send(h, `${'['.repeat(200_000)}${']'.repeat(200_000)}`),
      422,
      'invalid',
      'schema',
    ],
    ['too large', () => send(h, 'x'.repeat(REPORT_LIMIT_BYTES + 1)), 413, 'too-large'],
  ];
  const before = h.engine.state().ledger.seq;
  const wanted = new Map<string, number>();
  for (const [name, act, status, code, metric = code] of cases) {
    const response = await act();
    t.equal(response.status, status, name);
    t.match(response.headers.get('content-type'), /application\/problem\+json/, name);
    t.equal(await codeOf(response), code, name);
    wanted.set(metric, (wanted.get(metric) ?? 0) + 1);
  }
  t.equal(sights(h), 0);
  t.equal(h.engine.state().ledger.seq, before);
  for (const [code, count] of wanted)
    t.equal(await h.metric(`failoverd_witness_reports_total{code="${code}"}`), count, code);
  t.equal(await h.metric('failoverd_witness_reports_total{code="accepted"}'), null);
});

t.test('a report that was seen before is void, and the witness learns where to go on', async (t) => {
  const h = await serve(t);
  const said = reportOf({ sequence: 7 });
  t.equal((await post(h, said)).status, 204);
  for (const again of [said, reportOf({ sequence: 3 })]) {
    const response = await post(h, again);
    t.equal(response.status, 409);
    t.match(await response.json(), { type: /replayed$/, session: SESSION, lastSequence: 7 });
  }
  t.match(await (await post(h, reportOf({ session: 'session-of-yesterday', sequence: 9 }))).json(), {
    session: SESSION,
  });
  t.equal((await post(h, reportOf({ sequence: 8 }))).status, 204);
});

t.test('a report whose consequence can’t be made durable is no 204', async (t) => {
  const h = await serve(t);
  const down = (vantage: string) => look(vantage, { primaryDown: true });
  await h.see();
  await h.post('/webhooks/alertmanager', payload([alert()]), bearer(BEARER));
  for (let i = 0; i < 2; i += 1) await h.engine.submit({ kind: 'observed', observations: down('daemon') });
  t.equal((await post(h, reportOf({ observations: down('dublin') }))).status, 204);
  // By this one the witness, too, is known to be connected itself: a hold begins, and that is to be written down.
  h.fault = { kind: 'fail', code: 'io' };
  const response = await post(h, reportOf({ sequence: 2, observations: down('dublin') }));
  t.equal(response.status, 503);
  t.match(response.headers.get('retry-after'), /^\d+$/);
  t.equal(h.engine.health(), 'failed', 'nothing is done after it');
  t.equal(await h.metric('failoverd_witness_reports_total{code="journal-failed"}'), 1);
});

t.test('an engine that failed takes no evidence', async (t) => {
  const h = await serve(t);
  await h.engine.stop();
  const response = await post(h, reportOf());
  t.equal(response.status, 503);
  t.match(response.headers.get('retry-after'), /^\d+$/);
});
