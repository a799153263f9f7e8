import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import t from 'tap';
import { firstBreak, seal } from '../../src/journal/chain.ts';
import { toEntry, toRow } from '../../src/journal/row.ts';
import { type EventBody, GENESIS_HASH } from '../../src/model/events.ts';

const started = (version: string): EventBody => ({
  kind: 'daemon.started',
  at: 1,
  incarnation: 'one',
  version,
  configHash: '',
});

t.test('invariant 23: an entry that was changed, cut out or moved breaks the chain where it stands', async (t) => {
  const entries = seal(0, GENESIS_HASH, [started('a'), started('b'), started('c')]);
  t.equal(firstBreak(entries), null);
  const [first, second, third] = entries;
  if (first === undefined || second === undefined || third === undefined) throw new Error('three entries were sealed');
  t.equal(firstBreak([first, { ...second, body: started('x') }, third])?.seq, 2, 'changed');
  t.equal(firstBreak([first, third])?.seq, 2, 'cut out');
  t.equal(firstBreak([first, third, second])?.seq, 2, 'moved');
});

t.test('half a surrogate pair in a label is written as U+FFFD and does not stop the journal', async (t) => {
  const alert = {
    fingerprint: '00000000000000aa',
    startsAt: 1,
    status: 'firing' as const,
    labels: { '\ud800k': 'v\udc00' },
    summary: null,
  };
  const [entry] = seal(0, GENESIS_HASH, [{ kind: 'alerts.received', at: 1, alerts: [alert] }]);
  t.match(entry?.body, { alerts: [{ labels: { '\ufffdk': 'v\ufffd' } }] });
});

t.test('a number that JSON can’t tell is written as null and does not stop the journal', async (t) => {
  const proof = { output: { load: Number.POSITIVE_INFINITY, share: Number.NaN, hosts: 0 } };
  const [entry] = seal(0, GENESIS_HASH, [
    { kind: 'step.done', at: 1, group: 'main', run: 'run-main-1', step: 'fence', proof },
  ]);
  if (entry === undefined) throw new Error('one entry was sealed');
  t.match(entry.body, { proof: { output: { load: null, share: null, hosts: 0 } } });
  t.equal(firstBreak([JSON.parse(JSON.stringify(entry))]), null, 'and reads back as what was hashed');
});

t.test('an entry is hashed and written as the canonical JSON that anybody else would make of it', async (t) => {
  const key = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.constantFrom('__proto__', 'toJSON', '10', '9', '-1', '1a', '\ud800', 'é', '\u{1f600}', '\uffff'),
  );
  const label = fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), key);
  const labels = fc.dictionary(key, label, { noNullPrototype: true, maxKeys: 12 });
  const alert = { fingerprint: '00000000000000aa', startsAt: 1, status: 'firing' as const, summary: null };
  fc.assert(
    fc.property(labels, fc.double(), (labels, at) => {
      const [entry] = seal(0, GENESIS_HASH, [{ kind: 'alerts.received', at, alerts: [{ ...alert, labels }] }]);
      if (entry === undefined) return false;
      const row = toRow(entry);
      const whole = canonicalize({ seq: 1, previous: GENESIS_HASH, body: JSON.parse(row.body) });
      const hash = createHash('sha256')
        .update(whole ?? '')
        .digest('hex');
      return hash === entry.hash && row.body === canonicalize(entry.body) && firstBreak([toEntry(row)]) === null;
    }),
    { numRuns: 2_000 },
  );
  t.pass('in 2,000 entries of any text');
});
