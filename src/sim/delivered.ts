/**
 * What was truly delivered to the daemon, kept by the world: the oracle judges a decision by it, and never by what the
 * daemon made of it or writes down that it stood on.
 */
import type { Observation, PostgresFacts } from '../model/evidence.ts';
import { B } from './platform.ts';

type Look = { readonly bad: boolean; readonly atMs: number };
type Standby = { readonly facts: PostgresFacts; readonly atMs: number };

/** An answer of a control target speaks for its vantage so long. */
const CONTROL_MS = 6000;

export class Delivered {
  /** Newest look at each component of A, by vantage; only of the present life. */
  #looks = new Map<string, Map<string, Look>>();
  #controls = new Map<string, Look>();
  #standby: Standby | null = null;
  /** When a vantage that was connected last told that A is well, in whatever life. */
  readonly #wellMs = new Map<string, number>();
  /** When anybody last told so, connected or not. */
  #toldWellMs = Number.NEGATIVE_INFINITY;

  /** A process comes up and knows nothing of what an earlier one was told. */
  forget(): void {
    this.#looks = new Map();
    this.#controls = new Map();
    this.#standby = null;
  }

  take(observations: readonly Observation[], atMs: number): void {
    for (const observation of observations) {
      const { vantage, verdict } = observation;
      if (observation.kind === 'control') this.#controls.set(vantage, { bad: verdict !== 'ok', atMs });
      if (observation.kind !== 'postgres' && observation.kind !== 'http') continue;
      if (observation.region === B) {
        if (observation.kind === 'postgres' && observation.facts !== null)
          this.#standby = { facts: observation.facts, atMs };
        continue;
      }
      const looks = this.#looks.get(vantage) ?? new Map<string, Look>();
      this.#looks.set(vantage, looks.set(observation.component, { bad: verdict === 'bad', atMs }));
      if (verdict !== 'ok') continue;
      this.#toldWellMs = atMs;
      if (this.#connected(vantage, atMs)) this.#wellMs.set(vantage, atMs);
    }
  }

  #connected(vantage: string, atMs: number): boolean {
    const control = this.#controls.get(vantage);
    return control !== undefined && !control.bad && atMs - control.atMs <= CONTROL_MS;
  }

  /** Vantages whose newest looks at A all failed and are no older than that. */
  missing(atMs: number, freshMs: number): string[] {
    return [...this.#looks].flatMap(([vantage, looks]) =>
      [...looks.values()].every((look) => look.bad && atMs - look.atMs <= freshMs) ? [vantage] : [],
    );
  }

  /** How long ago the last of these vantages told that A is well; infinite where none ever did. */
  wellAgoMs(vantages: Iterable<string>, atMs: number): number {
    return atMs - Math.max(...[...vantages].map((vantage) => this.#wellMs.get(vantage) ?? Number.NEGATIVE_INFINITY));
  }

  toldWellAgoMs(atMs: number): number {
    return atMs - this.#toldWellMs;
  }

  /** How long ago the standby heard from its primary, as it was told last; null = nobody was told, or not lately. */
  streamedAgoMs(atMs: number, freshMs: number): number | null {
    if (this.#standby === null || atMs - this.#standby.atMs > freshMs) return null;
    const { walReceiver, lastMessageAgeMs } = this.#standby.facts;
    if (walReceiver === null) return null;
    if (walReceiver !== 'streaming') return Number.POSITIVE_INFINITY;
    return lastMessageAgeMs === null ? null : lastMessageAgeMs + (atMs - this.#standby.atMs);
  }
}
