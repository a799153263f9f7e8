import { REGION } from './config.ts';
import type { ScenarioFacts } from './report.ts';
import { outside, type Verdict } from './verdict.ts';

/** What each kind of step does, in words for somebody who never saw one. */
const STEPS: Readonly<Record<string, string>> = {
  assess: 'is the standby the right one, and ready?',
  'take-epoch': 'take a number that no other run has: later effects carry it',
  fence: 'power the old region off, and read back that it is off',
  promote: 'make the standby the primary',
  'write-epoch-row': 'write that number into the new primary: it takes writes',
  'cutover-dns': 'point the public name at the new region',
  'verify-dns': 'do resolvers answer with the new region?',
  'verify-http': 'does the service answer at its public name?',
  'verify-write': 'does a write at the public name succeed?',
};

const seconds = (ms: number | null): string => (ms === null ? 'never' : `${(ms / 1000).toFixed(2)} s`);
const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

/** The demo's last words, for somebody who sees failoverd for the first time. */
export function demoSummary(facts: ScenarioFacts & Verdict): string {
  const parts = [died(), decided(facts), did(facts), clocks(facts), writes(facts), checked(facts)];
  return `\n${parts.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function died(): string[] {
  return [
    'What died',
    `  The whole region ${REGION.a}: its PostgreSQL primary and its service, every process killed at once.`,
    `  ${REGION.b} has a standby that streamed from it, a service, and failoverd; ${REGION.w} has failoverd's witness.`,
  ];
}

function decided({ decision, runOutcome, runWhy }: ScenarioFacts): string[] {
  if (decision === null) return ['What was decided, and why', '  Nothing: no run was opened.'];
  const { action, signs, vetoes, gates, why } = decision;
  const blocking = [
    ...vetoes.filter(({ verdict }) => verdict === 'bad'),
    ...gates.filter(({ answer }) => answer !== 'pass'),
  ];
  return [
    'What was decided, and why',
    `  ${action[0]?.toUpperCase()}${action.slice(1)}, by ${why}.`,
    ...signs.map(({ class: kind, vantage, says }) => `    ${`${kind}, ${vantage}`.padEnd(24)}${says}`),
    `  Against it: ${blocking.length === 0 ? `nothing (${plural(vetoes.length, 'veto')}, ${plural(gates.length, 'gate')} asked)` : blocking.map((each) => each.why).join('; ')}.`,
    `  The run ended ${runOutcome ?? 'never'}${runWhy === null ? '' : `: ${runWhy}`}.`,
  ];
}

function did({ steps }: ScenarioFacts): string[] {
  const phases = [...new Set(steps.map(({ phase }) => phase))];
  return [
    'What was done, phase by phase',
    ...phases.flatMap((phase) => {
      const own = steps.filter((each) => each.phase === phase);
      const fromMs = Math.min(...own.map((each) => each.fromMs));
      const open = own.some(({ tookMs }) => tookMs === null);
      const toMs = Math.max(...own.map((each) => each.fromMs + (each.tookMs ?? 0)));
      return [
        `  ${phase.padEnd(34)}${(open ? 'not done' : seconds(toMs - fromMs)).padStart(8)}`,
        ...own.map(({ step, tookMs }) => {
          const [kind = step] = step.split('.');
          return `    ${step.padEnd(32)}${(tookMs === null ? 'not done' : seconds(tookMs)).padStart(8)}   ${STEPS[kind] ?? ''}`;
        }),
      ];
    }),
  ];
}

function clocks({ clocks: read }: ScenarioFacts): string[] {
  if (read === null) return ['Five clocks', '  The run has no end, so there are none.'];
  const line = (name: string, at: number | null, meaning: string): string =>
    `  ${name.padEnd(12)}${(at === null ? 'never' : `+${seconds(at - read.impactAt)}`).padStart(8)}   ${meaning}`;
  const rtoMs = read.verifiedAt === null ? null : read.verifiedAt - read.decidedAt;
  return [
    'Five clocks, counted from the first bad sign',
    line('impact', read.impactAt, 'the first bad sign'),
    line('detected', read.detectedAt, 'enough signs to call the region unreachable'),
    line('decided', read.decidedAt, 'they held for as long as the rule asks (2 s in the lab, 5 min in the strategy)'),
    line('executed', read.executedAt, 'every step that changes something was done'),
    line('verified', read.verifiedAt, 'clients are served again, and that was proven'),
    `  RTO, from decided to verified: ${seconds(rtoMs)}`,
  ];
}

function writes(facts: ScenarioFacts): string[] {
  const { account, oldSideProcesses } = facts;
  const lost = outside(account);
  return [
    'Writes, as the client that made them counted',
    `  acknowledged  ${account.acknowledged}  (${Object.entries(account.acknowledgedByRegion)
      .map(([region, count]) => `${count} by ${region}`)
      .join(', ')})`,
    `  found         ${account.found}  on the new side`,
    `  missing       ${account.missingInBracket.length}  of those that failoverd said may be missing (replication is asynchronous)`,
    `  lost          ${lost}  beyond that`,
    `  not acknowledged  ${account.failed + account.unknown}  (${account.failed} refused, ${account.unknown} without an answer)`,
    `  Between the two sides no write was acknowledged for ${seconds(account.gapMs)}.`,
    `  Two writers at once: ${account.ackedByOldAfterNew.length === 0 ? 'never' : `${account.ackedByOldAfterNew.length} writes`} ` +
      `(${plural(oldSideProcesses, 'process').replace('processs', 'processes')} of the old side left).`,
  ];
}

function checked({ checks, passed }: Verdict): string[] {
  return [
    'Checked afterwards, on the databases, DNS, the journal and the client’s own ledger',
    ...checks.map(({ check, ok }) => `  ${ok ? 'yes' : 'NO '}  ${check}`),
    '',
    passed ? 'The service is back in the other region, and every write is accounted for.' : 'Something is wrong.',
  ];
}
