/**
 * Planned work: windows of a calendar, and silences in Alertmanager that stand for it. Each names the causes it suppresses,
 * and suppresses nothing else: never the loss of a region, nor a switchover that somebody asks for (design §5, row 30).
 */
import Type, { type Static } from 'typebox';
import { described, endOfHours, Instant, Matcher, reference, timeOfDay } from './forms.ts';
import type { ComponentId, RegionId, WallMs } from './primitives.ts';

/** As it is written: an action, or a row by its number. */
export const Cause = Type.String({
  'x-form': 'cause',
  pattern: '^(?:partial|restart|speak-up|row [1-9]\\d{0,8})$',
  description: 'partial, restart, speak-up, or a row by its number, such as row 80',
});

const place = {
  region: Type.Optional(reference('The region it is about; without it both')),
  component: Type.Optional(reference('The component it is about; without it all')),
  causes: Type.Array(Cause, {
    minItems: 1,
    description: 'What it suppresses, and nothing else; never a failover or a switchover',
  }),
};

export const MaintenanceWindow = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: 200, description: 'What people call it' }),
    from: Type.Optional(Instant('When it begins; with to')),
    to: Type.Optional(Instant('When it ends; with from')),
    weekly: Type.Optional(
      Type.Object(
        {
          days: Type.Array(Type.Enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']), {
            minItems: 1,
            description: 'Days of the week on which it begins',
          }),
          from: timeOfDay('When it begins, in the time zone below'),
          to: endOfHours('When it ends; not later than from means on the next day'),
          timeZone: Type.String({ minLength: 1, description: 'IANA name, such as America/New_York' }),
        },
        described('Every week anew, instead of from and to; an hour that comes twice counts twice'),
      ),
    ),
    ...place,
  },
  described('A window of planned work'),
);
export type MaintenanceWindow = Static<typeof MaintenanceWindow>;

export const SilenceRule = Type.Object(
  {
    match: Type.Array(Matcher, {
      minItems: 1,
      description: 'Matchers that the silence itself must hold, each as it stands here',
    }),
    group: reference('The group it speaks of'),
    ...place,
  },
  described('A silence that stands for planned work'),
);
export type SilenceRule = Static<typeof SilenceRule>;

/** What a window or a silence suppresses, and of what. */
export type Suppression = {
  readonly region: RegionId | null;
  readonly component: ComponentId | null;
  readonly causes: readonly string[];
};

export type Weekly = {
  readonly kind: 'weekly';
  readonly days: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly timeZone: string;
};
export type Once = { readonly kind: 'once'; readonly from: WallMs; readonly to: WallMs };
export type WindowSettings = Suppression & { readonly title: string; readonly span: Once | Weekly };
