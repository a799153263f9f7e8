// The arithmetic of the log, without a server: names of segments, histories and their forks, lines of pg_waldump.
import fc from 'fast-check';
import t from 'tap';
import { readRecord } from '../../../src/guard/wal/record.ts';
import {
  lsnText,
  segmentHolding,
  segmentName,
  segmentOf,
  segmentStart,
  segmentsOf,
} from '../../../src/guard/wal/segments.ts';
import { readTailQuery, tailQuery } from '../../../src/guard/wal/ship.ts';
import { forkPoint, stretchesOf } from '../../../src/guard/wal/timeline.ts';
import { lsnBytes } from '../../../src/model/primitives.ts';

const SIZES = [1, 16, 64, 1024].map((mebibytes) => mebibytes * 1_048_576);

t.test('names of segments', async (t) => {
  t.equal(segmentName({ timeline: 1, number: 1n }, 16_777_216), '000000010000000000000001');
  t.equal(segmentName({ timeline: 10, number: 257n }, 16_777_216), '0000000A0000000100000001');
  t.equal(segmentOf('00000001000000000000000A.partial', 16_777_216), null);
  t.equal(segmentOf('00000002.history', 16_777_216), null);
  fc.assert(
    fc.property(
      fc.bigInt(1n, 2n ** 63n),
      fc.constantFrom(...SIZES),
      fc.integer({ min: 1, max: 1e6 }),
      (at, size, timeline) => {
        const number = segmentHolding(lsnText(at), size);
        const found = segmentOf(segmentName({ timeline, number }, size), size);
        const start = lsnBytes(segmentStart(number, size));
        return found?.number === number && found.timeline === timeline && start <= at && at < start + BigInt(size);
      },
    ),
  );
  t.same(segmentsOf('0/1000000', '0/1000000', 16_777_216), [], 'nothing holds nothing');
  t.same(segmentsOf('0/1FFFFFF', '0/2000001', 16_777_216), [1n, 2n]);
  t.same(segmentsOf('0/1000000', '0/2000000', 16_777_216), [1n], 'an end at the edge is in the one before');
});

t.test('where histories part', async (t) => {
  const two = '1\t0/3000060\tno recovery target specified\n';
  const three = `${two}\n2\t0/5000000\tno recovery target specified\n`;
  const at = (timeline: number, history: string | null) => ({ timeline, history });
  t.same(forkPoint(at(1, null), at(2, two)), { timeline: 1, lsn: '0/3000060' });
  t.same(forkPoint(at(2, two), at(1, null)), { timeline: 1, lsn: '0/3000060' });
  t.same(forkPoint(at(2, two), at(3, three)), { timeline: 2, lsn: '0/5000000' });
  t.same(forkPoint(at(1, null), at(3, three)), { timeline: 1, lsn: '0/3000060' });
  // Both were promoted from timeline 1, at other places: they share what the earlier one has.
  t.same(forkPoint(at(2, two), at(3, '1\t0/4000000\tx\n')), { timeline: 1, lsn: '0/3000060' });
  t.throws(() => forkPoint(at(2, two), at(2, two)), { code: 'no-fork' });
  t.throws(() => forkPoint(at(1, null), at(1, null)), { code: 'no-fork' });
  t.throws(() => forkPoint(at(3, '2\t0/1\tx\n'), at(1, null)), { code: 'no-fork' }, 'no beginning in common');
  for (const bad of ['1 nonsense', '2\t0/1\n1\t0/2\n', '1\t0/5\n2\t0/4\n', '7\t0/1\n'])
    t.throws(() => stretchesOf(3, bad), { code: 'no-fork' }, bad);
  t.throws(() => stretchesOf(2, null), { code: 'no-fork' });
});

const line = (manager: string, desc: string): string =>
  `rmgr: ${manager.padEnd(11)} len (rec/tot):     46/    46, tx:        792, lsn: 0/01B6B008, prev 0/01B6AFC8, desc: ${desc}`;

t.test('lines of pg_waldump, of 15 and later', async (t) => {
  t.same(readRecord(line('Transaction', 'COMMIT 2026-11-26 05:25:54.003185 UTC; subxacts: 793 794')), {
    kind: 'commit',
    transactions: ['792', '793', '794'],
    at: Date.UTC(2026, 10, 26, 5, 25, 54, 3),
  });
  t.match(readRecord(line('Transaction', 'COMMIT_PREPARED 700: 2026-11-26 05:25:54.003185 UTC')), {
    transactions: ['700'],
  });
  t.match(readRecord(line('Transaction', 'ABORT_PREPARED 700: 2026-11-26 05:25:54.003185 UTC')), { kind: 'abort' });
  t.match(readRecord(line('Transaction', 'ABORT 2026-11-26 05:25:54.003185 UTC')), {
    kind: 'abort',
    transactions: ['792'],
  });
  t.match(readRecord(line('Transaction', 'PREPARE gid a: 2026-11-26 05:25:54 UTC')), {
    kind: 'prepare',
    transaction: '792',
  });
  const change = { kind: 'change', transaction: '792', file: '1663/5/16390' };
  const at = 'blkref #0: rel 1663/5/16390 blk 0';
  t.match(readRecord(line('Heap', `INSERT+INIT off 52 flags 0x00, ${at} FPW`)), { ...change, rows: 1 });
  t.match(readRecord(line('Heap', `HOT_UPDATE off 1 xmax 5 flags 0x00, ${at}`)), { ...change, rows: 1 });
  t.match(readRecord(line('Heap2', `MULTI_INSERT+INIT 185 tuples flags 0x02, ${at}`)), { ...change, rows: 185 });
  t.match(readRecord(line('Heap2', `MULTI_INSERT ntuples: 7, flags: 0x02, ${at}`)), { ...change, rows: 7 });
  for (const other of [
    line('Heap', `LOCK off 1, ${at}`),
    line('Heap2', `PRUNE latestRemovedXid 1, ${at}`),
    'first record is after 0/1',
    '',
  ])
    t.match(readRecord(other), { kind: 'other' });
});

t.test('what a standby asks for', async (t) => {
  const asked = { systemIdentifier: '7712347144591888180', timeline: 2, fromLsn: '16/B374D848' };
  t.same(readTailQuery(tailQuery(asked)), asked);
  for (const wrong of [
    '',
    'systemIdentifier=x&timeline=1&fromLsn=0/1',
    'systemIdentifier=1&timeline=0&fromLsn=0/1',
    'systemIdentifier=1&timeline=1&fromLsn=../1',
  ])
    t.throws(() => readTailQuery(new URLSearchParams(wrong)), { code: 'not-this-cluster' }, wrong);
});
