import type { Log } from './binaries/missing.ts';
import { runScenario } from './run.ts';
import { regionDownAuto } from './scenarios/index.ts';
import { demoSummary } from './summary.ts';

/** A failover from end to end on this machine, told to somebody who sees failoverd for the first time. */
export async function demo(interrupted: AbortSignal): Promise<number> {
  const startMs = performance.now();
  const log: Log = (line) => process.stdout.write(`[${((performance.now() - startMs) / 1000).toFixed(1)} s] ${line}\n`);
  const report = await runScenario(regionDownAuto, {
    keep: 'reports-if-failed',
    interrupted,
    log,
  });
  process.stdout.write(demoSummary(report));
  return report.passed ? 0 : 1;
}
