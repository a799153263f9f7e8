/** `failoverd check`: what is wrong with a configuration, of the daemon or of a guard, and what it will do. */
import { looksLikeGuard, parseGuardConfig } from '../runtime/config/guard.ts';
import { parseConfig, readText } from '../runtime/config/load.ts';
import { resolveSecrets, secretSources } from '../runtime/config/secrets.ts';
import { type Environment, processEnvironment } from '../runtime/environment.ts';
import { type CheckReport, guardReportOf, refusedReport, reportOf } from './check-report.ts';
import { problemLines, reportLines } from './check-text.ts';
import { EXIT, readArgs, UsageError } from './command.ts';
import type { Io } from './io.ts';
import { painter } from './terminal.ts';

const OPTIONS = { json: { type: 'boolean' }, secrets: { type: 'boolean' } } as const;

/** Exit 0: the configuration is valid. Exit 2: it is not, or the arguments are wrong (a {@link UsageError}). */
export async function check(
  argv: readonly string[],
  io: Io,
  environment: Pick<Environment, 'variable'> = processEnvironment(),
): Promise<number> {
  const { values, positionals } = readArgs(argv, OPTIONS);
  const [file, more] = positionals;
  if (file === undefined) throw new UsageError('no file is named', 'failoverd check config/failover.yaml');
  if (more !== undefined) throw new UsageError(`one file at a time, not also ${more}`, 'name one file');
  const report = await judge(file, io.cwd, values.secrets === true ? environment : null);
  const paint = painter(io.color);
  if (values.json === true) io.stdout(`${JSON.stringify(report)}\n`);
  else if (report.ok) io.stdout(`${reportLines(report, paint).join('\n')}\n`);
  else io.stderr(`${problemLines(report, paint).join('\n')}\n`);
  return report.ok ? EXIT.done : EXIT.usage;
}

/** Secrets need not be there where a configuration is written; `--secrets` asks whether they are. */
async function judge(
  file: string,
  cwd: string,
  environment: Pick<Environment, 'variable'> | null,
): Promise<CheckReport> {
  const read = await readText(file, cwd);
  if (read.kind === 'refused') return refusedReport(file, read.problems, read.warnings);
  const result = looksLikeGuard(read.text)
    ? parseGuardConfig(file, read.folder, read.text)
    : parseConfig(file, read.folder, read.text);
  if (result.kind === 'refused') return refusedReport(file, result.problems, result.warnings);
  const report = result.kind === 'guard' ? guardReportOf(result) : reportOf(result);
  if (environment === null) return report;
  const secrets = await resolveSecrets(result, secretSources(environment));
  if (secrets.kind === 'refused') return refusedReport(file, secrets.problems, result.warnings);
  return { ...report, secrets: secrets.count };
}
