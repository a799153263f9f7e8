import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { labConfig, REGION } from '../lab/config.ts';
import { type RunningDaemon, startDaemon } from '../lab/servers/daemon.ts';
import { startFakeMonitoring } from '../lab/servers/fake-monitoring.ts';
import { freePort } from '../lab/servers/ports.ts';
import { until } from '../lab/servers/wait.ts';
import type { StatusDocument } from '../src/daemon/status-document.ts';
import type { EventBody } from '../src/model/events.ts';
import { generateKeys } from '../src/probes/report.ts';
import type { Sample } from './measure.ts';
import { type Scene, type Stage, startControl } from './stage.ts';

const START_TIMEOUT_MS = 30_000;
/** Detection, the hold and the run itself. */
const FAILOVER_TIMEOUT_MS = 60_000;

/**
 * One failover by failoverd: the package, with a witness and an alert beside it, in `auto`, and with a fence program
 * that answers at once. The clock starts with the journal's `run.opened`, which is when the hold has ended and the
 * gates have said yes, and stops at the client's first accepted write. Both are wall clock of this machine.
 */
export async function failOverWithFailoverd(stage: Stage, scene: Scene, launcher: string): Promise<Sample> {
  const dir = await mkdtemp(path.join(stage.dir, 'failoverd-'));
  const endings: (() => unknown)[] = [async () => await rm(dir, { recursive: true, force: true })];
  try {
    const { daemon, url } = await startBoth(stage, scene, launcher, dir, endings);
    await quiet(url);
    await scene.killRegion();
    const acceptedAtMs = await scene.writer.firstAccepted(REGION.b, FAILOVER_TIMEOUT_MS);
    const group = await until({ what: 'the run ends', timeoutMs: FAILOVER_TIMEOUT_MS }, async () => {
      const found = (await status(url)).groups[0];
      return found !== undefined && found.run === null && found.ended.length > 0 ? found : undefined;
    });
    const outcome = group.ended[0]?.outcome;
    if (acceptedAtMs === undefined || outcome !== 'verified')
      throw new Error(`the failover ended ${outcome ?? 'never'}, accepted at ${acceptedAtMs ?? 'no time'}`);
    await daemon.stop();
    return timesOf(readJournal(path.join(dir, 'state')), acceptedAtMs);
  } finally {
    for (const end of endings.reverse()) await end();
  }
}

type Endings = (() => unknown)[];

async function startBoth(
  stage: Stage,
  scene: Scene,
  launcher: string,
  dir: string,
  endings: Endings,
): Promise<{ readonly daemon: RunningDaemon; readonly url: string }> {
  const { hosts, log } = stage;
  const control = await startControl(hosts.outside);
  endings.push(control.close);
  const listen = `${hosts.b}:${await freePort(hosts.b)}`;
  const url = `http://${listen}`;
  const { config, witnessKey, bearer } = await writeConfig(stage, scene, dir, listen, control.address);
  const start = async (name: string, args: readonly string[], ready: () => Promise<boolean>) => {
    const running = await startDaemon({
      name,
      argv: [process.execPath, launcher, ...args],
      cwd: dir,
      logFile: path.join(dir, `${name}.log`),
      ready,
      startTimeoutMs: START_TIMEOUT_MS,
      log,
    });
    endings.push(async () => await running.stop());
    return running;
  };
  const daemon = await start('failoverd', ['run', '--config', config], async () => (await fetch(`${url}/-/ready`)).ok);
  const witness = ['witness', '--config', config, '--vantage', 'witness', '--key', witnessKey, '--daemon', url];
  await start('witness', witness, async () =>
    (await status(url)).groups.every(({ vantages }) => vantages.every(({ connected }) => connected === 'ok')),
  );
  const monitoring = startFakeMonitoring({
    rules: [
      {
        alert: 'RegionUnreachable',
        labels: { region: REGION.a, severity: 'critical' },
        metricsUrl: `http://${hosts.a}:${stage.port}/metrics`,
        bad: (scrape) => scrape === null,
        forMs: 0,
      },
      // Else monitoring would count as blind in a round that takes long, and people would be asked.
      { alert: 'Watchdog', labels: {}, bad: () => true, forMs: 0 },
    ],
    webhooks: [{ url: `${url}/webhooks/alertmanager`, bearerToken: bearer }],
    externalUrl: url,
    intervalMs: 200,
    log,
  });
  endings.push(async () => await monitoring.stop());
  return { daemon, url };
}

async function writeConfig(stage: Stage, scene: Scene, dir: string, listen: string, control: string) {
  const { hosts, pair, credentials } = stage;
  const secrets = path.join(dir, 'secrets');
  await mkdir(secrets);
  const secretFile = (name: string): string => path.join(secrets, name);
  const token = (): string => randomBytes(24).toString('base64url');
  const keys = generateKeys();
  const bearer = token();
  const values: Readonly<Record<string, string>> = {
    'sre-first': token(),
    'vp-engineering': token(),
    postgres: pair.passwords.failoverd,
    alertmanager: bearer,
    pager: token(),
    'aws-key-id': credentials.accessKeyId,
    'aws-secret': credentials.secretAccessKey,
    'witness.pem': keys.privateKeyPem,
  };
  for (const [name, value] of Object.entries(values)) await writeFile(secretFile(name), value, { mode: 0o600 });
  const config = path.join(dir, 'failoverd.yaml');
  const side = (each: 'a' | 'b') => `${pair[each].host}:${pair[each].port}`;
  await writeFile(
    config,
    labConfig({
      autonomy: 'auto',
      listen,
      stateDir: path.join(dir, 'state'),
      controlTargets: { daemon: control, witness: control },
      witnessKey: keys.publicKey,
      secretFile,
      // Nobody listens: a page that can't be delivered must not hold a failover up.
      pagerUrl: `http://${hosts.outside}:9/pages`,
      postgres: { a: side('a'), b: side('b') },
      service: { a: `${hosts.a}:${stage.port}`, b: `${hosts.b}:${stage.port}` },
      records: { a: hosts.a, b: hosts.b },
      resolvers: [scene.nameServer.address],
      publicPort: stage.port,
      route53Endpoint: scene.route53.endpoint,
      fence: { off: [await programTrue()], status: [await programTrue()] },
    }),
  );
  return { config, witnessKey: secretFile('witness.pem'), bearer };
}

/** Answers at once. By its path, as fence programs are configured: a search through npm's PATH is none of the fence's. */
async function programTrue(): Promise<string> {
  for (const folder of ['/usr/bin', '/bin']) {
    const program = path.join(folder, 'true');
    const found = await access(program, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return program;
  }
  throw new Error('there is no program true in /usr/bin or /bin');
}

async function status(url: string): Promise<StatusDocument> {
  const answer = await fetch(`${url}/api/v1/status`, { signal: AbortSignal.timeout(5_000) });
  return (await answer.json()) as StatusDocument;
}

async function quiet(url: string): Promise<void> {
  await until({ what: 'failoverd sees that all is well', timeoutMs: START_TIMEOUT_MS }, async () => {
    const group = (await status(url)).groups[0];
    return group?.summary.mood === 'quiet' && group.replication?.streaming === 'ok' ? true : undefined;
  });
}

function readJournal(stateDir: string): EventBody[] {
  const database = new DatabaseSync(path.join(stateDir, 'journal.db'), { readOnly: true });
  try {
    const rows = database.prepare('select body from entries order by seq').all();
    return rows.map((row) => JSON.parse(String(row['body'])) as EventBody);
  } finally {
    database.close();
  }
}

/** The whole, and how long after the decision each step was done. */
function timesOf(events: readonly EventBody[], acceptedAtMs: number): Sample {
  const opened = events.find((event) => event.kind === 'run.opened');
  if (opened === undefined) throw new Error('the journal holds no run');
  const sample: Record<string, number> = { total: acceptedAtMs - opened.at };
  for (const event of events) {
    if (event.kind !== 'step.done' && event.kind !== 'step.intended') continue;
    const [step = ''] = event.step.split('.');
    sample[event.kind === 'step.done' ? `${step} done` : `${step} intended`] = event.at - opened.at;
  }
  return sample;
}
