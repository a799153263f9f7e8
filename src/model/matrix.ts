/**
 * Rows of the decision matrix, and the situations a row may read (design §5). A diagnosis that is named here and can't
 * be made yet may be declared: it is then unknown, and `failoverd check` says so.
 */
import Type, { type Static } from 'typebox';
import { described, says, span, spanWithoutDefault } from './forms.ts';

const ACTIONS = ['failover', 'partial', 'switchover', 'restart', 'freeze', 'wait', 'hold', 'speak-up', 'none'] as const;
type ActionName = (typeof ACTIONS)[number];

export type RowSpec = {
  readonly kind: 'veto' | 'gate' | 'decide';
  /** What a row that reads it may do. */
  readonly actions: readonly ActionName[];
  /** What its threshold `over` measures; null where it has none. */
  readonly over: string | null;
  readonly says: string;
};

/** Situations that rows may read, in the order of design §5. */
export const ROW_DIAGNOSES = {
  CorruptionReported: {
    kind: 'veto',
    actions: ['hold'],
    over: null,
    says: 'corruption was reported; the copy may have it too, so nothing moves and the restore runbook is paged',
  },
  DeletionReported: {
    kind: 'veto',
    actions: ['freeze', 'hold'],
    over: null,
    says: 'data was deleted by accident; the standby is frozen and nothing moves',
  },
  MaintenancePlanned: {
    kind: 'gate',
    actions: ['hold'],
    over: null,
    says: 'a maintenance window names the cause; never stands against the loss of a region',
  },
  RegionUnreachable: {
    kind: 'decide',
    actions: ['failover', 'none'],
    over: null,
    says: 'clients can’t reach the active region, by two classes of evidence over two paths',
  },
  PostgresDown: {
    kind: 'decide',
    actions: ['restart', 'failover', 'none'],
    over: null,
    says: 'PostgreSQL is down while its region is up',
  },
  ReplicaBehind: {
    kind: 'gate',
    actions: ['wait', 'hold'],
    over: 'replication lag',
    says: 'the standby is behind: wait for it to catch up, then move',
  },
  ClickHouseFailing: {
    kind: 'decide',
    actions: ['partial', 'none'],
    over: null,
    says: 'ClickHouse queries fail while PostgreSQL is healthy',
  },
  NatsFailing: {
    kind: 'decide',
    actions: ['partial', 'none'],
    over: null,
    says: 'NATS is cut or fails while the rest is healthy',
  },
  WorkloadDegraded: {
    kind: 'decide',
    actions: ['speak-up', 'none'],
    over: null,
    says: 'a pod or node fails; Kubernetes heals it, and people are told when it has not',
  },
  ResidencyForbids: {
    kind: 'gate',
    actions: ['hold'],
    over: null,
    says: 'data of a component may not stand in the region to move to; the rest moves',
  },
} as const satisfies Record<string, RowSpec>;
export type RowDiagnosis = keyof typeof ROW_DIAGNOSES;
const NAMES = Object.keys(ROW_DIAGNOSES) as RowDiagnosis[];

export const MatrixRow = Type.Object(
  {
    id: Type.Integer({
      minimum: 1,
      description: 'Stable number, named by every decision; gaps are for rows to come',
    }),
    kind: Type.Enum(['veto', 'gate', 'decide'], {
      description: 'veto and gate stand in the way of actions, decide proposes one; the first that matches wins',
    }),
    when: Type.Unsafe<RowDiagnosis>(
      Type.Enum(NAMES, { 'x-values': 'diagnosis', description: 'The diagnosis this row reads' }),
    ),
    for: span('0s', 'How long the diagnosis must hold without a gap; kept over restarts'),
    over: spanWithoutDefault('Threshold of the diagnosis, where it has one (declared; not supported yet)'),
    action: Type.Optional(Type.Enum([...ACTIONS], { description: 'What the row does; a decide row must say it' })),
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
