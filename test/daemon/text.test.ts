// Words for spans, instants, sizes and losses.
import t from 'tap';
import { bytesText, instantText, lossText, spanText } from '../../src/daemon/text.ts';

t.test('spans have two units at most', async (t) => {
  for (const [ms, text] of [
    [-5, '0 ms'],
    [80, '80 ms'],
    [1000, '1 s'],
    [12_440, '12.4 s'],
    [59_960, '1m'],
    [100_000, '1m 40s'],
    [300_000, '5m'],
    [3_600_000 + 5 * 60_000, '1h 5m'],
    [86_400_000 * 3 + 3_600_000, '3d 1h'],
    [86_400_000 + 5_000, '1d'],
  ] as const)
    t.equal(spanText(ms), text);
});

t.test('instants are in UTC and where the people are', async (t) => {
  const at = Date.parse('2025-11-24T02:30:05Z');
  t.equal(instantText(at, null), '2025-11-24 02:30:05 UTC');
  t.equal(instantText(at, 'Europe/Berlin'), '2025-11-24 02:30:05 UTC (03:30:05 Europe/Berlin)');
  t.equal(instantText(at, 'America/New_York'), '2025-11-24 02:30:05 UTC (2025-11-23 21:30:05 America/New_York)');
});

t.test('sizes', async (t) => {
  t.strictSame([0, 999, 1000, 1_234_567, 5e15].map(bytesText), ['0 B', '999 B', '1 kB', '1.2 MB', '5000 TB']);
});

t.test('an unknown loss is never shown as none', async (t) => {
  const unknown = {
    lowBytes: null,
    highBytes: null,
    lowSeconds: null,
    highSeconds: null,
    fromLsn: null,
    windowFrom: null,
    windowTo: null,
    basis: '',
  };
  t.equal(lossText(unknown), 'not known');
  t.match(lossText({ ...unknown, lowBytes: 0, lowSeconds: 0 }), /0 s to not known/);
  t.match(
    lossText({ ...unknown, lowBytes: 0, highBytes: 2048, lowSeconds: 0, highSeconds: 1.5 }),
    /^0 s to 1\.5 s of writes \(0 B to 2 kB/,
  );
});
