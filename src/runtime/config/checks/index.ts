/**
 * Checks of a configuration whose shape is right: does it hang together, and can it keep what it promises.
 */
import type { Config } from '../../../model/config.ts';
import { settingsOf } from '../../../model/settings.ts';
import type { Source } from '../document.ts';
import { inOrder, type Problem } from '../problem.ts';
import { checkAlertmanager } from './alertmanager.ts';
import { checkAlerts } from './alerts.ts';
import { checkComponents, checkPostgresAddresses } from './components.ts';
import { type Check, type Finding, problemAt } from './context.ts';
import { checkDns, checkDnsNames } from './dns.ts';
import { checkForms } from './forms.ts';
import { checkMaintenance, checkSilences } from './maintenance.ts';
import { checkMatrix } from './matrix.ts';
import { checkFacts, checkPrometheus } from './metrics.ts';
import { checkNames } from './names.ts';
import { checkAuthority, checkAutonomy, checkPager, checkTokens } from './people.ts';
import { checkControlTargets, checkGroupRegions, checkQuorum, checkRegionRoles, checkVantages } from './regions.ts';
import { checkBudgets, checkHoldGap } from './times.ts';
import { checkTls } from './tls.ts';

const CHECKS: readonly Check[] = [
  checkNames,
  checkForms,
  checkRegionRoles,
  checkGroupRegions,
  checkVantages,
  checkControlTargets,
  checkQuorum,
  checkComponents,
  checkPostgresAddresses,
  checkDns,
  checkDnsNames,
  checkPrometheus,
  checkFacts,
  checkMatrix,
  checkBudgets,
  checkHoldGap,
  checkAutonomy,
  checkAuthority,
  checkPager,
  checkTokens,
  checkAlertmanager,
  checkTls,
  checkAlerts,
  checkMaintenance,
  checkSilences,
];

export type Checked = { readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] };

export function checkConfig(config: Config, source: Source): Checked {
  const problems = new Map<string, Problem>();
  const warnings = new Map<string, Problem>();
  const into = (found: Map<string, Problem>) => (finding: Finding) => {
    const problem = problemAt(source, finding);
    const key = `${problem.path} ${problem.code} ${problem.message}`;
    if (!found.has(key)) found.set(key, problem);
  };
  const subject = { config, settings: settingsOf(config), error: into(problems), warn: into(warnings) };
  for (const check of CHECKS) check(subject);
  return { problems: inOrder([...problems.values()]), warnings: inOrder([...warnings.values()]) };
}
