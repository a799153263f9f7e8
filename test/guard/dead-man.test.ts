// What ends PostgreSQL when the guard doesn't: real processes, a real PostgreSQL, and a recorded stand-in of a watchdog.
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { until } from '../../lab/servers/wait.ts';
import type { DeadMan } from '../../src/guard/dead-man/dead-man.ts';
import { disarmed, OFF, petted, timePasses } from '../../src/guard/dead-man/deadline.ts';
import { sharedGroup, standsApart } from '../../src/guard/dead-man/freeze-sets.ts';
import { nftablesRules } from '../../src/guard/dead-man/nftables.ts';
import { processDeadMan } from '../../src/guard/dead-man/process.ts';
import { watchdogDeadMan } from '../../src/guard/dead-man/watchdog.ts';
import { cgroupOf } from '../../src/guard/postgres/processes.ts';
import { createBootClock } from '../../src/runtime/boot-clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import { systemTimers } from '../../src/runtime/timers.ts';
import { alive, type Hands, onePrimary, pidsOf, postmasterOf } from './hands.ts';

const HOST = '127.0.71.4';
const AFTER_MS = 1_200;
const clock = createBootClock();
if (clock === null) throw new Error('this test needs /proc/uptime');
const say = createLog({ level: 'silent' });
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

t.test('a deadline is put off by newer renewals that come in time, and by nothing else', async (t) => {
  const at = (sentMs: number) => ({ kind: 'armed', sentMs }) as const;
  t.same(petted(OFF, 100, 110, 50), at(100));
  t.same(petted(at(100), 120, 130, 50), at(120));
  t.same(petted(at(100), 90, 110, 50), at(100), 'older');
  t.same(petted(OFF, 100, 150, 50), OFF, 'late by its own end');
  t.same(petted(at(100), 149, 150, 50), { kind: 'over', sentMs: 100 }, 'after the deadline, however new');
  t.same(petted({ kind: 'over', sentMs: 100 }, 149, 150, 50), { kind: 'over', sentMs: 100 });
  t.same(petted(OFF, 9_000, 100, 50), OFF, 'of another clock');
  t.same(timePasses(at(100), 149, 50), at(100));
  t.same(timePasses(at(100), 150, 50), { kind: 'over', sentMs: 100 });
  t.same(disarmed(at(100), 149, 50), OFF);
  t.same(disarmed(at(100), 150, 50), { kind: 'over', sentMs: 100 }, 'over is over');
});

t.test('two processes are apart where no group but slices is above both', async (t) => {
  t.equal(sharedGroup('/system.slice/guard.service', '/system.slice/deadman.service'), null);
  t.equal(sharedGroup('/system.slice/guard.service/a', '/system.slice/guard.service/b'), '/system.slice/guard.service');
  t.equal(sharedGroup('/a', '/a'), '/a');
  t.equal(sharedGroup('/a', '/a/b'), '/a');
  t.equal(sharedGroup('/', '/'), '/');
  t.equal(sharedGroup('/', '/a'), null);
  t.equal(sharedGroup('/kubepods/pod1/a', '/kubepods/pod1/b'), '/kubepods/pod1');
  const of = (where: string, namespace = 'cgroup:[4026531835]') => ({ path: where, namespace });
  const guard = (at: ReturnType<typeof of> | null) => [{ name: 'the guard', at }];
  t.match(standsApart(of('/x.slice/d'), guard(of('/x.slice/g'))), { expired: true });
  t.match(standsApart(of('/x.slice/d'), guard(of('/x.slice/d'))), { expired: false, why: /frozen together/ });
  t.match(standsApart(of('/d', 'cgroup:[1]'), guard(of('/g', 'cgroup:[1]'))), { expired: false, why: /container/ });
  t.match(standsApart(of('/d'), guard(null)), { expired: false, why: /can’t be read/ });
  t.match(standsApart(null, []), { expired: false });
});

function deadManOf(hands: Hands, over: { readonly cgroup?: string; readonly afterMs?: number } = {}): DeadMan {
  const { folder, target } = hands.options;
  mkdirSync(folder, { recursive: true });
  return processDeadMan({
    settings: {
      target,
      afterMs: over.afterMs ?? AFTER_MS,
      socket: path.join(hands.instance.dir, 'd.sock'),
      record: path.join(folder, 'dead-man.record'),
    },
    startedBy: 'guard',
    cgroup: over.cgroup ?? null,
    log: path.join(folder, 'dead-man.log'),
    ...{ clock: clock as NonNullable<typeof clock>, timers: systemTimers, say },
  });
}

type Over = Parameters<typeof deadManOf>[1];

/** Ended when the test is, whoever holds it by then. */
async function started(t: Test, hands: Hands, over: Over = {}) {
  const deadMan = deadManOf(hands, over);
  const told: boolean[] = [];
  const first = await deadMan.start((armed) => void told.push(armed));
  t.teardown(async () => {
    const pid = deadMan.pid();
    await deadMan.leave();
    if (pid !== null && alive(pid)) process.kill(pid, 'SIGKILL');
  });
  return { deadMan, told, first };
}

const pidOf = (deadMan: DeadMan): number => deadMan.pid() ?? Number.NaN;
const ended = (hands: Hands, timeoutMs: number): Promise<true> =>
  until({ what: 'the end of PostgreSQL', timeoutMs, intervalMs: 10 }, async () =>
    hands.postgres.prover.prove().kind === 'stopped' ? true : undefined,
  );

t.test('PostgreSQL is ended at its deadline, and not before', async (t) => {
  const hands = await onePrimary(t, HOST);
  const { deadMan, first } = await started(t, hands);
  t.same(first, { renewedMono: null });
  await hands.does('start-fenced');
  await hands.does('open');
  for (let pet = 0; pet < 6; pet += 1) {
    deadMan.pet(clock.mono());
    await sleep(AFTER_MS / 3);
  }
  t.not((await pidsOf(hands)).length, 0, 'renewed, it lives');
  const sentMs = clock.mono();
  deadMan.pet(sentMs);
  deadMan.pet(sentMs - 500);
  await ended(hands, AFTER_MS + 2_000);
  const tookMs = clock.mono() - sentMs;
  t.ok(tookMs >= AFTER_MS - 20, `${tookMs} ms`);
  t.ok(tookMs < AFTER_MS + 1_000, `${tookMs} ms`);
  await until({ what: 'its word', timeoutMs: 3_000 }, async () => deadMan.deeds().length > 1 || undefined);
  t.match(
    readFileSync(path.join(hands.options.folder, 'dead-man.record'), 'utf8'),
    /ending PostgreSQL[\s\S]*proven to be stopped/,
  );
  deadMan.pet(sentMs);
  await hands.does('start-fenced');
  await sleep(AFTER_MS);
  t.not((await pidsOf(hands)).length, 0, 'a late pet arms nothing');
  deadMan.pet(clock.mono());
  await ended(hands, AFTER_MS + 2_000);
});

t.test('it outlives the guard, and tells the next one since when', async (t) => {
  const hands = await onePrimary(t, HOST);
  const { deadMan } = await started(t, hands);
  await hands.does('start-fenced');
  const sentMs = clock.mono();
  deadMan.pet(sentMs);
  const pid = pidOf(deadMan);
  await sleep(50);
  await deadMan.leave();
  const next = await started(t, hands);
  t.equal(pidOf(next.deadMan), pid, 'the same process');
  t.same(next.first, { renewedMono: sentMs });
  await next.deadMan.leave();
  await ended(hands, AFTER_MS + 2_000);
});

t.test('a guard with other settings gets one of its own', async (t) => {
  const hands = await onePrimary(t, HOST);
  const { deadMan } = await started(t, hands);
  const pid = pidOf(deadMan);
  await deadMan.leave();
  const next = await started(t, hands, { afterMs: 60_000 });
  t.not(pidOf(next.deadMan), pid);
  t.notOk(alive(pid));
});

t.test('one that nobody can reach any more, with nothing armed, ends', async (t) => {
  const hands = await onePrimary(t, HOST);
  const { deadMan } = await started(t, hands);
  const pid = pidOf(deadMan);
  await deadMan.leave();
  await sleep(300);
  t.ok(alive(pid), 'reachable, it waits for a guard');
  rmSync(path.join(hands.instance.dir, 'd.sock'));
  await until({ what: 'its end', timeoutMs: 5_000 }, async () => (alive(pid) ? undefined : true));
});

t.test('pets that were queued while it was frozen don’t put off a deadline that is over', async (t) => {
  for (let time = 0; time < 3; time += 1) {
    const hands = await onePrimary(t, HOST);
    const { deadMan } = await started(t, hands);
    await hands.does('start-fenced');
    deadMan.pet(clock.mono());
    await sleep(50);
    process.kill(pidOf(deadMan), 'SIGSTOP');
    await sleep(AFTER_MS - 100);
    for (let pet = 0; pet < 5; pet += 1) {
      deadMan.pet(clock.mono());
      await sleep(100);
    }
    process.kill(pidOf(deadMan), 'SIGCONT');
    await ended(hands, 1_000);
    t.pass('it looked at its clock first');
  }
});

t.test('killed, it is started again and told the last renewal', async (t) => {
  const hands = await onePrimary(t, HOST);
  const { deadMan, told } = await started(t, hands, { afterMs: 5_000 });
  await hands.does('start-fenced');
  const sentMs = clock.mono();
  deadMan.pet(sentMs);
  const pid = pidOf(deadMan);
  process.kill(pid, 'SIGKILL');
  await until({ what: 'another one', timeoutMs: 4_500 }, async () => (told.length === 3 ? true : undefined));
  t.same(told, [true, false, true]);
  t.not(pidOf(deadMan), pid);
  await ended(hands, 8_000);
  const tookMs = clock.mono() - sentMs;
  t.ok(tookMs > 4_900 && tookMs < 7_000, `${tookMs} ms after the send, not after its own start`);
});

/** Where control groups of version 2 can be made by us; null = not here. */
function hierarchy(): string | null {
  for (const root of ['/sys/fs/cgroup', '/sys/fs/cgroup/unified']) {
    try {
      if (!existsSync(path.join(root, 'cgroup.controllers'))) continue;
      const probe = path.join(root, `failoverd-probe-${process.pid}`);
      mkdirSync(probe);
      const canKill = existsSync(path.join(probe, 'cgroup.kill'));
      rmdirSync(probe);
      if (canKill) return root;
    } catch {
      // Read-only, or not ours: the next one may do.
    }
  }
  return null;
}

const root = hierarchy();

t.test(
  'in a control group of its own it counts, and ends what is frozen',
  { skip: root === null && 'no cgroup v2 to write to' },
  async (t) => {
    const groups = {
      postgres: path.join(root ?? '', `failoverd-pg-${process.pid}`),
      deadMan: path.join(root ?? '', `failoverd-dm-${process.pid}`),
    };
    t.teardown(async () => {
      for (const group of Object.values(groups)) {
        writeFileSync(path.join(group, 'cgroup.kill'), '1');
        await until(
          { what: 'an empty group', timeoutMs: 5_000 },
          async () => readFileSync(path.join(group, 'cgroup.procs'), 'utf8') === '' || undefined,
        );
        rmdirSync(group);
      }
    });
    mkdirSync(groups.postgres);
    const hands = await onePrimary(t, HOST, { cgroup: groups.postgres });
    const { deadMan } = await started(t, hands, { cgroup: groups.deadMan });
    t.match(await hands.does('start-fenced'), { ok: true });
    const postmaster = postmasterOf(hands);
    t.match(cgroupOf(postmaster), { path: /\/failoverd-pg-/ });
    t.match(deadMan.counts(postmaster), { expired: true });
    await until({ what: 'PostgreSQL and nothing else in its group', timeoutMs: 5_000 }, async () => {
      const listed = readFileSync(path.join(groups.postgres, 'cgroup.procs'), 'utf8').trim().split('\n').map(Number);
      const working = await pidsOf(hands);
      return listed.length === working.length && listed.every((pid) => working.includes(pid)) ? true : undefined;
    });
    writeFileSync(path.join(groups.postgres, 'cgroup.freeze'), '1');
    deadMan.pet(clock.mono());
    await ended(hands, AFTER_MS + 2_000);
    t.match(
      await hands.does('start-fenced', 1_500),
      { ok: false },
      'what is started into a frozen group does not come up',
    );
    writeFileSync(path.join(groups.postgres, 'cgroup.freeze'), '0');
    t.match(await hands.does('stop', 6_000), { ok: true });
  },
);

t.test('in the guard’s own control group it does not count', async (t) => {
  const hands = await onePrimary(t, HOST);
  const { deadMan } = await started(t, hands);
  t.match(deadMan.counts(null), { expired: false, why: /frozen together|can’t be read|container/ });
});

t.test('a watchdog is petted, stopped by the magic, and counts by its timeout', async (t) => {
  const dir = t.testdir({ watchdog0: '', sys: { watchdog0: { timeout: '20\n', nowayout: '0\n' } } });
  const device = path.join(dir, 'watchdog0');
  const of = (afterMs: number) =>
    watchdogDeadMan({ device, afterMs, timers: systemTimers, say, sys: path.join(dir, 'sys') });
  const told: boolean[] = [];
  const deadMan = of(25_000);
  t.same(await deadMan.start((armed) => void told.push(armed)), { renewedMono: null });
  t.equal(readFileSync(device, 'latin1'), '', 'not opened, not started');
  deadMan.pet(0);
  deadMan.pet(1);
  t.equal(readFileSync(device, 'latin1'), '\0\0');
  deadMan.disarm();
  t.equal(readFileSync(device, 'latin1'), '\0\0V');
  t.match(deadMan.counts(null), { expired: true });
  t.match(of(19_000).counts(null), { expired: false, why: /longer than deadManAfter/ });
  await t.rejects(
    of(19_000).start(() => undefined),
    { name: 'StateRefused' },
  );
  writeFileSync(path.join(dir, 'sys/watchdog0/nowayout'), '1\n');
  writeFileSync(path.join(dir, 'sys/watchdog0/timeout'), '1\n');
  const stubborn = of(25_000);
  stubborn.pet(0);
  stubborn.disarm();
  await sleep(700);
  t.match(readFileSync(device, 'latin1'), /^\0{3,}$/, 'what can’t be stopped is petted while nothing needs it');
  await stubborn.leave();
});

t.test('a watchdog that is not there is told', async (t) => {
  const dir = t.testdir({ sys: { watchdog0: { timeout: '20' } } });
  const told: boolean[] = [];
  const deadMan = watchdogDeadMan({
    device: path.join(dir, 'no/watchdog0'),
    afterMs: 25_000,
    timers: systemTimers,
    say,
    sys: path.join(dir, 'sys'),
  });
  await deadMan.start((armed) => void told.push(armed));
  deadMan.pet(0);
  t.same(told, [true, false]);
});

t.test('the rules for nftables name port and time', async (t) => {
  const rules = nftablesRules({ table: 'failoverd', port: 5433, afterMs: 25_000 });
  t.match(rules, /timeout 25s/);
  t.match(rules, /tcp dport 5433/);
});
