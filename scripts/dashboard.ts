/**
 * Writes alert-rules/grafana/failoverd.json: the KPIs of dr-strategy §8.1 that have data so far. Drill success and
 * runbook accuracy have none yet and are left out rather than shown empty.
 */
import { join } from 'node:path';
import { BigValueTextMode } from '@grafana/grafana-foundation-sdk/common';
import {
  type Dashboard,
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimelineBuilder } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { generate, ROOT } from './generated.ts';

export const DASHBOARD_FILE = join(ROOT, 'alert-rules/grafana/failoverd.json');
const SOURCE = { type: 'prometheus', uid: '${datasource}' };
const OF_GROUP = '{group=~"$group"}';

/** Expression and legend. */
type Query = readonly [expr: string, legend: string];

const GREEN = 'green';
const RED = 'red';
const YELLOW = 'yellow';

const query = ([expr, legend]: Query, at: number): DataqueryBuilder =>
  new DataqueryBuilder()
    .datasource(SOURCE)
    .expr(expr)
    .legendFormat(legend)
    .refId(String.fromCharCode(65 + at))
    .range();

/** The first colour is the base; each other begins at its value. */
const steps = (base: string, ...rest: readonly (readonly [number, string])[]): ThresholdsConfigBuilder =>
  new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps([{ value: null, color: base }, ...rest.map(([value, color]): Threshold => ({ value, color }))]);

const words = (...pairs: readonly (readonly [value: string, text: string, color: string])[]): ValueMapping[] => [
  {
    type: 'value',
    options: Object.fromEntries(pairs.map(([value, text, color], index) => [value, { text, color, index }])),
  } as ValueMapping,
];
const ANSWERS = words(['1', 'pass', GREEN], ['0', 'block', RED], ['-1', 'can’t tell', YELLOW]);
const SEEN = words(['1', 'yes', GREEN], ['0', 'no', RED], ['-1', 'unknown', YELLOW]);
const FOUND = words(['1', 'found', RED], ['0', 'not so', GREEN], ['-1', 'unknown', YELLOW]);

function stat(title: string, unit: string, says: string, ...queries: readonly Query[]): StatBuilder {
  return (
    new StatBuilder()
      .title(title)
      .description(says)
      .datasource(SOURCE)
      .unit(unit)
      // Asked for one instant: over a range, a region that was active once would still be shown.
      .targets(queries.map((one, at) => query(one, at).instant()))
      .noValue('not known')
      .span(4)
      .height(5)
  );
}

function lines(title: string, unit: string, says: string, ...queries: readonly Query[]): TimeseriesBuilder {
  return new TimeseriesBuilder()
    .title(title)
    .description(says)
    .datasource(SOURCE)
    .unit(unit)
    .targets(queries.map(query))
    .span(12)
    .height(8);
}

function states(title: string, says: string, mappings: ValueMapping[], ...queries: readonly Query[]) {
  return new StateTimelineBuilder()
    .title(title)
    .description(says)
    .datasource(SOURCE)
    .mappings(mappings)
    .targets(queries.map(query))
    .span(12)
    .height(8);
}

function now(dashboard: DashboardBuilder): DashboardBuilder {
  return dashboard
    .withRow(new RowBuilder('Now'))
    .withPanel(
      stat('Active region', 'none', 'Where clients are served', [
        `failoverd_group_active_info${OF_GROUP}`,
        '{{group}}: {{region}}',
      ])
        .thresholds(steps('text'))
        .textMode(BigValueTextMode.Name),
    )
    .withPanel(
      stat('Autonomy in force', 'none', 'The least of what everything allows; /status says why', [
        `failoverd_group_autonomy${OF_GROUP} == 1`,
        '{{group}}: {{autonomy}}',
      ])
        .thresholds(steps('text'))
        .textMode(BigValueTextMode.Name),
    )
    .withPanel(
      stat('Engine', 'none', 'Does it decide, and does its journal take entries', [
        'failoverd_engine_up',
        '{{instance}}',
      ]).mappings(words(['1', 'running', GREEN], ['0', 'stands still', RED])),
    )
    .withPanel(
      stat('Waits for people', 'none', 'Open proposals, and runs that need a person', [
        `sum(failoverd_proposal_open${OF_GROUP}) + sum(failoverd_run_needs_person${OF_GROUP})`,
        '',
      ]).thresholds(steps(GREEN, [1, RED])),
    )
    .withPanel(
      stat('Error budget left', 's', '21.6 minutes in 30 days, less impact to verified of the runs', [
        `failoverd_sla_error_budget_seconds - on (instance) group_right () failoverd_sla_downtime_seconds${OF_GROUP}`,
        '{{group}}',
      ]).thresholds(steps(RED, [0, YELLOW], [648, GREEN])),
    )
    .withPanel(
      stat('Oldest backup', 's', 'Target: under 24 hours', [
        'max(time() - max by (component) (backup_last_success_timestamp_seconds))',
        '',
      ]).thresholds(steps(GREEN, [72_000, YELLOW], [86_400, RED])),
    );
}

function recovery(dashboard: DashboardBuilder): DashboardBuilder {
  return dashboard
    .withRow(new RowBuilder('Recovery time'))
    .withPanel(
      lines(
        'RTO trend',
        's',
        'Decided to verified of the last run, against the target',
        [`failoverd_last_run_rto_seconds${OF_GROUP}`, '{{group}}'],
        [`failoverd_rto_target_seconds${OF_GROUP}`, '{{group}} target'],
      ),
    )
    .withPanel(
      lines('Open or last run by phase', 's', 'Against the budgets of the config', [
        `failoverd_run_phase_seconds${OF_GROUP}`,
        '{{group}} {{phase}}',
      ]),
    )
    .withPanel(
      lines('Runs', 'short', 'Ended since the process began, by outcome', [
        `sum by (group, outcome) (failoverd_runs_total${OF_GROUP})`,
        '{{group}} {{outcome}}',
      ]),
    )
    .withPanel(
      lines(
        'Loss of the last run, at most',
        's',
        'Upper end of the bracket, against the target; not shown where it is not known',
        [`failoverd_last_run_loss_high_seconds${OF_GROUP}`, '{{group}}'],
        [`failoverd_rpo_target_seconds${OF_GROUP}`, '{{group}} target'],
      ),
    );
}

function replication(dashboard: DashboardBuilder): DashboardBuilder {
  return dashboard
    .withRow(new RowBuilder('Recovery point'))
    .withPanel(
      lines(
        'PostgreSQL: what a standby has not',
        'bytes',
        'Not received is the loss if the primary is gone now; not replayed catches up by itself',
        [`failoverd_postgres_receive_gap_bytes${OF_GROUP}`, '{{group}} not received'],
        [`failoverd_postgres_replay_lag_bytes${OF_GROUP}`, '{{group}} not replayed'],
      ),
    )
    .withPanel(
      lines(
        'Lag of each store',
        's',
        'Targets: PostgreSQL 10 s, ClickHouse 30 s, NATS 5 s since heard, S3 60 s. From their exporters',
        [
          'max by (region) (pg_replication_lag_seconds and on (instance) pg_replication_is_replica == 1)',
          'PostgreSQL {{region}}',
        ],
        ['max by (region) (ClickHouseAsyncMetrics_ReplicasMaxAbsoluteDelay)', 'ClickHouse {{region}}'],
        [
          'max by (region) (jetstream_stream_mirror_active_duration_ns{is_stream_leader="true"} >= 0) / 1e9',
          'NATS {{region}}',
        ],
        ['max by (source_bucket) (last_over_time(aws_s3_replication_latency_maximum[20m]))', 'S3 {{source_bucket}}'],
      ),
    )
    .withPanel(
      states('Standby streams', 'Does it hear from its primary', SEEN, [
        `failoverd_postgres_streaming${OF_GROUP}`,
        '{{group}}',
      ]),
    )
    .withPanel(
      lines('Age of backups', 's', 'Since the last success that was verified', [
        'time() - max by (component) (backup_last_success_timestamp_seconds)',
        '{{component}}',
      ]),
    );
}

function judgement(dashboard: DashboardBuilder): DashboardBuilder {
  return dashboard
    .withRow(new RowBuilder('Judgement'))
    .withPanel(
      lines(
        'Holds',
        's',
        'How long a row’s condition has held, and how long it has to',
        [`failoverd_hold_seconds${OF_GROUP}`, '{{group}} row {{row}}'],
        [`failoverd_hold_required_seconds${OF_GROUP}`, '{{group}} row {{row}} required'],
      ),
    )
    .withPanel(
      states('Gates', 'How each would answer a failover now', ANSWERS, [
        `failoverd_gate_answer${OF_GROUP}`,
        '{{group}} {{gate}}',
      ]),
    )
    .withPanel(
      states('Diagnoses', 'Named situations', FOUND, [
        `failoverd_diagnosis_verdict${OF_GROUP}`,
        '{{group}} {{diagnosis}}',
      ]),
    )
    .withPanel(
      states('Vantages', 'Connected; no = isolated', SEEN, [
        `failoverd_vantage_connected${OF_GROUP}`,
        '{{group}} {{vantage}}',
      ]),
    )
    .withPanel(
      lines(
        'Leases',
        's',
        'Since each was last set, and since each guard was heard; a renewal is due every few seconds',
        [`failoverd_lease_unchanged_seconds${OF_GROUP}`, '{{group}} {{component}} set'],
        [`failoverd_lease_guard_heard_seconds${OF_GROUP}`, '{{group}} {{component}} guard {{region}}'],
      ),
    )
    .withPanel(
      lines(
        'Pages not taken',
        'short',
        'Kept and sent again; overdue ones had a deadline',
        ['sum(failoverd_pages_undelivered)', 'undelivered'],
        ['sum by (kind) (failoverd_pages_overdue)', 'overdue {{kind}}'],
      ),
    )
    .withPanel(
      lines('Clients turned away', 'percentunit', 'As the prober of the public name sees it; the budget is 0.05 %', [
        'group:public_unavailability:ratio_1h',
        '{{group}} last hour',
      ]),
    );
}

export function dashboard(): Dashboard {
  const empty = new DashboardBuilder('failoverd')
    .uid('failoverd')
    .description('Regional failover: where it stands, how fast it was, and what it would lose')
    .tags(['failoverd', 'disaster-recovery'])
    .timezone('utc')
    .time({ from: 'now-24h', to: 'now' })
    .refresh('30s')
    .readonly()
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
    .withVariable(
      new QueryVariableBuilder('group')
        .label('Group')
        .datasource(SOURCE)
        .query('label_values(failoverd_group_epoch, group)')
        .refresh(VariableRefresh.OnTimeRangeChanged)
        .multi(true)
        .includeAll(true)
        .allValue('.*'),
    );
  return judgement(replication(recovery(now(empty)))).build();
}

export const dashboardText = (): string => `${JSON.stringify(dashboard(), null, 2)}\n`;

if (import.meta.main) generate(DASHBOARD_FILE, dashboardText(), 'scripts/dashboard.ts');
