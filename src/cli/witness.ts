/** `failoverd witness`: the probes from another failure domain, until a signal ends them. */
import type { KeyObject } from 'node:crypto';
import { stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createWitness } from '../daemon/witness.ts';
import type { Config } from '../model/config.ts';
import { generateKeys, publicKeyText, readPrivateKey } from '../probes/report.ts';
import { isProbeSecret } from '../probes/targets.ts';
import { chance } from '../runtime/chance.ts';
import { systemClock } from '../runtime/clock.ts';
import { readBounded } from '../runtime/config/bounded-file.ts';
import { loadConfig } from '../runtime/config/load.ts';
import { type Problem, problemText } from '../runtime/config/problem.ts';
import { resolveSecrets, type Secrets, secretSources } from '../runtime/config/secrets.ts';
import { createLifecycle } from '../runtime/lifecycle.ts';
import { createLog, type ProcessLog } from '../runtime/log.ts';
import { onFault, onStopSignals } from '../runtime/signals.ts';
import { systemTimers } from '../runtime/timers.ts';
import type { Certificates } from '../runtime/tls.ts';
import { type Command, EXIT, nearest, readArgs, type Shell, UsageError } from './command.ts';
import { certificatesOf } from './request.ts';

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  vantage: { type: 'string' },
  key: { type: 'string' },
  daemon: { type: 'string' },
  ca: { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  keygen: { type: 'boolean', default: false },
} as const;
const KEYGEN_USAGE = 'failoverd witness --keygen --key FILE';
const USAGE = 'failoverd witness --config FILE --vantage NAME --key FILE --daemon URL [--ca FILE]';

/** Many times the size of a key. */
const MOST_KEY_BYTES = 16 * 1024;
/** Probes and posts are cut off well within a second; what takes longer hangs. */
const STOP_WITHIN_MS = 5_000;
const FLUSH_WITHIN_MS = 1_000;

/** Exit 0: ended by a signal. Exit 2: arguments, config or key can't be used. */
export const witness: Command = async (args, shell) => {
  const { values, positionals } = readArgs(args, OPTIONS);
  if (positionals[0] !== undefined) throw new UsageError(`${positionals[0]} is one too many`, USAGE);
  const { config: configFile, vantage, key: keyFile, daemon } = values;
  if (keyFile === undefined) throw new UsageError('no key file is named', values.keygen ? KEYGEN_USAGE : USAGE);
  if (values.keygen) return await makeKey(keyFile, shell);
  if (configFile === undefined) throw new UsageError('no config is named', USAGE);
  if (vantage === undefined) throw new UsageError('no vantage is named', USAGE);
  if (daemon === undefined) throw new UsageError('no daemon is named', USAGE);
  const daemonUrl = urlOf(daemon);
  const daemonContext = certificatesOf({ ca: values.ca, cert: values['tls-cert'], key: values['tls-key'] }, shell);
  const daemonCertificates = daemonContext === null ? null : { secureContext: () => daemonContext };

  const loaded = await loadConfig(configFile, shell.cwd);
  if (loaded.kind === 'refused') return refuse(loaded.problems, shell);
  const privateKey = await keyOf(keyFile, shell);
  checkVantage(loaded.config, vantage, privateKey);
  const resolved = await resolveSecrets(loaded, secretSources(shell), isProbeSecret);
  if (resolved.kind === 'refused') return refuse(resolved.problems, shell);
  const { config } = loaded;
  return await serve({ config, vantage, privateKey, daemonUrl, daemonCertificates, secrets: resolved.secrets }, shell);
};

/** Writes a new private key where none is, and prints the public one. */
async function makeKey(file: string, shell: Shell): Promise<number> {
  const { publicKey, privateKeyPem } = generateKeys();
  try {
    // `wx`: a key that is in use is never written over.
    await writeFile(resolve(shell.cwd, file), privateKeyPem, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    const remedy = code === 'EEXIST' ? 'name another file, or remove this one first' : 'check the path and its folder';
    throw new UsageError(`${file} can't be written (${code})`, remedy);
  }
  shell.stdout(`publicKey: ${publicKey}\n`);
  shell.stderr(`The private key is in ${file}. Put the line above under vantages.NAME in the config.\n`);
  return EXIT.done;
}

function urlOf(text: string): URL {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw new UsageError(
      `${text} is no http or https address`,
      'give one, such as --daemon https://failoverd.example:8080',
    );
  }
  return new URL(text);
}

async function keyOf(file: string, shell: Shell): Promise<KeyObject> {
  const path = resolve(shell.cwd, file);
  const read = await readBounded(path, MOST_KEY_BYTES);
  if (read.kind === 'failed') {
    throw new UsageError(`the key file ${file} can't be read (${read.code})`, '--keygen makes one');
  }
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) shell.stderr(`failoverd: others than its owner may read ${file}: chmod 600 ${file}\n`);
  try {
    return readPrivateKey(read.bytes.toString('utf8'));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`${file}: ${error.message}`, '--keygen makes a key');
  }
}

/** A witness whose reports nobody would believe is better told so than started. */
function checkVantage(config: Config, vantage: string, privateKey: KeyObject): void {
  const witnesses = Object.keys(config.vantages).filter((name) => name !== 'daemon');
  const declared = Object.hasOwn(config.vantages, vantage) ? config.vantages[vantage] : undefined;
  if (declared === undefined || vantage === 'daemon') {
    const near = nearest(vantage, witnesses);
    const remedy = near === null ? `witnesses are: ${witnesses.join(', ') || 'none'}` : `did you mean ${near}?`;
    throw new UsageError(`the config declares no witness named ${vantage}`, remedy);
  }
  const publicKey = publicKeyText(privateKey);
  if (publicKey !== declared.publicKey) {
    const remedy = `set vantages.${vantage}.publicKey to ${publicKey} in the daemon's config, or use the other key`;
    throw new UsageError('the key is not the one of this vantage', remedy);
  }
}

function refuse(problems: readonly Problem[], shell: Shell): number {
  for (const problem of problems) shell.stderr(`error  ${problemText(problem)}\n`);
  return EXIT.usage;
}

type Duty = {
  readonly config: Config;
  readonly vantage: string;
  readonly privateKey: KeyObject;
  readonly daemonUrl: URL;
  readonly daemonCertificates: Certificates | null;
  readonly secrets: Secrets;
};

async function serve(duty: Duty, shell: Shell): Promise<number> {
  const level = duty.config.daemon.logLevel ?? 'info';
  const log: ProcessLog = createLog({ level, pretty: shell.color, fields: { vantage: duty.vantage } });
  const protect = (): void => {
    for (const secret of duty.secrets.all()) log.protect(secret);
  };
  protect();
  duty.secrets.onRenewed(protect);
  const lifecycle = createLifecycle({ log, timers: systemTimers });
  const unlisten = onFault({ log, exit: (code) => process.exit(code) });
  const stopped = new Promise<string>((ended) => {
    const off = onStopSignals({ log, stop: ended, exit: (code) => process.exit(code) });
    lifecycle.onStop('signals', STOP_WITHIN_MS, off);
  });
  const witnessing = createWitness({ ...duty, log, clock: systemClock, timers: systemTimers, random: chance });
  lifecycle.onStop('witness', STOP_WITHIN_MS, () => witnessing.stop());
  witnessing.start();
  const report = await lifecycle.stop(await stopped);
  await log.flush(FLUSH_WITHIN_MS);
  unlisten();
  return report.parts.every((part) => part.outcome === 'ended') ? EXIT.done : EXIT.failed;
}
