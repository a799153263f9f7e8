/** A clock that runs at a rate of its own. Monotonic time starts at zero with whoever reads it; wall time jumps. */
export class HostClock {
  readonly rate: number;
  #wallOffsetMs: number;
  /** While the host is paused and its clocks with it: since when. */
  #stoppedAtMs: number | null = null;
  #stoodMs = 0;

  constructor(rate: number, wallOffsetMs: number) {
    this.rate = rate;
    this.#wallOffsetMs = wallOffsetMs;
  }
  /** This clock's reading, in milliseconds since the beginning of the world. */
  read(nowMs: number): number {
    return ((this.#stoppedAtMs ?? nowMs) - this.#stoodMs) * this.rate;
  }
  /** The true instant at which this clock reads so, if it doesn't stop before. */
  trueAt(readingMs: number): number {
    return readingMs / this.rate + this.#stoodMs;
  }
  wall(nowMs: number): number {
    return Math.round(1_800_000_000_000 + this.#wallOffsetMs + this.read(nowMs));
  }
  jump(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }
  stop(nowMs: number): void {
    this.#stoppedAtMs ??= nowMs;
  }
  go(nowMs: number): void {
    if (this.#stoppedAtMs === null) return;
    this.#stoodMs += nowMs - this.#stoppedAtMs;
    this.#stoppedAtMs = null;
  }
}
