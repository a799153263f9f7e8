/**
 * The command line: finds the command, gives it the edge of the process, and turns what it can't understand into one
 * clear message. Each command is loaded only when it is called.
 */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { type Environment, processEnvironment } from '../runtime/environment.ts';
import { type Command, EXIT, nearest, type Shell, UsageError } from './command.ts';
import { wrap } from './terminal.ts';
import { packageVersion } from './version.ts';

type Entry = { readonly says: string; readonly help: readonly string[]; readonly load: () => Promise<Command> };

const CLIENT_HELP = [
  '  --url URL           daemon; default $FAILOVERD_URL or http://127.0.0.1:8080',
  '  --token-file FILE   file with your token; default $FAILOVERD_TOKEN',
  '  --ca FILE           what to trust the daemon by (PEM); default $FAILOVERD_CA',
  '  --cert FILE         client certificate to show (PEM); default $FAILOVERD_CERT',
  '  --key FILE          its private key; default $FAILOVERD_KEY',
  '  --json              print JSON',
];

const COMMANDS: Readonly<Record<string, Entry>> = {
  check: {
    says: 'say what is wrong with a config, and what it will do',
    help: [
      'failoverd check FILE [--secrets] [--json]',
      '',
      'Exit 0: the config is valid. Exit 2: it is not; every error has its place.',
      '',
      '  --secrets           also: can every secret be had here?',
      '  --json              print JSON',
    ],
    load: async () => (await import('./check.ts')).check,
  },
  init: {
    says: 'ask both databases and Prometheus, and write a config that observes',
    help: [
      'failoverd init --primary ADDRESS --secondary ADDRESS [options]',
      '',
      'Asks for what is not given where there is a terminal. It only reads.',
      '',
      '  --primary, --secondary HOST:PORT   or postgres://USER@HOST:PORT/DATABASE',
      '  --primary-region, --secondary-region NAME',
      '  --user NAME              default failoverd',
      '  --database NAME          default postgres',
      '  --password REFERENCE     default ${env:FAILOVERD_PG_PASSWORD}; or ${file:PATH}',
      '  --tls MODE               verify-full, require or disable; default: as offered',
      '  --ca FILE                authorities to trust (PEM); relative to the config',
      '  --prometheus URL         asked for Alertmanagers and alerts',
      '  --monitoring-region NAME where Prometheus stands',
      '  --daemon-region NAME     where failoverd will run; default: the secondary',
      '  --control-target TARGET  always answers; may be given more than once',
      '  --primary-url, --secondary-url URL  health of a service in each region',
      '  --group NAME             default main',
      '  --state-dir DIR          default ./state',
      '  -o, --out FILE           default failover.yaml',
      '  --force                  write over a file that is there',
      '  -y, --yes                take defaults, ask nothing',
      '  --json                   print JSON, ask nothing',
    ],
    load: async () => (await import('./init.ts')).init,
  },
  doctor: {
    says: 'what failoverd gets to see from here, and what is missing',
    help: [
      'failoverd doctor FILE [--vantage NAME] [--json]',
      '',
      'Asks everything the config names once, and writes nothing anywhere.',
      'Exit 0: all well. Exit 1: something is in the way. Exit 2: the config is bad.',
      '',
      '  --vantage NAME      as this vantage of the config; default daemon',
      '  --json              print JSON',
    ],
    load: async () => (await import('./doctor.ts')).doctor,
  },
  run: {
    says: 'run the daemon',
    help: ['failoverd run --config FILE', '', '  --config FILE   the config; see `failoverd check`'],
    load: async () => (await import('./run.ts')).run,
  },
  witness: {
    says: 'run a witness: the same probes from another failure domain',
    help: [
      'failoverd witness --config FILE --vantage NAME --key FILE --daemon URL',
      'failoverd witness --keygen --key FILE',
      '',
      '  --config FILE    the daemon’s config; only what probes use must be there',
      '  --vantage NAME   which of its vantages this is',
      '  --key FILE       private key of this witness (Ed25519, PEM)',
      '  --ca FILE        what to trust the daemon by (PEM); default $FAILOVERD_CA',
      '  --tls-cert FILE  client certificate to show (PEM); default $FAILOVERD_CERT',
      '  --tls-key FILE   its private key; default $FAILOVERD_KEY',
      '  --daemon URL     the daemon that takes its reports',
      '  --keygen         make the key, and print the public key for the config',
    ],
    load: async () => (await import('./witness.ts')).witness,
  },
  guard: {
    says: 'run the guard of a PostgreSQL: it alone starts and stops it',
    help: [
      'failoverd guard FILE [--stop-postgres]',
      'failoverd guard FILE --dead-man | --nftables',
      '',
      '  FILE              its config, such as guard.yaml; see `failoverd check`',
      '  --stop-postgres   on a signal: stop PostgreSQL, give the lease back. Without',
      '                    it PostgreSQL goes on, for the next guard to find',
      '  --dead-man        be its dead-man, for deadMan.startedBy: service',
      '  --nftables        print rules that cut clients off; a help, no proof',
    ],
    load: async () => (await import('./guard.ts')).guard,
  },
  status: {
    says: 'what is wrong, what failoverd will do, and why not sooner',
    help: ['failoverd status [GROUP] [options]', '', ...CLIENT_HELP],
    load: async () => (await import('./status.ts')).status,
  },
  explain: {
    says: 'why a row answers as it does, and what would change it',
    help: [
      'failoverd explain [GROUP] [--row N] [--at TIME] [options]',
      '',
      'For each row: what it says, what it reads and from where, what stands in the way',
      'and what would open it, and the least that would change the answer.',
      '',
      '  --row N             only this row of the matrix',
      '  --at TIME           at an instant of the past, from what the journal kept;',
      '                      such as 2026-01-31T03:15:00Z',
      ...CLIENT_HELP,
    ],
    load: async () => (await import('./explain.ts')).explain,
  },
  backtest: {
    says: 'what the matrix would have decided over the past of a Prometheus',
    help: [
      'failoverd backtest --config FILE --from TIME (--prometheus URL | --blocks DIR)',
      '',
      'The same judgement as in the daemon, over recorded data. It does nothing but ask.',
      '',
      '  -c, --config FILE   the config; no secret of it is needed',
      '  --from TIME         such as 2026-01-31T03:15:00Z, 2026-01-31, or 30d for so long ago',
      '  --to TIME           default: now',
      '  --prometheus URL    a Prometheus that has the history',
      '  --token-file FILE   file with a bearer token for it',
      '  --blocks DIR        a folder of its blocks; a Prometheus from PATH (or named in',
      '                      $FAILOVERD_PROMETHEUS) is started on links to them',
      '  --map FILE          which expressions stand for which probes; see docs/backtest.md',
      '  --step SPAN         how far apart it looks; default 15s',
      '  --stale-after SPAN  how long a sample counts; longer than they are apart. Default:',
      '                      four steps, 1m at least',
      '  --assume WHAT       of what no history holds: all (default), nothing, or some of',
      '                      roles,identity,readiness,controls; see docs/backtest.md',
      '  --json              print JSON',
    ],
    load: async () => (await import('./backtest.ts')).backtest,
  },
  approve: {
    says: 'say yes to a proposal or a raise, or let a waiting run go on',
    help: [
      'failoverd approve PROPOSAL|RUN|RAISE [options]',
      '',
      'Shows exactly what a yes covers, and asks.',
      '',
      '  -y, --yes           do not ask',
      '  --plan-hash HASH    approve only if the plan is this one',
      '  --break-glass WHY   one SRE for all who are needed; executives are told',
      ...CLIENT_HELP,
    ],
    load: async () => (await import('./approve.ts')).approve,
  },
  abort: {
    says: 'turn a proposal or a raise down, or stop a run as far as it can be',
    help: [
      'failoverd abort PROPOSAL|RUN|RAISE --reason TEXT [options]',
      '',
      'Before the old side is fenced a run is undone; between fence and promotion it',
      'waits; after the promotion was begun nothing stops it.',
      '',
      '  --reason TEXT       why, for the journal',
      ...CLIENT_HELP,
    ],
    load: async () => (await import('./abort.ts')).abort,
  },
  lease: {
    says: 'who may write; and let a lease store that was halted go on',
    help: [
      'failoverd lease [GROUP] [options]',
      'failoverd lease clear GROUP/COMPONENT --why TEXT [options]',
      '',
      'A store that is older than what its guards have seen grants nothing until an sre or',
      'a dba clears it. It shows what is at stake, and asks.',
      '',
      '  --why TEXT          what you looked at, for the journal',
      '  -y, --yes           do not ask',
      ...CLIENT_HELP,
    ],
    load: async () => (await import('./lease.ts')).lease,
  },
  report: {
    says: 'what failoverd saw and would have done, over a week or another time',
    help: [
      'failoverd report [GROUP] [--since 7d] [options]',
      '',
      'Asks the daemon; with --journal it reads the journal of one, also a stopped one.',
      '',
      '  --since SPAN        how far to look back; default 7d',
      '  --journal DIR       folder of a journal (stateDir); it is only read',
      ...CLIENT_HELP,
    ],
    load: async () => (await import('./report.ts')).report,
  },
  divergence: {
    says: 'what the old side has that the new one has not, once it is back',
    help: [
      'failoverd divergence RUN [options]',
      'failoverd divergence --archive FOLDER --bin-dir FOLDER [--json]',
      '',
      'Where the histories parted, commits and rows that the new side has not, and where',
      'their log is archived. Exit 1 while the old side was not counted yet.',
      '',
      '  --journal DIR       folder of a journal (stateDir); it is only read',
      '  --archive FOLDER    verify this archive, and count it anew',
      '  --bin-dir FOLDER    with pg_waldump, of the version that wrote the log',
      ...CLIENT_HELP,
    ],
    load: async () => (await import('./divergence.ts')).divergence,
  },
  flag: {
    says: 'report corruption or a deletion: it stands in the way of failover',
    help: [
      'failoverd flag GROUP corruption|deletion --reason TEXT [options]',
      '',
      '  --reason TEXT       what was seen, for the journal and the page',
      ...CLIENT_HELP,
    ],
    load: async () => (await import('./flag.ts')).flag,
  },
  clear: {
    says: 'say that a report no longer stands',
    help: [
      'failoverd clear GROUP corruption|deletion --reason TEXT [options]',
      '',
      '  --reason TEXT       why, for the journal',
      ...CLIENT_HELP,
    ],
    load: async () => (await import('./flag.ts')).clear,
  },
};

const EXIT_HELP = 'Exit codes: 0 done, 1 failed, 2 usage or invalid config, 3 blocked by a gate.';

function overview(): string {
  const names = Object.entries(COMMANDS).map(([name, { says }]) => `  ${name.padEnd(10)}${says}`);
  return [
    'failoverd: automatic regional failover behind gates',
    '',
    'failoverd COMMAND [arguments]',
    '',
    ...names,
    '',
    '`failoverd COMMAND --help` tells more. --version prints the version.',
    EXIT_HELP,
    '',
  ].join('\n');
}

export async function main(argv: readonly string[], environment: Environment = processEnvironment()): Promise<number> {
  const shell = shellOf(environment);
  const [name, ...args] = argv;
  if (name === '--version' || name === '-V') {
    shell.stdout(`${packageVersion()}\n`);
    return EXIT.done;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const topic = name === 'help' ? args[0] : undefined;
    const entry = topic === undefined ? undefined : entryOf(topic);
    if (topic !== undefined && entry === undefined) return unknown(topic, shell);
    shell[name === undefined ? 'stderr' : 'stdout'](entry === undefined ? overview() : helpOf(entry));
    return name === undefined ? EXIT.usage : EXIT.done;
  }
  const entry = entryOf(name);
  if (entry === undefined) return unknown(name, shell);
  const end = args.indexOf('--');
  if ((end === -1 ? args : args.slice(0, end)).some((arg) => arg === '--help' || arg === '-h')) {
    shell.stdout(helpOf(entry));
    return EXIT.done;
  }
  return await call(name, entry, args, shell);
}

const entryOf = (name: string): Entry | undefined => (Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined);
const helpOf = ({ says, help }: Entry): string => `${help[0]}\n  ${says}\n${help.slice(1).join('\n')}\n${EXIT_HELP}\n`;

function unknown(name: string, shell: Shell): number {
  const near = nearest(name, Object.keys(COMMANDS));
  const remedy = near === null ? '`failoverd --help` lists the commands' : `did you mean ${near}?`;
  shell.stderr(`failoverd: there is no command ${name}: ${remedy}\n`);
  return EXIT.usage;
}

async function call(name: string, entry: Entry, args: readonly string[], shell: Shell): Promise<number> {
  try {
    const command = await entry.load();
    return await command(args, shell);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    for (const line of wrap(error.message, `failoverd ${name}: `)) shell.stderr(`${line}\n`);
    for (const line of wrap(error.remedy, '  help: ')) shell.stderr(`${line}\n`);
    return EXIT.usage;
  }
}

function shellOf(environment: Environment): Shell {
  return {
    stdout: environment.print,
    stderr: environment.complain,
    color: environment.isTerminal && (environment.variable('NO_COLOR') ?? '') === '',
    cwd: environment.workingDirectory,
    variable: environment.variable,
    ask: async (question) => (atTerminal(environment) ? await prompt(question, process.stdout) : null),
    askSecret: async (question) => {
      if (!atTerminal(environment)) return null;
      environment.print(question);
      // Readline echoes what is typed to its output: this one shows nothing.
      const answer = await prompt('', new Writable({ write: (_chunk, _encoding, done) => done() }));
      environment.print('\n');
      return answer;
    },
  };
}

const atTerminal = (environment: Environment): boolean => environment.isTerminal && process.stdin.isTTY === true;

async function prompt(question: string, output: NodeJS.WritableStream): Promise<string> {
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  // The end of the input answers too: without it the question would never be settled.
  const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
  try {
    return await Promise.race([lines.question(question), closed]);
  } finally {
    lines.close();
  }
}
