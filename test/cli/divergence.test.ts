// What was lost, in a terminal: from a journal of a daemon that is down, in 80 columns, and what can't be told.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { openSqliteJournal } from '../../src/journal/sqlite.ts';
import { A, B, GROUP, settingsWith } from '../support/group.ts';
import { History } from '../support/histories.ts';
import { call, tooWide } from './terminal.ts';

const relation = (n: number) => ({
  file: `1663/5/${16_390 + n}`,
  name: n === 1 ? null : `app: app.table_${n}`,
  changes: 900 - n,
});

t.test('a run whose old side was counted, and one before', async (t) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'fl-'));
  t.teardown(async () => await rm(dir, { recursive: true, force: true }));
  const h = new History(settingsWith({}));
  h.at = Date.now() - 600_000;
  h.pass(5000);
  h.loseActive();
  h.pass(40_000);
  const run = h.group.ended.at(-1)?.id ?? 'run-none';
  const journal = await openSqliteJournal({ dir });
  await journal.append([...h.entries]);
  const before = await call(['divergence', run, '--journal', dir]);
  t.equal(before.code, 1, 'nothing is counted yet');
  t.match(before.out, new RegExp(`What ${A} alone has is not counted yet`));
  t.match(JSON.parse((await call(['divergence', run, '--journal', dir, '--json'])).out), { run, divergence: null });

  const already = h.entries.length;
  h.give({
    kind: 'divergence',
    request: 'r',
    group: GROUP,
    run,
    divergence: {
      component: 'db',
      timeline: 1,
      forkLsn: '0/5000000',
      endLsn: '0/5A00000',
      commits: 1234,
      prepared: 2,
      firstCommitAt: h.at - 30_000,
      lastCommitAt: h.at - 20_000,
      complete: false,
      relations: Array.from({ length: 30 }, (_, n) => relation(n)),
      moreRelations: 7,
      archive: '/var/lib/failoverd/archive/7712347144591888180_1_0-5000000_1_0-5A00000',
    },
  });
  await journal.append(h.entries.slice(already));
  await journal.close();
  const { code, out } = await call(['divergence', run, '--journal', dir]);
  t.equal(code, 0);
  t.match(out, new RegExp(`${run}: ${A} to ${B}`));
  t.match(out, /parted +at 0\/5000000 on timeline 1/);
  t.match(out, /commits +at least 1234, from/);
  t.match(out, /2 transactions left open/);
  t.match(out, /900 +app: app\.table_0\n +899 +file 1663\/5\/16391\n/);
  t.match(out, /and 17 relations more/);
  t.strictSame(
    tooWide(out).filter((line) => !line.includes('/var/lib')),
    [],
  );
  const json = JSON.parse((await call(['divergence', run, '--journal', dir, '--json'])).out);
  t.match(json, { run, loss: { final: true, highBytes: 0xa00000 }, divergence: { db: { commits: 1234 } } });
  t.match(await call(['divergence', `${run}9`, '--journal', dir]), { code: 2, err: /did you mean/ });
});

t.test('what can’t be told', async (t) => {
  t.match(await call(['divergence']), { code: 2, err: /which run/ });
  t.match(await call(['divergence', 'run-1', 'run-2']), { code: 2 });
  t.match(await call(['divergence', 'run-1', '--journal', '/does/not/exist']), { code: 1, err: /daemon\.stateDir/ });
  t.match(await call(['divergence', 'run-1', '--archive', '.']), { code: 2, err: /name either/ });
  t.match(await call(['divergence', '--archive', '.']), { code: 2, err: /--bin-dir/ });
  t.match(await call(['divergence', '--archive', '/does/not/exist', '--bin-dir', '.']), {
    code: 1,
    err: /no\s+manifest/,
  });
});
