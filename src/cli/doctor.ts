/** `failoverd doctor`: what failoverd gets to see from here, what is missing, and how to get it. It writes nothing. */
import { loadConfig } from '../runtime/config/load.ts';
import { secretSources } from '../runtime/config/secrets.ts';
import { refusedReport } from './check-report.ts';
import { problemLines } from './check-text.ts';
import { EXIT, nearest, readArgs, type Shell, UsageError } from './command.ts';
import { examine } from './doctor/examine.ts';
import { doctorLines } from './doctor/text.ts';
import { painter } from './terminal.ts';

const OPTIONS = { vantage: { type: 'string', default: 'daemon' }, json: { type: 'boolean', default: false } } as const;

/** Exit 0: nothing is in the way. Exit 1: something is. Exit 2: the config is bad, or the arguments. */
export async function doctor(argv: readonly string[], shell: Shell): Promise<number> {
  const { values, positionals } = readArgs(argv, OPTIONS);
  const [file, more] = positionals;
  if (file === undefined) throw new UsageError('no config is named', 'failoverd doctor FILE');
  if (more !== undefined) throw new UsageError(`one config at a time, not also ${more}`, 'name one file');
  const paint = painter(shell.color);
  const loaded = await loadConfig(file, shell.cwd);
  if (loaded.kind === 'refused') {
    const refused = refusedReport(file, loaded.problems, loaded.warnings);
    if (values.json) shell.stdout(`${JSON.stringify(refused)}\n`);
    else shell.stderr(`${problemLines(refused, paint).join('\n')}\n`);
    return EXIT.usage;
  }
  const known = Object.keys(loaded.config.vantages);
  if (!known.includes(values.vantage)) {
    const near = nearest(values.vantage, known);
    throw new UsageError(
      `the config has no vantage ${values.vantage}`,
      near === null ? `vantages are ${known.join(', ')}` : `did you mean ${near}?`,
    );
  }
  const report = await examine({ loaded, vantage: values.vantage, sources: secretSources(shell) });
  if (values.json) shell.stdout(`${JSON.stringify(report)}\n`);
  else shell.stdout(`${doctorLines(report, paint).join('\n')}\n`);
  return report.ok ? EXIT.done : EXIT.failed;
}
