/**
 * Gates between decision and execution, in order, deny by default (design §6). PURE.
 *
 * A gate answers pass, block or cannot-tell; cannot-tell stands in the way like block. `stops` says whom: `everyone`, or
 * only `auto`, in which case people may decide it, being told.
 */
import type { GateReport } from '../../model/events.ts';
import { rowKey, rowName } from '../../model/matrix.ts';
import type { LossBracket } from '../../model/plan.ts';
import type { Autonomy, ComponentId, GateAnswer } from '../../model/primitives.ts';
import { leastAutonomy } from '../../model/primitives.ts';
import { missing } from '../../model/run.ts';
import { declaredAutonomy, type Row } from '../../model/settings.ts';
import { authorityAt } from '../authority.ts';
import { independent } from '../diagnoses.ts';
import { haltedLease } from '../leases.ts';
import { withinBudget } from '../loss.ts';
import { maintenanceReading, maintenanceText, suppressing } from '../maintenance.ts';
import { quorumOf } from '../quorum.ts';
import { compareReadiness } from '../readiness.ts';
import { standingReport } from '../reports.ts';
import { componentsOf, judgeRow, type RowFinding, readFact } from '../rows.ts';
import type { View } from '../view.ts';
import { watches } from '../watchdog.ts';

export type Case = {
  readonly view: View;
  readonly row: Row;
  /** Whom the row was judged for; null = the group. */
  readonly component: ComponentId | null;
  readonly finding: RowFinding;
  readonly loss: LossBracket;
};
type Answer = { readonly answer: GateAnswer; readonly why: string };
export type Gate = { readonly gate: string; readonly stops: 'everyone' | 'auto'; readonly judge: (c: Case) => Answer };

const pass = (why: string): Answer => ({ answer: 'pass', why });
const block = (why: string): Answer => ({ answer: 'block', why });
const cannotTell = (why: string): Answer => ({ answer: 'cannot-tell', why });

const span = (ms: number): string => `${Math.max(0, Math.ceil(ms / 1000))} s`;

/** Invariant 12, over restarts: the journal knows. */
const oneRun: Gate = {
  gate: 'one-run',
  stops: 'everyone',
  judge: ({ view }) =>
    view.ledger.run === null ? pass('no run of this group is open') : block(`run ${view.ledger.run.id} is open`),
};

const cooldown: Gate = {
  gate: 'cooldown',
  stops: 'everyone',
  judge: ({ view }) => {
    const last = view.ledger.ended.at(-1);
    if (last === undefined) return pass('no run before');
    const leftMs = last.endedAt + view.settings.cooldownMs - view.at;
    // A clock that was set back makes the wait longer, never shorter.
    return leftMs > 0
      ? block(`${last.id} ended less than the cooldown ago; ${span(leftMs)} left`)
      : pass(`${last.id} is past its cooldown`);
  },
};

const attempts: Gate = {
  gate: 'attempts',
  stops: 'auto',
  judge: ({ view }) => {
    const { attemptsMost, attemptsWithinMs } = view.settings;
    const lately = view.ledger.autoRunsAt.filter((at) => at > view.at - attemptsWithinMs).length;
    return lately < attemptsMost
      ? pass(`${lately} of ${attemptsMost} automatic runs in the window`)
      : block(`${lately} automatic runs within ${span(attemptsWithinMs)}; the most is ${attemptsMost}`);
  },
};

const quorum: Gate = {
  gate: 'vantage-quorum',
  stops: 'everyone',
  judge: ({ view, finding }) => {
    const seen = quorumOf(view, view.active);
    if (seen.verdict !== 'bad') return seen.verdict === 'ok' ? block(seen.why) : cannotTell(seen.why);
    return independent(finding.signs)
      ? pass(seen.why)
      : cannotTell('no two classes of evidence over two paths agree now');
  },
};

const vetoes: Gate = {
  gate: 'vetoes',
  stops: 'auto',
  judge: ({ finding }) => {
    const open = finding.vetoes.find((veto) => veto.verdict === 'unknown');
    if (open !== undefined) return cannotTell(`${open.veto} can’t be judged: ${open.why}`);
    return pass('nothing speaks against it');
  },
};

const targetReady: Gate = {
  gate: 'target-ready',
  stops: 'everyone',
  judge: ({ view }) => {
    for (const postgres of view.postgres) {
      const facts = postgres.standby?.observation.facts ?? null;
      const name = `${postgres.component} in ${view.standby}`;
      if (facts === null) return cannotTell(`${name} was not seen lately`);
      if (postgres.identity === 'bad') return block(`${name} is a database of another cluster`);
      if (postgres.identity === 'unknown') return cannotTell(`the system identifier of ${name} is not known`);
      if (facts.inRecovery === null) return cannotTell(`${name} does not tell whether it is a standby`);
      if (!facts.inRecovery) return block(`${name} is no standby`);
      if (facts.replayPaused === true) return block(`replay is paused on ${name}`);
      const [impossible] = compareReadiness(name, postgres.made.active, postgres.made.standby).impossible;
      if (impossible !== undefined) return block(impossible);
    }
    return view.postgres.length === 0
      ? block('there is no PostgreSQL to promote')
      : pass(`${view.standby} is a standby of the same cluster`);
  },
};

/**
 * What the service would lose by standing there. It can be promoted all the same, and with the region gone people may well
 * want that: so it stops `auto` alone, and they are told. So does what is not known, but for free disk, which PostgreSQL
 * tells nobody: it would keep every group from `auto` for good.
 */
const targetMatches: Gate = {
  gate: 'target-matches',
  stops: 'auto',
  judge: ({ view }) => {
    const found = view.postgres.map(({ component, made }) =>
      compareReadiness(`${component} in ${view.standby}`, made.active, made.standby),
    );
    const all = (of: 'worse' | 'unknown' | 'told'): string =>
      found
        .flatMap((one) => one[of])
        .join('; ')
        .slice(0, 1900);
    if (all('worse') !== '') return block(all('worse'));
    if (all('unknown') !== '') return cannotTell(all('unknown'));
    return pass(all('told') === '' ? 'it is made as the primary is' : all('told'));
  },
};

const fenceProof: Gate = {
  gate: 'fence-proof',
  stops: 'auto',
  judge: ({ view }) =>
    view.settings.fence === 'none'
      ? block('there is no fence: the old primary may still take writes')
      : pass(`driver ${view.settings.fence} stops the old side and reads it back`),
};

/** Invariant 20. */
const lossBudget: Gate = {
  gate: 'loss-budget',
  stops: 'auto',
  judge: ({ view, loss }) => {
    const { within, why } = withinBudget(loss, view.settings);
    return within === null ? cannotTell(why) : within ? pass(why) : block(why);
  },
};

/**
 * Silent alerts mean nothing while the watchdog is silent too. Judged by region: a watchdog that fell silent along with
 * everything else in its region tells nothing new (design §4).
 */
const monitoring: Gate = {
  gate: 'monitoring',
  stops: 'auto',
  judge: ({ view }) => {
    const all = watches(view);
    const silent = all.filter(({ verdict }) => verdict === 'bad');
    const blind = silent.find(({ explained }) => !explained);
    if (blind !== undefined) return block(blind.why);
    const held = all.find(({ silenced }) => silenced);
    if (held !== undefined) return cannotTell(held.why);
    if (silent.length > 0) return pass(`${silent.map(({ why }) => why).join('; ')}: nothing new`);
    return pass(readFact(view, 'monitoring.watching').why);
  },
};

/**
 * Whoever reports corruption or a deletion is told that it stands in the way, so it does, also where a matrix has no row
 * that reads it (dr-strategy §3.2, §3.3).
 */
const noReport: Gate = {
  gate: 'no-report',
  stops: 'everyone',
  judge: ({ view }) => {
    const standing = standingReport(view.ledger);
    return standing === null ? pass('nothing is reported of the data') : block(standing);
  },
};

/** A store that is older than what its guards have seen can't tell whose turn it is; people are told so, and decide. */
const leaseStore: Gate = {
  gate: 'lease-store',
  stops: 'auto',
  judge: ({ view }) => {
    const halted = haltedLease(view.ledger);
    return halted === null ? pass('no lease is halted') : block(halted);
  },
};

/** Planned work suppresses what it names, also where no row of the matrix reads it; never the loss of a region. */
const maintenance: Gate = {
  gate: 'maintenance',
  stops: 'everyone',
  judge: ({ view, row, component, finding }) => {
    const planned = suppressing(view, { row, component, region: finding.region });
    return planned === null ? pass('no planned work suppresses it') : block(maintenanceText(planned));
  },
};

const rowOptsIn: Gate = {
  gate: 'row-opts-in',
  stops: 'auto',
  judge: ({ row }) =>
    row.auto ? pass(`row ${row.id} may act by itself`) : block(`row ${row.id} does not opt in to auto`),
};

const authority: Gate = {
  gate: 'authority',
  stops: 'everyone',
  judge: ({ view }) => {
    const { needs, why } = authorityAt(view.settings, view.at);
    const given = view.ledger.proposal?.approvals ?? [];
    const open = view.ledger.proposal === null ? needs : missing(view.ledger.proposal);
    return open.length === 0 && given.length > 0
      ? pass(given.map((a) => `${a.person} (${a.role}) approved`).join(', '))
      : block(`${open.join(' and ')} to approve: ${why}`);
  },
};

/** In order; the first that stops everyone is the reason given. */
export const GATES: readonly Gate[] = [
  oneRun,
  cooldown,
  noReport,
  maintenance,
  targetReady,
  targetMatches,
  quorum,
  rowOptsIn,
  fenceProof,
  leaseStore,
  vetoes,
  attempts,
  monitoring,
  lossBudget,
];

export type Judgement = {
  readonly reports: readonly GateReport[];
  readonly autonomy: Autonomy;
  readonly autonomyWhy: readonly string[];
  /** Of these the last that allows no more than what is in force. */
  readonly because: string;
  /** First thing in the way of anybody, or null. Approvals are not among them. */
  readonly stopped: GateReport | null;
};

type Told = { readonly report: GateReport; readonly stops: Gate['stops'] };

const gateReports = (c: Case): Told[] =>
  GATES.map((gate) => ({ report: { gate: gate.gate, ...gate.judge(c) }, stops: gate.stops }));

/**
 * Rows that stand in the way: a veto or gate that names the action, and a deciding row above this one that can't tell
 * whether it would win. Matching stops everyone; not being able to tell stops `auto`, unless the row lets it pass.
 */
function rowReports({ view, row, component, finding }: Case): Told[] {
  // Planned work stands in the way only of what it names.
  const instead = { 'maintenance.over': maintenanceReading(view, { row, component, region: finding.region }) };
  return view.settings.rows.flatMap((other): Told[] => {
    const stands = (other.against as readonly string[]).includes(row.action);
    const above = other.kind === 'decide' && other.id < row.id;
    if (!stands && !above) return [];
    return componentsOf(view.settings, other).flatMap((of): Told[] => {
      // What moves the group moves every component, so it minds the gates of all; a component minds its own and the group's.
      if (of !== null && of !== component && (component !== null || above)) return [];
      const { verdict, why } = judgeRow(view, other, of, instead);
      const gate = `row-${rowKey(other.id, of)}`;
      const name = rowName(other.id, of);
      if (verdict === 'unknown' && other.unknown === 'block')
        return [{ report: { gate, ...cannotTell(`${name} can’t tell: ${why}`) }, stops: 'auto' }];
      if (stands && verdict === 'bad')
        return [{ report: { gate, ...block(`${name} (${other.kind}): ${why}`) }, stops: 'everyone' }];
      return stands ? [{ report: { gate, ...pass(why) }, stops: 'everyone' }] : [];
    });
  });
}

/** Autonomy in force is the least of what everything allows (design §6). */
export function judge(c: Case): Judgement {
  const reports: GateReport[] = [];
  const limits: { readonly autonomy: Autonomy; readonly why: string }[] = [
    { autonomy: c.view.settings.autonomy, why: `the config says ${c.view.settings.autonomy}` },
    ...c.view.settings.caps.map((cap) => ({ autonomy: cap.autonomy, why: `at most ${cap.autonomy}: ${cap.why}` })),
  ];
  let autonomy = declaredAutonomy(c.view.settings);
  let stopped: GateReport | null = null;
  for (const { report, stops } of [...rowReports(c), ...gateReports(c)]) {
    reports.push(report);
    if (report.answer === 'pass') continue;
    if (stops === 'everyone') stopped ??= report;
    else {
      autonomy = leastAutonomy(autonomy, 'gated');
      limits.push({ autonomy: 'gated', why: `at most gated: ${report.why}` });
    }
  }
  if (autonomy === 'gated') reports.push({ gate: authority.gate, ...authority.judge(c) });
  const autonomyWhy = limits.map(({ why }) => why);
  const because = limits.findLast((limit) => limit.autonomy === autonomy)?.why ?? '';
  return { reports, autonomy, autonomyWhy, because, stopped };
}
