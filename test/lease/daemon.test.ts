// The daemon as it is: a config file, a journal on disk, its own clock; asked by the client that guards have.
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Daemon, startDaemon } from '../../src/daemon/app.ts';
import { httpLeaseStore } from '../../src/guard/store-client.ts';
import { readGroupEvents } from '../../src/journal/reader.ts';
import { openSqliteJournal } from '../../src/journal/sqlite.ts';
import { leaseKey } from '../../src/model/lease.ts';
import { loadConfig } from '../../src/runtime/config/load.ts';
import { problemText } from '../../src/runtime/config/problem.ts';
import { resolveSecrets, secretSources } from '../../src/runtime/config/secrets.ts';
import { createLifecycle, type Lifecycle } from '../../src/runtime/lifecycle.ts';
import { createLog } from '../../src/runtime/log.ts';
import { createTimers } from '../../src/runtime/timers.ts';
import { bearer, until } from '../daemon/http/harness.ts';
import { A, B, COMPONENT, GROUP, leaseContract, type StoreUnderTest } from './contract.ts';

const TOKENS: Readonly<Record<string, string>> = {
  [A]: 'token-of-the-guard-in-a',
  [B]: 'token-of-the-guard-in-b',
};
const VARIABLES: Readonly<Record<string, string>> = {
  GUARD_A: TOKENS[A] ?? '',
  GUARD_B: TOKENS[B] ?? '',
  ANN: 'token-of-ann',
  PG: 'password-of-postgres',
};
/** The shortest that the rules let pass with a renewal every two seconds. */
const config = (port: number, dead: number): string => `
version: 1
daemon: { stateDir: state, listen: '127.0.0.1:${port}' }
regions:
  ${A}: { role: primary }
  ${B}: { role: secondary }
  eu-west-1: { role: witness }
vantages:
  daemon: { region: eu-west-1, controlTargets: ['tcp://127.0.0.9:${dead}'] }
people:
  ann: { roles: [sre], token: '\${env:ANN}' }
groups:
  ${GROUP}:
    primary: ${A}
    secondary: ${B}
    lease:
      deadMan: absolute
      isolation: stop
      timings:
        renew: 2s
        attemptTimeout: 1500ms
        electionGap: 100ms
        demoteAfter: 6700ms
        stopWithin: 100ms
        deadManAfter: 6800ms
        lease: 6800ms
        wait: 9600ms
    components:
      ${COMPONENT}:
        kind: postgres
        tier: 1
        database: app
        user: failoverd
        password: '\${env:PG}'
        instances: { ${A}: '127.0.0.2:${dead}', ${B}: '127.0.0.3:${dead}' }
        control: guard
        guards:
          ${A}: { url: 'http://127.0.0.2:${port}', token: '\${env:GUARD_A}' }
          ${B}: { url: 'http://127.0.0.3:${port}', token: '\${env:GUARD_B}' }
`;

const log = createLog({ level: 'silent' });

async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()];
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ports.push((server.address() as AddressInfo).port);
  }
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return [ports[0] ?? 0, ports[1] ?? 0];
}

async function start(file: string): Promise<{ daemon: Daemon; lifecycle: Lifecycle }> {
  const loaded = await loadConfig(file, '/');
  if (loaded.kind === 'refused') throw new Error(loaded.problems.map(problemText).join('\n'));
  const resolved = await resolveSecrets(loaded, secretSources({ variable: (name) => VARIABLES[name] }));
  if (resolved.kind === 'refused') throw new Error(resolved.problems.map(problemText).join('\n'));
  const lifecycle = createLifecycle({ log, timers: createTimers() });
  const daemon = await startDaemon({
    ...{ loaded, secrets: resolved.secrets, version: 'test', log, lifecycle },
    journal: openSqliteJournal({ dir: join(loaded.folder, 'state') }),
    variable: () => undefined,
    read: async () => ({ kind: 'refused', problems: [] }),
  });
  return { daemon, lifecycle };
}

async function open(t: Test): Promise<StoreUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), 'failoverd-lease-'));
  const file = join(folder, 'failover.yaml');
  const state = join(folder, 'state');
  const [port, dead] = await freePorts();
  writeFileSync(file, config(port, dead));
  let [copies, running] = [0, await start(file)];
  t.teardown(async () => {
    await running.lifecycle.stop('the test is over');
    rmSync(folder, { recursive: true, force: true });
  });
  const lease = () => running.daemon.engine.state().volatile.leases[leaseKey(GROUP, COMPONENT)];
  const terms = running.daemon.engine.state().settings.groups[GROUP]?.lease;
  if (terms === undefined || terms === null) throw new TypeError('the config has a lease');
  const url = `http://127.0.0.1:${port}`;
  return {
    waitMs: terms.timings.waitMs,
    renewMs: terms.timings.renewMs,
    timingsHash: terms.timingsHash,
    ask: (request) =>
      httpLeaseStore({ url, token: () => TOKENS[request.guard] ?? '', certificates: null }).ask(
        request,
        AbortSignal.timeout(10_000),
      ),
    async askInVain(request) {
      const before = lease()?.sets;
      const body = JSON.stringify(request);
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(
        `POST /api/v1/lease HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKENS[request.guard]}\r\n` +
          `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
      await until('the set', () => (lease()?.sets === before ? null : true));
      socket.destroy();
    },
    pass: (ms) => new Promise((resume) => setTimeout(resume, ms)),
    async copy() {
      copies += 1;
      const to = join(folder, `backup-${copies}`);
      cpSync(state, to, { recursive: true });
      return to;
    },
    async restart(from) {
      await running.lifecycle.stop('it starts anew');
      if (typeof from === 'string') {
        rmSync(state, { recursive: true });
        cpSync(from, state, { recursive: true });
      }
      running = await start(file);
    },
    async clear() {
      const response = await fetch(`${url}/api/v1/groups/${GROUP}/leases/${COMPONENT}/clear`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...bearer('token-of-ann') },
        body: JSON.stringify({ reason: 'looked at both' }),
      });
      if (response.status !== 200) throw new Error(await response.text());
    },
    async written() {
      const { events } = await readGroupEvents(state, GROUP, Number.MAX_SAFE_INTEGER);
      return events.filter(({ kind }) => kind === 'lease.set').length;
    },
  };
}

t.test('the daemon, by its own clock', { timeout: 180_000 }, async (t) => {
  // Each waits W more than once.
  t.jobs = 32;
  leaseContract(t, open);
});
