/**
 * Settings of PostgreSQL that make a failover slow, lossy or impossible, with what helps (PostgreSQL manual, chapters
 * 20 and 27). PURE.
 */
import type { PostgresSurvey } from '../../probes/postgres-survey.ts';
import { type Finding, finding, type Level } from './report.ts';

export type Surveyed = { readonly about: string; readonly survey: PostgresSurvey };

type Judged = {
  readonly level: Level;
  readonly says: string;
  readonly remedy: string;
  readonly sql: readonly string[];
};
type Check = {
  /** On which of the two it counts. A setting of the standby counts from the day it is the primary. */
  readonly on: 'primary' | 'standby' | 'both';
  readonly judge: (of: PostgresSurvey) => Judged | null;
};

const set = (name: string, value: string): string => `alter system set ${name} = '${value}';`;
const RELOAD = 'select pg_reload_conf();';
const value = (of: PostgresSurvey, name: string): string => of.settings[name]?.value ?? '';
const unless = (fine: boolean, judged: () => Judged): Judged | null => (fine ? null : judged());

/** Milliseconds of a span as PostgreSQL shows it: `5s`, `100ms`, `1min`; null for what is none. */
export function spanMs(text: string): number | null {
  const [, number, unit = 'ms'] = /^(-?\d+(?:\.\d+)?)(us|ms|s|min|h|d)?$/.exec(text) ?? [];
  if (number === undefined) return null;
  return Number(number) * { us: 0.001, ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 }[unit as 'ms'];
}

const CHECKS: readonly Check[] = [
  {
    on: 'standby',
    judge: (of) =>
      unless((spanMs(value(of, 'wal_retrieve_retry_interval')) ?? 0) <= 1000, () => ({
        level: 'warn',
        says: `wal_retrieve_retry_interval is ${value(of, 'wal_retrieve_retry_interval')}: one promotion in ten waits that long, since the standby sleeps between two tries to get log`,
        remedy: 'set it to 100ms on both sides; a reload is enough',
        sql: [set('wal_retrieve_retry_interval', '100ms'), RELOAD],
      })),
  },
  {
    on: 'both',
    judge: (of) =>
      unless(of.dataChecksums || value(of, 'wal_log_hints') === 'on', () => ({
        level: 'warn',
        says: 'neither data checksums nor wal_log_hints are on: pg_rewind can’t bring the old primary back, only a new copy can',
        remedy: 'set wal_log_hints = on; it takes a restart',
        sql: [set('wal_log_hints', 'on')],
      })),
  },
  {
    on: 'both',
    judge: (of) =>
      unless(of.slots.length === 0 || value(of, 'max_slot_wal_keep_size') !== '-1', () => ({
        level: 'warn',
        says: `max_slot_wal_keep_size is -1 and there are slots (${of.slots.map(({ name }) => name).join(', ')}): while a standby is away its log fills the disk, and then the primary stops`,
        remedy: 'set it to what the disk can spare',
        sql: [set('max_slot_wal_keep_size', '50GB'), RELOAD],
      })),
  },
  {
    on: 'standby',
    judge: (of) =>
      unless(value(of, 'primary_slot_name') !== '' || !/^0(?:[kMG]?B)?$/.test(value(of, 'wal_keep_size')), () => ({
        level: 'warn',
        says: 'neither a slot nor wal_keep_size keeps log for a standby that is away: after a long cut it has to be copied anew',
        remedy: 'give it a slot (primary_slot_name), or set wal_keep_size on both sides',
        sql: [set('wal_keep_size', '2GB'), RELOAD],
      })),
  },
  {
    on: 'standby',
    judge: (of) =>
      unless(value(of, 'hot_standby_feedback') === 'on' || value(of, 'max_standby_streaming_delay') !== '-1', () => ({
        level: 'warn',
        says: 'max_standby_streaming_delay is -1 and hot_standby_feedback off: one long query on the standby holds back replay, and with it the promotion',
        remedy: 'bound the delay, or turn the feedback on (the primary then keeps rows that the query may need)',
        sql: [set('max_standby_streaming_delay', '30s'), RELOAD],
      })),
  },
  {
    on: 'standby',
    judge: (of) =>
      unless((spanMs(value(of, 'recovery_min_apply_delay')) ?? 0) === 0, () => ({
        level: 'warn',
        says: `recovery_min_apply_delay is ${value(of, 'recovery_min_apply_delay')}: this standby is behind on purpose, and a promotion replays all of it first`,
        remedy: 'fail over to a standby that does not lag on purpose',
        sql: [set('recovery_min_apply_delay', '0'), RELOAD],
      })),
  },
  {
    on: 'both',
    judge: (of) =>
      unless(value(of, 'fsync') === 'on' && value(of, 'full_page_writes') === 'on', () => ({
        level: 'stop',
        says: 'fsync or full_page_writes is off: a crash of this server damages its data, and the damage is copied',
        remedy: 'turn both on',
        sql: [set('fsync', 'on'), set('full_page_writes', 'on'), RELOAD],
      })),
  },
  {
    on: 'both',
    judge: (of) =>
      unless(value(of, 'wal_level') !== 'minimal', () => ({
        level: 'stop',
        says: 'wal_level is minimal: no standby can follow this server',
        remedy: 'set wal_level = replica; it takes a restart',
        sql: [set('wal_level', 'replica')],
      })),
  },
  {
    on: 'both',
    judge: (of) =>
      unless(Number(value(of, 'max_wal_senders')) > 0, () => ({
        level: 'warn',
        says: 'max_wal_senders is 0: as the primary it would have no standby',
        remedy: 'set it to 10; it takes a restart',
        sql: [set('max_wal_senders', '10')],
      })),
  },
  {
    on: 'both',
    judge: (of) => {
      const off = ['wal_receiver_timeout', 'wal_sender_timeout'].filter((name) => spanMs(value(of, name)) === 0);
      return unless(off.length === 0, () => ({
        level: 'warn',
        says: `${off.join(' and ')} is 0: a cut link is never noticed, and a dead stream looks like one that is idle`,
        remedy: 'set it to 60s or less',
        sql: [...off.map((name) => set(name, '60s')), RELOAD],
      }));
    },
  },
  {
    on: 'standby',
    judge: (of) =>
      unless(spanMs(value(of, 'wal_receiver_status_interval')) !== 0, () => ({
        level: 'warn',
        says: 'wal_receiver_status_interval is 0: the primary isn’t told what the standby has',
        remedy: 'set it to 1s',
        sql: [set('wal_receiver_status_interval', '1s'), RELOAD],
      })),
  },
  {
    on: 'both',
    judge: ({ role }) =>
      unless(role.connectionLimit === -1 || role.connectionLimit >= 5, () => ({
        level: 'warn',
        says: `${role.name} may have ${role.connectionLimit} connections at once: each vantage keeps one and opens another now and then`,
        remedy: 'allow ten',
        sql: [`alter role ${role.name} connection limit 10;`],
      })),
  },
  {
    on: 'both',
    judge: ({ role }) =>
      unless(!role.superuser, () => ({
        level: 'warn',
        says: `${role.name} is a superuser: to observe, a member of pg_monitor is enough`,
        remedy: 'give failoverd a role of its own',
        sql: [],
      })),
  },
];

/** What the settings of both sides say, each thing once for the server it is about. */
export function settingFindings(primary: Surveyed | null, standby: Surveyed | null): Finding[] {
  const sides = [
    { side: 'primary', surveyed: primary },
    { side: 'standby', surveyed: standby },
  ] as const;
  const found = sides.flatMap(({ side, surveyed }) =>
    surveyed === null
      ? []
      : CHECKS.filter(({ on }) => on === 'both' || on === side).flatMap(({ judge }) => {
          const judged = judge(surveyed.survey);
          return judged === null ? [] : [finding(judged.level, surveyed.about, judged.says, judged.remedy, judged.sql)];
        }),
  );
  return [...found, ...(primary === null ? [] : [commitNote(primary)]), ...versionFindings(primary, standby)];
}

/** Not good or bad by itself: it decides what can be lost, and what waits for whom. */
function commitNote({ about, survey }: Surveyed): Finding {
  const names = value(survey, 'synchronous_standby_names');
  const level = value(survey, 'synchronous_commit');
  if (names === '' || level === 'off' || level === 'local')
    return finding(
      'note',
      about,
      `synchronous_commit is ${level}, no standby is waited for: what was not received yet is lost with the primary`,
    );
  return finding(
    'note',
    about,
    `synchronous_commit is ${level}, synchronous_standby_names '${names}': a commit waits for the standby, and stands still while it is away`,
  );
}

function versionFindings(primary: Surveyed | null, standby: Surveyed | null): Finding[] {
  if (primary === null || standby === null || primary.survey.version === standby.survey.version) return [];
  return [
    finding(
      'warn',
      standby.about,
      `it runs PostgreSQL ${standby.survey.version}, the primary ${primary.survey.version}`,
      'run one version on both sides; collations may differ with the system under it',
    ),
  ];
}
