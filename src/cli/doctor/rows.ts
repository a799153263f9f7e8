/** Which rows of the matrix can never fire with this config, and why; and what they say of the facts there are now. PURE. */
import { expressionOf } from '../../model/expression.ts';
import { type ComponentId, pathOf, type Verdict } from '../../model/primitives.ts';
import { exampleWithin } from '../../model/row-examples.ts';
import { type ComponentFactName, isComponentFact, type ReadableFact, rowFact } from '../../model/row-facts.ts';
import type { AlertMeaning, ComponentSettings, GroupSettings, Row } from '../../model/settings.ts';
import { FAILING } from '../../policies/component-facts.ts';
import { componentsOf, judgeRow } from '../../policies/rows.ts';
import type { View } from '../../policies/view.ts';
import { type Finding, finding, type RowLine } from './report.ts';

type Value = Verdict | number | null;
/** Why the fact never has that value, or null where it can. */
type Bar = (settings: GroupSettings, value: Value) => string | null;
/** The same of a fact of one component. */
type ComponentBar = (settings: GroupSettings, component: ComponentSettings, value: Value) => string | null;

const has = (settings: GroupSettings, kind: string): boolean =>
  settings.components.some((component) => component.kind === kind && component.supported);
const mapped = (settings: GroupSettings, fact: AlertMeaning['fact']): boolean =>
  settings.alertMeanings.some((meaning) => meaning.fact === fact);

/** A fact that is unknown for ever without this. */
const knownOnlyWith =
  (there: (settings: GroupSettings) => boolean, why: string): Bar =>
  (settings, value) =>
    value === null || there(settings) ? null : why;

const alerted =
  (fact: AlertMeaning['fact']): Bar =>
  (settings, value) => {
    if (value === 'bad' && !mapped(settings, fact)) return `no alert is mapped to ${fact}`;
    if (value === 'ok' && !mapped(settings, 'watchdog'))
      return 'no alert is mapped to watchdog, so silence can’t be told from health';
    return null;
  };

/** By calendar, silence or alert; only alerts have a watchdog that tells whether any would be heard of. */
function maintenanceOver(settings: GroupSettings, value: Value): string | null {
  if (settings.maintenance.length + settings.silenceMeanings.length > 0) return null;
  const why = alerted('maintenance')(settings, value);
  return why === null || mapped(settings, 'maintenance') ? why : `no window and no silence is declared, and ${why}`;
}

/** Of the config alone, so never unknown; which region is the standby changes with each failover. */
const residency = (components: readonly ComponentSettings[], { primary, secondary }: GroupSettings, value: Value) => {
  if (value === null) return 'it is of the config, and always known';
  const excludes = ({ residency: allowed }: ComponentSettings): boolean =>
    allowed !== null && ![primary, secondary].every((region) => allowed.includes(region));
  return value === 'bad' && !components.some(excludes)
    ? 'no component declares a residency that forbids a region'
    : null;
};

const withPostgres = knownOnlyWith((settings) => has(settings, 'postgres'), 'no PostgreSQL component is declared');

const BARS: Readonly<Partial<Record<string, Bar>>> = {
  'active.reachable': activeReachable,
  'standby.reachable': knownOnlyWith(isProbed, 'no component of this group is probed'),
  'postgres.reachable': withPostgres,
  'services.reachable': knownOnlyWith((settings) => has(settings, 'http'), 'no HTTP component is declared'),
  'replication.streaming': withPostgres,
  'replication.replay_lag_seconds': withPostgres,
  'replication.receive_gap_bytes': withPostgres,
  'clickhouse.serving': alerted('clickhouse-failing'),
  'nats.flowing': alerted('nats-failing'),
  'workloads.healthy': alerted('workload-degraded'),
  'maintenance.over': maintenanceOver,
  'residency.allows': (settings, value) => residency(settings.components, settings, value),
  'monitoring.watching': knownOnlyWith((settings) => mapped(settings, 'watchdog'), 'no alert is mapped to watchdog'),
};

const probedIn =
  (region: (settings: GroupSettings) => string): ComponentBar =>
  (settings, { id, kind, supported, regions }, value) => {
    if (value === null) return null;
    if (!supported || (kind !== 'postgres' && kind !== 'http')) return `${id} is declared and not probed yet`;
    return regions.includes(region(settings)) ? null : `${id} has no address in ${region(settings)}`;
  };
const ofPostgres: ComponentBar = (_settings, { id, kind, supported }, value) =>
  value === null || (kind === 'postgres' && supported) ? null : `${id} is no PostgreSQL that is probed`;

const COMPONENT_BARS: Readonly<Record<ComponentFactName, ComponentBar>> = {
  'component.reachable': probedIn(({ primary }) => primary),
  'component.standby_reachable': probedIn(({ secondary }) => secondary),
  'component.healthy': (settings, { id }, value) => {
    const tells = ({ component, fact }: AlertMeaning): boolean => component === id && FAILING.includes(fact);
    if (value !== null && !settings.alertMeanings.some(tells))
      return `no alert is mapped to a failure of ${id} (${FAILING.join(', ')}, with component: ${id})`;
    return value === 'ok' && !mapped(settings, 'watchdog')
      ? 'no alert is mapped to watchdog, so silence can’t be told from health'
      : null;
  },
  'component.identity': ofPostgres,
  'component.streaming': ofPostgres,
  'component.replay_lag_seconds': ofPostgres,
  'component.receive_gap_bytes': ofPostgres,
  'component.residency_allows': (settings, component, value) => residency([component], settings, value),
};

function isProbed(settings: GroupSettings): boolean {
  return has(settings, 'postgres') || has(settings, 'http');
}

/** Bad takes probes and another class of evidence over another path (design §4): both must be there to be had. */
function activeReachable(settings: GroupSettings, value: Value): string | null {
  if (value === null) return null;
  if (!isProbed(settings)) return 'no component of this group is probed';
  if (value !== 'bad') return null;
  const { primary, secondary, vantages, alertRegion } = settings;
  const probes = vantages.map(({ region }) => pathOf(region, primary));
  const alerts = settings.alertMeanings.some(({ fact, region }) => fact === 'region-unreachable' && region === primary);
  const others = [
    ...(has(settings, 'postgres') ? [pathOf(secondary, primary)] : []),
    ...(alerts && alertRegion !== null ? [pathOf(alertRegion, primary)] : []),
  ];
  if (probes.some((probe) => others.some((other) => other !== probe))) return null;
  const remedy = alerts
    ? 'a witness, or Prometheus in a third region'
    : 'a witness in a third region, or an alert mapped to region-unreachable from one';
  const all = ['probes', ...(has(settings, 'postgres') ? ['replication'] : []), ...(alerts ? ['alerts'] : [])];
  return `${all.join(' and ')} come by ${probes[0]} alone: one path is one sign, and two are needed (${remedy})`;
}

function barOf(settings: GroupSettings, fact: ReadableFact, id: ComponentId | null, value: Value): string | null {
  if (!isComponentFact(fact)) return BARS[fact]?.(settings, value) ?? null;
  const component = settings.components.find((one) => one.id === id);
  return component === undefined ? `${fact} is of no component` : COMPONENT_BARS[fact](settings, component, value);
}

/** Why this row never fires for the group, or for one component; null where it can. */
export function whyNever(
  settings: GroupSettings,
  row: Pick<Row, 'when'>,
  component: ComponentId | null = null,
): string | null {
  const expression = expressionOf(row.when, settings.metrics);
  const can = (fact: ReadableFact, value: Value): boolean => barOf(settings, fact, component, value) === null;
  if (exampleWithin(expression, can) !== null) return null;
  const values = expression.facts.map((fact) => {
    const wanted: readonly Value[] = rowFact(fact)?.type === 'number' ? [0, null] : ['bad', 'ok', null];
    const why = wanted.map((value) => barOf(settings, fact, component, value)).find((bar) => bar !== null);
    return why == null ? null : `${fact}: ${why}`;
  });
  return values.filter((why) => why !== null).join('; ');
}

const STATES = { bad: 'fires', ok: 'quiet', unknown: "can't tell" } as const;

/** A row of a scope is judged for each of its components, as the daemon does. */
export function rowLines(view: View): RowLine[] {
  return view.settings.rows.flatMap((row): RowLine[] => {
    const { id, kind, action, when, scope } = row;
    const line = { group: view.group, row: id, kind, action, when };
    const whom = componentsOf(view.settings, row);
    if (whom.length === 0)
      return [{ ...line, component: null, state: 'never', why: `this group has no ${scope} component` }];
    return whom.map((component) => {
      const never = whyNever(view.settings, row, component);
      if (never !== null) return { ...line, component, state: 'never', why: never };
      const { verdict, why } = judgeRow(view, row, component);
      return { ...line, component, state: STATES[verdict], why };
    });
  });
}

/**
 * A row that moves a region and can't fire stops what failoverd is for; another one leaves a gap. Rows that nobody wrote
 * (`usual`: groups without a `matrix`) are for every platform, so those this one has no use for are only told.
 */
export function rowFindings(lines: readonly RowLine[], usual: ReadonlySet<string>): Finding[] {
  return lines
    .filter(({ state }) => state === 'never')
    .map(({ group, row, component, kind, action, why }) => {
      const about = `${group}, row ${row}${component === null ? '' : ` of ${component}`} (${kind}, ${action})`;
      const says = `it can't fire: ${why}`;
      if (action === 'failover')
        return finding('stop', about, says, 'give it another path of evidence, as docs/ladder.md says');
      const remedy = 'map the alert under alertmanager.facts, declare what is missing, or';
      return usual.has(group)
        ? finding('note', about, says, `${remedy} leave it: it is a row of the default matrix, and does no harm`)
        : finding('warn', about, says, `${remedy} take the row out`);
    });
}
