/**
 * Messages between places: late, lost, twice, out of order, cut in one direction. What was sent goes on whatever became of its
 * sender, and a message that is held up may arrive long after everybody has given up on it.
 */
import type { Random } from '../random.ts';
import type { Scheduler } from '../scheduler.ts';

/** Regions are places 0 to 2. */
export type Place = number;
export const STORE: Place = 3;
export const CONTROLLER: Place = 4;
export const CLIENT: Place = 5;
const PLACES = 6;

/** So late a straggler may be. */
const STRAGGLER_MS = 40_000;

export type NetworkFaults = {
  readonly lost: number;
  readonly twice: number;
  readonly straggles: number;
  /** An ordinary message is under way for up to so long. */
  readonly latencyMs: number;
};

export class Network {
  readonly #time: Scheduler;
  readonly #random: Random;
  readonly #faults: NetworkFaults;
  readonly #cuts = new Int16Array(PLACES * PLACES);
  /** Takes a message out of the network and into the hands of an aimed adversary; true = it has it now. */
  capture: ((from: Place, to: Place, deliver: () => void) => boolean) | null = null;
  /** The next so many messages from a place to another meet this fate. */
  #doomed: { from: Place; to: Place; fate: 'lost' | 'twice' | 'straggles'; left: number }[] = [];

  constructor(time: Scheduler, random: Random, faults: NetworkFaults) {
    this.#time = time;
    this.#random = random;
    this.#faults = faults;
  }
  cut(from: Place, to: Place, forMs: number): void {
    const link = from * PLACES + to;
    this.#cuts[link] = (this.#cuts[link] ?? 0) + 1;
    this.#time.after(forMs, () => {
      this.#cuts[link] = (this.#cuts[link] ?? 0) - 1;
    });
  }
  up(from: Place, to: Place): boolean {
    return this.#cuts[from * PLACES + to] === 0;
  }
  doom(from: Place, to: Place, fate: 'lost' | 'twice' | 'straggles', count: number): void {
    this.#doomed.push({ from, to, fate, left: count });
  }
  /** What is cut when it is sent, or when it would arrive, never arrives. */
  send(from: Place, to: Place, deliver: () => void): void {
    if (this.capture?.(from, to, deliver)) return;
    const faults = this.#faults;
    if (!this.up(from, to)) return;
    const fate = this.#doomed.length > 0 ? this.#fateOf(from, to) : null;
    if (fate === 'lost' || (faults.lost > 0 && this.#random.chance(faults.lost))) return;
    let delayMs = faults.latencyMs > 0 ? this.#random.int(0, faults.latencyMs) : 0;
    if (fate === 'straggles' || (faults.straggles > 0 && this.#random.chance(faults.straggles)))
      delayMs = this.#random.int(500, STRAGGLER_MS);
    this.#arrive(from, to, delayMs, deliver);
    if (fate === 'twice' || (faults.twice > 0 && this.#random.chance(faults.twice)))
      this.#arrive(from, to, this.#random.int(0, 5000), deliver);
  }
  #arrive(from: Place, to: Place, delayMs: number, deliver: () => void): void {
    this.#time.after(delayMs, () => {
      if (this.up(from, to)) deliver();
    });
  }
  #fateOf(from: Place, to: Place): 'lost' | 'twice' | 'straggles' | null {
    for (const doom of this.#doomed) {
      if (doom.left === 0 || doom.from !== from || doom.to !== to) continue;
      doom.left -= 1;
      return doom.fate;
    }
    return null;
  }
}
