/**
 * What ends PostgreSQL when the guard doesn't. `relative`: the kernel's timer, H from the pet by its own clock; it resets the
 * host. `absolute`: a process of its own, H from the send of the renewal by the host's clock; it kills PostgreSQL. `none`: nothing.
 */

import type { DeadManKind } from '../../model/lease.ts';
import type { HostClock } from './clock.ts';
import type { Context, Region } from './context.ts';

export class DeadMan {
  readonly kind: DeadManKind;
  readonly #world: Context;
  readonly #region: Region;
  readonly #clock: HostClock;
  readonly #kernelRate: number;
  readonly #fire: () => void;
  /** By the host's clock. The deadline of an absolute one; what a relative one tells of its own. */
  #deadlineReading: number | null = null;
  #cancel: (() => void) | null = null;
  frozen = false;
  /** The process or the device is not there. */
  gone = false;
  #late = false;

  constructor(
    kind: DeadManKind,
    world: Context,
    region: Region,
    clock: HostClock,
    kernelRate: number,
    fire: () => void,
  ) {
    this.kind = kind;
    this.#world = world;
    this.#region = region;
    this.#clock = clock;
    this.#kernelRate = kernelRate;
    this.#fire = fire;
  }
  /** The true instant at which it fires, if nobody pets it. */
  dueMs: number | null = null;
  get armed(): boolean {
    return this.#deadlineReading !== null;
  }
  /** Send time of the last good renewal as it keeps it, by the host's clock; null = not armed. */
  get renewedReading(): number | null {
    return this.#deadlineReading === null ? null : this.#deadlineReading - this.#world.timings.deadManAfterMs;
  }

  pet(sentReading: number): void {
    if (this.gone || this.kind === 'none') return;
    const { nowMs } = this.#world.time;
    const after = this.#world.timings.deadManAfterMs;
    if (this.kind === 'relative') {
      this.#deadlineReading = this.#clock.read(nowMs) + after;
      this.#set(nowMs + after / this.#kernelRate);
    } else {
      const deadline = sentReading + after;
      // Late or older pets are void.
      if (deadline <= (this.#deadlineReading ?? Number.NEGATIVE_INFINITY)) return;
      if (this.#late) return;
      this.#deadlineReading = deadline;
      this.#set(this.#clock.trueAt(deadline));
    }
  }
  /** Since when nothing is armed, after something was. */
  unarmedSinceMs = Number.NEGATIVE_INFINITY;
  disarm(): void {
    if (this.armed) this.unarmedSinceMs = this.#world.time.nowMs;
    this.#deadlineReading = null;
    this.#late = false;
    this.dueMs = null;
    this.#cancel?.();
    this.#cancel = null;
  }
  thaw(): void {
    this.frozen = false;
    if (this.#late) this.#expire();
  }
  /** The host's clocks stand still, and the timer with them. */
  pause(): void {
    if (this.dueMs === null || this.#leftMs !== null) return;
    this.#leftMs = this.dueMs - this.#world.time.nowMs;
    this.#cancel?.();
    this.#cancel = null;
  }
  resume(): void {
    if (this.#leftMs === null) return;
    this.#set(this.#world.time.nowMs + this.#leftMs);
    this.#leftMs = null;
  }
  #leftMs: number | null = null;
  #set(atMs: number): void {
    this.#cancel?.();
    this.dueMs = atMs;
    this.#cancel = this.#world.time.at(atMs, () => {
      this.#cancel = null;
      if (this.gone) return;
      // Frozen, it is late. What was queued for it before it thaws comes first, which is what makes it none.
      if (this.frozen) this.#late = true;
      else this.#expire();
    });
  }
  #expire(): void {
    this.disarm();
    if (this.#world.tracing) this.#world.say(`dead-man ${'abc'[this.#region]}`, 'expired');
    this.#fire();
  }
}
