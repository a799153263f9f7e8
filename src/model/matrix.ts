/**
 * Rows of the decision matrix (design §5): what must be seen, for how long, and what follows.
 *
 * *veto* and *gate* rows stand `against` the actions they name; *decide* rows propose one, and the first that matches
 * wins. A row that can't tell stands in the way of `auto` unless it says `unknown: pass`.
 *
 * A row is judged for the group, or by its `scope` for each component of a kind on its own. The first deciding row that
 * matches wins in its scope; one of the group takes the turn of every component, since what moves all of them moves it.
 */
import Type, { type Static } from 'typebox';
import { COMPONENT_KINDS } from './components.ts';
import { described, says, span } from './forms.ts';
import type { ComponentId } from './primitives.ts';

/** What a decide row proposes. Those that failoverd can't carry out yet are proposed in words, and done by people. */
export const DECIDE_ACTIONS = ['failover', 'partial', 'switchover', 'restart', 'speak-up', 'none'] as const;
/** What a veto or gate row does beside standing in the way. */
export const STAND_ACTIONS = ['hold', 'wait', 'freeze'] as const;
/** What a veto or gate row may stand against. */
export const AGAINST = ['failover', 'partial', 'switchover', 'restart'] as const;
export type Against = (typeof AGAINST)[number];
/** What failoverd carries out by itself so far. */
export const SUPPORTED_ACTIONS = ['failover', 'speak-up', 'none', 'hold', 'wait'] as const;

export const MatrixRow = Type.Object(
  {
    id: Type.Integer({
      minimum: 1,
      description: 'Stable number, named by every decision; gaps are for rows to come',
    }),
    kind: Type.Enum(['veto', 'gate', 'decide'], {
      description: 'veto and gate stand in the way of actions, decide proposes one; the first that matches wins',
    }),
    scope: Type.Optional(
      Type.Enum(['group', ...COMPONENT_KINDS], {
        default: 'group',
        description: 'Whom it is judged for: the group, or each component of a kind on its own',
      }),
    ),
    when: Type.String({
      'x-form': 'expression',
      minLength: 1,
      description: 'What must be seen, in CEL over the facts below: ok(), bad(), unknown(), comparisons, && and ||',
    }),
    for: span('0s', 'How long it must be seen without a gap; kept over restarts. For decide rows'),
    action: Type.Optional(
      Type.Enum([...DECIDE_ACTIONS, ...STAND_ACTIONS], {
        description: 'What a decide row does; for a veto or gate row hold (the default), wait, or freeze',
      }),
    ),
    against: Type.Optional(
      Type.Array(Type.Enum([...AGAINST]), {
        minItems: 1,
        description: 'Actions that a veto or gate row stands in the way of',
      }),
    ),
    unknown: Type.Optional(
      Type.Enum(['block', 'pass'], {
        default: 'block',
        description: 'What a row that can’t tell does: stand in the way of auto, or let pass',
      }),
    ),
    auto: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Whether this row may act without approvals where the group is auto',
      }),
    ),
    note: Type.Optional(Type.String(says('Words for people'))),
  },
  described('One row of the decision matrix'),
);
export type MatrixRow = Static<typeof MatrixRow>;
export type Scope = NonNullable<MatrixRow['scope']>;

/** A row and whom it is judged for: what holds and decisions are kept by. The group's is the number alone, as ever. */
export const rowKey = (row: number, component: ComponentId | null): string =>
  component === null ? String(row) : `${row}/${component}`;
/** The same for people: `row 80`, `row 80 for app-pods`. */
export const rowName = (row: number, component: ComponentId | null): string =>
  component === null ? `row ${row}` : `row ${row} for ${component}`;

/** Names that `when` took before it was an expression, and what says the same. */
export const FORMER_NAMES: Readonly<Record<string, string>> = {
  RegionUnreachable: 'bad(active.reachable)',
  PostgresDown: 'bad(postgres.reachable) && ok(services.reachable)',
  ReplicaBehind: 'replication.replay_lag_seconds > 300',
  ClickHouseFailing: 'bad(clickhouse.serving) && ok(postgres.reachable)',
  NatsFailing: 'bad(nats.flowing) && ok(postgres.reachable)',
  WorkloadDegraded: 'bad(workloads.healthy)',
  CorruptionReported: 'bad(reports.corruption)',
  DeletionReported: 'bad(reports.deletion)',
  MaintenancePlanned: 'bad(maintenance.over)',
  ResidencyForbids: 'bad(residency.allows)',
};
