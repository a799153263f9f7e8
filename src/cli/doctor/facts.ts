/** Every fact there is for a group: of each component and region as this vantage sees them, then those that rows read, of the group and of components. PURE. */
import type { Observation } from '../../model/evidence.ts';
import { expressionOf } from '../../model/expression.ts';
import { type ComponentFactName, isComponentFact, metricFactName, ROW_FACTS } from '../../model/row-facts.ts';
import { componentsOf, readFact } from '../../policies/rows.ts';
import type { View } from '../../policies/view.ts';
import type { FactLine } from './report.ts';

export function factLines(view: View, observations: readonly Observation[], vantage: string): FactLine[] {
  return [
    ...vantageFacts(view),
    ...componentFacts(view, observations, vantage),
    ...groupFacts(view),
    ...scopedFacts(view),
  ];
}

const vantageFacts = (view: View): FactLine[] =>
  view.vantages.map(({ id, connected, why }) => ({
    group: view.group,
    fact: 'vantage.connected',
    subject: id,
    value: connected,
    why,
  }));

function componentFacts(view: View, observations: readonly Observation[], vantage: string): FactLine[] {
  return view.settings.components.flatMap(({ id, kind, supported, regions }): FactLine[] => {
    const line = (fact: string, region: string | null, value: FactLine['value'], why: string): FactLine => ({
      group: view.group,
      fact,
      subject: region === null ? id : `${id} ${region}`,
      value,
      why,
    });
    if (!supported) return [line(`${kind}.*`, null, 'unknown', `${kind} components of this make are not probed yet`)];
    const mine = observations.filter(
      (one) => 'component' in one && one.group === view.group && one.component === id && one.vantage === vantage,
    );
    if (mine.length === 0)
      return regions.map((region) =>
        line(`${kind}.reachable`, region, 'unknown', 'it was not asked: a secret is missing'),
      );
    return mine.flatMap((one): FactLine[] => {
      const why = one.message ?? `${one.reached} in ${Math.round(one.durationMs)} ms`;
      switch (one.kind) {
        case 'http':
          return [
            line('http.reachable', one.region, one.verdict, why),
            line('http.status', one.region, one.facts.status, why),
          ];
        case 'tcp':
          return [line('tcp.reachable', one.region, one.verdict, why)];
        case 'dns':
          return [line('dns.answers', one.facts.resolver, one.facts.answers.join(' ') || null, why)];
        case 'postgres':
          return [
            line('postgres.reachable', one.region, one.verdict, why),
            line('postgres.system_identifier', one.region, one.facts?.systemIdentifier ?? null, why),
            line('postgres.in_recovery', one.region, one.facts?.inRecovery ?? null, why),
            line('postgres.timeline', one.region, one.facts?.timeline ?? null, why),
          ];
        case 'control':
        case 'readiness':
        case 'metric':
        case 'prometheus':
        case 'alertmanager':
          return [];
        default:
          return one satisfies never;
      }
    });
  });
}

const groupFacts = (view: View): FactLine[] =>
  [
    ...ROW_FACTS.map(({ name }) => name).filter((name) => !isComponentFact(name)),
    ...view.settings.metrics.map(({ id }) => metricFactName(id)),
  ].map((name) => {
    const { value, why } = readFact(view, name);
    return { group: view.group, fact: name, subject: '', value: value ?? 'unknown', why };
  });

/** Those that rows read of one component, once each: the others say what its probes said above. */
function scopedFacts(view: View): FactLine[] {
  const read = new Map<string, { readonly fact: ComponentFactName; readonly subject: string }>();
  for (const row of view.settings.rows)
    for (const subject of componentsOf(view.settings, row))
      for (const fact of expressionOf(row.when, view.settings.metrics).facts)
        if (subject !== null && isComponentFact(fact)) read.set(`${fact} ${subject}`, { fact, subject });
  return [...read.values()].map(({ fact, subject }) => {
    const { value, why } = readFact(view, fact, subject);
    return { group: view.group, fact, subject, value: value ?? 'unknown', why };
  });
}
