/** The config that `init` writes: some 30 lines with the reason beside each, in autonomy observe. PURE. */
import { stringify } from 'yaml';
import { addressText } from '../../probes/target.ts';
import type { MappedAlert } from './mapping.ts';

export type Draft = {
  readonly group: string;
  readonly stateDir: string;
  readonly primary: DraftSide;
  readonly secondary: DraftSide;
  readonly daemonRegion: string;
  readonly controlTargets: readonly string[];
  readonly user: string;
  readonly database: string;
  /** A reference, never a password. */
  readonly password: string;
  readonly tls: { readonly mode: 'verify-full' | 'require' | 'disable'; readonly why: string };
  /** File of the authorities that are trusted, as people named it; null = the system's. */
  readonly ca: string | null;
  readonly systemIdentifier: string;
  readonly services: { readonly primary: string; readonly secondary: string } | null;
  readonly monitoring: DraftMonitoring | null;
};
export type DraftSide = { readonly region: string; readonly host: string; readonly port: number };
export type DraftMonitoring = {
  readonly url: string;
  readonly region: string;
  readonly alertmanagers: readonly string[];
  readonly mapped: readonly MappedAlert[];
  readonly lagMetric: string | null;
};

export const ALERTMANAGER_TOKEN = '${env:FAILOVERD_ALERTMANAGER_TOKEN}';

/** A value as YAML takes it inside `{ }` too. */
const q = (value: string): string => {
  const plain = stringify(value, { lineWidth: 0 }).trimEnd();
  return /[{}[\],#&*?|<>=!%@`"':]/.test(plain) ? `'${value.replaceAll("'", "''")}'` : plain;
};
const list = (values: readonly string[]): string => `[${values.map(q).join(', ')}]`;

export function configText(draft: Draft): string {
  const { primary, secondary, monitoring } = draft;
  const lines = [
    '# Written by `failoverd init`. It observes: failoverd says what it would do, and touches nothing.',
    '# Next: failoverd check FILE; failoverd doctor FILE; failoverd run --config FILE',
    'version: 1',
    `daemon: { stateDir: ${q(draft.stateDir)} } # the journal; relative to this file`,
    'regions:',
    `  ${q(primary.region)}: { role: primary } # where writes go now`,
    `  ${q(secondary.region)}: { role: secondary }`,
    ...thirdRegions(draft).map((region) => `  ${q(region)}: { role: witness } # holds no data`),
    'vantages:',
    '  # Where failoverd runs. When no control target answers, it is failoverd that is cut off, not the others.',
    `  daemon: { region: ${q(draft.daemonRegion)}, controlTargets: ${list(draft.controlTargets)} }`,
    ...(monitoring === null ? [] : monitoringLines(monitoring, draft)),
    'groups:',
    `  ${q(draft.group)}:`,
    '    autonomy: observe # the ladder from here: docs/ladder.md',
    `    primary: ${q(primary.region)}`,
    `    secondary: ${q(secondary.region)}`,
    ...factLines(monitoring),
    '    components:',
    '      db:',
    '        kind: postgres',
    '        tier: 1 # promised: back within 5m, at most 10s of writes lost',
    `        database: ${q(draft.database)}`,
    `        user: ${q(draft.user)}`,
    `        password: ${q(draft.password)}`,
    `        tls: ${draft.tls.mode} # ${draft.tls.why}`,
    ...(draft.ca === null ? [] : [`        ca: ${q(draft.ca)}`]),
    `        systemIdentifier: '${draft.systemIdentifier}' # this cluster and no other`,
    '        instances:',
    `          ${q(primary.region)}: ${q(addressText(primary))}`,
    `          ${q(secondary.region)}: ${q(addressText(secondary))}`,
    ...serviceLines(draft),
  ];
  return `${lines.join('\n')}\n`;
}

/** Regions that are named and hold neither database. */
function thirdRegions({ primary, secondary, daemonRegion, monitoring }: Draft): string[] {
  const named = new Set([daemonRegion, ...(monitoring === null ? [] : [monitoring.region])]);
  return [...named].filter((region) => region !== primary.region && region !== secondary.region);
}

function monitoringLines({ url, region, alertmanagers, mapped }: DraftMonitoring, { group }: Draft): string[] {
  return [
    `prometheus: { main: { url: ${q(url)}, region: ${q(region)} } }`,
    'alertmanager:',
    `  region: ${q(region)} # the path its evidence comes by`,
    `  bearer: ${q(ALERTMANAGER_TOKEN)} # what webhooks present`,
    ...(alertmanagers.length === 0
      ? ['  # Prometheus knows no Alertmanager: alerts are heard of by webhook alone.']
      : [`  apis: ${list(alertmanagers)} # asked every 30s`]),
    ...(mapped.length === 0
      ? ['  facts: [] # no alert of a known name was found: map yours, see docs/configuration.md']
      : [
          '  facts: # what alerts mean, by their names: read this with care',
          ...mapped.map(
            ({ match, fact, region: of }) =>
              `    - { match: ${list(match)}, fact: ${fact}, group: ${q(group)}, region: ${q(of)} }`,
          ),
        ]),
  ];
}

const factLines = (monitoring: DraftMonitoring | null): string[] =>
  monitoring?.lagMetric == null
    ? []
    : [
        '    facts: # rows read it as metrics.lag_seconds',
        `      lag_seconds: { promql: ${q(`max(${monitoring.lagMetric})`)}, unit: seconds }`,
      ];

const serviceLines = ({ services, primary, secondary }: Draft): string[] =>
  services === null
    ? []
    : [
        '      api:',
        '        kind: http',
        '        tier: 1',
        '        instances:',
        `          ${q(primary.region)}: ${q(services.primary)}`,
        `          ${q(secondary.region)}: ${q(services.secondary)}`,
      ];
