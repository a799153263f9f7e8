import { cpus, loadavg, totalmem } from 'node:os';
import { type BenchResult, findingLine, noteLine } from './measure.ts';

/** The machine by its kind: nothing that names this one. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
}

export function thisMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
  };
}

/** How many processes wanted to run: on a machine that is busy with something else the numbers say less. */
export interface Load {
  readonly before: number;
  readonly after: number;
}

/** Of the minute that has passed. */
export const loadNow = (): number => Number((loadavg()[0] ?? 0).toFixed(1));

const ms = (value: number): string => value.toFixed(0);

/** `bench/RESULTS.md`, whole. */
export function resultsPage(results: readonly BenchResult[], machine: Machine, load: Load, date: string): string {
  const { cpu, cores, memoryGiB, platform, node } = machine;
  const lines = [
    '# Results of `npm run bench`',
    '',
    'Written by `npm run bench`. Both sides of a line were measured in turn in one run, so their ratio says more than the',
    'numbers, which change with the machine and with what else it does. Medians, with quartiles in brackets.',
    '',
    `${date}: ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${platform}, Node.js ${node};`,
    `load ${load.before} before it began, ${load.after} when it ended.`,
    '',
    '| bound | rounds | measured | against | ratio | limit | |',
    '| --- | --- | --- | --- | --- | --- | --- |',
  ];
  for (const { findings } of results) {
    for (const { bound, unit, rounds, measured, baseline, ratio, limit, verdict, least } of findings) {
      const spread = (q: typeof measured): string => `${ms(q.median)} ${unit} (${ms(q.q1)} to ${ms(q.q3)})`;
      const against = baseline === null ? '' : spread(baseline);
      const share = baseline === null ? '' : ratio.toFixed(2);
      const word = least === true ? 'at least ' : '';
      const most = baseline === null ? `${word}${limit} ${unit}` : String(limit);
      lines.push(`| ${bound} | ${rounds} | ${spread(measured)} | ${against} | ${share} | ${most} | ${verdict} |`);
    }
  }
  for (const { bench, says, notes, findings, whyOver = [] } of results) {
    lines.push('', `## ${bench}`, '', `${says[0]?.toUpperCase()}${says.slice(1)}.`, '');
    for (const note of notes) lines.push(`- ${noteLine(note)}`);
    const isOver = findings.some(({ verdict }) => verdict === 'over');
    if (isOver && whyOver.length > 0) lines.push('', 'Why it is over:', '', ...whyOver.map((why) => `- ${why}`));
  }
  return `${lines.join('\n')}\n`;
}

export function resultLines({ bench, findings, notes }: BenchResult): string[] {
  return [
    bench,
    ...findings.map((finding) => `  ${findingLine(finding)}`),
    ...notes.map((note) => `    ${noteLine(note)}`),
  ];
}
