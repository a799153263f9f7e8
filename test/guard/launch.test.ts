// The drivers that hand a start over to somebody else: systemd by a recorded stand-in of systemctl, and programs.
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { type CommandOptions, command, systemd } from '../../src/guard/postgres/launch.ts';
import { asClient, never, onePrimary, within } from './hands.ts';

const HOST = '127.0.71.7';
const CALL = { signal: never, timeoutMs: 5_000 };
const SETTINGS = { listen_addresses: '10.0.0.1', hba_file: '/x/pg_hba.conf' };

/** Answers `show` with what the unit has, notes every call, and keeps what lies in the options file while it is started. */
function standIn(t: Test, restart: string, exit = 0) {
  const dir = t.testdir({ calls: '' });
  const at = (name: string): string => path.join(dir, name);
  writeFileSync(
    at('systemctl'),
    `#!/bin/sh
echo "$@" >> ${at('calls')}
case "$1" in
  show) echo ${restart} ;;
  start) cp ${at('start.env')} ${at('seen.env')}; exit ${exit} ;;
esac
`,
  );
  chmodSync(at('systemctl'), 0o755);
  const launcher = systemd({
    ...{ binDir: '/nowhere', dataDir: dir, logFile: at('log'), serverUser: null, cgroup: null },
    ...{ unit: 'postgresql@15-main.service', optionsFile: at('start.env'), systemctl: at('systemctl') },
  });
  return { launcher, at, calls: () => readFileSync(at('calls'), 'utf8').trim().split('\n') };
}

t.test('systemd gets the options for the time of the start alone, and is not called proven', async (t) => {
  const { launcher, at, calls } = standIn(t, 'no');
  t.match(launcher, { kind: 'systemd', proven: false });
  t.equal(await launcher.start({ as: 'fenced', settings: SETTINGS }, CALL), null);
  t.same(calls(), ['show --property=Restart --value postgresql@15-main.service', 'start postgresql@15-main.service']);
  t.equal(
    readFileSync(at('seen.env'), 'utf8'),
    'FAILOVERD_OPTIONS=-c listen_addresses=10.0.0.1 -c hba_file=/x/pg_hba.conf\n',
  );
  t.notOk(existsSync(at('start.env')), 'whoever starts the unit next finds no options');
  t.equal(await launcher.stop('fast', 1, CALL), null);
  t.equal(calls().at(-1), 'stop --no-block postgresql@15-main.service');
});

t.test('a unit that would start PostgreSQL by itself is refused', async (t) => {
  const { launcher, calls } = standIn(t, 'on-failure');
  t.match(await launcher.start({ as: 'standby', settings: SETTINGS }, CALL), /Restart=on-failure: set Restart=no/);
  t.equal(calls().length, 1, 'and not started');
});

t.test('what systemd could not start is told, and leaves no options either', async (t) => {
  const { launcher, at } = standIn(t, 'no', 5);
  t.match(await launcher.start({ as: 'standby', settings: SETTINGS }, CALL), /exit 5/);
  t.notOk(existsSync(at('start.env')));
  const split = { ...SETTINGS, listen_addresses: '10.0.0.1, 10.0.0.2' };
  t.match(await launcher.start({ as: 'standby', settings: split }, CALL), /leave out spaces/);
});

t.test('programs start and stop a real PostgreSQL, and their answers are told apart', async (t) => {
  const hands = await onePrimary(t, HOST);
  const { binDir, target, serverUser, folder } = hands.options;
  const dir = t.testdir();
  chmodSync(dir, 0o755);
  const program = (name: string, text: string): string => {
    const file = path.join(dir, name);
    writeFileSync(file, `#!/bin/sh\n${text}\n`);
    chmodSync(file, 0o755);
    return file;
  };
  const drop = serverUser === null ? '' : `setpriv --reuid ${serverUser.uid} --regid ${serverUser.gid} --clear-groups `;
  const log = path.join(hands.instance.dir, 's', 'command.log');
  const start = program('start', `exec ${drop}${binDir}/pg_ctl start -W -s -D "$FAILOVERD_DATA_DIR" -l ${log} -o "$*"`);
  const stop = program('stop', `exec ${drop}${binDir}/pg_ctl stop -m fast -W -s -D "$FAILOVERD_DATA_DIR"`);
  const base: CommandOptions = {
    ...{ binDir, dataDir: target.dataDir, serverUser, cgroup: null, logFile: path.join(folder, 'x.log') },
    ...{ startStandby: [start], startFenced: [start], stop: [stop], promote: null },
  };
  const postgres = hands.again({}, () => command(base));
  t.match(await postgres.perform('start-fenced', within(15_000)), {
    ok: true,
    seen: { state: 'primary', open: false },
  });
  t.match(await postgres.perform('open', within(10_000)), { ok: true });
  t.equal(await asClient(hands, 'select 1'), 1);
  t.match(await postgres.perform('stop', within(10_000)), { ok: true, message: 'stopped cleanly' });
  const failing = (exit: number) => command({ ...base, startFenced: [program(`exit-${exit}`, `exit ${exit}`)] });
  t.match(await failing(1).start({ as: 'fenced', settings: {} }, CALL), /^not done/);
  t.match(await failing(75).start({ as: 'fenced', settings: {} }, CALL), /^unknown/);
  t.match(await hands.again({}, () => failing(75)).perform('start-fenced', within(2_000)), {
    ok: false,
    message: /it ended: unknown/,
  });
  const deaf = hands.again({}, () => command({ ...base, stop: [program('deaf', 'sleep 60')] }));
  await deaf.perform('start-fenced', within(15_000));
  t.match(
    await deaf.perform('stop', within(2_000)),
    { ok: true, seen: { state: 'stopped' } },
    'a stop that hangs is not waited for',
  );
});
