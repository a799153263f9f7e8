/** Writes the table of invariants into docs/safety.md: where each is enforced, what checks it, and what it waits for. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Check, INVARIANTS } from '../src/sim/invariants.ts';
import { generate, ROOT } from './generated.ts';

export const SAFETY_FILE = join(ROOT, 'docs/safety.md');
const BEGIN = '<!-- invariants: made by scripts/invariants.ts -->';
const END = '<!-- end of invariants -->';

const RUN = 'src/policies/run.ts';
const STORE = 'src/policies/lease-store.ts';
const MACHINE = 'src/guard/machine.ts';
const CANDIDATE = 'src/guard/machine/candidate.ts';
const ORDERS = 'src/guard/machine/orders.ts';
const SERVER = 'src/guard/machine/server.ts';
const ENGINE = 'src/engine/engine.ts';
const GATES = 'src/policies/gates/index.ts';

/** The files that enforce each, by its number less one. `test/sim/invariants.test.ts` looks whether they are there. */
export const ENFORCED: readonly (readonly string[])[] = [
  [MACHINE, STORE],
  [STORE, CANDIDATE],
  ['src/guard/machine/lease.ts', ORDERS],
  [CANDIDATE, STORE, RUN],
  [MACHINE, SERVER],
  [ORDERS, CANDIDATE],
  [ENGINE],
  [RUN],
  [RUN],
  [RUN],
  [RUN, ORDERS, SERVER],
  ['src/policies/matrix.ts', GATES],
  ['src/policies/plans/failover.ts'],
  [ENGINE],
  ['src/policies/quorum.ts', 'src/policies/view.ts'],
  ['src/policies/alerts.ts'],
  ['src/policies/matrix.ts', 'src/policies/view.ts'],
  ['src/policies/vantage.ts', 'src/policies/view.ts'],
  ['src/policies/loss.ts', 'src/policies/divergence.ts'],
  [GATES],
  [SERVER, 'src/guard/wal/rejoin.ts', 'src/guard/wal/archive.ts'],
  ['src/policies/people.ts', 'src/policies/proposals.ts'],
  ['src/journal/chain.ts'],
  ['src/runtime/redact.ts', 'src/runtime/log.ts'],
  ['src/model/timings.ts', 'src/runtime/config/checks/lease.ts'],
  ['src/guard/wal/end-of-wal.ts', 'src/guard/wal/receive.ts', 'src/guard/wal/archive.ts'],
  [RUN],
  ['src/policies/matrix.ts', 'src/guard/machine/lease.ts'],
  [RUN, 'src/policies/pages.ts'],
  [MACHINE, 'src/guard/dead-man/deadline.ts'],
];

const code = (text: string): string => `\`${text}\``;

function named(check: Check): string {
  switch (check.by) {
    case 'simulator':
      return `${code(check.file)} (world ${check.world})`;
    case 'test':
      return code(check.file);
    case 'lab':
      return `lab ${code(check.scenario)}`;
    default:
      return check satisfies never;
  }
}

/** The page with its table as the sources say it; everything else in it stays. */
export function safetyText(page: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin)
    throw new RangeError(`docs/safety.md has no "${BEGIN}" before "${END}": write both back`);
  const rows = INVARIANTS.map(({ number, says, checks, waitsFor }) => {
    const enforced = (ENFORCED[number - 1] ?? []).map(code).join(', ');
    const checked = [...new Set(checks.map(named))].join(', ');
    return `| ${number} | ${says} | ${enforced} | ${checked} | ${waitsFor ?? ''} |`;
  });
  const head = ['| no. | invariant | enforced in | checked by | waits for |', '| --- | --- | --- | --- | --- |'];
  return `${page.slice(0, begin)}${[BEGIN, '', ...head, ...rows, '', ''].join('\n')}${page.slice(end)}`;
}

if (import.meta.main) generate(SAFETY_FILE, safetyText(readFileSync(SAFETY_FILE, 'utf8')), 'scripts/invariants.ts');
