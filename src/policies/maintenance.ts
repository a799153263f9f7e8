/**
 * Planned work, from the calendar, from silences and from alerts, and what of it keeps a row from acting (design §5, row 30).
 * It suppresses only the causes it names, never the loss of a region. PURE.
 */
import type { Suppression } from '../model/maintenance.ts';
import type { ComponentId, RegionId, WallMs } from '../model/primitives.ts';
import type { Row } from '../model/settings.ts';
import { alerted } from './alert-facts.ts';
import { windowEnd } from './calendar.ts';
import { plain, type Reading } from './reading.ts';
import { utcText } from './span.ts';
import { holdsMatchers, type View } from './view.ts';

export type Maintenance = Omit<Suppression, 'causes'> & {
  readonly source: 'calendar' | 'silence' | 'alert';
  readonly title: string;
  /** Who says so; null where nobody is named. */
  readonly by: string | null;
  readonly until: WallMs | null;
  /** null = what rows of the matrix make of it, as for alerts. */
  readonly causes: readonly string[] | null;
};

/** All that stands now. */
export function maintenanceOf(view: View): readonly Maintenance[] {
  return [...fromCalendar(view), ...fromSilences(view), ...fromAlerts(view)];
}

const fromCalendar = ({ settings, at }: View): Maintenance[] =>
  settings.maintenance.flatMap(({ title, span, region, component, causes }) => {
    const until = windowEnd(span, at);
    return until === null ? [] : [{ source: 'calendar', title, by: null, until, region, component, causes }];
  });

const fromSilences = ({ settings, silences }: View): Maintenance[] =>
  settings.silenceMeanings.flatMap(({ match, region, component, causes }) =>
    (silences ?? [])
      .filter((silence) => holdsMatchers(silence, match))
      .map((silence): Maintenance => {
        const { comment, by, endsAt, id } = silence;
        return { source: 'silence', title: comment || `silence ${id}`, by, until: endsAt, region, component, causes };
      }),
  );

const fromAlerts = ({ firing }: View): Maintenance[] =>
  firing
    .all(({ fact }) => fact === 'maintenance')
    .map(({ alert, meaning: { region, component } }) => ({
      source: 'alert',
      title: alert.summary ?? alert.labels['alertname'] ?? alert.fingerprint,
      by: null,
      until: null,
      region,
      component,
      causes: null,
    }));

/** A row that would act, and what about. */
export type Acting = {
  readonly row: Pick<Row, 'id' | 'action'>;
  readonly component: ComponentId | null;
  readonly region: RegionId;
};

/** Whether this work is a cause of what the row sees. What is named by its number is meant, whatever its scope. */
function concerns({ causes, region, component }: Maintenance, acting: Acting): boolean {
  const { row } = acting;
  if (row.action === 'failover' || row.action === 'switchover') return false;
  if (region !== null && region !== acting.region) return false;
  const itself = component === null || component === acting.component;
  if (causes === null) return itself;
  if (causes.includes(`row ${row.id}`)) return itself || acting.component === null;
  return causes.includes(row.action) && itself;
}

/** What is planned and names this row as its effect; null where nothing is. Alerts suppress by rows of the matrix alone. */
export const suppressing = (view: View, acting: Acting): Maintenance | null =>
  maintenanceOf(view).find((one) => one.source !== 'alert' && concerns(one, acting)) ?? null;

export function maintenanceText({ title, by, until, source }: Maintenance): string {
  const who = by === null || by === '' ? '' : ` by ${by}`;
  const end = until === null ? '' : ` until ${utcText(until)}`;
  return `${source === 'silence' ? 'silence' : 'maintenance'} "${title}"${who}${end}`;
}

/** The fact `maintenance.over`; for a row that would act, only work that is a cause of what that row sees. */
export function maintenanceReading(view: View, acting: Acting | null = null): Reading {
  const standing = maintenanceOf(view).filter((one) => acting === null || concerns(one, acting));
  const [first] = standing;
  if (first !== undefined) return { ...plain('bad', standing.map(maintenanceText).join('; ')), region: first.region };
  const { settings, silences } = view;
  const alerts = alerted(view, 'maintenance', ({ fact }) => fact === 'maintenance');
  const mapped = settings.alertMeanings.some(({ fact }) => fact === 'maintenance');
  if (settings.silenceMeanings.length > 0 && silences === null)
    return plain(null, 'no maintenance is known of, and silences were not heard of lately');
  // An alert that fires is no cause of this row; one that would not be heard of may be.
  if (mapped) return alerts.value === 'bad' ? plain('ok', 'no maintenance concerns this') : alerts;
  return settings.maintenance.length + settings.silenceMeanings.length === 0
    ? plain(null, 'no maintenance is declared, by calendar, silence or alert: nobody would tell')
    : plain('ok', 'no maintenance stands');
}
