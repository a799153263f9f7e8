// Promotion by programs of the configuration, on real PostgreSQL servers: what the programs say, and what PostgreSQL does.
import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { type PostgresInstance, query } from '../../lab/servers/postgres.ts';
import { controlOf } from '../../src/actions/postgres-control.ts';
import { postgresTarget } from '../../src/actions/targets.ts';
import type { PostgresComponent } from '../../src/model/config.ts';
import type { OperationResult } from '../../src/model/loop.ts';
import { scratch } from '../lab-parts/real-servers.ts';
import { componentOf, databases } from './database.ts';
import { A, actorOf, ask, B, configOf, contextOf, EPOCH, gist, operation, RUN, type Tap } from './world.ts';

t.setTimeout(180_000);
const db = await databases(t, '127.0.85.10', '127.0.85.20');
const { primary, passwords, systemIdentifier } = db;
const identities = { db: systemIdentifier };
const secrets = { PGPASSWORD: passwords.failoverd };
const exits = (code: number): string[] => [process.execPath, '-e', `process.exit(${code})`];

type Programs = NonNullable<PostgresComponent['command']>;
const yes: Programs = { check: exits(0), promote: exits(0), verify: exits(0) };

const by = (standby: PostgresInstance, programs: Programs): PostgresComponent =>
  componentOf(primary, standby, { control: 'command', command: programs });
const actorFor = (test: Tap, standby: PostgresInstance, programs: Programs) =>
  actorOf(test, configOf({ db: by(standby, programs) }), secrets);

const promote = (operation: 'check' | 'do' | 'verify', more: object = {}) => ({
  stepKind: 'promote' as const,
  operation,
  component: 'db',
  preState: { identities },
  ...more,
});

/** What a manager of its own would be: a program that has PostgreSQL promoted, past failoverd. */
async function promoter(test: Parameters<typeof scratch>[0], standby: PostgresInstance, delayMs = 0) {
  const dir = await scratch(test);
  const file = path.join(dir, 'promote.mjs');
  const told = path.join(dir, 'told.json');
  const code = `
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from ${JSON.stringify(import.meta.resolve('pg'))};
const told = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('FAILOVERD_')));
writeFileSync(${JSON.stringify(told)}, JSON.stringify({ told, argv: process.argv.slice(2) }));
await sleep(${delayMs});
const client = new pg.Client({ host: ${JSON.stringify(standby.socketDir)}, port: ${standby.port}, user: 'postgres', database: 'postgres' });
await client.connect();
await client.query('select pg_promote(false)');
await client.end();
`;
  await writeFile(file, code);
  await chmod(dir, 0o711);
  return {
    argv: [process.execPath, file, '${REGION}', 'epoch=${EPOCH}'],
    told: async () => JSON.parse(await readFile(told, 'utf8')),
  };
}

t.test('check: by the program and by PostgreSQL', async (t) => {
  const standby = await db.standby('b1');
  for (const [exit, said] of [
    [0, 'ok'],
    [1, 'no rejected'],
    [2, 'unknown exit-other'],
    [75, 'unknown exit-75'],
  ] as const) {
    const actor = actorFor(t, standby, { ...yes, check: exits(exit) });
    t.equal(gist(await ask(actor, promote('check'))), said, `exit ${exit}`);
    t.equal(
      gist(await ask(actor, { ...promote('check'), stepKind: 'assess', operation: 'verify' })),
      said,
      'and before the fence',
    );
  }
  const lacking = actorFor(t, standby, { ...yes, verify: ['/no/such/program'] });
  t.equal(gist(await ask(lacking, promote('check'))), 'no not-found', 'the one that reads back must be there too');
  t.equal(
    gist(await ask(actorFor(t, standby, yes), promote('check', { to: A }))),
    'no not-in-recovery',
    'whatever it says',
  );
  const other = { preState: { identities: { db: '7300000000000000001' } } };
  t.equal(gist(await ask(actorFor(t, standby, yes), promote('check', other))), 'no foreign');
  const unset = actorOf(t, configOf({ db: componentOf(primary, standby, { control: 'command' }) }), secrets);
  for (const operation of ['check', 'do'] as const)
    t.equal(gist(await ask(unset, promote(operation))), 'no unsupported');

  await t.test('what a refused or unclear request leaves: a standby', async (t) => {
    const checked = await ask(actorFor(t, standby, yes), promote('check'));
    const preState = { ...checked.facts, identities };
    for (const [exit, said] of [
      [1, 'no rejected'],
      [3, 'unknown exit-other'],
      [75, 'unknown exit-75'],
    ] as const) {
      const actor = actorFor(t, standby, { ...yes, promote: exits(exit) });
      t.equal(gist(await ask(actor, promote('do', { preState }))), said, `exit ${exit}`);
    }
    const nobody = actorFor(t, standby, { ...yes, promote: ['/no/such/program'] });
    t.equal(
      gist(await ask(nobody, promote('do', { preState }))),
      'no not-found',
      'a program that never ran asked for nothing',
    );
    const hangs = actorFor(t, standby, {
      ...yes,
      promote: [process.execPath, '-e', 'setInterval(() => {}, 1000)'],
      timeout: '1s',
    });
    t.equal(gist(await ask(hangs, promote('do', { preState }))), 'unknown timeout');
    const lying = actorFor(t, standby, yes);
    t.equal(
      gist(await ask(lying, promote('do', { preState, timeoutMs: 1500 }))),
      'unknown not-yet',
      'exit 0 is asked for, not promoted',
    );
    t.equal(
      gist(await ask(lying, promote('verify', { preState }))),
      'no still-in-recovery',
      'nor does a program prove it',
    );
    const ahead = { preState: { ...preState, replayLsn: 'FF/0' } };
    t.equal(gist(await ask(actorFor(t, standby, yes), promote('do', ahead))), 'no behind-check');
    t.equal((await query(standby, 'select pg_is_in_recovery() as still'))[0]?.['still'], true);
  });
});

t.test('asked for, told the epoch, and proven by both', async (t) => {
  const standby = await db.standby('b2');
  const manager = await promoter(t, standby);
  const programs = { ...yes, promote: manager.argv };
  const actor = actorFor(t, standby, programs);
  const checked = await ask(actor, promote('check'));
  const preState = { ...checked.facts, identities };
  t.equal(gist(await ask(actor, promote('do', { preState }))), 'ok');
  t.match(await manager.told(), {
    argv: [B, `epoch=${EPOCH}`],
    told: {
      FAILOVERD_OPERATION: 'promote',
      FAILOVERD_REGION: B,
      FAILOVERD_FROM: A,
      FAILOVERD_TO: B,
      FAILOVERD_COMPONENT: 'db',
      FAILOVERD_GROUP: 'platform',
      FAILOVERD_EPOCH: String(EPOCH),
      FAILOVERD_RUN: RUN,
    },
  });
  const proof = await ask(actor, promote('verify', { preState }));
  t.equal(gist(proof), 'ok', proof.message);
  t.match(proof.facts, { timeline: 2, timelineBefore: 1, driver: 'command', operation: 'verify', exit: 0 });
  for (const [exit, said] of [
    [1, 'unknown manager-disagrees'],
    [75, 'unknown exit-75'],
  ] as const) {
    const doubts = actorFor(t, standby, { ...programs, verify: exits(exit) });
    t.equal(
      gist(await ask(doubts, promote('verify', { preState }))),
      said,
      'PostgreSQL is promoted: nothing proves that it is not',
    );
  }
  const second = { preState: { ...(await ask(actor, promote('check', { preState }))).facts, identities }, attempt: 2 };
  const none = actorFor(t, standby, { ...programs, promote: ['/no/such/program'] });
  t.equal(gist(await ask(none, promote('do', second))), 'ok', 'found done, it is not asked for again');
});

t.test('the old side: stopped by its program, and never believed while it takes writes', async (t) => {
  const standby = await db.standby('b3');
  async function old(
    which: 'fence' | 'rejoin',
    act: 'do' | 'verify',
    programs: Partial<Programs>,
    region = A,
  ): Promise<OperationResult> {
    const component = by(standby, { ...yes, ...programs });
    const target = postgresTarget('platform', { id: 'db', component }, region);
    const driver = controlOf(component)?.[which];
    if (target === null || driver === undefined) throw new Error('no such driver');
    const { context, close } = contextOf(configOf({ db: component }), secrets, 5_000);
    try {
      return await driver[act](
        target,
        operation({ stepKind: 'fence', operation: act, preState: { identities } }),
        context,
      );
    } finally {
      await close();
    }
  }
  t.equal(gist(await old('fence', 'do', {})), 'no unsupported');
  t.equal(gist(await old('fence', 'verify', {})), 'no not-off', 'PostgreSQL takes writes');
  t.equal(gist(await old('fence', 'verify', {}, B)), 'unknown unsupported');
  const both = { fence: exits(0), fenceVerify: exits(0) };
  t.equal(gist(await old('fence', 'do', both)), 'unknown not-off', 'asked for, and it takes writes so far');
  t.equal(gist(await old('fence', 'verify', both)), 'no not-off', 'whatever the program says');
  // A standby takes none, so the program’s word stands.
  t.equal(gist(await old('fence', 'do', both, B)), 'ok');
  t.equal(gist(await old('fence', 'verify', { ...both, fenceVerify: exits(1) }, B)), 'no not-off');
  t.equal(gist(await old('fence', 'verify', { ...both, fenceVerify: exits(75) }, B)), 'unknown exit-75');
  t.equal(gist(await old('fence', 'do', { ...both, fence: exits(1) }, B)), 'no not-off');
  t.equal(gist(await old('fence', 'do', { ...both, fence: exits(75) }, B)), 'unknown exit-75');
  t.equal(gist(await old('rejoin', 'do', {})), 'no unsupported');
  t.equal(
    gist(await old('rejoin', 'do', { rejoin: exits(0) })),
    'unknown not-off',
    'asked for, and PostgreSQL is no standby',
  );
});
