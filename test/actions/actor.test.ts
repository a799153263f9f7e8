// The wrapper around every operation: bounded in time, never rejecting, and silent about secrets.
import { createServer, type Server, type Socket } from 'node:net';
import t from 'tap';
import { createActor } from '../../src/actions/actor.ts';
import type { Actor } from '../../src/engine/ports.ts';
import type { Config } from '../../src/model/config.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { systemTimers } from '../../src/runtime/timers.ts';
import { A, actorOf, ask, B, configOf, gist, operation, type Tap } from './world.ts';

/** A server that accepts connections and says nothing: half open, to its clients. */
async function silent(test: Tap): Promise<number> {
  const sockets = new Set<Socket>();
  const server = await new Promise<Server>((resolve) => {
    const listening = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }).listen(0, '127.0.85.1', () => resolve(listening));
  });
  test.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const databaseAt = (address: string): Config =>
  configOf({
    db: {
      kind: 'postgres',
      tier: 1,
      database: 'app',
      user: 'failoverd',
      password: '${env:PGPASSWORD}',
      tls: 'disable',
      instances: { [A]: address, [B]: address },
    },
  });

t.test('what nobody can carry out is refused without an effect', async (t) => {
  const actor = actorOf(t, configOf({}));
  const port: Actor = actor;
  t.equal(port, actor, 'it is what the engine takes');
  t.equal(gist(await ask(actor, { stepKind: 'fence', operation: 'do', group: 'nobody' })), 'no unsupported');
  t.equal(gist(await ask(actor, { stepKind: 'take-epoch', operation: 'do' })), 'no unsupported');
  t.equal(gist(await ask(actor, { stepKind: 'promote', operation: 'undo' })), 'no unsupported');
  t.equal(gist(await ask(actor, { stepKind: 'promote', operation: 'do' })), 'no unsupported');
});

t.test('a peer that accepts and says nothing is given up in time', async (t) => {
  const actor = actorOf(t, databaseAt(`127.0.85.1:${await silent(t)}`));
  for (const stepKind of ['assess', 'promote', 'write-epoch-row'] as const) {
    const startedMs = performance.now();
    const result = await ask(actor, {
      stepKind,
      operation: 'verify',
      preState: { timeline: 1, systemIdentifier: '1' },
      timeoutMs: 400,
    });
    t.not(result.kind, 'ok', `${stepKind}: ${gist(result)}`);
    t.ok(performance.now() - startedMs < 1500, stepKind);
  }
});

t.test('one that is told to stop waiting answers at once, as unknown', async (t) => {
  const actor = actorOf(t, databaseAt(`127.0.85.1:${await silent(t)}`));
  const stop = new AbortController();
  const asked = actor.perform(
    operation({ stepKind: 'write-epoch-row', operation: 'verify', timeoutMs: 20_000 }),
    stop.signal,
  );
  const startedMs = performance.now();
  stop.abort();
  t.equal((await asked).kind, 'unknown');
  t.ok(performance.now() - startedMs < 1000);
  const late = await actor.perform(operation({ stepKind: 'fence', operation: 'do' }), stop.signal);
  t.equal(gist(late), 'unknown cancelled');
});

t.test('a failure inside is unknown, and takes no secret with it', async (t) => {
  const warnings: string[] = [];
  const actor = createActor({
    config: databaseAt('127.0.85.1:1'),
    secret: (reference) => {
      if (reference.includes('PGPASSWORD')) throw new Error('no such variable: PGPASSWORD');
      return reference;
    },
    clock: systemClock,
    timers: systemTimers,
    log: { debug: () => undefined, warn: (_fields, message) => void warnings.push(message) },
    variable: () => {
      throw new Error('the environment can’t be read');
    },
  });
  t.teardown(() => actor.close());
  t.equal(
    gist(await ask(actor, { stepKind: 'assess', operation: 'verify' })),
    'no unreachable',
    'without its password no connection is made',
  );

  const broken = createActor({
    config: configOf({}, { driver: 'command', fence: ['x'], verify: ['x'] }),
    secret: (reference) => reference,
    clock: systemClock,
    timers: systemTimers,
    log: { debug: () => undefined, warn: (_fields, message) => void warnings.push(message) },
    variable: () => {
      throw new Error('the environment can’t be read');
    },
  });
  t.teardown(() => broken.close());
  t.equal(gist(await ask(broken, { stepKind: 'fence', operation: 'do' })), 'unknown internal');
  t.match(warnings, ['the environment can’t be read']);
});

t.test('what a program prints of a secret that failoverd holds is blanked out', async (t) => {
  const config = databaseAt('127.0.85.1:1');
  const group = config.groups['platform'];
  if (group === undefined) throw new Error('the group');
  group.fence = {
    driver: 'command',
    fence: ['true'],
    verify: [
      'sh',
      '-c',
      'echo "{\\"password\\":\\"hunter2-hunter2\\",\\"said\\":\\"it is hunter2-hunter2\\"}"; echo hunter2-hunter2 >&2',
    ],
  };
  const actor = actorOf(t, config, { PGPASSWORD: 'hunter2-hunter2' });
  await ask(actor, { stepKind: 'assess', operation: 'verify' });
  const result = await ask(actor, { stepKind: 'fence', operation: 'verify' });
  t.equal(gist(result), 'ok');
  t.match(result.facts['output'], { said: /^it is / });
  t.notOk(JSON.stringify(result).includes('hunter2-hunter2'));
});

t.test('after it is closed it does nothing more', async (t) => {
  const actor = actorOf(t, configOf({}, { driver: 'command', fence: ['true'], verify: ['true'] }));
  await actor.close();
  t.equal(gist(await ask(actor, { stepKind: 'fence', operation: 'do' })), 'unknown cancelled');
  actor.warm('platform');
});
