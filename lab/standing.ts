import { spawn } from 'node:child_process';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Log } from './binaries/missing.ts';
import { raise } from './platform.ts';
import { tail } from './servers/command.ts';
import { waitFor } from './servers/wait.ts';

/** What `up` writes down of the lab that stands, for `down` and `power`. */
export interface Standing {
  readonly pid: number;
  /** When that process began, as the kernel counts: a pid alone may be another's by now. */
  readonly began: string;
  readonly hypervisor: string;
  readonly addresses: Readonly<Record<string, string>>;
}

const STATE_FILE = path.join(tmpdir(), `failoverd-lab-${process.getuid?.() ?? 0}.json`);
const LOG_FILE = `${STATE_FILE}.log`;
const NEXT = `
docs/first-hour.md points a failoverd of yours at it. A region dies by \`npm run lab -- power off us-east-1\`; the lab's own
failoverd would act on that, so end its process first to see what yours makes of it. \`npm run lab -- down\` ends the lab.
`;
const UP_TIMEOUT_MS = 120_000;
const DOWN_TIMEOUT_MS = 60_000;

/** The process behind `up`: raises a lab, and takes it down when it is told to end. */
export async function serve(log: Log, interrupted: AbortSignal): Promise<number> {
  const platform = await raise({ log, monitoring: 'fetch', interrupted });
  try {
    const state: Standing = {
      pid: process.pid,
      began: (await beganAt(process.pid)) ?? '',
      hypervisor: platform.regions.hypervisor.url,
      addresses: platform.addresses,
    };
    await writeFile(STATE_FILE, JSON.stringify(state), { mode: 0o600 });
    if (!interrupted.aborted) await new Promise((resolve) => interrupted.addEventListener('abort', resolve));
  } finally {
    await platform.down('nothing');
    await rm(STATE_FILE, { force: true });
  }
  return 0;
}

/** Start `serve` in the background, and come back when the lab stands. Interrupted before that, it takes it down again. */
export async function up(program: string, say: Log, interrupted: AbortSignal): Promise<number> {
  if ((await readStanding()) !== undefined) {
    say('a lab is up already: lab down ends it');
    return 1;
  }
  const log = await open(LOG_FILE, 'w', 0o600);
  const child = spawn(process.execPath, [program, 'serve'], { detached: true, stdio: ['ignore', log.fd, log.fd] });
  child.unref();
  await log.close();
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
  // Without a listener a failed spawn would end this process before it can say so.
  child.once('error', () => undefined);
  await waitFor('the lab', UP_TIMEOUT_MS, async () => {
    return ended() || interrupted.aborted || (await readStanding()) !== undefined;
  });
  const state = interrupted.aborted ? undefined : await readStanding();
  if (state === undefined) {
    child.kill('SIGTERM');
    await waitFor('its end', DOWN_TIMEOUT_MS, async () => ended());
    say(`the lab did not come up: ${tail(await readFile(LOG_FILE, 'utf8'))}`);
    await rm(LOG_FILE, { force: true });
    return 1;
  }
  for (const [what, where] of Object.entries(state.addresses)) process.stdout.write(`${what.padEnd(18)}${where}\n`);
  process.stdout.write(NEXT);
  return 0;
}

/** Ends the one process that `up` wrote down; that one ends what it started, and removes its folder. */
export async function down(say: Log): Promise<number> {
  const state = await readStanding();
  if (state === undefined) {
    say('no lab is up');
    return 0;
  }
  process.kill(state.pid, 'SIGTERM');
  const gone = await waitFor('the end', DOWN_TIMEOUT_MS, async () => (await beganAt(state.pid)) !== state.began);
  if (!gone) {
    say(`process ${state.pid} is still ending: see ${LOG_FILE}`);
    return 1;
  }
  for (const file of [STATE_FILE, LOG_FILE]) await rm(file, { force: true });
  say('the lab is down');
  return 0;
}

/** The lab that stands; undefined when there is none. */
export async function readStanding(): Promise<Standing | undefined> {
  const text = await readFile(STATE_FILE, 'utf8').catch((error: NodeJS.ErrnoException) => {
    // No file, no lab; a file that can't be read is something else, and is said.
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const state = JSON.parse(text) as Standing;
  return (await beganAt(state.pid)) === state.began ? state : undefined;
}

/** The start time of a process, from the kernel; undefined when there is none. */
async function beganAt(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}
