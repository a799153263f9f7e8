/**
 * The core driven over a recorded history: the same `step` and fold as in the daemon, with a clock that is an input. PURE.
 *
 * A *frame* is what was known at one instant of the history; it stands until the next one. The reference is to look once a
 * second, as the daemon does, at what the frame says. While nothing is under way and no verdict changes, looking once a
 * frame tells the same (`skip`); the moment a look would say anything, the last minute is walked second by second before
 * it, from a state that was kept, so that ages, samples and holds are those of the reference. `test/engine/replay.test.ts`
 * holds both to the same journal.
 *
 * Nobody answers and nothing is done: pages count as delivered, operations are refused by not being performed, a run is
 * called off in the instant it is decided (its cooldown counts), and a report that an alert made ends with that alert.
 */
import type { JournalEntry, Report } from '../model/events.ts';
import type { Alert, Observation } from '../model/evidence.ts';
import { EMPTY_GROUP } from '../model/ledger.ts';
import type { Input, State } from '../model/loop.ts';
import { rowKey } from '../model/matrix.ts';
import type { GroupId, WallMs } from '../model/primitives.ts';
import type { Settings } from '../model/settings.ts';
import { CONTROL_FRESH_MS } from '../policies/vantage.ts';
import { initialState, turn } from './core.ts';

export type Frame = {
  readonly at: WallMs;
  /** Whether every verdict, and whether anything is known at all, is as in the frame before it. Numbers may differ. */
  readonly alike: boolean;
  /** Alerts that begin, end, or are heard of again at this instant. */
  readonly alerts: readonly Alert[];
  /** Reports whose alert ends at this instant. */
  readonly cleared: readonly { readonly group: GroupId; readonly report: Report }[];
  /** What probes would have seen at an instant within the frame; empty in a gap of the history. */
  readonly observe: (at: WallMs) => readonly Observation[];
};

export type Frames = { readonly count: number; readonly frame: (index: number) => Frame };

export type ReplayOptions = {
  readonly settings: Settings;
  readonly frames: Frames;
  /** Look once a frame while nothing is under way; false = once a second, always. */
  readonly skip: boolean;
  /** Every entry the journal would have, with the state right after the turn that said it. */
  readonly said?: (entries: readonly JournalEntry[], state: State) => void;
  /** After each frame. */
  readonly passed?: (index: number) => void;
};

export type Replayed = {
  readonly state: State;
  /** How often the core was called, and how many frames were looked at once. */
  readonly turns: number;
  readonly skipped: number;
};

const LOOK_EVERY_MS = 1000;
/** How far back the core remembers numbers: samples of the primary's log, one a second. */
const REMEMBERED_MS = 60_000;
/** Who does what nobody does in a backtest. */
const NOBODY = { id: 'backtest', roles: ['sre' as const] };

/** Often enough that an answer of a control target still counts when the next one comes. */
const ANSWERS_EVERY_MS = CONTROL_FRESH_MS - 1000;

/** Throws IllegalEvent where the core says what the ledger does not allow, as in the daemon. */
export function replay(options: ReplayOptions): Replayed {
  return new Replay(options).run();
}

type Kept = { readonly index: number; readonly state: State };
type Turned = { readonly state: State; readonly entries: readonly JournalEntry[] };

class Replay {
  readonly #options: ReplayOptions;
  #turns = 0;
  #skipped = 0;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  run(): Replayed {
    const { frames, settings, skip, passed } = this.#options;
    const stepMs = frames.count > 1 ? frames.frame(1).at - frames.frame(0).at : LOOK_EVERY_MS;
    const mostKept = Math.ceil(REMEMBERED_MS / stepMs) + 1;
    let state = initialState(settings);
    if (frames.count === 0) return { state, turns: 0, skipped: 0 };
    const first = frames.frame(0);
    state = this.#say(state, {
      kind: 'started',
      ...this.#clock(first.at),
      incarnation: 'backtest',
      version: '',
      configHash: '',
    });
    state = this.#enter(state, first);
    /** States from the last exact one on; those after it are of frames that were looked at once. */
    let kept: Kept[] = [{ index: 0, state }];
    passed?.(0);
    for (let index = 1; index < frames.count; index += 1) {
      const frame = frames.frame(index);
      const before = kept.at(-1)?.state ?? state;
      const once =
        skip && frame.alike && isQuiet(before, stepMs) ? this.#look(before, frames.frame(index - 1), frame) : null;
      if (once !== null) {
        this.#skipped += 1;
        kept.push({ index, state: once });
        if (kept.length > mostKept) kept.shift();
        state = once;
      } else {
        const from = kept[0] ?? { index: index - 1, state };
        state = this.#walk(from, index);
        kept = [{ index, state }];
      }
      passed?.(index);
    }
    return { state, turns: this.#turns, skipped: this.#skipped };
  }

  /** Milliseconds since the first frame serve as the monotonic clock. */
  #clock(at: WallMs): { readonly at: WallMs; readonly mono: number } {
    return { at, mono: at - this.#options.frames.frame(0).at + 1 };
  }

  /** One look at a frame; null where it says anything, or leaves anything under way. */
  #look(before: State, last: Frame, frame: Frame): State | null {
    let state = before;
    for (const input of [...this.#answersUntil(last, frame.at), ...this.#inputs(frame)]) {
      const { state: next, entries } = this.#turn(state, input);
      if (entries.length > 0) return null;
      state = next;
    }
    return state;
  }

  /** Vantages that are asked once a frame alone would seem to come back at each, and what they see then is doubtful (invariant 18). */
  #answersUntil(last: Frame, until: WallMs): Input[] {
    const inputs: Input[] = [];
    for (let at = last.at + ANSWERS_EVERY_MS; at < until; at += ANSWERS_EVERY_MS) {
      const observations = last.observe(at).filter(({ kind }) => kind === 'control');
      if (observations.length > 0) inputs.push({ kind: 'observed', ...this.#clock(at), observations });
    }
    return inputs;
  }

  /** Second by second from one frame to another, what the frames in between say included. */
  #walk(from: Kept, to: number): State {
    const { frames } = this.#options;
    let state = from.state;
    for (let index = from.index; index < to; index += 1) {
      const frame = frames.frame(index);
      const next = frames.frame(index + 1);
      for (let at = frame.at + LOOK_EVERY_MS; at < next.at; at += LOOK_EVERY_MS)
        state = this.#say(state, this.#seen(frame, at));
      state = this.#enter(state, next);
    }
    return state;
  }

  #enter(before: State, frame: Frame): State {
    let state = before;
    for (const input of this.#inputs(frame)) state = this.#say(state, input);
    return state;
  }

  /** What was seen comes first: alerts are judged beside fresh evidence. */
  *#inputs(frame: Frame): Generator<Input> {
    yield this.#seen(frame, frame.at);
    const request = `backtest-${frame.at}`;
    if (frame.alerts.length > 0)
      yield { kind: 'webhook', ...this.#clock(frame.at), request, alerts: [...frame.alerts] };
    for (const { group, report } of frame.cleared)
      yield {
        kind: 'clear-report',
        ...this.#clock(frame.at),
        request: `${request}-${group}-${report}`,
        person: NOBODY,
        group,
        report,
        why: 'its alert ended',
      };
  }

  #seen(frame: Frame, at: WallMs): Input {
    const observations = frame.observe(at);
    return observations.length === 0
      ? { kind: 'tick', ...this.#clock(at) }
      : { kind: 'observed', ...this.#clock(at), observations: [...observations] };
  }

  /** An input and all that follows from it in the same instant. */
  #say(before: State, input: Input): State {
    const { state, entries } = this.#turn(before, input);
    if (entries.length > 0) this.#options.said?.(entries, state);
    return state;
  }

  #turn(before: State, input: Input): Turned {
    const entries: JournalEntry[] = [];
    const inputs: Input[] = [input];
    let state = before;
    const { at, mono } = input;
    for (let next = inputs.shift(); next !== undefined; next = inputs.shift()) {
      this.#turns += 1;
      const turned = turn(state, next);
      state = turned.state;
      entries.push(...turned.entries);
      for (const { body } of turned.entries)
        if (body.kind === 'run.opened')
          inputs.push({
            kind: 'abort',
            at,
            mono,
            request: body.run,
            person: NOBODY,
            target: body.run,
            why: 'nothing is done in a backtest',
          });
      // Of all effects pages alone are answered; operations are performed by nobody.
      for (const effect of turned.effects)
        if (effect.kind === 'page')
          inputs.push({ kind: 'paged', at, mono, page: effect.page.id, delivered: true, message: '' });
    }
    return { state, entries };
  }
}

/**
 * Nothing is under way whose age decides anything: no hold, proposal, run or report. A hold that has lasted long enough
 * and told people, or only shows itself, decides nothing more. One that planned work kept from telling them still does, when
 * that is over, and says then how long it held.
 */
function isQuiet({ ledger, settings }: State, stepMs: number): boolean {
  return Object.values(settings.groups).every((group) => {
    const { holds, proposal, run, reports, decisions } = ledger.groups[group.id] ?? EMPTY_GROUP;
    if (proposal !== null || run !== null || Object.keys(reports).length > 0) return false;
    return Object.values(holds).every((hold) => {
      const row = group.rows.find(({ id }) => id === hold.row);
      const told = row?.action === 'none' || decisions[rowKey(hold.row, hold.component)]?.action === 'speak-up';
      return told && hold.heldMs >= (row?.forMs ?? 0) && stepMs <= group.holdGapMs;
    });
  });
}
