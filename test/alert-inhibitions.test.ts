// The Alertmanager example in a real Alertmanager: what it holds back, and what it must never hold back.
import path from 'node:path';
import t from 'tap';
import { describeMissing, isMissing } from '../lab/binaries/missing.ts';
import { findTool } from '../lab/binaries/tools.ts';
import { startDaemon } from '../lab/servers/daemon.ts';
import { freePort } from '../lab/servers/ports.ts';
import { until } from '../lab/servers/wait.ts';
import { log, scratch } from './lab-parts/real-servers.ts';
import { ALERTS, type Labels, PROOFS, ROOT } from './support/alert-rules.ts';

const HOST = '127.0.84.11';
const EXAMPLE = path.join(ROOT, 'alert-rules/alertmanager.example.yaml');
const US = { region: 'us-east-1' };

const tool = await findTool('alertmanager', { fetch: true, log });
// On a developer's machine a server that can't be had is named and passed over; in CI it is a failure.
const skip = isMissing(tool) && process.env['CI'] === undefined ? describeMissing(tool) : false;

/** As the rule fires it: its own labels, with those of a history in which promtool saw it fire, in our region. */
function fired(alert: string): Labels {
  const seen = PROOFS.find((proof) => proof.alert === alert && proof.fires.length > 0)?.fires[0] ?? {};
  return { ...seen, ...('region' in seen ? US : {}) };
}

type Told = { readonly labels: Labels; readonly status: { readonly inhibitedBy: readonly string[] } };

async function alertmanager(t: Tap): Promise<{ url: string }> {
  if (isMissing(tool)) throw new Error(describeMissing(tool));
  const dir = await scratch(t);
  const port = await freePort(HOST);
  const url = `http://${HOST}:${port}`;
  const running = await startDaemon({
    name: 'Alertmanager',
    argv: [
      tool.path,
      `--config.file=${EXAMPLE}`,
      `--storage.path=${path.join(dir, 'data')}`,
      `--web.listen-address=${HOST}:${port}`,
      '--cluster.listen-address=',
      '--log.level=error',
    ],
    cwd: tool.cwd ?? dir,
    env: { PATH: process.env['PATH'] ?? '' },
    logFile: path.join(dir, 'alertmanager.log'),
    ready: async () => (await fetch(`${url}/-/ready`, { signal: AbortSignal.timeout(2000) })).ok,
    startTimeoutMs: 30_000,
    log,
  });
  t.teardown(async () => {
    await running.stop();
  });
  return { url };
}

/** Names of the alerts that are held back, once they are the ones expected; it takes a moment after they were posted. */
async function heldBack(url: string, posted: readonly Labels[], expected: readonly string[]): Promise<string[]> {
  const answer = await fetch(`${url}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(posted.map((labels) => ({ labels, generatorURL: 'http://prometheus.example.com' }))),
    signal: AbortSignal.timeout(5000),
  });
  if (!answer.ok) throw new Error(await answer.text());
  const names = async (): Promise<string[] | undefined> => {
    const said = await fetch(`${url}/api/v2/alerts`, { signal: AbortSignal.timeout(5000) });
    const told = (await said.json()) as Told[];
    const held = told
      .filter(({ status }) => status.inhibitedBy.length > 0)
      .map(({ labels }) => labels['alertname'] ?? '');
    return told.length >= posted.length && String(held.sort()) === String([...expected].sort()) ? held : undefined;
  };
  return await until({ what: `${expected.join(', ')} to be held back, and nothing else`, timeoutMs: 10_000 }, names);
}

type Tap = Parameters<typeof scratch>[0];
const COMPONENTS = ALERTS.filter(({ labels }) => 'component' in labels).map(({ alert }) => alert);

t.test('a region that is down is one alarm, and its corruption another', { skip }, async (t) => {
  const { url } = await alertmanager(t);
  const alone = await heldBack(url, COMPONENTS.map(fired), ['PostgresReplicationLag']);
  t.same(alone, ['PostgresReplicationLag'], 'components are heard of; of two the graver hides the other');
  const besides = ['RegionUnreachable', 'RegionPartlyUnreachable', 'PostgresCorruption', 'Watchdog', 'BackupTooOld'];
  const held = await heldBack(url, [...COMPONENTS, ...besides].map(fired), [...COMPONENTS, 'RegionPartlyUnreachable']);
  t.notOk(held.includes('PostgresCorruption'), 'corruption is heard of');
});

t.test('the loss of one region holds back nothing of the other', { skip }, async (t) => {
  const { url } = await alertmanager(t);
  const cut = { ...fired('NatsMirrorCut'), region: 'eu-central-1' };
  const held = await heldBack(url, [fired('RegionUnreachable'), cut, fired('NatsMirrorLag')], ['NatsMirrorLag']);
  t.notOk(held.includes('NatsMirrorCut'));
});

t.test('maintenance holds back warnings, and nothing that is critical', { skip }, async (t) => {
  const { url } = await alertmanager(t);
  const ofComponents = ALERTS.filter(({ labels }) => 'component' in labels);
  const warnings = ofComponents.filter(({ labels }) => labels['severity'] === 'warning').map(({ alert }) => alert);
  const held = await heldBack(url, ['PlannedMaintenance', ...COMPONENTS].map(fired), warnings);
  t.same(held.length, warnings.length);
});
