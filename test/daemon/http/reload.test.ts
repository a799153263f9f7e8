// `POST /-/reload` over a real file: what it answers, who may ask, and that a bad config changes nothing.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createReloader, hashOf, type Read } from '../../../src/daemon/reload.ts';
import type { StatusDocument } from '../../../src/daemon/status-document.ts';
import { loadConfig } from '../../../src/runtime/config/load.ts';
import { resolveSecrets } from '../../../src/runtime/config/secrets.ts';
import { redacting } from '../../../src/runtime/redact.ts';
import { SecretValue } from '../../../src/runtime/secret.ts';
import { bearer, config, type Harness, serve, TOKENS, until } from './harness.ts';

const SECRET = 'correct-horse-battery';

type Served = Harness & {
  write(change: (config: Record<string, unknown>) => unknown): void;
  readonly file: string;
  readonly done: string[];
  /** What the environment holds. */
  readonly variables: Record<string, string>;
  reload(token?: string): Promise<{ status: number; body: Record<string, unknown> }>;
  status(): Promise<StatusDocument>;
};

/** The harness's own config in a file, with what a checked one needs besides. */
const whole = (autonomy: 'observe' | 'gated' | 'auto' = 'gated') => {
  const { vantages, ...rest } = config(autonomy);
  const { dublin, daemon } = vantages;
  return {
    ...rest,
    vantages: { daemon, dublin: { ...dublin, publicKey: '9GmI7vCbdvhYmcmZJFV+qonaWnLDYK4SBt/1QQbkGIU=' } },
    people: {
      ann: { roles: ['sre'], token: '${env:ANN}' },
      vera: { roles: ['vp'], token: '${env:VERA}' },
    },
    pager: { url: 'https://pager.test/', secret: '${env:PAGER}' },
  };
};

async function served(t: Test, autonomy: 'observe' | 'gated' | 'auto' = 'gated'): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), 'failoverd-reload-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'failover.yaml');
  const variables: Record<string, string> = { TOKEN: 'am', ANN: TOKENS.ann, VERA: TOKENS.vera, PAGER: SECRET };
  const done: string[] = [];
  const read = async (): Promise<Read> => {
    const loaded = await loadConfig(file, folder);
    if (loaded.kind === 'refused') return loaded;
    const sources = {
      variable: (name: string) => variables[name],
      readFile: async () => ({ kind: 'failed', code: 'missing' }) as const,
    };
    const secrets = await resolveSecrets(loaded, sources);
    return secrets.kind === 'refused' ? secrets : { kind: 'read', loaded, secrets: secrets.secrets };
  };
  const h = await serve(t, {
    autonomy,
    reload: (parts) => {
      const reloader = createReloader({
        ...parts,
        read,
        redact: () => redacting([new SecretValue(SECRET)]),
        started: { config: config(autonomy), folder },
        prepare: () => ({ take: () => void done.push('taken'), discard: () => void done.push('given up') }),
      });
      // The harness hands replies on; this reloader listens in as the daemon's own does.
      const { port } = parts.replies;
      const reply = port.reply.bind(port);
      port.reply = (said) => {
        reloader.replied(said);
        reply(said);
      };
      return reloader.reload;
    },
  });
  return Object.assign(h, {
    file,
    done,
    variables,
    write(change: (config: Record<string, unknown>) => unknown) {
      writeFileSync(file, JSON.stringify(change(structuredClone(whole(autonomy)))));
    },
    async reload(token: string = TOKENS.ann) {
      const response = await fetch(`${h.url}/-/reload`, { method: 'POST', headers: bearer(token) });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    },
    status: async () => (await (await h.get('/api/v1/status')).json()) as StatusDocument,
  });
}

// biome-ignore lint/suspicious/noExplicitAny: a config on its way to a file, right or wrong.
type Loose = any;

t.test('a valid config is taken, and the status tells which', async (t) => {
  const h = await served(t);
  h.write((c: Loose) => {
    c.groups.orders.title = 'Orders';
    c.groups.orders.cooldown = '2h';
    return c;
  });
  const { status, body } = await h.reload();
  t.equal(status, 200, JSON.stringify(body));
  t.match(body, { configHash: /^[0-9a-f]{64}$/, restartNeeded: [], raises: [], withdrawn: [] });
  t.strictSame(h.done, ['taken']);
  const now = await h.status();
  t.match(now, { config: { hash: body['configHash'], refused: null }, groups: [{ title: 'Orders' }] });
  t.equal(await h.metric('failoverd_config_last_reload_successful'), 1);
  t.ok((await h.metric('failoverd_config_last_reload_success_timestamp_seconds')) ?? 0 > 1e9);
  t.equal(await h.metric('failoverd_orders_total{order="reload",outcome="accepted"}'), 1);
});

t.test('a bad one changes nothing; the problems are those of check, with their places', async (t) => {
  const h = await served(t);
  const before = h.engine.state();
  const text = JSON.stringify(whole(), null, 2).replace('"bad(active.reachable)"', '"bad(active.reachible)"');
  writeFileSync(h.file, text.replace('"tier": 1', '"teir": 1'));
  const { status, body } = await h.reload();
  t.equal(status, 422);
  t.match(body, { type: /config-refused$/, field: /^groups\.orders/ });
  const problems = body['problems'] as { line: number; column: number; code: string }[];
  const checked = await loadConfig(h.file, '/');
  t.ok(problems.length > 0);
  t.strictSame(
    problems.map(({ line, column, code }) => [line, column, code]),
    checked.kind === 'refused' ? checked.problems.map(({ line, column, code }) => [line, column, code]) : null,
  );
  t.equal(h.engine.state().settings, before.settings, 'the old one is in force');
  t.strictSame(h.done, []);
  const now = await h.status();
  t.match(now.config, { hash: 'none', refused: { by: 'ann', problems: [/failover\.yaml:\d+:\d+/] } });
  const page = await (await h.get('/status', { accept: 'text/html' })).text();
  t.match(page, /The config on disk was refused/);
  t.equal(await h.metric('failoverd_config_last_reload_successful'), 0);
  h.write((c) => c);
  t.equal((await h.reload()).status, 200, 'and a good one afterwards mends it');
  t.equal(await h.metric('failoverd_config_last_reload_successful'), 1);
  t.equal((await h.status()).config.refused, null);
});

t.test('every other way to be unreadable is told too', async (t) => {
  const h = await served(t);
  t.match(await h.reload(), { status: 422, body: { problems: [{ code: 'file-unreadable' }] } }, 'no file');
  writeFileSync(h.file, Buffer.from([0xff, 0xfe]));
  t.match(await h.reload(), { status: 422, body: { problems: [{ code: 'not-utf8' }] } });
  writeFileSync(h.file, 'a: [');
  t.match(await h.reload(), { status: 422, body: { problems: [{ code: 'yaml-syntax' }] } });
  h.write((c) => c);
  delete h.variables['PAGER'];
  t.match(await h.reload(), { status: 422, body: { problems: [{ code: 'secret-unset', path: 'pager.secret' }] } });
  t.equal(h.engine.health(), 'running');
});

t.test('invariant 24: no secret comes back, also where it stands in the wrong place', async (t) => {
  const h = await served(t);
  for (const spoil of [
    (c: Loose) => ({ ...c, pager: { ...c.pager, secret: SECRET } }),
    (c: Loose) => ({ ...c, pager: { ...c.pager, url: `${SECRET} at the pager` } }),
    (c: Loose) => ({ ...c, people: { ...c.people, ann: { roles: [SECRET], token: '${env:ANN}' } } }),
  ]) {
    h.write(spoil);
    const { status, body } = await h.reload();
    t.equal(status, 422);
    t.notMatch(JSON.stringify(body), SECRET, 'not in the answer');
  }
  t.notMatch(JSON.stringify(await h.status()), SECRET, 'nor in the status');
  t.notMatch(JSON.stringify(h.engine.state().ledger), SECRET, 'nor in the journal');
  t.notMatch(h.lines.join(), SECRET, 'nor in the log');
});

t.test('who may ask', async (t) => {
  const h = await served(t);
  h.write((c) => c);
  t.equal((await fetch(`${h.url}/-/reload`, { method: 'POST' })).status, 401);
  for (const token of [TOKENS.vic, TOKENS.eve, TOKENS.vera]) t.equal((await h.reload(token)).status, 403);
  t.equal((await fetch(`${h.url}/-/reload`, { headers: bearer(TOKENS.ann) })).status, 405, 'a GET reads nothing');
  t.strictSame(h.done, []);
});

t.test('what needs a restart is told, and the rest is taken', async (t) => {
  const h = await served(t);
  h.write((c: Loose) => ({ ...c, daemon: { stateDir: 'elsewhere', listen: '127.0.0.1:1234' } }));
  const { status, body } = await h.reload();
  t.equal(status, 200);
  t.match(body['restartNeeded'], [/daemon\.listen: 127\.0\.0\.1:8080 until a restart/, /daemon\.stateDir/]);
  t.match((await h.status()).config.restartNeeded, [/listen/, /stateDir/]);
  t.match(await (await h.get('/status', { accept: 'text/html' })).text(), /waits for a restart/);
});

t.test('many at once are taken one after the other', async (t) => {
  const h = await served(t);
  h.write((c) => c);
  const answers = await Promise.all(Array.from({ length: 8 }, () => h.reload()));
  t.strictSame(
    answers.map(({ status }) => status),
    Array.from({ length: 8 }, () => 200),
  );
  t.equal(new Set(answers.map(({ body }) => body['configHash'])).size, 1);
  t.ok(h.done.length > 0 && h.done.length <= 8, 'those of one person that wait are one');
  t.ok(h.done.every((one) => one === 'taken'));
});

t.test('more autonomy waits for two people, who are shown the hash they approve', async (t) => {
  const h = await served(t);
  h.write((c: Loose) => {
    c.groups.orders.autonomy = 'auto';
    return c;
  });
  const { body } = await h.reload();
  t.strictSame(body['raises'], ['raise-orders-1']);
  const raise = (await h.status()).groups[0]?.raise;
  t.match(raise, {
    id: 'raise-orders-1',
    widens: ['autonomy gated -> auto'],
    missing: ['sre', 'vp'],
    configHash: body['configHash'],
  });
  t.match((await h.status()).groups[0]?.autonomy, {
    declared: 'auto',
    inForce: 'gated',
    why: [/config says auto/, /two people/],
  });
  t.equal(await h.metric('failoverd_raise_open{group="orders"}'), 1);
  t.match(await (await h.get('/status', { accept: 'text/html' })).text(), /failoverd approve raise-orders-1/);
  const yes = (token: string, configHash: unknown = raise?.configHash) =>
    h.post('/api/v1/raises/raise-orders-1/approve', { configHash }, bearer(token));
  t.equal((await yes(TOKENS.ann, 'a'.repeat(64))).status, 409);
  t.equal((await yes(TOKENS.ann, 'short')).status, 422);
  t.equal((await yes(TOKENS.eve)).status, 403);
  t.match(await (await yes(TOKENS.ann)).json(), { approvedAs: 'sre', waitingFor: ['vp'] });
  t.equal((await yes(TOKENS.ann)).status, 409);
  t.match(await (await yes(TOKENS.vera)).json(), { approvedAs: 'vp', waitingFor: [] });
  await until('auto', async () => ((await h.status()).groups[0]?.raise === null ? true : null));
  t.notOk((await h.status()).groups[0]?.autonomy.why.some((why) => /two people/.test(why)));
  t.equal((await yes(TOKENS.vera)).status, 404, 'used once');
});

t.test('an open run stands against losing its group, and a proposal whose plan changes is withdrawn', async (t) => {
  const h = await served(t);
  await h.see();
  const proposal = await until('a proposal', async () => {
    await h.see({ primaryDown: true });
    return (await h.status()).groups[0]?.proposal ?? null;
  });
  h.write((c: Loose) => {
    c.groups.orders.budgets = { phases: { database: '50s' } };
    return c;
  });
  t.match(await h.reload(), { status: 200, body: { withdrawn: [proposal.id] } });
  const next = await until('another', async () => {
    await h.see({ primaryDown: true });
    return (await h.status()).groups[0]?.proposal ?? null;
  });
  t.not(next.planHash, proposal.planHash);
  const { planHash } = next;
  for (const token of [TOKENS.ann, TOKENS.vera])
    await h.post(`/api/v1/proposals/${next.id}/approve`, { planHash }, bearer(token));
  await until('a run', async () => {
    await h.see({ primaryDown: true });
    return (await h.status()).groups[0]?.run ?? null;
  });
  h.write((c: Loose) => {
    c.groups = { other: c.groups.orders };
    c.alertmanager.facts = [];
    return c;
  });
  const held = await h.reload();
  t.match(held, { status: 409, body: { type: /run-open$/, detail: /run-orders-1 is open; keep the group/ } });
  t.equal(h.done.at(-1), 'given up');
  t.match((await h.status()).config.refused, { problems: [/run-orders-1/] });
});

t.test('a journal that fails takes no config', async (t) => {
  const h = await served(t);
  h.write((c) => c);
  h.fault = { kind: 'fail', code: 'full' };
  t.match(await h.reload(), { status: 503, body: { type: /journal-failed$/ } });
  t.strictSame(h.done, ['given up']);
});

t.test('the hash is of what the config says, not of how it is written', async (t) => {
  const h = await served(t);
  h.write((c) => c);
  const one = (await h.reload()).body['configHash'];
  writeFileSync(h.file, `# a comment\n${JSON.stringify(JSON.parse(readFileSync(h.file, 'utf8')), null, 4)}`);
  t.equal((await h.reload()).body['configHash'], one);
  const loaded = await loadConfig(h.file, '/');
  t.equal(loaded.kind === 'loaded' ? hashOf(loaded.config) : '', one);
});

t.test('a storm of signals is two reloads: the one under way, and one that reads what is there after it', async (t) => {
  const log = { error: () => undefined } as never;
  const reads: ((read: Read) => void)[] = [];
  const begun = (count: number) => until(`read ${count}`, () => (reads.length === count ? true : null));
  let refused = 0;
  const reloader = createReloader({
    read: () => new Promise((resolve) => reads.push(resolve)),
    engine: {
      submit: async () => {
        refused += 1;
      },
      state: () => ({ incarnation: 'one' }) as never,
    },
    replies: { waitFor: () => t.fail('no config was read') as never },
    log,
    redact: () => (text: string) => text,
    started: { config: config('gated'), folder: '.' } as never,
    prepare: () => t.fail('no config was read') as never,
  });
  const first = reloader.reload('SIGHUP');
  await begun(1);
  const storm = Array.from({ length: 100 }, () => reloader.reload('SIGHUP'));
  const other = reloader.reload('ann');
  for (let n = 0; n < 3; n += 1) {
    await begun(n + 1);
    reads[n]?.({ kind: 'refused', problems: [] });
  }
  t.match(await Promise.all([first, ...storm, other]), [{ kind: 'refused' }]);
  t.equal(reads.length, 3, 'another person is answered by a reload of their own');
  t.equal(refused, 3);
  const next = reloader.reload('SIGHUP');
  await begun(4);
  reads[3]?.({ kind: 'refused', problems: [] });
  t.match(await next, { kind: 'refused' }, 'and the next signal is heard again');
});
