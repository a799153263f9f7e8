/** Which rows of the matrix can never fire with this config, and why; and what they say of the facts there are now. PURE. */
import { expressionOf } from '../../model/expression.ts';
import { pathOf, type Verdict } from '../../model/primitives.ts';
import { exampleWithin } from '../../model/row-examples.ts';
import { type ReadableFact, rowFact } from '../../model/row-facts.ts';
import type { AlertMeaning, GroupSettings, Row } from '../../model/settings.ts';
import { componentsOf, judgeRow, type RowFinding } from '../../policies/rows.ts';
import type { View } from '../../policies/view.ts';
import { type Finding, finding, type RowLine } from './report.ts';

type Value = Verdict | number | null;
/** Why the fact never has that value, or null where it can. */
type Bar = (settings: GroupSettings, value: Value) => string | null;

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
  'maintenance.over': alerted('maintenance'),
  'component.healthy': failing,
  'monitoring.watching': knownOnlyWith((settings) => mapped(settings, 'watchdog'), 'no alert is mapped to watchdog'),
};

const FAILURES = ['workload-degraded', 'clickhouse-failing', 'nats-failing'] as const;

/** Bad of a component by an alert that names it. */
function failing(settings: GroupSettings, value: Value): string | null {
  const named = settings.alertMeanings.some(
    ({ fact, component }) => component !== null && FAILURES.some((one) => one === fact),
  );
  if (value === 'bad' && !named) return `no alert is mapped to ${FAILURES.join(', ')} of a component`;
  return value === 'ok' ? alerted('watchdog')(settings, value) : null;
}

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

const barOf = (settings: GroupSettings, fact: ReadableFact, value: Value): string | null =>
  BARS[fact]?.(settings, value) ?? null;

/** Why this row never fires; null where it can. */
export function whyNever(settings: GroupSettings, row: Pick<Row, 'when'>): string | null {
  const expression = expressionOf(row.when, settings.metrics);
  const can = (fact: ReadableFact, value: Value): boolean => barOf(settings, fact, value) === null;
  if (exampleWithin(expression, can) !== null) return null;
  const values = expression.facts.map((fact) => {
    const wanted: readonly Value[] = rowFact(fact)?.type === 'number' ? [0] : ['bad', 'ok'];
    const why = wanted.map((value) => barOf(settings, fact, value)).find((bar) => bar !== null);
    return why == null ? null : `${fact}: ${why}`;
  });
  return values.filter((why) => why !== null).join('; ');
}

const STATES = { bad: 'fires', ok: 'quiet', unknown: "can't tell" } as const;

/** Of a row that is judged for each component, the most telling answer, and whose it is. */
function judgedOf(view: View, row: Row): Pick<RowFinding, 'verdict' | 'why'> {
  const all = componentsOf(view.settings, row).map((component) => {
    const { verdict, why } = judgeRow(view, row, component);
    return { verdict, why: component === null ? why : `${component}: ${why}` };
  });
  const verdict =
    (['bad', 'unknown', 'ok'] as const).find((one) => all.some((judged) => judged.verdict === one)) ?? 'ok';
  const same = all.filter((judged) => judged.verdict === verdict);
  return { verdict, why: same.map(({ why }) => why).join('; ') };
}

export function rowLines(view: View): RowLine[] {
  return view.settings.rows.map((row): RowLine => {
    const { id, kind, action, when } = row;
    const never = whyNever(view.settings, row);
    const judged = judgedOf(view, row);
    const line = { group: view.group, row: id, kind, action, when };
    return never === null
      ? { ...line, state: STATES[judged.verdict], why: judged.why }
      : { ...line, state: 'never', why: never };
  });
}

/** A row that moves a region and can't fire stops what failoverd is for; another one leaves a gap. */
export function rowFindings(lines: readonly RowLine[]): Finding[] {
  return lines
    .filter(({ state }) => state === 'never')
    .map(({ group, row, kind, action, why }) =>
      finding(
        action === 'failover' ? 'stop' : 'warn',
        `${group}, row ${row} (${kind}, ${action})`,
        `it can't fire: ${why}`,
        action === 'failover'
          ? 'give it another path of evidence, as docs/ladder.md says'
          : 'map the alert under alertmanager.facts, declare what is missing, or take the row out',
      ),
    );
}
