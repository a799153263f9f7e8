import { textOf } from '../servers/errors.ts';

/**
 * What a fence driver of kind `command` needs (design §10): exit 0 confirmed, 1 not so, 75 unknown, and one line of
 * JSON as proof. `node lab/region/power.ts off|on|status REGION --hypervisor URL [--timeout-ms N]`
 */
export type PowerExitCode = 0 | 1 | 75;

export interface PowerAnswer {
  readonly exitCode: PowerExitCode;
  /** One line of JSON: the proof as the hypervisor read it, or why there is none. */
  readonly line: string;
}

export interface PowerTarget {
  /** Such as `http://127.0.1.1:7000`. */
  readonly hypervisor: string;
  readonly region: string;
  readonly timeoutMs: number;
}

/** The part of the hypervisor's answer that makes a proof. */
interface Proof {
  readonly region: string;
  readonly power: 'off' | 'on' | 'unknown';
  readonly processes: number;
  readonly locked: boolean;
  readonly at: string;
}

/** Cut the power of a region, then read back whether it is off. 0: confirmed off. 1: it is on. 75: nobody can tell. */
export async function powerOff(target: PowerTarget): Promise<PowerAnswer> {
  const cut = await ask(target, 'POST', '/off');
  // Whatever the first answer was, even none: the second question is the one that counts.
  const proof = await ask(target, 'GET', '');
  return verdict(typeof proof === 'string' ? (typeof cut === 'string' ? cut : proof) : proof, 'off');
}

/** Is the region off? 0: it is. 1: it is on. 75: nobody can tell. */
export async function powerStatus(target: PowerTarget): Promise<PowerAnswer> {
  return verdict(await ask(target, 'GET', ''), 'off');
}

/** Give a region its power back. 0: unlocked, and its machines run. 1: they don't. 75: nobody can tell. */
export async function powerOn(target: PowerTarget): Promise<PowerAnswer> {
  return verdict(await ask(target, 'POST', '/on'), 'on');
}

function verdict(answer: Proof | string, wanted: 'off' | 'on'): PowerAnswer {
  if (typeof answer === 'string') return { exitCode: 75, line: JSON.stringify({ power: 'unknown', why: answer }) };
  const line = JSON.stringify(answer);
  if (answer.power === 'unknown') return { exitCode: 75, line };
  const off = answer.power === 'off' && answer.locked && answer.processes === 0;
  const on = answer.power === 'on' && !answer.locked && answer.processes > 0;
  return { exitCode: (wanted === 'off' ? off : on) ? 0 : 1, line };
}

/** The proof, or why there is none. */
async function ask(target: PowerTarget, method: 'GET' | 'POST', act: string): Promise<Proof | string> {
  const { hypervisor, region, timeoutMs } = target;
  try {
    const url = new URL(`/regions/${encodeURIComponent(region)}${act}`, hypervisor);
    const answer = await fetch(url, { method, signal: AbortSignal.timeout(timeoutMs) });
    const body: unknown = await answer.json();
    const proof = answer.ok ? asProof(body, region) : undefined;
    return proof ?? `the hypervisor answered ${answer.status} ${JSON.stringify(body)}`;
  } catch (error) {
    return textOf(error);
  }
}

function asProof(body: unknown, region: string): Proof | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { region: said, power, processes, locked, at } = body as Partial<Record<keyof Proof, unknown>>;
  if (said !== region || typeof processes !== 'number' || typeof locked !== 'boolean' || typeof at !== 'string') {
    return undefined;
  }
  return power === 'off' || power === 'on' || power === 'unknown'
    ? { region, power, processes, locked, at }
    : undefined;
}

const ACTS: Readonly<Record<string, (target: PowerTarget) => Promise<PowerAnswer>>> = {
  off: powerOff,
  on: powerOn,
  status: powerStatus,
};

/** The command line: 75 for anything it can't make sense of, since no answer was had. */
export async function power(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<PowerAnswer> {
  const [act = '', region = ''] = argv.filter(
    (word, index) => !word.startsWith('--') && !argv[index - 1]?.startsWith('--'),
  );
  const option = (name: string): string | undefined => (argv.includes(name) ? argv[argv.indexOf(name) + 1] : undefined);
  const hypervisor = option('--hypervisor') ?? env['FAILOVERD_LAB_HYPERVISOR'] ?? '';
  const timeoutMs = Number(option('--timeout-ms') ?? 15_000);
  const perform = ACTS[act];
  if (perform === undefined || region === '' || hypervisor === '' || !(timeoutMs > 0)) {
    const why = 'call: off|on|status REGION --hypervisor URL [--timeout-ms N]';
    return { exitCode: 75, line: JSON.stringify({ power: 'unknown', why }) };
  }
  return await perform({ hypervisor, region, timeoutMs });
}

if (import.meta.main) {
  const answer = await power(process.argv.slice(2));
  console.log(answer.line);
  process.exitCode = answer.exitCode;
}
