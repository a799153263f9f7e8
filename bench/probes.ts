import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findTool } from '../lab/binaries/tools.ts';
import { freePort } from '../lab/servers/ports.ts';
import { until } from '../lab/servers/wait.ts';
import {
  type BenchOptions,
  type BenchResult,
  compare,
  interleaved,
  quantity,
  quartiles,
  type Sample,
} from './measure.ts';
import { end } from './start.ts';

const HOST = '127.0.0.1';
const TARGETS = 1_000;
const INTERVAL_MS = 1_000;
/** Until connections, timers and compiled code are as they will stay. */
const SETTLE_MS = 1_500;
const FOR_MS = 5_000;
const MOST_ROUNDS = 3;
const LIMIT = 1.5;
const START_TIMEOUT_MS = 20_000;
/** Of all probes; a side that fails its probes does less work. */
const LEAST_OK = 0.99;
/** What the kernel counts processor time in: USER_HZ, the same on all machines that Node.js runs on. */
const MS_PER_TICK = 10;
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

interface Answered {
  readonly all: number;
  readonly ok: number;
}

/** Something that probes all targets once a second between `start` and `stop`. */
interface Prober {
  readonly pid: number;
  readonly start: () => void;
  readonly stop: () => Promise<Answered>;
}

interface Ports {
  readonly http: number;
  readonly tcp: number;
}

/**
 * A thousand probes a second, half of them HTTP and half TCP, over new connections each: processor time of failoverd's
 * runner against Debian's blackbox_exporter, which is asked by a small scraper that does not count.
 */
export async function probesOfManyTargets(options: BenchOptions): Promise<BenchResult> {
  const { tell } = options;
  const tool = await findTool('blackbox_exporter', { fetch: true, log: tell });
  if (tool.kind === 'missing') throw new Error(`${tool.missing}: ${tool.why}. ${tool.remedy}`);
  const folder = await mkdtemp(path.join(tmpdir(), 'failoverd-bench-probes-'));
  const ports = { http: await freePort(HOST), tcp: await freePort(HOST) };
  const children: ChildProcess[] = [];
  try {
    children.push(
      spawn(process.execPath, [here('probe-targets.mjs'), `${ports.http}`, `${ports.tcp}`], { stdio: 'ignore' }),
    );
    await answers(`http://${HOST}:${ports.http}/`);
    const runner = await startRunner(ports, children);
    const exporter = await startExporter(tool.path, folder, ports, children);
    const side = (name: string, prober: Prober) => ({ name, measure: async () => await measure(name, prober) });
    const rounds = Math.min(options.rounds, MOST_ROUNDS);
    const samples = await interleaved([side('failoverd', runner), side('exporter', exporter)], { ...options, rounds });
    const of = (name: string, what: string): number[] => quantity(samples, name, what);
    return {
      bench: 'probes',
      says: `processor time of one probe of ${TARGETS} a second, HTTP and TCP, against blackbox_exporter ${tool.version}`,
      findings: [compare('a probe', 'µs', of('failoverd', 'each'), of('exporter', 'each'), LIMIT)],
      notes: [
        { note: 'failoverd: of one processor', unit: '%', measured: quartiles(of('failoverd', 'share')) },
        { note: 'blackbox_exporter: of one processor', unit: '%', measured: quartiles(of('exporter', 'share')) },
      ],
    };
  } finally {
    for (const child of children.reverse()) await end(child);
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(name: string, prober: Prober): Promise<Sample> {
  prober.start();
  await sleep(SETTLE_MS);
  const before = await cpuMs(prober.pid);
  const beganMs = performance.now();
  await sleep(FOR_MS);
  const usedMs = (await cpuMs(prober.pid)) - before;
  const lastedMs = performance.now() - beganMs;
  const { all, ok } = await prober.stop();
  if (ok < all * LEAST_OK || all === 0) throw new Error(`${name}: only ${ok} of ${all} probes were answered well`);
  // Counted from the start, at the same pace all along.
  const probes = (all * lastedMs) / (lastedMs + SETTLE_MS);
  return { each: (usedMs * 1_000) / probes, share: (usedMs * 100) / lastedMs };
}

async function startRunner(ports: Ports, children: ChildProcess[]): Promise<Prober> {
  const child = fork(here('probe-runner.ts'), [`${ports.http}`, `${ports.tcp}`, `${TARGETS}`]);
  children.push(child);
  await once(child, 'message');
  return {
    pid: child.pid ?? 0,
    start: () => void child.send('start'),
    stop: async () => {
      child.send('stop');
      const [answered] = (await once(child, 'message')) as [Answered];
      return answered;
    },
  };
}

const MODULES = `modules:
  http: { prober: http, timeout: 2s, http: { preferred_ip_protocol: ip4 } }
  tcp: { prober: tcp, timeout: 2s, tcp: { preferred_ip_protocol: ip4 } }
`;

async function startExporter(program: string, folder: string, ports: Ports, children: ChildProcess[]): Promise<Prober> {
  const config = path.join(folder, 'blackbox.yml');
  await writeFile(config, MODULES);
  const port = await freePort(HOST);
  const argv = [`--config.file=${config}`, `--web.listen-address=${HOST}:${port}`, '--log.level=error'];
  const child = spawn(program, argv, { stdio: 'ignore' });
  children.push(child);
  await answers(`http://${HOST}:${port}/-/healthy`);
  let timers: NodeJS.Timeout[] = [];
  let answered = { all: 0, ok: 0 };
  // It is asked over connections that stay, as Prometheus does.
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const scrape = (index: number): void => {
    const target =
      index % 2 === 0 ? `module=http&target=${HOST}:${ports.http}/${index}` : `module=tcp&target=${HOST}:${ports.tcp}`;
    const counted = answered;
    get({ host: HOST, port, path: `/probe?${target}`, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        counted.all += 1;
        if (/^probe_success 1$/m.test(text)) counted.ok += 1;
      });
    }).on('error', () => {
      counted.all += 1;
    });
  };
  return {
    pid: child.pid ?? 0,
    start: () => {
      answered = { all: 0, ok: 0 };
      timers = Array.from({ length: TARGETS }, (_, index) =>
        setTimeout(
          () => {
            scrape(index);
            timers.push(setInterval(scrape, INTERVAL_MS, index));
          },
          (index * INTERVAL_MS) / TARGETS,
        ),
      );
    },
    stop: async () => {
      for (const timer of timers) clearInterval(timer);
      return answered;
    },
  };
}

async function answers(url: string): Promise<void> {
  await until({ what: `${url} answers`, timeoutMs: START_TIMEOUT_MS }, async () =>
    (await fetch(url).catch(() => null))?.ok === true ? true : undefined,
  );
}

/** Of all threads of a process, in the kernel and out of it. Linux only, as the lab is. */
export async function cpuMs(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}
