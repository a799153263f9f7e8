/**
 * One turn of the core: step, fold what was said, step again until nothing is left to say. PURE, so that recorded inputs
 * replayed give identical states, in the daemon, the simulator and a back-test alike.
 */
import { seal } from '../journal/chain.ts';
import { fold } from '../journal/fold.ts';
import type { JournalEntry } from '../model/events.ts';
import { EMPTY_LEDGER, type Ledger } from '../model/ledger.ts';
import { type Effect, EMPTY_VOLATILE, type Input, type State } from '../model/loop.ts';
import type { Settings } from '../model/settings.ts';
import { step } from '../policies/step.ts';

export type Turned = {
  readonly state: State;
  /** To be durable before any effect leaves. */
  readonly entries: readonly JournalEntry[];
  readonly effects: readonly Exclude<Effect, { kind: 'append' }>[];
};

/** A turn that has not come to rest by then is a bug, not a busy day: each pass must find less to say. */
const MOST_PASSES = 200;
/** What a row may have to say at one instant: its hold ends, begins, has lasted long enough; its decision, another, none. */
const PASSES_OF_A_ROW = 6;

const mostPasses = ({ groups }: Settings): number =>
  MOST_PASSES + PASSES_OF_A_ROW * Math.max(0, ...Object.values(groups).map(({ rows }) => rows.length));

export const initialState = (settings: Settings, ledger: Ledger = EMPTY_LEDGER): State => ({
  incarnation: '',
  at: 0,
  mono: 0,
  settings,
  configured: settings,
  ledger,
  volatile: EMPTY_VOLATILE,
});

/** Throws IllegalEvent when the policies say what the ledger does not allow: nothing may follow then. */
export function turn(before: State, input: Input): Turned {
  let state = before;
  let next: Input = input;
  const entries: JournalEntry[] = [];
  const effects: Exclude<Effect, { kind: 'append' }>[] = [];
  for (let pass = 0; pass < MOST_PASSES || pass < mostPasses(state.settings); pass += 1) {
    const out = step(state, next);
    state = out.state;
    let said = false;
    for (const effect of out.effects) {
      if (effect.kind !== 'append') {
        effects.push(effect);
        continue;
      }
      said = true;
      const sealed = seal(state.ledger.seq, state.ledger.hash, effect.events);
      state = { ...state, ledger: sealed.reduce(fold, state.ledger) };
      for (const entry of sealed) entries.push(entry);
    }
    if (!said) return { state, entries, effects };
    next = { kind: 'tick', at: input.at, mono: input.mono, groups: [...out.unfinished] };
  }
  throw new Error(`the core did not come to rest after ${mostPasses(state.settings)} passes on ${input.kind}`);
}
