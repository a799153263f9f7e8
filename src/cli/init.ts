/** `failoverd init`: asks both databases and Prometheus, and writes a config that observes. It reads, and writes one file. */
import { access, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { counted } from '../daemon/text.ts';
import type { PrometheusSurvey } from '../probes/prometheus-survey.ts';
import { addressText } from '../probes/target.ts';
import { readBounded } from '../runtime/config/bounded-file.ts';
import { parseConfig } from '../runtime/config/load.ts';
import { type Problem, problemText } from '../runtime/config/problem.ts';
import { SecretValue } from '../runtime/secret.ts';
import { EXIT, readArgs, type Shell, UsageError } from './command.ts';
import { type DatabaseAddress, databaseAddress } from './init/address.ts';
import { ALERTMANAGER_TOKEN, configText, type Draft, type DraftMonitoring } from './init/config-text.ts';
import { mapAlerts } from './init/mapping.ts';
import { type Asker, createAsker } from './init/questions.ts';
import {
  answeringTargets,
  COMMON_CONTROL_TARGETS,
  type InitFault,
  judgeSides,
  type Login,
  notesOn,
  surveyMonitoring,
  surveySide,
  type TlsMode,
  tlsOffer,
} from './init/survey.ts';
import { labelled, wrap } from './terminal.ts';

const OPTIONS = {
  primary: { type: 'string' },
  secondary: { type: 'string' },
  'primary-region': { type: 'string' },
  'secondary-region': { type: 'string' },
  user: { type: 'string' },
  database: { type: 'string' },
  password: { type: 'string' },
  tls: { type: 'string' },
  ca: { type: 'string' },
  prometheus: { type: 'string' },
  'monitoring-region': { type: 'string' },
  'daemon-region': { type: 'string' },
  'control-target': { type: 'string', multiple: true },
  'primary-url': { type: 'string' },
  'secondary-url': { type: 'string' },
  group: { type: 'string' },
  'state-dir': { type: 'string' },
  out: { type: 'string', short: 'o' },
  force: { type: 'boolean', default: false },
  yes: { type: 'boolean', short: 'y', default: false },
  json: { type: 'boolean', default: false },
} as const;
type Flags = ReturnType<typeof readArgs<typeof OPTIONS>>['values'];

const PASSWORD = '${env:FAILOVERD_PG_PASSWORD}';
const MOST_SECRET_BYTES = 64 * 1024;
const MODES: readonly TlsMode[] = ['verify-full', 'require', 'disable'];

/** What stops `init` after it has asked; exit 1. */
class Stopped extends Error {
  readonly faults: readonly InitFault[];
  constructor(faults: readonly InitFault[]) {
    super(faults.map((fault) => fault.answered).join('; '));
    this.faults = faults;
  }
}

/** Exit 0: written, and `failoverd check` takes it. Exit 1: a server's answer is in the way. Exit 2: arguments. */
export async function init(argv: readonly string[], shell: Shell): Promise<number> {
  const { values: flags, positionals } = readArgs(argv, OPTIONS);
  if (positionals[0] !== undefined)
    throw new UsageError(`${positionals[0]} is one too many`, 'addresses are given by --primary and --secondary');
  const out = flags.out ?? 'failover.yaml';
  await refuseOverwriting(resolve(shell.cwd, out), out, flags.force);
  const found: string[] = [];
  try {
    const draft = await interview(flags, shell, out, (line) => found.push(line));
    const text = configText(draft);
    const judged = parseConfig(out, dirname(resolve(shell.cwd, out)), text);
    const problems = judged.kind === 'refused' ? judged.problems : [];
    if (problems.length === 0) await write(resolve(shell.cwd, out), out, text, flags.force);
    return tell({ flags, shell, out, text, found, problems, warnings: judged.warnings });
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    return tellFaults(error.faults, found, flags.json, shell);
  }
}

async function refuseOverwriting(path: string, out: string, force: boolean): Promise<void> {
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (there && !force)
    throw new UsageError(`${out} is there already, and is left as it is`, 'name another by --out, or add --force');
}

async function write(path: string, out: string, text: string, force: boolean): Promise<void> {
  try {
    // Also where the file came to be while we asked.
    await writeFile(path, text, { flag: force ? 'w' : 'wx' });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new Stopped([
      {
        code: 'unwritable',
        asked: `to write ${out}`,
        answered: code === 'EEXIST' ? 'another program has written it meanwhile' : `the system refused (${code})`,
        remedy: 'name a file in a folder that is there and yours, by --out',
        sql: [],
      },
    ]);
  }
}

async function interview(flags: Flags, shell: Shell, out: string, found: (line: string) => void): Promise<Draft> {
  const ask = createAsker(shell, !flags.json && !flags.yes);
  const first = databaseAddress(
    await ask.text(flags.primary, needed('primary', 'Address of the primary PostgreSQL (host:port)')),
  );
  const second = databaseAddress(
    await ask.text(flags.secondary, needed('secondary', 'Address of its standby (host:port)')),
  );
  if (addressText(first) === addressText(second))
    throw new UsageError(`both databases are ${addressText(first)}`, 'name two servers: the primary and its standby');
  const monitoring = await askMonitoring(flags, ask, found);
  const regionOf = async (side: 'primary' | 'secondary', known: readonly string[]): Promise<string> =>
    await ask.text(flags[`${side}-region`], {
      flag: `${side}-region`,
      asks: `Name of the region of the ${side}`,
      fallback: known[0] ?? side,
      fault: nameFault,
    });
  const known = (monitoring?.regions ?? []).filter((region) => nameFault(region) === null);
  const regions = { first: await regionOf('primary', known), second: '' };
  regions.second = await regionOf(
    'secondary',
    known.filter((region) => region !== regions.first),
  );
  if (regions.first === regions.second)
    throw new UsageError(
      `both regions are called ${regions.first}`,
      'give two names: --primary-region, --secondary-region',
    );

  const login = await askLogin(flags, ask, shell, out, [first, second]);
  const ca = await authorities(flags, shell, out);
  const tls = await agreeOnTls(flags, ask, [first, second], ca, found);
  const surveyed = await Promise.all([
    surveySide(regions.first, first, login, { mode: tls.mode, ca }),
    surveySide(regions.second, second, login, { mode: tls.mode, ca }),
  ]);
  const [a, b] = surveyed;
  if (a.kind === 'fault' || b.kind === 'fault')
    throw new Stopped(surveyed.flatMap((side) => (side.kind === 'fault' ? [side.fault] : [])));
  const sides = judgeSides(
    { where: addressText(first), survey: a.survey },
    { where: addressText(second), survey: b.survey },
  );
  if (!('primary' in sides)) throw new Stopped([sides]);
  const one = { region: regions.first, host: first.host, port: first.port, survey: a.survey };
  const two = { region: regions.second, host: second.host, port: second.port, survey: b.survey };
  const [primary, secondary] = sides.primary === 'first' ? [one, two] : [two, one];
  if (sides.primary === 'second')
    found(`${addressText(first)} was called the primary and is the standby: the config has them as they are`);
  for (const [side, name] of [
    [primary, 'primary'],
    [secondary, 'standby'],
  ] as const)
    found(`${side.region}: ${name}, ${addressText(side)}, PostgreSQL ${side.survey.version}`);
  found(`one cluster, system identifier ${primary.survey.facts.systemIdentifier}; TLS ${tls.mode}`);
  if (secondary.survey.facts.walReceiver === 'streaming') found('the standby streams');
  for (const note of notesOn(primary.survey, secondary.survey)) found(note);

  const daemonRegion = await ask.text(flags['daemon-region'], {
    flag: 'daemon-region',
    asks: 'Region in which failoverd will run (not the primary one)',
    fallback: secondary.region,
    fault: nameFault,
  });
  const controlTargets = await askControlTargets(flags, ask, found);
  return {
    group: await ask.text(flags.group, {
      flag: 'group',
      asks: 'Name of the failover group',
      fallback: 'main',
      fault: nameFault,
    }),
    stateDir: flags['state-dir'] ?? './state',
    primary,
    secondary,
    daemonRegion,
    controlTargets,
    user: login.user,
    database: login.database,
    password: login.reference,
    tls,
    ca: flags.ca ?? null,
    systemIdentifier: primary.survey.facts.systemIdentifier ?? '',
    services: servicesOf(flags, sides.primary === 'second'),
    monitoring:
      monitoring === null ? null : await draftMonitoring(monitoring, flags, ask, { primary, secondary }, found),
  };
}

const needed = (flag: string, asks: string) => ({ flag, asks, fallback: null });

const nameFault = (name: string): string | null =>
  /^[a-z0-9][a-z0-9-]{0,62}$/.test(name) ? null : 'a name is of lower-case letters, digits and dashes';

type Monitoring = PrometheusSurvey & { readonly url: string };

async function askMonitoring(flags: Flags, ask: Asker, found: (line: string) => void): Promise<Monitoring | null> {
  const url = await ask.text(flags.prometheus, {
    flag: 'prometheus',
    asks: 'Address of Prometheus (none = do without)',
    fallback: 'none',
    fault: (text) =>
      text === 'none' || (/^https?:\/\/[^\s/]+/.test(text) && URL.canParse(text)) ? null : 'no http or https address',
  });
  if (url === 'none') return null;
  const { username, password, host } = new URL(url);
  if (username !== '' || password !== '')
    throw new UsageError(
      `the address of ${host} holds a user or password`,
      'leave them out: credentials go into the config by reference',
    );
  const answer = await surveyMonitoring(url);
  if (answer.kind === 'fault') throw new Stopped([answer.fault]);
  const { version, alertmanagers, rules } = answer.survey;
  found(
    `Prometheus ${version}: ${counted(alertmanagers.length, 'Alertmanager')}, ${counted(rules.length, 'alerting rule')}`,
  );
  return { ...answer.survey, url };
}

async function draftMonitoring(
  monitoring: Monitoring,
  flags: Flags,
  ask: Asker,
  sides: { readonly primary: { readonly region: string }; readonly secondary: { readonly region: string } },
  found: (line: string) => void,
): Promise<DraftMonitoring> {
  const primary = sides.primary.region;
  const region = await ask.text(flags['monitoring-region'], {
    flag: 'monitoring-region',
    asks: 'Region in which Prometheus stands (a third one is best)',
    fallback: sides.secondary.region,
    fault: nameFault,
  });
  const mapped = mapAlerts(monitoring.rules, { primary, secondary: sides.secondary.region });
  for (const { match, fact, region: of, why } of mapped) found(`${fact} of ${of}: ${match.join(', ')}; ${why}`);
  if (!mapped.some(({ fact }) => fact === 'watchdog'))
    found('no alert that always fires (Watchdog) was found: silence of alerts can’t be told from health');
  if (region === primary) found(`monitoring stands in ${primary}: the loss of that region silences it`);
  return {
    url: monitoring.url,
    region,
    alertmanagers: monitoring.alertmanagers,
    mapped,
    lagMetric: monitoring.lagMetrics[0] ?? null,
  };
}

async function askLogin(
  flags: Flags,
  ask: Asker,
  shell: Shell,
  out: string,
  addresses: readonly DatabaseAddress[],
): Promise<Login & { readonly reference: string }> {
  const inAddress = <K extends 'user' | 'database'>(key: K): string | undefined =>
    addresses.map((address) => address[key]).find((value) => value !== null) ?? undefined;
  const user = await ask.text(flags.user ?? inAddress('user'), {
    flag: 'user',
    asks: 'Role to connect as',
    fallback: 'failoverd',
  });
  const database = await ask.text(flags.database ?? inAddress('database'), {
    flag: 'database',
    asks: 'Database to connect to',
    fallback: 'postgres',
  });
  const reference = flags.password ?? PASSWORD;
  const [, kind, name = ''] = /^\$\{(env|file):([^{}]+)\}$/.exec(reference) ?? [];
  if (kind === undefined)
    throw new UsageError(
      '--password takes a reference and never the password, which would stay in the history of your shell',
      "write --password '${env:NAME}' or --password '${file:PATH}'",
    );
  const value =
    kind === 'env' ? shell.variable(name) : await secretFile(resolve(dirname(resolve(shell.cwd, out)), name));
  if (value !== undefined && value !== '') return { user, database, reference, password: new SecretValue(value) };
  const typed = flags.json || flags.yes ? null : await shell.askSecret(`Password of ${user}: `);
  if (typed !== null && typed !== '') return { user, database, reference, password: new SecretValue(typed) };
  throw new UsageError(
    `the password of ${user} can't be had: ${kind === 'env' ? `${name} is not set` : `${name} can't be read, or is empty`}`,
    kind === 'env' ? `read -rs ${name}; export ${name}` : `write it into ${name}, readable by you alone`,
  );
}

/** Relative to the config that is written, as `ca` in it will be. */
async function authorities({ ca }: Flags, shell: Shell, out: string): Promise<string | null> {
  if (ca === undefined) return null;
  const pem = await secretFile(resolve(dirname(resolve(shell.cwd, out)), ca));
  if (pem !== undefined && /-----BEGIN CERTIFICATE-----/.test(pem)) return pem;
  throw new UsageError(
    `--ca ${ca} ${pem === undefined ? "can't be read" : 'holds no certificate'}`,
    'name a file with certificates in PEM, relative to the config that is written',
  );
}

async function secretFile(path: string): Promise<string | undefined> {
  const read = await readBounded(path, MOST_SECRET_BYTES);
  return read.kind === 'failed' ? undefined : read.bytes.toString('utf8').replace(/\r?\n$/, '');
}

/** Before a password is sent: what the servers offer, and that nobody gets less than they think. */
async function agreeOnTls(
  flags: Flags,
  ask: Asker,
  addresses: readonly [DatabaseAddress, DatabaseAddress],
  ca: string | null,
  found: (line: string) => void,
): Promise<Draft['tls']> {
  const given = MODES.find((mode) => mode === flags.tls);
  if (flags.tls !== undefined && given === undefined)
    throw new UsageError(`--tls ${flags.tls}`, `one of ${MODES.join(', ')}`);
  if (given !== undefined)
    return { mode: given, why: given === 'verify-full' ? 'the server proves who it is' : 'as asked for' };
  const offers = await Promise.all(addresses.map(async (address) => ({ address, offer: await tlsOffer(address, ca) })));
  const faults = offers.flatMap(({ address, offer }): InitFault[] =>
    offer.kind === 'failed'
      ? [
          {
            code: offer.failure.code,
            asked: `whether ${addressText(address)} offers TLS`,
            answered: offer.failure.message,
            remedy: 'check the address, and that PostgreSQL runs there and can be reached from here',
            sql: [],
          },
        ]
      : [],
  );
  if (faults.length > 0) throw new Stopped(faults);
  const weak =
    offers.find(({ offer }) => offer.kind === 'none') ??
    offers.find(({ offer }) => offer.kind === 'offered' && offer.mode === 'require');
  if (weak === undefined) return { mode: 'verify-full', why: 'the server proves who it is' };
  const { address, offer } = weak;
  const mode = offer.kind === 'none' ? 'disable' : 'require';
  const why =
    offer.kind === 'none'
      ? 'it offers no TLS'
      : `its certificate can't be verified here (${offer.kind === 'offered' ? offer.why : ''})`;
  found(`${addressText(address)}: ${why}`);
  if (await ask.yes(`${addressText(address)}: ${why}. Send the password all the same (tls: ${mode})?`))
    return { mode, why };
  throw new Stopped([
    {
      code: 'tls',
      asked: `whether ${addressText(address)} can be trusted with a password`,
      answered: why,
      remedy:
        offer.kind === 'none'
          ? 'set ssl = on and a certificate on the server; or accept it on this network by --tls disable'
          : 'name the authority that signed it by --ca FILE; or accept an unproven server by --tls require',
      sql: [],
    },
  ]);
}

async function askControlTargets(flags: Flags, ask: Asker, found: (line: string) => void): Promise<readonly string[]> {
  const given = flags['control-target'];
  const said =
    given ??
    (
      await ask.text(undefined, {
        flag: 'control-target',
        asks: 'Addresses that always answer from here, with spaces between',
        fallback: COMMON_CONTROL_TARGETS.join(' '),
      })
    ).split(/[\s,]+/);
  const wrong = said.find((target) => !/^(?:tcp:\/\/\S+:\d{1,5}|https?:\/\/[^\s/]+\S*)$/.test(target));
  if (wrong !== undefined)
    throw new UsageError(`the control target ${wrong} is none`, 'tcp://HOST:PORT, or an http or https URL');
  const answers = await answeringTargets(said);
  for (const { target, why } of answers) if (why !== null) found(`control target ${target} is left out: ${why}`);
  const answering = answers.filter(({ why }) => why === null).map(({ target }) => target);
  if (answering.length > 0) return answering;
  throw new Stopped([
    {
      code: 'control',
      asked: `the control targets ${said.join(', ')}`,
      answered: 'none of them answers',
      remedy:
        'name addresses that have nothing to do with the platform and always answer here: --control-target tcp://HOST:PORT',
      sql: [],
    },
  ]);
}

/** A URL belongs to the address it was given with, whichever of the two turned out to be the primary. */
function servicesOf(flags: Flags, swapped: boolean): Draft['services'] {
  const urls = [flags['primary-url'], flags['secondary-url']];
  const [primary, secondary] = swapped ? urls.reverse() : urls;
  if (primary === undefined && secondary === undefined) return null;
  if (primary !== undefined && secondary !== undefined) return { primary, secondary };
  throw new UsageError('a service needs a URL in both regions', 'give --primary-url and --secondary-url');
}

type Told = {
  readonly flags: Flags;
  readonly shell: Shell;
  readonly out: string;
  readonly text: string;
  readonly found: readonly string[];
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
};

function tell({ flags, shell, out, text, found, problems, warnings }: Told): number {
  const ok = problems.length === 0;
  if (flags.json) {
    shell.stdout(`${JSON.stringify({ ok, file: out, written: ok, found, problems, warnings, config: text })}\n`);
    return ok ? EXIT.done : EXIT.failed;
  }
  for (const line of found) for (const part of labelled('found', line)) shell.stdout(`${part}\n`);
  for (const problem of problems) shell.stderr(`error  ${problemText(problem)}\n`);
  if (!ok) {
    shell.stderr(`failoverd init: nothing was written: the config would not pass \`failoverd check\`\n`);
    return EXIT.failed;
  }
  for (const warning of warnings)
    for (const part of wrap(problemText(warning), '  warning   ')) shell.stdout(`${part}\n`);
  const lines = text.trimEnd().split('\n').length;
  shell.stdout(
    `${labelled('wrote', `${out}, ${lines} lines, autonomy observe; failoverd check takes it`).join('\n')}\n`,
  );
  const token = text.includes(ALERTMANAGER_TOKEN)
    ? ['export FAILOVERD_ALERTMANAGER_TOKEN=$(openssl rand -hex 24)']
    : [];
  for (const next of [...token, `failoverd doctor ${out}`, `failoverd run --config ${out}`])
    shell.stdout(`  next      ${next}\n`);
  return EXIT.done;
}

function tellFaults(faults: readonly InitFault[], found: readonly string[], json: boolean, shell: Shell): number {
  if (json) {
    shell.stdout(`${JSON.stringify({ ok: false, written: false, found, faults })}\n`);
    return EXIT.failed;
  }
  for (const line of found) for (const part of labelled('found', line)) shell.stdout(`${part}\n`);
  for (const { asked, answered, remedy, sql } of faults) {
    for (const part of wrap(asked, 'asked     ')) shell.stderr(`${part}\n`);
    for (const part of wrap(answered, '  answer  ')) shell.stderr(`${part}\n`);
    for (const part of wrap(remedy, '  help    ')) shell.stderr(`${part}\n`);
    for (const statement of sql) shell.stderr(`          ${statement}\n`);
  }
  shell.stderr('failoverd init: nothing was written\n');
  return EXIT.failed;
}
