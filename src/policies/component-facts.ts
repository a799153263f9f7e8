/** The facts of one component, for rows that are judged for each on its own (`model/row-facts.ts`). PURE. */
import type { ComponentFactName } from '../model/row-facts.ts';
import type { AlertMeaning, ComponentSettings } from '../model/settings.ts';
import { alerted } from './alert-facts.ts';
import { reachable, receiveGap, replayLag } from './facts.ts';
import { identityOf } from './identity.ts';
import type { PostgresView } from './postgres-view.ts';
import { plain, type Reading } from './reading.ts';
import type { View } from './view.ts';

/** Meanings that say of a component that it fails. */
export const FAILING: readonly AlertMeaning['fact'][] = ['workload-degraded', 'clickhouse-failing', 'nats-failing'];

export const COMPONENT_READERS: Readonly<
  Record<ComponentFactName, (view: View, component: ComponentSettings) => Reading>
> = {
  'component.reachable': (view, component) => reach(view, component, view.active),
  'component.standby_reachable': (view, component) => reach(view, component, view.standby),
  'component.healthy': (view, { id }) =>
    alerted(view, `a failure of ${id}`, (meaning) => meaning.component === id && FAILING.includes(meaning.fact)),
  'component.identity': (view, component) => {
    const postgres = viewOfPostgres(view, component);
    if (postgres === null) return notProbed(component);
    const { verdict, why, region } = identityOf(view, postgres);
    return { ...plain(verdict, why), region };
  },
  'component.streaming': (view, component) => {
    const postgres = viewOfPostgres(view, component);
    return postgres === null
      ? notProbed(component)
      : plain(postgres.streaming, `${component.id}: ${postgres.streamingWhy}`);
  },
  'component.replay_lag_seconds': (view, component) => {
    const postgres = viewOfPostgres(view, component);
    return postgres === null ? notProbed(component) : replayLag([postgres]);
  },
  'component.receive_gap_bytes': (view, component) => {
    const postgres = viewOfPostgres(view, component);
    return postgres === null ? notProbed(component) : receiveGap([postgres]);
  },
  'component.residency_allows': ({ standby }, { id, residency }) =>
    residency === null || residency.includes(standby)
      ? plain('ok', `${id} may stand in ${standby}`)
      : plain('bad', `${id} may not stand in ${standby}`),
};

const notProbed = ({ id }: ComponentSettings): Reading => plain(null, `${id} is declared and not probed yet`);

const viewOfPostgres = ({ postgres }: View, { id }: ComponentSettings): PostgresView | null =>
  postgres.find(({ component }) => component === id) ?? null;

function reach(view: View, { id, supported }: ComponentSettings, region: string): Reading {
  const seen = view.reachOfComponent(id, region);
  // Without anybody who looks there is no quorum to fail.
  if (seen.length === 0)
    return plain(null, supported ? `${id} is not probed in ${region}` : `${id} is declared and not probed yet`);
  return reachable(view, region, id, seen);
}
