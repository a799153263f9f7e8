/** What a backtest found, as data: every decision the core would have made, and the outage it would have been about. PURE. */
import type { DecisionRecord, EventBody } from '../model/events.ts';
import { EMPTY_GROUP } from '../model/ledger.ts';
import type { State } from '../model/loop.ts';
import { rowKey } from '../model/matrix.ts';
import type { LossBracket } from '../model/plan.ts';
import type { ComponentId, GroupId, WallMs } from '../model/primitives.ts';
import type { Settings } from '../model/settings.ts';
import { replicationLoss } from '../policies/loss.ts';
import { viewOf } from '../policies/view.ts';

/**
 * would-act: it would have failed over by itself. proposed: people would have been asked. would-say: observe. held-back: a
 * gate or a row stood in the way. by-hand: it would have proposed what people do. told: people would have been told.
 * barred: a veto or gate row stood in the way of actions.
 */
export type Outcome = 'would-act' | 'proposed' | 'would-say' | 'held-back' | 'by-hand' | 'told' | 'barred';

export type BacktestDecision = {
  readonly at: WallMs;
  readonly group: GroupId;
  readonly row: number;
  /** Whom the row was judged for; null = the group. */
  readonly component: ComponentId | null;
  readonly outcome: Outcome;
  readonly action: string;
  readonly autonomy: string;
  readonly why: string;
  /** Gates that did not pass, approvals aside. */
  readonly inTheWay: readonly { readonly gate: string; readonly answer: string; readonly why: string }[];
  /** First bad sign, and when the condition was over; null = it lasted to the end of the history. */
  readonly impactAt: WallMs | null;
  readonly overAt: WallMs | null;
  /** From the first bad sign to the end of it; to the end of the history where it was not over. */
  readonly durationMs: number | null;
  /** What a failover then would have lost; null for other rows. */
  readonly loss: LossBracket | null;
  /** How often it would have been proposed again, since nobody answered. */
  readonly proposedAgain: number;
};

/** A condition that began to hold and went away before its row's `for` was over. */
export type BacktestHold = {
  readonly group: GroupId;
  readonly row: number;
  readonly component: ComponentId | null;
  readonly from: WallMs;
  readonly to: WallMs;
  readonly why: string;
};

export type Findings = { readonly decisions: readonly BacktestDecision[]; readonly passed: readonly BacktestHold[] };

/** A row of a group, and whom it is judged for. */
type Judged = { readonly group: GroupId; readonly row: number; readonly component?: ComponentId | null | undefined };

type Open = {
  readonly group: GroupId;
  readonly row: number;
  readonly component: ComponentId | null;
  readonly startedAt: WallMs;
  readonly impactAt: WallMs;
  decisions: { -readonly [K in keyof BacktestDecision]: BacktestDecision[K] }[];
  /** Whether it would have acted: what the core says of the same outage after that would not have come about. */
  acted: boolean;
};

export type Collector = {
  said(events: readonly EventBody[], state: State): void;
  end(at: WallMs): Findings;
};

export function collect(settings: Settings): Collector {
  const open = new Map<string, Open>();
  const standing = new Map<string, Open>();
  const done: Open[] = [];
  const passed: BacktestHold[] = [];
  const keyOf = ({ group, row, component }: Judged): string => `${group}/${rowKey(row, component ?? null)}`;
  const rowOf = (group: GroupId, row: number) => settings.groups[group]?.rows.find(({ id }) => id === row);

  const close = (map: Map<string, Open>, key: string, at: WallMs | null, endAt: WallMs): void => {
    const one = map.get(key);
    map.delete(key);
    if (one === undefined) return;
    for (const decision of one.decisions) {
      decision.overAt = at;
      decision.durationMs = endAt - one.impactAt;
    }
    if (one.decisions.length > 0) done.push(one);
  };

  const decided = (at: WallMs, group: GroupId, record: DecisionRecord, state: State): void => {
    const component = record.component ?? null;
    const key = keyOf({ group, row: record.row, component });
    const kind = rowOf(group, record.row)?.kind ?? 'decide';
    if (kind !== 'decide' && !standing.has(key))
      standing.set(key, {
        group,
        row: record.row,
        component,
        startedAt: at,
        impactAt: at,
        decisions: [],
        acted: false,
      });
    const one = (kind === 'decide' ? open : standing).get(key);
    if (one === undefined || one.acted) return;
    const outcome = outcomeOf(record, kind);
    const inTheWay = record.gates.filter(({ gate, answer }) => answer !== 'pass' && gate !== 'authority');
    const before = one.decisions.at(-1);
    // Another gate that answers otherwise is another decision to the journal, and the same one to people.
    if (
      before?.outcome === outcome &&
      before.inTheWay.map(({ gate }) => gate).join() === inTheWay.map(({ gate }) => gate).join()
    )
      return;
    one.acted = outcome === 'would-act';
    one.decisions.push({
      at,
      group,
      row: record.row,
      component,
      outcome,
      action: record.action,
      autonomy: record.autonomy,
      why: record.why,
      inTheWay,
      impactAt: one.impactAt,
      overAt: null,
      durationMs: null,
      loss:
        rowOf(group, record.row)?.action === 'failover' ? lossAt(state, group, rowKey(record.row, component)) : null,
      proposedAgain: 0,
    });
  };

  return {
    said(events, state) {
      for (const event of events) {
        switch (event.kind) {
          case 'hold.started': {
            const { group, row, at, impactAt } = event;
            const component = event.component ?? null;
            open.set(keyOf(event), { group, row, component, startedAt: at, impactAt, decisions: [], acted: false });
            break;
          }
          case 'hold.ended': {
            const one = open.get(keyOf(event));
            // A row that only shows that it holds never decides anything.
            const shows = rowOf(event.group, event.row)?.action === 'none';
            if (one !== undefined && one.decisions.length === 0 && !shows)
              passed.push({
                group: event.group,
                row: event.row,
                component: one.component,
                from: one.startedAt,
                to: event.at,
                why: event.why,
              });
            close(open, keyOf(event), event.at, event.at);
            break;
          }
          case 'decision.made':
            decided(event.at, event.group, event.decision, state);
            break;
          case 'decision.cleared':
            close(standing, keyOf(event), event.at, event.at);
            break;
          case 'proposal.opened': {
            const last = open
              .get(keyOf({ ...event.decision, group: event.group }))
              ?.decisions.findLast(({ outcome }) => outcome === 'proposed');
            // The first belongs to the decision; each further one to nobody's having answered.
            if (last !== undefined) last.proposedAgain += 1;
            break;
          }
          default:
            break;
        }
      }
    },
    end(at) {
      for (const key of [...open.keys()]) close(open, key, null, at);
      for (const key of [...standing.keys()]) close(standing, key, null, at);
      const decisions = done
        .flatMap((one) => one.decisions)
        .map((decision) => ({ ...decision, proposedAgain: Math.max(0, decision.proposedAgain - 1) }))
        .sort((a, b) => a.at - b.at || a.row - b.row);
      return { decisions, passed };
    },
  };
}

function outcomeOf({ action }: DecisionRecord, kind: string): Outcome {
  if (kind !== 'decide') return 'barred';
  switch (action) {
    case 'failover':
      return 'would-act';
    case 'propose':
      return 'proposed';
    case 'observe':
      return 'would-say';
    case 'hold':
      return 'held-back';
    case 'speak-up':
      return 'told';
    default:
      return 'by-hand';
  }
}

/** As the core counts it for its own decision: from the sample that was kept when the hold began. */
function lossAt(state: State, group: GroupId, key: string): LossBracket | null {
  const hold = (state.ledger.groups[group] ?? EMPTY_GROUP).holds[key];
  return hold === undefined ? null : replicationLoss(hold.sample, hold.impactAt, viewOf(state, group));
}
