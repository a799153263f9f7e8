/**
 * Checks of a configuration whose shape is right: does it hang together, and can it keep what it promises.
 */
import type { Config } from '../../../model/config.ts';
import { settingsOf } from '../../../model/settings.ts';
import type { Source } from '../document.ts';
import type { Problem } from '../problem.ts';
import { checkAlertmanager } from './alertmanager.ts';
import { checkAlerts } from './alerts.ts';
import { checkComponents, checkPostgresAddresses } from './components.ts';
import { type Check, gathering } from './context.ts';
import { checkDns, checkDnsNames } from './dns.ts';
import { checkForms } from './forms.ts';
import { checkLease } from './lease.ts';
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
  checkLease,
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
  const told = gathering(source);
  const subject = { config, settings: settingsOf(config), error: told.error, warn: told.warn };
  for (const check of CHECKS) check(subject);
  return told.found();
}
