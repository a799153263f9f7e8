import type { Log } from './binaries/missing.ts';
import { REGION } from './config.ts';
import { runScenario } from './run.ts';
import { regionDownAuto } from './scenarios/index.ts';
import { demoSummary } from './summary.ts';

const INTRODUCTION = `
A failover on this machine, with real servers and on loopback alone: two regions, ${REGION.a} (active) and ${REGION.b}
(standby), each with PostgreSQL and a service that writes to it; a witness in ${REGION.w}; DNS; a client that keeps a
ledger of every write. ${REGION.a} will be killed. failoverd has to notice, decide, act and prove it. No hands from here on.

`;

/** A failover from end to end on this machine, told to somebody who sees failoverd for the first time. */
export async function demo(interrupted: AbortSignal): Promise<number> {
  const startMs = performance.now();
  const log: Log = (line) => process.stdout.write(`[${((performance.now() - startMs) / 1000).toFixed(1)} s] ${line}\n`);
  process.stdout.write(INTRODUCTION);
  const report = await runScenario(regionDownAuto, {
    keep: 'reports-if-failed',
    interrupted,
    log,
  });
  process.stdout.write(demoSummary(report));
  return report.passed ? 0 : 1;
}
