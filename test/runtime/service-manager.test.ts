// What systemd hears, on a real datagram socket, from the daemon as it runs: Node.js has no such sockets, so Python listens.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { writeFirstHourConfig } from '../../bench/first-hour.ts';
import { freePort } from '../../lab/servers/ports.ts';
import { until } from '../../lab/servers/wait.ts';
import { serviceManager } from '../../src/runtime/service-manager.ts';
import { repositoryRoot } from '../support/repository.ts';

const limitMs = 60_000;
const here = mkdtempSync(join(tmpdir(), 'failoverd-service-'));
t.teardown(() => rmSync(here, { recursive: true, force: true }));

const LISTENER = `
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
print('[]', flush=True)
while True:
    data, fds, _, _ = socket.recv_fds(s, 4096, 4)
    for fd in fds: os.close(fd)
    print(json.dumps(data.decode().split('\\n')), flush=True)
`;

const runs = (program: string, argument: string): boolean => spawnSync(program, [argument]).status === 0;
const missing = [
  ...(runs('python3', '--version') ? [] : ['python3 (Debian: apt-get install python3)']),
  ...(runs('systemd-notify', '--version') ? [] : ['systemd-notify (Debian: apt-get install systemd)']),
];
const skip = missing.length > 0 && process.env['CI'] === undefined ? `needs ${missing.join(', ')}` : false;

/** Everything heard, one list of assignments for each message. */
async function listen(t: Test, name: string): Promise<{ readonly socket: string; readonly heard: string[][] }> {
  const socket = join(here, name);
  const child = spawn('python3', ['-c', LISTENER, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const heard: string[][] = [];
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (text + chunk.toString('utf8')).split('\n');
    text = lines.pop() ?? '';
    heard.push(...lines.map((line) => JSON.parse(line) as string[]));
  });
  await until({ what: 'the listener listens', timeoutMs: limitMs }, async () => (heard.length > 0 ? true : undefined));
  heard.length = 0;
  return { socket, heard };
}

/** Messages that say something; systemd-notify also waits for its own to be read. */
const said = (heard: readonly string[][]): readonly string[][] =>
  heard.filter((message) => message.some((line) => line.includes('=') && !line.startsWith('BARRIER')));
const hears = (heard: readonly string[][], what: string, giveUp?: () => string | undefined) =>
  until({ what: `systemd hears ${what}`, timeoutMs: limitMs, ...(giveUp === undefined ? {} : { giveUp }) }, async () =>
    heard.some((message) => message.includes(what)) ? true : undefined,
  );

const log = () => {
  const warned: string[] = [];
  const write = (_context: object, message: string): void => void warned.push(message);
  return { warned, log: { debug: write, info: write, warn: write, error: write, fatal: write } as never };
};

t.test('a daemon says that it is ready, alive, reading its config anew, and that it stops', { skip }, async (t) => {
  const { socket, heard } = await listen(t, 'daemon.sock');
  const folder = mkdtempSync(join(here, 'daemon-'));
  const config = await writeFirstHourConfig(repositoryRoot, folder, `127.0.0.1:${await freePort('127.0.0.1')}`);
  const child: ChildProcess = spawn(
    process.execPath,
    [join(repositoryRoot, 'bin/failoverd.mjs'), 'run', '--config', config],
    {
      env: {
        PATH: process.env['PATH'],
        HOME: here,
        FAILOVERD_PG_PASSWORD: 'none',
        NOTIFY_SOCKET: socket,
        WATCHDOG_USEC: '900000',
      },
      stdio: 'ignore',
    },
  );
  t.teardown(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  await hears(heard, 'READY=1', () => (child.exitCode === null ? undefined : `ended with ${child.exitCode}`));
  t.same(said(heard)[0], ['READY=1', 'STATUS=watches 1 group']);
  await hears(heard, 'WATCHDOG=1');

  for (const [what, text] of [
    ['taken', readFileSync(config, 'utf8').replace(/^/, '# the same with a word\n')],
    ['refused', 'groups: {}\n'],
  ] as const) {
    heard.length = 0;
    writeFileSync(config, text);
    child.kill('SIGHUP');
    await hears(heard, 'READY=1', () => (child.exitCode === null ? undefined : `ended with ${child.exitCode}`));
    const [reloading, ready] = said(heard).filter((message) => !message.includes('WATCHDOG=1'));
    t.match(reloading, ['RELOADING=1', /^MONOTONIC_USEC=\d+$/, 'STATUS=reads the config anew'], what);
    t.same(ready, ['READY=1', 'STATUS=watches 1 group'], `${what}: it goes on`);
  }
  child.kill('SIGTERM');
  await ended;
  t.equal(child.exitCode, 0);
  t.match(said(heard).at(-1), ['STOPPING=1', 'STATUS=stopping']);
});

t.test('a reload is announced with the time it began at, and a status is one line', { skip }, async (t) => {
  const { socket, heard } = await listen(t, 'reload.sock');
  const { log: quiet, warned } = log();
  const variable = (name: string) => ({ NOTIFY_SOCKET: socket, PATH: process.env['PATH'] })[name];
  const service = serviceManager({ environment: { variable, pid: 1 }, log: quiet });
  service.reloading('reading\nREADY=1\nthe config');
  service.ready('well');
  await service.sent();
  await hears(heard, 'READY=1');
  const [reloading, ready] = said(heard);
  t.match(reloading, ['RELOADING=1', /^MONOTONIC_USEC=\d+$/, 'STATUS=reading READY=1 the config']);
  t.same(ready, ['READY=1', 'STATUS=well']);
  t.same(warned, []);
});

t.test('what can’t be told is warned of once, and costs nothing else', async (t) => {
  const { log: loud, warned } = log();
  const variable = (name: string) => ({ NOTIFY_SOCKET: join(here, 'nobody.sock'), PATH: here })[name];
  const service = serviceManager({ environment: { variable, pid: 1 }, log: loud });
  service.ready('well');
  service.alive('well');
  await service.sent();
  t.equal(warned.length, 1);
  t.match(warned[0], /systemd-notify/);
});

t.test('a watchdog that is meant for another process, or none, is left alone', async (t) => {
  const watchdogMs = (variables: Record<string, string>): number | null =>
    serviceManager({ environment: { variable: (name) => variables[name], pid: 7 }, log: log().log }).watchdogMs;
  t.equal(watchdogMs({ NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }), 30_000);
  t.equal(watchdogMs({ NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '30000000' }), 30_000);
  t.equal(watchdogMs({ NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }), null);
  t.equal(watchdogMs({ NOTIFY_SOCKET: '/x', WATCHDOG_USEC: 'soon' }), null);
  t.equal(watchdogMs({ WATCHDOG_USEC: '30000000' }), null);
});

t.test(
  'systemd finds nothing wrong with the unit, and little exposed',
  { skip: runs('systemd-analyze', '--version') ? false : 'needs systemd-analyze' },
  async (t) => {
    const folder = join(here, 'units');
    mkdirSync(join(folder, 'failoverd.service.d'), { recursive: true });
    const unit = join(folder, 'failoverd.service');
    // The program is not installed here; everything else is as it is shipped.
    writeFileSync(
      unit,
      readFileSync(join(repositoryRoot, 'packaging/failoverd.service'), 'utf8').replaceAll(
        '/usr/bin/failoverd',
        '/bin/true',
      ),
    );
    const dropIn = 'failoverd.service.d/secrets.conf';
    copyFileSync(join(repositoryRoot, 'packaging', dropIn), join(folder, dropIn));
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8', timeout: limitMs });
    t.equal(verified.stderr, '');
    t.equal(verified.status, 0);
    const exposed = spawnSync('systemd-analyze', ['security', '--offline=yes', '--threshold=20', unit], {
      encoding: 'utf8',
      timeout: limitMs,
    });
    t.equal(exposed.status, 0, `${exposed.stdout}${exposed.stderr}`);
  },
);
