import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import t from 'tap';
import type { Observation, WitnessReport } from '../../src/model/evidence.ts';
import {
  CLOCK_LIMIT_MS,
  createReportDesk,
  generateKeys,
  openReport,
  publicKeyText,
  REPORT_LIMIT_BYTES,
  type ReportErrorCode,
  type ReportExpectation,
  readPrivateKey,
  readPublicKey,
  signReport,
  witnessKeys,
} from '../../src/probes/report.ts';

const NOW = Date.UTC(2026, 5, 1, 3);
const SESSION = 'a'.repeat(32);

const ours = generateKeys();
const stranger = generateKeys();
const key = readPrivateKey(ours.privateKeyPem);
const keys = witnessKeys({ daemon: {}, north: { publicKey: ours.publicKey }, west: { publicKey: stranger.publicKey } });
const expected: ReportExpectation = { session: SESSION, lastSequence: () => 4, now: NOW };

const observation = (over: Partial<Observation> = {}): Observation =>
  ({
    kind: 'control',
    target: 'tcp://192.0.2.1:53',
    vantage: 'north',
    at: NOW - 100,
    durationMs: 3,
    verdict: 'ok',
    reached: 'connect',
    code: null,
    message: null,
    ...over,
  }) as Observation;
const report = (over: Partial<WitnessReport> = {}): WitnessReport => ({
  vantage: 'north',
  session: SESSION,
  sequence: 5,
  sentAt: NOW,
  observations: [observation()],
  ...over,
});

/** Why the daemon would not take it; null = it would. */
function refused(
  from: WitnessReport,
  over: Partial<ReportExpectation> = {},
  by: KeyObject = key,
): ReportErrorCode | null {
  const { body, signature } = signReport(from, by);
  const opened = openReport(body, signature, keys, { ...expected, ...over });
  return opened.kind === 'opened' ? null : opened.code;
}
/** A body that isn't ours to build, signed as if it were. */
function refusedRaw(raw: string | Uint8Array, signature?: string): ReportErrorCode | null {
  const body = Buffer.from(raw);
  const header = signature ?? `ed25519=${sign(null, body, key).toString('base64')}`;
  const opened = openReport(body, header, keys, expected);
  return opened.kind === 'opened' ? null : opened.code;
}

t.test('a report that is all right is opened as it was sent', async (t) => {
  const { body, signature } = signReport(report(), key);
  t.same(openReport(body, signature, keys, expected), { kind: 'opened', report: report() });
  t.equal(refused(report({ observations: [] })), null, 'also one that has nothing to say');
});

t.test('who is not configured as a witness is not heard', async (t) => {
  t.equal(refused(report({ vantage: 'south' })), 'unknown-witness');
  t.equal(refused(report({ vantage: 'daemon' })), 'unknown-witness', 'the daemon has no key to sign with');
  t.equal(refused(report({ vantage: 'toString' })), 'unknown-witness');
});

t.test('a signature has to be of this vantage and of these very bytes', async (t) => {
  t.equal(refused(report(), {}, readPrivateKey(stranger.privateKeyPem)), 'bad-signature');
  const { body, signature } = signReport(report(), key);
  const changed = Buffer.from(new TextDecoder().decode(body).replace('"ok"', '"ok" '));
  for (const index of [0, 10, body.length - 1]) {
    const flipped = Buffer.from(body);
    flipped[index] = (flipped[index] ?? 0) ^ 1;
    const opened = openReport(flipped, signature, keys, expected);
    t.equal(opened.kind, 'refused');
  }
  t.match(openReport(changed, signature, keys, expected), { code: 'bad-signature' });
  for (const wrong of [
    undefined,
    '',
    'ed25519=',
    'ed25519=AAAA',
    signature.slice(8),
    signature.replace('ed25519', 'rsa'),
  ]) {
    t.match(openReport(body, wrong, keys, expected), { code: 'bad-signature' }, String(wrong));
  }
});

t.test('what is no report is refused with its place, once it is known to be from a witness', async (t) => {
  t.equal(refusedRaw('not json'), 'bad-json');
  t.equal(refusedRaw(new Uint8Array([0xff, 0xfe, 0x7b])), 'bad-json');
  t.equal(refusedRaw(''), 'bad-json');
  for (const text of ['null', '[]', '"x"', '{}', '{"vantage":1}']) t.equal(refusedRaw(text), 'schema', text);
  t.equal(refusedRaw(JSON.stringify({ ...report(), aprove: true })), 'schema', 'unknown keys are errors');
  t.equal(refusedRaw(JSON.stringify({ ...report(), sequence: '5' })), 'schema', 'nothing is coerced');
  t.equal(refused(report({ sequence: 0 })), 'schema');
  const of = (over: object): WitnessReport => {
    const names = { kind: 'http', group: 'main', component: 'api', region: 'a', facts: { status: 200 } };
    const { target: _, ...common } = observation() as Observation & { readonly target: string };
    return report({ observations: [{ ...common, ...names, ...over } as Observation] });
  };
  t.equal(refused(of({})), null);
  for (const name of ['group', 'component', 'region'])
    t.equal(refused(of({ [name]: 'constructor' })), 'schema', `${name}: a lookup would find what nobody put there`);
  t.equal(refusedRaw(JSON.stringify({ ...report(), sequence: '5' }), 'ed25519=AAAA'), 'bad-signature');
  const { body, signature } = signReport(report({ observations: [observation({ durationMs: -1 })] }), key);
  const opened = openReport(body, signature, keys, expected);
  t.match(opened, { kind: 'refused', code: 'schema', vantage: 'north', message: /\/observations\/0/ });
});

t.test('a body that is too long, or nested without end, is refused', async (t) => {
  t.equal(refusedRaw(' '.repeat(REPORT_LIMIT_BYTES + 1)), 'schema');
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
  t.equal(refusedRaw(`{"vantage":"north","observations":${deep}}`), 'schema');
});

t.test('a report for another session says which one to sign for', async (t) => {
  const { body, signature } = signReport(report({ session: 'b'.repeat(32) }), key);
  t.match(openReport(body, signature, keys, expected), { code: 'wrong-session', session: SESSION, vantage: 'north' });
});

t.test('nothing that was seen before is taken again', async (t) => {
  t.equal(refused(report({ sequence: 4 })), 'replayed');
  t.equal(refused(report({ sequence: 3 })), 'replayed');
  t.equal(refused(report({ sequence: 5 })), null);
  const { body, signature } = signReport(report({ sequence: 4 }), key);
  t.match(openReport(body, signature, keys, expected), { code: 'replayed', lastSequence: 4, session: SESSION });
});

t.test('times that are far off are refused, whichever they are', async (t) => {
  for (const offMs of [-CLOCK_LIMIT_MS - 1_000, CLOCK_LIMIT_MS + 1_000]) {
    t.equal(refused(report({ sentAt: NOW + offMs })), 'clock');
    t.equal(refused(report({ observations: [observation(), observation({ at: NOW + offMs })] })), 'clock');
  }
  t.equal(refused(report({ sentAt: NOW - CLOCK_LIMIT_MS })), null);
});

t.test('a witness speaks for itself only', async (t) => {
  t.equal(refused(report({ observations: [observation(), observation({ vantage: 'west' })] })), 'foreign-vantage');
  t.equal(refused(report({ observations: [observation({ vantage: 'daemon' })] })), 'foreign-vantage');
});

t.test('the desk of a daemon', async (t) => {
  const clock = { wall: () => NOW, mono: () => 0 };
  const desk = createReportDesk({ session: SESSION, keys, clock });
  const take = (from: WitnessReport, by = key): string => {
    const { body, signature } = signReport(from, by);
    const opened = desk.open(body, signature);
    return opened.kind === 'opened' ? 'taken' : opened.code;
  };
  t.equal(take(report({ sequence: 7 })), 'taken');
  t.equal(take(report({ sequence: 7 })), 'replayed');
  t.equal(take(report({ sequence: 900, sentAt: 0 })), 'clock');
  t.equal(take(report({ sequence: 900, observations: [observation({ vantage: 'west' })] })), 'foreign-vantage');
  t.equal(take(report({ sequence: 900, session: 'b'.repeat(32) })), 'wrong-session');
  t.equal(take(report({ sequence: 8 })), 'taken', 'what was refused has changed nothing');
  const west = report({ vantage: 'west', sequence: 1, observations: [] });
  t.equal(take(west, readPrivateKey(stranger.privateKeyPem)), 'taken', 'each witness counts for itself');
});

t.test('keys', async (t) => {
  t.equal(publicKeyText(key), ours.publicKey);
  t.equal(publicKeyText(readPublicKey(ours.publicKey)), ours.publicKey);
  t.equal(Buffer.from(ours.publicKey, 'base64').length, 32);
  t.not(generateKeys().publicKey, ours.publicKey);
  for (const wrong of ['', 'AAAA', `${ours.publicKey}AA==`]) t.throws(() => readPublicKey(wrong), RangeError);
  t.throws(() => readPrivateKey('hunter2'), { message: /^(?!.*hunter2)/ });
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const other = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  t.ok(createPrivateKey(other));
  t.throws(() => readPrivateKey(other), { message: /Ed25519/ });
});
