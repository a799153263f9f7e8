import { existsSync } from 'node:fs';
import path from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import type { Clocks, DecisionRecord, EventBody, EventOf, PageKind } from '../src/model/events.ts';
import { alertKey } from '../src/model/evidence.ts';
import { countBy, type LossBracket } from './client/account.ts';

/** What a scenario reports of failoverd's journal: read, not judged. */
export interface JournalFacts {
  readonly runsOpened: number;
  readonly runId: string | null;
  readonly runHash: string | null;
  readonly runOutcome: string | null;
  readonly runWhy: string | null;
  /** Of the plan, in its order. */
  readonly plannedSteps: readonly string[];
  /** In the order in which they were done; a step that was done twice stands there twice. */
  readonly stepsDone: readonly string[];
  readonly steps: readonly StepTime[];
  readonly epoch: number | null;
  readonly clocks: Clocks | null;
  readonly decision: DecisionRecord | null;
  /** What the fence driver proved. */
  readonly fenceProof: unknown;
  /** What the run said may be lost, as positions of the old side's log: the newest estimate. */
  readonly bracket: LossBracket | null;
  /** Every entry in order, as `kind` or `kind step`. */
  readonly entries: readonly string[];
  /** Every decision, also to hold, in order; one that changes is made again. */
  readonly decisions: readonly DecisionFact[];
  /** Started, by row. */
  readonly holds: Readonly<Record<string, number>>;
  /** How each proposal came to its end; `open` while it has none. */
  readonly proposals: readonly ('open' | EventOf<'proposal.closed'>['reason'])[];
  /** What opened the run. */
  readonly trigger: 'auto' | 'approved' | null;
  /** One person alone said yes for everybody. */
  readonly brokeGlass: boolean;
  /** Reports of corruption and deletion, in order. */
  readonly reports: readonly ('made' | 'cleared')[];
  readonly pages: readonly PageFact[];
  /** Firings of alerts that were kept, each once, by the name of the alert; and how many of all were resolved. */
  readonly alerts: { readonly kept: Readonly<Record<string, number>>; readonly resolved: number };
}

export interface DecisionFact {
  readonly row: number;
  readonly action: string;
  readonly autonomy: string;
  /** Gates that did not pass. */
  readonly inTheWay: readonly string[];
}

export interface PageFact {
  readonly kind: PageKind;
  readonly title: string;
  /** It was due the moment it was queued, and not some time later. */
  readonly atOnce: boolean;
}

export interface StepTime {
  readonly step: string;
  readonly phase: string;
  readonly fromMs: number;
  readonly tookMs: number | null;
}

/** Copy failoverd's journal, once failoverd has ended, to where it outlives the lab; null when it never wrote one. */
export async function keepJournal(stateDir: string, to: string): Promise<string | null> {
  const file = path.join(stateDir, 'journal.db');
  if (!existsSync(file)) return null;
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    await backup(database, to);
  } finally {
    database.close();
  }
  // One file, whoever reads it: in WAL mode a mere look makes two more.
  const copy = new DatabaseSync(to);
  copy.exec('pragma journal_mode = delete');
  copy.close();
  return to;
}

export function readJournal(file: string): EventBody[] {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = database.prepare('select body from entries order by seq').all();
    return rows.map((row) => JSON.parse(String(row['body'])) as EventBody);
  } finally {
    database.close();
  }
}

export function journalFacts(events: readonly EventBody[]): JournalFacts {
  const opened = events.filter((event) => event.kind === 'run.opened');
  const ended = events.find((event) => event.kind === 'run.ended');
  const done = events.filter((event) => event.kind === 'step.done');
  const fence = done.find(({ step }) => step.startsWith('fence'));
  const [run] = opened;
  return {
    runsOpened: opened.length,
    runId: run?.run ?? null,
    runHash: run?.planHash ?? null,
    runOutcome: ended?.outcome ?? null,
    runWhy: ended?.why ?? events.find((event) => event.kind === 'run.halted')?.why ?? null,
    plannedSteps: run?.plan.steps.map(({ id }) => id) ?? [],
    stepsDone: done.map(({ step }) => step),
    steps: run === undefined ? [] : stepTimes(run, events),
    epoch: events.find((event) => event.kind === 'epoch.taken')?.epoch ?? null,
    clocks: ended?.clocks ?? null,
    decision: run?.decision ?? null,
    fenceProof: fence?.proof ?? null,
    bracket: bracketOf(events),
    entries: events.map((event) => ('step' in event ? `${event.kind} ${event.step}` : event.kind)),
    ...judgement(events),
    trigger: run?.trigger ?? null,
    alerts: alertFacts(events.flatMap((event) => (event.kind === 'alerts.received' ? event.alerts : []))),
  };
}

type Judged = Pick<JournalFacts, 'brokeGlass' | 'decisions' | 'holds' | 'pages' | 'proposals' | 'reports'>;

function judgement(events: readonly EventBody[]): Judged {
  const of = <K extends EventBody['kind']>(kind: K): EventOf<K>[] =>
    events.filter((event): event is EventOf<K> => event.kind === kind);
  const closed = new Map(of('proposal.closed').map(({ proposal, reason }) => [proposal, reason]));
  return {
    decisions: of('decision.made').map(({ decision: { row, action, autonomy, gates } }) => ({
      row,
      action,
      autonomy,
      inTheWay: gates.flatMap(({ gate, answer }) => (answer === 'pass' ? [] : [gate])),
    })),
    holds: countBy(of('hold.started').map(({ row }) => String(row))),
    proposals: of('proposal.opened').map(({ proposal }) => closed.get(proposal) ?? 'open'),
    brokeGlass: of('approval.given').some(({ approval }) => approval.breakGlass !== null),
    reports: events.flatMap(({ kind }) =>
      kind === 'report.made' ? ['made' as const] : kind === 'report.cleared' ? ['cleared' as const] : [],
    ),
    pages: of('page.queued').map(({ at, page: { kind, title, dueAt } }) => ({ kind, title, atOnce: dueAt === at })),
  };
}

function alertFacts(alerts: EventOf<'alerts.received'>['alerts']): JournalFacts['alerts'] {
  const firings = new Map(alerts.map((alert) => [alertKey(alert), alert]));
  const resolved = alerts.filter(({ status }) => status === 'resolved').map(alertKey);
  return {
    kept: countBy([...firings.values()].map(({ labels }) => labels['alertname'] ?? '')),
    resolved: new Set(resolved).size,
  };
}

function bracketOf(events: readonly EventBody[]): LossBracket | null {
  const losses = events.flatMap((event) =>
    event.kind === 'loss.estimated' || event.kind === 'run.opened' ? [event.loss] : [],
  );
  const loss = losses.at(-1);
  if (loss?.fromLsn === undefined || loss.fromLsn === null) return null;
  return { afterLsn: loss.fromLsn, upToLsn: loss.highBytes === null ? null : later(loss.fromLsn, loss.highBytes) };
}

function later(lsn: string, bytes: number): string {
  const [high = '0', low = '0'] = lsn.split('/');
  const end = (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`) + BigInt(Math.ceil(bytes));
  return `${(end >> 32n).toString(16)}/${(end & 0xffffffffn).toString(16)}`.toUpperCase();
}

/** Steps that only look have no intent: they count from the end of what came before them. */
function stepTimes(run: EventOf<'run.opened'>, events: readonly EventBody[]): StepTime[] {
  let beforeMs = run.at;
  const first = new Map<string, { fromMs: number; doneMs: number | null }>();
  for (const event of events) {
    if (event.kind === 'step.intended' && !first.has(event.step)) {
      first.set(event.step, { fromMs: event.at, doneMs: null });
    } else if (event.kind === 'step.done') {
      const known = first.get(event.step) ?? { fromMs: beforeMs, doneMs: null };
      first.set(event.step, { ...known, doneMs: known.doneMs ?? event.at });
      beforeMs = event.at;
    }
  }
  return run.plan.steps.flatMap(({ id, phase }) => {
    const times = first.get(id);
    if (times === undefined) return [];
    return [
      { step: id, phase, fromMs: times.fromMs, tookMs: times.doneMs === null ? null : times.doneMs - times.fromMs },
    ];
  });
}
