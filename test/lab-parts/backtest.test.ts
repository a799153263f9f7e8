// `failoverd backtest` against a real Prometheus, and against blocks of its history: an outage is found, the healthy part
// stays silent, and what was not recorded is unknown.
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import { describeMissing, isMissing, type Missing } from '../../lab/binaries/missing.ts';
import { findTool, type Tool } from '../../lab/binaries/tools.ts';
import { run } from '../../lab/servers/command.ts';
import { startDaemon } from '../../lab/servers/daemon.ts';
import { freePort } from '../../lab/servers/ports.ts';
import type { BacktestResult } from '../../src/cli/backtest-text.ts';
import { call } from '../cli/terminal.ts';
import { log, scratch } from './real-servers.ts';

const HOST = '127.0.0.1';
const FROM = Date.UTC(2026, 0, 12, 7, 0, 0) / 1000;
const STEP = 15;
const STEPS = 360;
/** Steps: healthy, an outage, healthy, nothing recorded, healthy. */
const OUTAGE = { from: 80, to: 140 } as const;
const GAP = { from: 200, to: 260 } as const;
const iso = (step: number): string => new Date((FROM + step * STEP) * 1000).toISOString();
const RANGE = ['--from', iso(0), '--to', iso(STEPS - 1)];

const [foundServer, foundTool] = [
  await findTool('prometheus', { fetch: true, log }),
  await findTool('promtool', { fetch: true, log }),
];
// On a developer's machine a server that can't be had is named and passed over; in CI it is a failure.
const lacking = [foundServer, foundTool].filter(isMissing).map(describeMissing);
const skip = lacking.length > 0 && process.env['CI'] === undefined ? lacking.join('; ') : false;

function found(tool: Missing | Tool): Tool {
  if (isMissing(tool)) throw new Error(describeMissing(tool));
  return tool;
}

const CONFIG = `
version: 1
daemon: { stateDir: state }
regions:
  us-east-1: { role: primary }
  eu-central-1: { role: secondary }
  eu-west-1: { role: witness }
vantages:
  daemon: { region: eu-central-1, controlTargets: ['tcp://192.0.2.53:53'] }
  dublin:
    region: eu-west-1
    controlTargets: ['tcp://192.0.2.53:53']
    publicKey: 9GmI7vCbdvhYmcmZJFV+qonaWnLDYK4SBt/1QQbkGIU=
alertmanager:
  region: eu-west-1
  bearer: \${env:TOKEN}
  facts:
    - { match: ['alertname="PodFailing"', 'region="us-east-1"'], fact: workload-degraded, group: shop, region: us-east-1 }
prometheus:
  main: { url: 'http://127.0.0.1:9', region: eu-west-1 }
people:
  ann: { roles: [sre], token: '\${env:ANN}' }
  vera: { roles: [vp], token: '\${env:VERA}' }
pager: { url: 'https://pager.test/', secret: '\${env:PAGER}' }
groups:
  shop:
    autonomy: gated
    primary: us-east-1
    secondary: eu-central-1
    components:
      db:
        kind: postgres
        tier: 1
        database: shop
        user: failoverd
        instances: { us-east-1: 'a.test:5432', eu-central-1: 'b.test:5432' }
      web:
        kind: http
        tier: 1
        instances: { us-east-1: 'http://a.test/', eu-central-1: 'http://b.test/' }
    fence: { driver: command, fence: ['off'], verify: ['status'] }
    facts:
      queue_depth: { promql: queue_depth, every: 15s, fresh: 1m }
      jobs: { promql: sum(jobs), every: 15s, fresh: 1m }
    matrix:
      - { id: 40, kind: decide, when: bad(active.reachable), for: 5m, action: failover }
      - { id: 80, kind: decide, when: bad(workloads.healthy), for: 1m, action: speak-up }
      - { id: 85, kind: decide, when: metrics.queue_depth > 100, for: 1m, action: speak-up }
      - { id: 86, kind: decide, when: metrics.jobs > 5, for: 1m, action: speak-up }
    authority:
      timeZone: America/New_York
      businessHours: { days: [mon], from: '09:00', to: '17:00' }
      approvals: { businessHours: [sre, vp], otherwise: [sre] }
`;

const within = (step: number, span: { readonly from: number; readonly to: number }): boolean =>
  step >= span.from && step < span.to;

/** One family in OpenMetrics text; null = no sample. */
function family(
  name: string,
  series: readonly (readonly [labels: string, value: (step: number) => number | null])[],
): string {
  const lines = [`# TYPE ${name} gauge`];
  for (const [labels, value] of series)
    for (let step = 0; step < STEPS; step += 1) {
      const now = within(step, GAP) ? null : value(step);
      if (now !== null) lines.push(`${name}${labels} ${now} ${FROM + step * STEP}`);
    }
  return lines.join('\n');
}

const down = (step: number): number => (within(step, OUTAGE) ? 0 : 1);
const PAIRS = ['daemon', 'dublin'].flatMap((vantage) =>
  ['db', 'web'].flatMap((component) => ['us-east-1', 'eu-central-1'].map((region) => ({ vantage, component, region }))),
);
const ALERT = '{alertname="PodFailing",alertstate="firing",pod="p1"}';

/** One of two series ends while Prometheus still looks back on it: of old samples it makes a sum that is not told. */
const JOBS = { ends: 280, high: 282 } as const;
const COMMON = [
  family('jobs', [
    ['{of="a"}', (step) => (step >= JOBS.high && step < JOBS.high + 30 ? 9 : 1)],
    ['{of="b"}', (step) => (step < JOBS.ends ? 1 : null)],
  ]),
  family('up', [['{job="node"}', () => 1]]),
  // It fires before the gap and goes on after it.
  family('ALERTS', [[ALERT, (step) => (within(step, { from: 180, to: 300 }) ? 1 : null)]]),
  family('queue_depth', [['{}', (step) => (within(step, { from: 20, to: 40 }) ? 500 : 3)]]),
];
/** What failoverd itself exports. */
const OWN = [
  ...COMMON,
  family(
    'failoverd_probe_verdict',
    PAIRS.map(({ vantage, component, region }) => [
      `{group="shop",vantage="${vantage}",component="${component}",region="${region}"}`,
      (step) => (region === 'us-east-1' ? down(step) : 1),
    ]),
  ),
  family(
    'failoverd_vantage_connected',
    ['daemon', 'dublin'].map((vantage) => [`{group="shop",vantage="${vantage}"}`, () => 1]),
  ),
  family('failoverd_postgres_streaming', [['{group="shop"}', down]]),
  family('failoverd_postgres_receive_gap_bytes', [['{group="shop"}', (step) => (step >= 79 ? 2048 : 0)]]),
  family('failoverd_postgres_replay_lag_seconds', [['{group="shop"}', () => 0]]),
];
/** What blackbox and PostgreSQL exporters tell. */
const OTHERS = [
  ...COMMON,
  family(
    'probe_success',
    PAIRS.map(({ vantage, component, region }) => [
      `{from="${vantage}",service="${component}",at="${region}"}`,
      (step) => (region === 'us-east-1' ? down(step) : 1),
    ]),
  ),
  family(
    'control_ok',
    ['daemon', 'dublin'].map((vantage) => [`{from="${vantage}"}`, () => 1]),
  ),
  family('pg_stat_wal_receiver_up', [['{}', down]]),
];
const MAP = [
  'externalLabels: { region: us-east-1 }',
  'vantages:',
  ...['daemon', 'dublin'].map((vantage) => `  ${vantage}: 'max(control_ok{from="${vantage}"})'`),
  'groups:',
  '  shop:',
  '    probes:',
  ...PAIRS.map(
    ({ vantage, component, region }) =>
      `      - { vantage: ${vantage}, component: ${component}, region: ${region}, expr: 'probe_success{from="${vantage}",service="${component}",at="${region}"}' }`,
  ),
  '    replication: { streaming: pg_stat_wal_receiver_up }',
  '',
].join('\n');

type Place = { readonly dir: string; readonly config: string; readonly map: string };

async function place(t: Pick<Test, 'teardown'>): Promise<Place> {
  const dir = await scratch(t);
  const [config, map] = [path.join(dir, 'failoverd.yaml'), path.join(dir, 'map.yaml')];
  await writeFile(config, CONFIG);
  await writeFile(map, MAP);
  return { dir, config, map };
}

async function blocksOf(dir: string, promtool: Tool, families: readonly string[]): Promise<string> {
  const [text, blocks] = [path.join(dir, 'history.txt'), path.join(dir, 'blocks')];
  await mkdir(blocks);
  await writeFile(text, `${families.join('\n')}\n# EOF\n`);
  const made = await run([promtool.path, 'tsdb', 'create-blocks-from', 'openmetrics', text, blocks], {
    timeoutMs: 120_000,
  });
  if (made.exitCode !== 0) throw new Error(made.stderr);
  return blocks;
}

const tell = ({ decisions }: BacktestResult): string[] =>
  decisions.map(({ row, outcome, at }) => `${row} ${outcome} at step ${Math.floor((at / 1000 - FROM) / STEP)}`);

/** The sum is of old samples from 60 s after the series ended until 5 minutes after it, when Prometheus forgets it. */
const JOBS_FOUND = `86 told at step ${JOBS.ends + 20 + 4}`;
/** Row 85: 1 minute from step 20. Row 40: 5 minutes from step 80. Row 80: 1 minute from step 180, the gap in its middle. */
const FOUND = ['85 told at step 24', '40 proposed at step 100', '80 told at step 184', JOBS_FOUND];
const GAP_FOUND = [{ from: (FROM + (GAP.from + 4) * STEP) * 1000, to: (FROM + GAP.to * STEP) * 1000 }];

t.test('blocks, with what failoverd itself exported', { skip, timeout: 300_000 }, async (t) => {
  const [prometheus, promtool] = [found(foundServer), found(foundTool)];
  const { dir, config, map } = await place(t);
  await writeFile(map, 'externalLabels: { region: us-east-1 }\n');
  const blocks = await blocksOf(dir, promtool, OWN);
  const before = await readdir(blocks, { recursive: true });
  const variables = { FAILOVERD_PROMETHEUS: prometheus.path };
  const args = ['backtest', '--config', config, '--map', map, '--blocks', blocks, ...RANGE];
  const { code, out, err } = await call([...args, '--json'], variables);
  t.equal(code, 0, err);
  const result = JSON.parse(out) as BacktestResult;
  t.strictSame(tell(result), FOUND);
  const outage = result.decisions.find(({ row }) => row === 40);
  t.equal(outage?.durationMs, (OUTAGE.to - OUTAGE.from) * STEP * 1000);
  // Whether an archive holds more is in no recorded metric: nothing is missing for certain.
  t.equal(outage?.loss?.lowBytes, 0);
  t.ok((outage?.loss?.highBytes ?? 0) >= 2048);
  t.strictSame(result.gaps, GAP_FOUND, 'the last sample counts for a minute, then nothing is known');
  t.strictSame(result.missing, []);
  t.strictSame(
    result.assumptions.map(({ kind, group }) => `${kind} ${group}`),
    ['roles shop', 'identity shop', 'readiness shop'],
  );
  t.strictSame((await readdir(blocks, { recursive: true })).sort(), before.sort(), 'the blocks are as they were');
  const text = await call(args, variables);
  t.match(text.out, /2026-01-12 07:25:0\d +01-12 02:25 +shop +40 +proposed +gated +15m/);
  t.match(text.out, 'in the way  row-opts-in');
  t.match(text.out, 'Assumed, since no history holds it');
  t.match(text.err, '100 %');
  const refused = await call([...args, '--assume', 'nothing', '--json'], variables);
  const unassumed = JSON.parse(refused.out) as BacktestResult;
  t.strictSame(unassumed.assumptions, []);
  t.ok(unassumed.missing.includes('how the PostgreSQL servers of shop were made'));
  t.notOk(
    tell(unassumed).some((one) => one.startsWith('40')),
    'who is primary is not known, so its loss is not found',
  );
});

t.test('a Prometheus that runs, with a map of other exporters', { skip, timeout: 300_000 }, async (t) => {
  const [prometheus, promtool] = [found(foundServer), found(foundTool)];
  const { dir, config, map } = await place(t);
  const blocks = await blocksOf(dir, promtool, OTHERS);
  const port = await freePort(HOST);
  const url = `http://${HOST}:${port}`;
  await writeFile(path.join(dir, 'prometheus.yml'), '{}\n');
  const server = await startDaemon({
    name: 'Prometheus',
    argv: [
      prometheus.path,
      `--config.file=${path.join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${blocks}`,
      '--storage.tsdb.retention.time=100y',
      `--web.listen-address=${HOST}:${port}`,
      '--log.level=warn',
    ],
    cwd: dir,
    env: { PATH: process.env['PATH'] ?? '' },
    logFile: path.join(dir, 'prometheus.log'),
    ready: async () => (await fetch(`${url}/-/ready`)).ok,
    startTimeoutMs: 60_000,
    log,
  });
  t.teardown(() => server.stop());
  const args = ['backtest', '--config', config, '--prometheus', url, ...RANGE, '--json'];
  const mapped = await call([...args, '--map', map]);
  t.equal(mapped.code, 0, mapped.err);
  const result = JSON.parse(mapped.out) as BacktestResult;
  t.strictSame(tell(result), FOUND);
  t.strictSame(result.gaps.length, 1);
  t.equal(result.decisions.find(({ row }) => row === 40)?.loss?.lowBytes, null, 'the gap of replication is not known');
  t.strictSame(result.missing, [
    'the receive gap of shop: what would have been lost is not known',
    'the replay lag of shop',
  ]);

  const blind = await call(args);
  t.equal(blind.code, 0);
  const nothing = JSON.parse(blind.out) as BacktestResult;
  t.strictSame(tell(nothing), ['85 told at step 24', JOBS_FOUND], 'without a map nobody saw the region');
  t.ok(nothing.missing.includes('db in us-east-1 by dublin, of shop'));
  t.strictSame(
    nothing.assumptions.flatMap(({ kind, says }) => (kind === 'controls' ? [says.split(' answered')[0]] : [])),
    ['control targets of vantage daemon', 'control targets of vantage dublin'],
  );
  const refusing = await call([...args, '--assume', 'roles,identity,readiness']);
  t.ok((JSON.parse(refusing.out) as BacktestResult).missing.some((one) => one.startsWith('whether vantage dublin')));

  const several = path.join(dir, 'several.yaml');
  await writeFile(several, 'vantages: { daemon: control_ok }\n');
  const refused = await call([...args, '--map', several]);
  t.equal(refused.code, 1);
  t.match(refused.err.replace(/\s+/g, ' '), 'vantages.daemon: 2 series where one value is meant');
  await writeFile(several, "vantages: { daemon: 'max(' }\n");
  const bad = await call([...args, '--map', several]);
  t.equal(bad.code, 1);
  t.match(bad.err, 'Prometheus refuses max(');
});
