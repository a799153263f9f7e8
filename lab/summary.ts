import { REGION } from './config.ts';
import type { judge, ScenarioFacts } from './report.ts';

/** The demo's last words, for somebody who sees failoverd for the first time. */
export function demoSummary(facts: ScenarioFacts, verdict: ReturnType<typeof judge>): string {
  const { account, clocks } = facts;
  const seconds = (ms: number | null): string => (ms === null ? 'never' : `${(ms / 1000).toFixed(2)} s`);
  const since = (at: number | null): string => seconds(at === null || clocks === null ? null : at - clocks.impactAt);
  const lines = [
    '',
    `What died      region ${REGION.a}: its PostgreSQL primary and its service, killed at once`,
    `What followed  ${facts.runOutcome ?? 'no run ended'}${facts.runWhy === null ? '' : `: ${facts.runWhy}`}`,
    `Why            ${facts.decision ?? 'nothing was decided'}`,
    '',
    'Steps',
    ...facts.steps.map(({ step, tookMs }) => `  ${step.padEnd(24)}${seconds(tookMs)}`),
    '',
    'Five clocks, from the first sign of the failure',
    `  impact       ${since(clocks?.impactAt ?? null)}`,
    `  detected     ${since(clocks?.detectedAt ?? null)}`,
    `  decided      ${since(clocks?.decidedAt ?? null)}`,
    `  executed     ${since(clocks?.executedAt ?? null)}`,
    `  verified     ${since(clocks?.verifiedAt ?? null)}`,
    '',
    `Writes         ${account.acknowledged} acknowledged, ${account.found} found on the new side, ` +
      `${account.missingInBracket.length} missing within what was announced, ` +
      `${account.lost.length + account.missingOnOld.length} lost beyond it`,
    `Nobody's write was acknowledged for ${seconds(account.gapMs)}`,
    `Old side       ${facts.oldSideProcesses} processes left; acknowledged after the new side: ${account.ackedByOldAfterNew.length}`,
    '',
    ...verdict.checks.map(({ check, ok }) => `  ${ok ? 'yes' : 'NO '}  ${check}`),
    '',
    verdict.passed
      ? 'The service is back in the other region, and every write is accounted for.'
      : 'Something is wrong.',
    '',
  ];
  return `${lines.join('\n')}\n`;
}
